// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package disk keeps blobs as files under one folder: Open returns a Store that
// passes the contract of protocol/blob/blobtest.
//
// A blob is at ROOT/ACCOUNT/KIND/NAME. It is written under a temporary name,
// flushed, moved to its own name, and the folder is flushed; only then Put
// returns nil. So a blob is either whole and durable or not there, also after a
// power cut. What a crash leaves under ROOT/tmp is removed by Sweep.
package disk

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

const tmpName = "tmp"

// Store is a blob.Store on a folder that nothing else writes to.
type Store struct {
	root string
	fs   FS
	tmp  atomic.Uint64 // numbers temporary files

	mu   sync.Mutex      // guards made
	made map[string]bool // folders that are durable, as far as it remembers
	// making keeps makers of one folder apart, by a hash of its name; others flush
	// theirs at the same time.
	making [64]sync.Mutex
	seed   maphash.Seed

	// locks keep puts and deletes of one blob apart, by a byte of its name.
	locks [64]sync.Mutex
}

// Open returns the store in the folder root, which it makes with every folder
// above that is missing.
func Open(root string) (*Store, error) { return OpenFS(root, OS{}) }

// OpenFS is Open with the file system that changes go through.
func OpenFS(root string, fs FS) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	s := &Store{root: root, fs: fs, made: map[string]bool{}, seed: maphash.MakeSeed()}
	if err := s.ensureAbove(root); err != nil {
		return nil, explain(err, "open blob folder")
	}
	if err := s.ensure(filepath.Join(root, tmpName)); err != nil {
		return nil, explain(err, "open blob folder")
	}
	return s, nil
}

// Sweep removes what a crash left half-written. No other process may be putting
// blobs meanwhile.
func (s *Store) Sweep() error {
	return explain(s.clean(), "sweep blob folder")
}

// ensureAbove makes root and what is missing above it.
func (s *Store) ensureAbove(root string) error {
	if _, err := os.Stat(root); err == nil {
		return nil
	}
	if err := s.ensureAbove(filepath.Dir(root)); err != nil {
		return err
	}
	return s.ensure(root)
}

// clean empties the folder of temporary files.
func (s *Store) clean() error {
	dir := filepath.Join(s.root, tmpName)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := s.fs.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// maxMade bounds how many folders are remembered.
const maxMade = 1 << 17

// ensure makes one folder, durable in the one above it. A folder that exists may
// be of a process that died before it was flushed, so that is done again once.
func (s *Store) ensure(dir string) error {
	one := &s.making[maphash.String(s.seed, dir)%uint64(len(s.making))]
	one.Lock()
	defer one.Unlock()
	if s.remembers(dir) {
		return nil
	}
	if err := s.fs.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.fs.SyncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	s.remember(dir)
	return nil
}

func (s *Store) remembers(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[dir]
}

func (s *Store) remember(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.made) >= maxMade {
		clear(s.made)
	}
	s.made[dir] = true
}

func (s *Store) dir(account protocol.AccountID, kind blob.Kind) string {
	return filepath.Join(s.root, account.String(), string(kind))
}

func (s *Store) path(ref blob.Ref) string {
	return filepath.Join(s.dir(ref.Account, ref.Kind), ref.Name.String())
}

// lock keeps others away from the blob until the returned function is called.
func (s *Store) lock(ref blob.Ref) (unlock func()) {
	m := &s.locks[int(ref.Name[0])%len(s.locks)]
	m.Lock()
	return m.Unlock
}

// Put stores data; see blob.Store.
func (s *Store) Put(ctx context.Context, ref blob.Ref, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ref.Check(data); err != nil {
		return err
	}
	defer s.lock(ref)()
	if s.holds(ref, int64(len(data))) {
		return explain(s.fs.SyncDir(s.dir(ref.Account, ref.Kind)), "put blob "+ref.String())
	}
	return explain(s.write(ref, data), "put blob "+ref.String())
}

// holds reports whether the blob is there, whole and unchanged; one that is
// damaged is written again.
func (s *Store) holds(ref blob.Ref, size int64) bool {
	info, err := os.Stat(s.path(ref))
	if err != nil || info.Size() != size {
		return false
	}
	data, err := os.ReadFile(s.path(ref))
	return err == nil && ref.Check(data) == nil
}

func (s *Store) write(ref blob.Ref, data []byte) error {
	dir := s.dir(ref.Account, ref.Kind)
	if err := s.ensure(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := s.ensure(dir); err != nil {
		return err
	}
	tmp := filepath.Join(s.root, tmpName, fmt.Sprintf("%d-%d", os.Getpid(), s.tmp.Add(1)))
	if err := s.writeFile(tmp, data); err != nil {
		_ = s.fs.Remove(tmp)
		return err
	}
	if err := s.fs.Rename(tmp, s.path(ref)); err != nil {
		_ = s.fs.Remove(tmp)
		return err
	}
	if err := s.fs.SyncDir(dir); err != nil {
		_ = s.fs.Remove(s.path(ref)) // it is not durable, so it is not there
		return err
	}
	return nil
}

func (s *Store) writeFile(path string, data []byte) error {
	f, err := s.fs.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// Delete removes the blob; see blob.Store.
func (s *Store) Delete(ctx context.Context, ref blob.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !ref.Kind.Known() {
		return fmt.Errorf("delete blob %s: unknown kind", ref)
	}
	defer s.lock(ref)()
	err := s.fs.Remove(s.path(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(err, "delete blob "+ref.String())
	}
	err = s.fs.SyncDir(s.dir(ref.Account, ref.Kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return explain(err, "delete blob "+ref.String())
}

// explain says what was being done, and gives errors the kind they have for
// whoever asked: no blob, no space.
func explain(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", doing, blob.ErrNotFound)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return protocol.Wrap(protocol.KindFull, err, "%s", doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// parseName returns the name that a file's name is the text form of.
func parseName(file string) (protocol.Hash, bool) {
	var name protocol.Hash
	if len(file) != hex.EncodedLen(len(name)) {
		return name, false
	}
	err := name.UnmarshalText([]byte(file))
	return name, err == nil
}
