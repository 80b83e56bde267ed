// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

// Open returns a reader over the file; see blob.Store.
func (s *Store) Open(ctx context.Context, ref blob.Ref) (blob.Reader, int64, error) {
	f, size, err := s.open(ctx, ref)
	if err != nil {
		return nil, 0, explain(err, "open blob "+ref.String())
	}
	return f, size, nil
}

func (s *Store) open(ctx context.Context, ref blob.Ref) (*os.File, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if !ref.Kind.Known() {
		return nil, 0, errors.New("unknown kind")
	}
	f, err := os.Open(s.path(ref))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Get reads a range; see blob.Store.
func (s *Store) Get(ctx context.Context, ref blob.Ref, offset, length int64) ([]byte, error) {
	if offset < 0 || length < -1 {
		return nil, fmt.Errorf("get blob %s: range %d+%d", ref, offset, length)
	}
	f, size, err := s.open(ctx, ref)
	if err != nil {
		return nil, explain(err, "get blob "+ref.String())
	}
	defer func() { _ = f.Close() }()
	rest := max(0, size-offset)
	if length < 0 || length > rest {
		length = rest
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, length), data); err != nil {
		return nil, explain(err, "get blob "+ref.String())
	}
	return data, nil
}

// Stat returns the size; see blob.Store.
func (s *Store) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !ref.Kind.Known() {
		return 0, fmt.Errorf("stat blob %s: unknown kind", ref)
	}
	info, err := os.Stat(s.path(ref))
	if err != nil {
		return 0, explain(err, "stat blob "+ref.String())
	}
	return info.Size(), nil
}

// List visits the files in the order of their names; see blob.Store. Files that
// have no blob's name are not blobs and are passed over.
func (s *Store) List(ctx context.Context, account *protocol.AccountID, kind blob.Kind, visit func(blob.Ref, int64) error) error {
	if !kind.Known() {
		return fmt.Errorf("list blobs: unknown kind %q", string(kind))
	}
	if account != nil {
		return s.listAccount(ctx, *account, kind, visit)
	}
	folders, err := os.ReadDir(s.root)
	if err != nil {
		return explain(err, "list blobs")
	}
	for _, folder := range folders {
		id, err := protocol.ParseAccountID(folder.Name())
		if err != nil {
			continue
		}
		if err := s.listAccount(ctx, id, kind, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) listAccount(ctx context.Context, account protocol.AccountID, kind blob.Kind, visit func(blob.Ref, int64) error) error {
	entries, err := os.ReadDir(s.dir(account, kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain(err, "list blobs")
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, ok := parseName(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		if err := visit(blob.Ref{Account: account, Kind: kind, Name: name}, info.Size()); err != nil {
			return err
		}
	}
	return nil
}

// Link copies every blob to the folder into, by hard links where the file system
// allows it and by copies elsewhere. Blobs never change, so a link is as good.
func (s *Store) Link(ctx context.Context, into string) error {
	target, err := Open(into)
	if err != nil {
		return err
	}
	for _, kind := range blob.Kinds() {
		err := s.List(ctx, nil, kind, func(ref blob.Ref, _ int64) error { return s.link(ctx, target, ref) })
		if err != nil {
			return fmt.Errorf("copy blobs: %w", err)
		}
	}
	return target.flush()
}

func (s *Store) link(ctx context.Context, target *Store, ref blob.Ref) error {
	dir := target.dir(ref.Account, ref.Kind)
	if err := target.ensure(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := target.ensure(dir); err != nil {
		return err
	}
	err := os.Link(s.path(ref), target.path(ref))
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil // there already, or deleted meanwhile
	}
	data, err := blob.ReadAll(ctx, s, ref)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return target.Put(ctx, ref, data)
}

// flush makes the entries of every folder durable.
func (s *Store) flush() error {
	return filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return s.fs.SyncDir(path)
	})
}
