// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Session returns the cached session token, or nil where there is none. It is
// no secret of the device: whoever reads it can ask the server for ciphertext
// until it expires.
func (s *State) Session() (*api.Session, error) {
	var session api.Session
	err := readDocument(s.path(nameSession), "session", &session)
	if lost(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &session, nil
}

// SetSession remembers the session token, in a file that only this user reads;
// nil forgets it.
func (s *State) SetSession(session *api.Session) error {
	return s.update(func() error {
		if session == nil {
			err := os.RemoveAll(s.path(nameSession))
			return osError(err, "remove %s", s.path(nameSession))
		}
		return writeDocument(s.path(nameSession), "session", session)
	})
}

// LastBackup says when the newest complete backup of a vault was acknowledged.
type LastBackup struct {
	Record protocol.Hash `json:"record"` // the snapshot's
	Seq    uint64        `json:"seq"`
	Time   protocol.Time `json:"time"` // by this device's clock
}

// LastBackup returns the newest complete backup that this device made into the
// vault, or nil where there is none.
func (v *Vault) LastBackup() (*LastBackup, error) {
	last := new(LastBackup)
	err := readDocument(v.path("last.json"), "last backup", last)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return last, nil
}

// SetLastBackup remembers a complete backup.
func (v *Vault) SetLastBackup(last *LastBackup) error {
	return v.s.update(func() error { return writeDocument(v.path("last.json"), "last backup", last) })
}

// Note returns what SetNote kept under the name, at most 1 MiB; KindNotFound
// where nothing is kept.
func (s *State) Note(name string) ([]byte, error) {
	path, err := s.notePath(name)
	if err != nil {
		return nil, err
	}
	var note []byte
	err = readDocument(path, "note", &note)
	return note, err
}

// SetNote keeps a small value under a name of lower-case letters and dashes,
// durably; nil removes it. Nothing in it may be secret.
func (s *State) SetNote(name string, data []byte) error {
	path, err := s.notePath(name)
	if err != nil {
		return err
	}
	if len(data) > maxDocument/2 {
		return protocol.Errorf(protocol.KindInternal, "note %s has %d bytes, at most %d are kept", name, len(data), maxDocument/2)
	}
	return s.update(func() error {
		if data == nil {
			return osError(os.RemoveAll(path), "remove %s", path)
		}
		return writeDocument(path, "note", data)
	})
}

func (s *State) notePath(name string) (string, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "", protocol.Errorf(protocol.KindInternal, "note: %q is no name for one", name)
	}
	return s.path(filepath.Join(nameNotes, name+".json")), nil
}

// cacheTag marks the cache folder for programs that leave caches out.
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of solekey; it may be deleted at any time.\n"

// CacheDir makes and returns the vault's folder in the cache; what is in it may
// be lost at any time, and is private to this user.
func (v *Vault) CacheDir() (string, error) {
	dir := filepath.Join(v.s.cache, nameVaults, v.id.String())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", osError(err, "make cache folder %s", dir)
	}
	tag := filepath.Join(v.s.cache, "CACHEDIR.TAG")
	if _, err := os.Stat(tag); err != nil {
		_ = os.WriteFile(tag, []byte(cacheTag), 0o600) // a courtesy to others
	}
	return dir, nil
}

// The parts of the vault's cache folder, each of which CacheDir makes room for.
const (
	CacheIndex   = "index"     // folder: which pack holds a chunk
	CacheJournal = "journal"   // file: what a killed run had stored
	CacheRun     = "last-run"  // file: what the last run saw of each file
	CacheTree    = "tree"      // folder: opened nodes of trees
	CacheRestore = "downloads" // folder: what a restore keeps between runs
)

// CachePath returns the path of one part of the vault's cache; its folder is
// there afterwards.
func (v *Vault) CachePath(part string) (string, error) {
	dir, err := v.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, part), nil
}
