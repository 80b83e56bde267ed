// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// fileKeeper keeps the key in a file outside the state folder: one line of
// hexadecimal digits, readable by its owner only.
type fileKeeper struct {
	path string
	dir  string // the state folder
}

type fileParameters struct {
	Path string `json:"path"`
}

// make takes the key that is in the file, or makes a file with a new one.
func (k fileKeeper) make(*Device) (*keys.Secret, any, error) {
	if k.path == "" {
		return nil, nil, protocol.Errorf(protocol.KindUsage, "protect by a key file: say which")
	}
	path, err := filepath.Abs(k.path)
	if err != nil {
		return nil, nil, osError(err, "key file %s", k.path)
	}
	if inside(k.dir, path) {
		return nil, nil, protocol.Errorf(protocol.KindUsage, "the key file %s lies beside what it protects: name one in another folder", path)
	}
	parameters := fileParameters{Path: path}
	key, err := readKeyFile(path)
	if protocol.KindOf(err) != protocol.KindNotFound {
		return key, parameters, err
	}
	key = keys.GenerateSecret()
	return key, parameters, writeKeyFile(path, key)
}

func (k fileKeeper) recover(parameters json.RawMessage) (*keys.Secret, error) {
	var p fileParameters
	if err := decodeParameters(parameters, &p); err != nil {
		return nil, err
	}
	if k.path != "" {
		p.Path = k.path
	}
	key, err := readKeyFile(p.Path)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, protocol.Wrap(protocol.KindWrongSecret, err, "unlock this device: its key file is not there")
	}
	return key, err
}

// drop leaves the file: the user named it, and it may serve something else.
func (k fileKeeper) drop(json.RawMessage) {}

func inside(dir, path string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func readKeyFile(path string) (*keys.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, osError(err, "key file %s", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, protocol.Errorf(protocol.KindDenied, "key file %s can be read by others (mode %04o): make it 0600, and if others may have read it, protect this device anew with a new file", path, info.Mode().Perm())
	}
	text, err := readFile(path, 4096)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != keys.SecretSize {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "key file %s does not hold one line of %d hexadecimal digits", path, 2*keys.SecretSize)
	}
	return keys.NewSecret(raw)
}

// writeKeyFile never overwrites: a file that appeared meanwhile is an error.
func writeKeyFile(path string, key *keys.Secret) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return osError(err, "make key file %s", path)
	}
	_, err = f.WriteString(hex.EncodeToString(key.Expose()) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path) // nothing was sealed with it
		return osError(err, "write key file %s", path)
	}
	return syncDir(filepath.Dir(path))
}
