// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"io"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Change says how an entry differs between two snapshots, in the letters that
// people know from restic.
type Change string

// The changes.
const (
	ChangeAdded    Change = "+"
	ChangeRemoved  Change = "-"
	ChangeContent  Change = "M"
	ChangeType     Change = "T"
	ChangeMetadata Change = "U"
)

// DiffSide counts what only one of two snapshots has.
type DiffSide struct {
	Files, Folders, Others int64
	Bytes                  int64 // of files, those that changed among them
}

// DiffStats sum up a comparison.
type DiffStats struct {
	Changed        int64 // files whose content changed
	Added, Removed DiffSide
}

// differ compares two trees.
type differ struct {
	b        *Browser
	metadata bool
	visit    func(path []byte, change Change, e *tree.Entry) error
	stats    DiffStats
}

// Diff visits what differs between two folders of snapshots, in the order of
// names; with metadata, entries of which only properties differ, too. Path is
// valid during the call of visit only. Folders that are one node in both are not
// looked into. It ends at the first error, also of visit.
func (b *Browser) Diff(ctx context.Context, from, to *tree.Entry, metadata bool, visit func(path []byte, change Change, e *tree.Entry) error) (*DiffStats, error) {
	d := &differ{b: b, metadata: metadata, visit: visit}
	err := d.folders(ctx, []byte{'/'}, from, to)
	return &d.stats, err
}

// folders compares what two folders hold.
func (d *differ) folders(ctx context.Context, path []byte, from, to *tree.Entry) error {
	if from.Folder == to.Folder {
		return nil
	}
	a, b := &peeked{reader: d.b.folder(from)}, &peeked{reader: d.b.folder(to)}
	for {
		left, err := a.peek(ctx)
		if err != nil {
			return err
		}
		right, err := b.peek(ctx)
		if err != nil {
			return err
		}
		if left == nil && right == nil {
			return nil
		}
		order := compareEntries(left, right)
		if order <= 0 {
			a.entry = nil
		}
		if order >= 0 {
			b.entry = nil
		}
		if err := d.pair(ctx, path, order, left, right); err != nil {
			return err
		}
	}
}

// pair compares two entries, of which order says whether both have the name.
func (d *differ) pair(ctx context.Context, path []byte, order int, left, right *tree.Entry) error {
	switch {
	case order < 0:
		return d.whole(ctx, below(path, left), ChangeRemoved, left)
	case order > 0:
		return d.whole(ctx, below(path, right), ChangeAdded, right)
	}
	return d.both(ctx, below(path, left), left, right)
}

// both compares two entries of the same name.
func (d *differ) both(ctx context.Context, path []byte, from, to *tree.Entry) error {
	switch {
	case from.Type != to.Type:
		return d.replaced(ctx, path, from, to)
	case from.Type == tree.TypeFile && !sameContent(from, to):
		d.stats.Changed++
		d.stats.Removed.Bytes += int64(from.Size)
		d.stats.Added.Bytes += int64(to.Size)
		if err := d.visit(path, ChangeContent, to); err != nil {
			return err
		}
	case d.metadata && !sameMetadata(from, to):
		if err := d.visit(path, ChangeMetadata, to); err != nil {
			return err
		}
	}
	if from.Type != tree.TypeFolder {
		return nil
	}
	return d.folders(ctx, path, from, to)
}

// replaced tells of an entry that became something else.
func (d *differ) replaced(ctx context.Context, path []byte, from, to *tree.Entry) error {
	if err := d.visit(path, ChangeType, to); err != nil {
		return err
	}
	d.stats.Removed.count(from)
	d.stats.Added.count(to)
	if from.Type == tree.TypeFolder {
		return d.inside(ctx, path, ChangeRemoved, from)
	}
	if to.Type == tree.TypeFolder {
		return d.inside(ctx, path, ChangeAdded, to)
	}
	return nil
}

// whole tells of an entry that only one side has, with all below it.
func (d *differ) whole(ctx context.Context, path []byte, change Change, e *tree.Entry) error {
	d.side(change).count(e)
	if err := d.visit(path, change, e); err != nil || e.Type != tree.TypeFolder {
		return err
	}
	return d.inside(ctx, path, change, e)
}

func (d *differ) inside(ctx context.Context, path []byte, change Change, e *tree.Entry) error {
	return d.b.Walk(ctx, path, e, func(path []byte, e *tree.Entry) error {
		d.side(change).count(e)
		return d.visit(path, change, e)
	}, nil)
}

func (d *differ) side(change Change) *DiffSide {
	if change == ChangeAdded {
		return &d.stats.Added
	}
	return &d.stats.Removed
}

func (s *DiffSide) count(e *tree.Entry) {
	switch e.Type {
	case tree.TypeFile:
		s.Files++
		s.Bytes += int64(e.Size)
	case tree.TypeFolder:
		s.Folders++
	default:
		s.Others++
	}
}

// peeked is a folder's reader of which the next entry can be looked at.
type peeked struct {
	reader *tree.FolderReader
	entry  *tree.Entry
}

// peek returns the next entry, nil behind the last. It stays the next one until
// entry is set to nil.
func (p *peeked) peek(ctx context.Context) (*tree.Entry, error) {
	if p.entry != nil {
		return p.entry, nil
	}
	e, err := p.reader.Next(ctx)
	if err == io.EOF {
		return nil, nil
	}
	p.entry = e
	return e, err
}

// compareEntries orders entries by name, none behind all.
func compareEntries(a, b *tree.Entry) int {
	switch {
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return bytes.Compare(a.Name, b.Name)
}

// below returns the path of an entry in a folder.
func below(path []byte, e *tree.Entry) []byte {
	path = bytes.TrimRight(path, "/")
	return append(append(append(make([]byte, 0, len(path)+1+len(e.Name)), path...), '/'), e.Name...)
}

// sameContent compares files by the names of their chunks and by their holes.
// Names are only equal under one secret: between an owner's snapshot and a
// writer's, equal files count as changed.
func sameContent(a, b *tree.Entry) bool {
	if a.Size != b.Size || len(a.Content.Pieces) != len(b.Content.Pieces) || len(a.Holes) != len(b.Holes) {
		return false
	}
	for i := range a.Holes {
		if a.Holes[i].Offset != b.Holes[i].Offset || a.Holes[i].Length != b.Holes[i].Length {
			return false
		}
	}
	for i := range a.Content.Pieces {
		if a.Content.Pieces[i].Name != b.Content.Pieces[i].Name {
			return false
		}
	}
	return samePiece(a.Content.List, b.Content.List)
}

func samePiece(a, b *tree.Piece) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name
}

// sameMetadata compares all but content.
func sameMetadata(a, b *tree.Entry) bool {
	same := a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && a.User == b.User && a.Group == b.Group &&
		a.Modified == b.Modified && a.Device == b.Device && bytes.Equal(a.Target, b.Target) && len(a.Xattrs) == len(b.Xattrs)
	for i := 0; same && i < len(a.Xattrs); i++ {
		same = bytes.Equal(a.Xattrs[i].Name, b.Xattrs[i].Name) && bytes.Equal(a.Xattrs[i].Value, b.Xattrs[i].Value)
	}
	return same
}

// Comparable refuses to compare snapshots whose content is named by different
// secrets: nothing would be equal.
func Comparable(a, b *Snapshot) error {
	if a.Namer != b.Namer {
		return protocol.Errorf(protocol.KindUsage, "snapshots %s and %s are of devices that name content differently: they cannot be compared", a.ID.String()[:8], b.ID.String()[:8])
	}
	return nil
}
