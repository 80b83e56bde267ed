// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/solekey/solekey/protocol"
)

// version is the version of every file in the state folder.
const version = 1

// maxDocument bounds a document in bytes.
const maxDocument = 1 << 20

// envelope is the outside of every small file: JSON, so that people can read
// it. Check is the SHA-256 of the body in its compact form: it finds damage, not
// malice, for whoever can write here can also compute it.
//
// Growth: a changed body gets a new version; a reader refuses what is newer.
type envelope struct {
	Format  string          `json:"format"`
	Version int             `json:"version"`
	Check   protocol.Hash   `json:"check"`
	Body    json.RawMessage `json:"body"`
}

// writeDocument replaces the file at path by v, durably and in one piece.
func writeDocument(path, format string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write %s", path)
	}
	e := envelope{Format: "solekey " + format, Version: version, Check: sha256.Sum256(body), Body: body}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write %s", path)
	}
	return writeFile(path, append(text, '\n'))
}

// readDocument fills v from the file at path. The error is KindNotFound where
// there is none, KindUnsupported where a newer program wrote it, and
// KindUntrusted where it is damaged.
func readDocument(path, format string, v any) error {
	text, err := readFile(path, maxDocument)
	if err != nil {
		return err
	}
	var e envelope
	if err := decodeStrict(text, &e); err != nil && e.Version <= version {
		return errDamaged(path, err)
	}
	if e.Version > version {
		return protocol.Errorf(protocol.KindUnsupported, "%s was written by a newer version of solekey (format %d, this program knows %d): update this program; nothing was changed", path, e.Version, version)
	}
	if e.Format != "solekey "+format || e.Version != version {
		return errDamaged(path, fmt.Errorf("it is no %s file", format))
	}
	var body bytes.Buffer
	if err := json.Compact(&body, e.Body); err != nil {
		return errDamaged(path, err)
	}
	if sha256.Sum256(body.Bytes()) != e.Check {
		return errDamaged(path, errors.New("its check sum does not match"))
	}
	if err := decodeStrict(body.Bytes(), v); err != nil {
		return errDamaged(path, err)
	}
	return nil
}

// decodeStrict decodes one JSON value with known fields and nothing behind it.
func decodeStrict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

// errDamaged is the error for a file that cannot be relied on.
func errDamaged(path string, err error) error {
	return protocol.Wrap(protocol.KindUntrusted, err,
		"%s is damaged and was not used; restore it from a copy, or move the folder away and join again as a new device", path)
}

// readFile reads a whole file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, osError(err, "open %s", path)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, osError(err, "read %s", path)
	}
	if int64(len(data)) > limit {
		return nil, errDamaged(path, fmt.Errorf("it is larger than %d bytes", limit))
	}
	return data, nil
}

// writeFile replaces the file at path in one piece: a temporary file, flushed,
// renamed, and the folder flushed. After an error the old file stands, or, where
// only the last flush failed, either of the two.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return osError(err, "make folder %s", dir)
	}
	f, err := os.CreateTemp(dir, tempPrefix+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return osError(err, "write %s", path)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what is left of it is swept at the next Open
		return osError(err, "write %s", path)
	}
	return syncDir(dir)
}

// tempPrefix begins the names of files that are being written.
const tempPrefix = ".new-"

// sweep removes what a killed process left half-written in the folder.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, path := range left {
		_ = os.Remove(path) // a leftover does no harm; the next sweep meets it again
	}
}

// syncDir makes renames in the folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return osError(err, "flush folder %s", dir)
	}
	err = f.Sync()
	_ = f.Close() // nothing was written through it
	return osError(err, "flush folder %s", dir)
}

// osError gives an error of the file system its kind and says what to do. It
// returns nil for nil.
func osError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return protocol.Wrap(protocol.KindNotFound, err, "%s", what)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return protocol.Wrap(protocol.KindDenied, err, "%s: the folder of the device's state must be writable by this user; nothing was changed", what)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return protocol.Wrap(protocol.KindFull, err, "%s: no space left; nothing was changed", what)
	}
	return protocol.Wrap(protocol.KindInternal, err, "%s", what)
}
