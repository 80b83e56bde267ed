// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Browser reads what is in snapshots. Whatever it returns was opened and named
// again under the name by which a signed record, or a folder below it, refers to
// it. It is safe for concurrent use.
type Browser struct {
	reader *tree.Reader
	names  func(namer protocol.MemberID) (*tree.Names, error)
}

// Browser returns a browser of the vault's snapshots. It is
// protocol.KindDenied for a writer.
func (v *Vault) Browser() (*Browser, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	reader := tree.NewReader(tree.ReaderOptions{
		Index: v.index, Source: v.source(), Open: v.openPack, Names: v.namesOf, Workers: browseWorkers,
	})
	return &Browser{reader: reader, names: v.namesOf}, nil
}

// browseWorkers is how many parts of packs one fetch reads at a time. A restore
// has two fetches under way.
const browseWorkers = 2

// ErrSkip, returned by a visitor for a folder, leaves out what is below it.
var ErrSkip = errors.New("skip this folder")

// root returns the folder that holds everything in the snapshot. It has no name.
func (s *Snapshot) root() *tree.Entry {
	return &tree.Entry{Type: tree.TypeFolder, Mode: 0o700, Folder: s.Root}
}

// Entry returns the entry at a path of the snapshot. An empty path, or "/", is
// the root, which has no name. Symbolic links are not followed. A path that is
// not there is protocol.KindNotFound.
func (b *Browser) Entry(ctx context.Context, s *Snapshot, path []byte) (*tree.Entry, error) {
	at := s.root()
	for _, name := range bytes.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if string(name) == "." {
			continue
		}
		if at.Type != tree.TypeFolder {
			return nil, protocol.Errorf(protocol.KindNotFound, "there is no %q in snapshot %s: %q is no folder", path, s.ID.String()[:8], at.Name)
		}
		next, err := tree.FindEntry(ctx, at.Folder, name, b.load)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return nil, protocol.Errorf(protocol.KindNotFound, "there is no %q in snapshot %s", path, s.ID.String()[:8])
		}
		if err != nil {
			return nil, protocol.Wrap(protocol.KindOf(err), err, "look for %q", path)
		}
		at = next
	}
	return at, nil
}

// Folder is Entry for what must be a folder.
func (b *Browser) Folder(ctx context.Context, s *Snapshot, path []byte) (*tree.Entry, error) {
	e, err := b.Entry(ctx, s, path)
	if err == nil && e.Type != tree.TypeFolder {
		return nil, protocol.Errorf(protocol.KindUsage, "%q is a %s, not a folder", path, e.Type)
	}
	return e, err
}

// load returns a folder's node or a list of chunks. One that no pack holds is
// protocol.KindUnreadable, so that it is never taken for a name that is not
// there.
func (b *Browser) load(ctx context.Context, kind tree.Kind, name protocol.Hash) ([]byte, error) {
	chunk, err := b.reader.Chunk(ctx, kind, name)
	if protocol.KindOf(err) == protocol.KindNotFound {
		err = protocol.Wrap(protocol.KindUnreadable, err, "the server has lost a part of the snapshot")
	}
	return chunk, err
}

// folder returns a reader of a folder's entries.
func (b *Browser) folder(e *tree.Entry) *tree.FolderReader {
	return tree.NewFolderReader(e.Folder, b.load)
}

// Visitor is told of an entry and its path. An error ends the walk and is
// returned, but for ErrSkip.
type Visitor func(path []byte, e *tree.Entry) error

// Walk visits everything below a folder, in the order of names, a folder before
// what it holds. Path is the folder's own; it is the visitor's during its call
// only. What cannot be read is told to lost, with the path of the folder, and
// left out; where lost is nil, or the provider cannot be reached, the walk ends.
func (b *Browser) Walk(ctx context.Context, path []byte, e *tree.Entry, visit Visitor, lost func(path []byte, err error)) error {
	reader := b.folder(e)
	base := bytes.TrimRight(path, "/")
	buf := append(append(make([]byte, 0, len(base)+64), base...), '/')
	for {
		child, err := reader.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if lost == nil || !isLoss(err) {
				return err
			}
			lost(path, err)
			return nil
		}
		buf = append(buf[:len(base)+1], child.Name...)
		err = visit(buf, child)
		if err == nil && child.Type == tree.TypeFolder {
			err = b.Walk(ctx, buf, child, visit, lost)
		}
		if err != nil && !errors.Is(err, ErrSkip) {
			return err
		}
	}
}

// isLoss reports whether an error says that something in a snapshot is missing
// or damaged, as against a provider that cannot be reached.
func isLoss(err error) bool {
	switch protocol.KindOf(err) {
	case protocol.KindNotFound, protocol.KindUntrusted, protocol.KindUnsupported, protocol.KindUnreadable:
		return true
	}
	return false
}
