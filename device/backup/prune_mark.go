// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// marks are all chunks that some snapshots refer to, found from their roots
// down, one level of folders after the other over all snapshots at once: so each
// node of a level is read once, however many snapshots share it, and what lies
// in one pack is read together. Of a chunk, 37 bytes are kept in temporary files,
// once for each time it is referred to from a node of its own; in memory it is
// 32 MiB for sorting and as much for reading, whatever is stored.
type marks struct {
	v      *Vault
	dir    string
	reader *tree.Reader

	mu     sync.Mutex // guards what follows
	used   *sorter    // usedWidth: name, kind, length
	next   *sorter    // nextWidth: pack, frame, start, kind, name
	lost   []lostPart
	losses int // more than lost holds
}

// lostPart is a folder or a list of chunks that cannot be read.
type lostPart struct {
	name protocol.Hash
	kind tree.Kind
	err  error
}

const (
	usedWidth = 32 + 1 + 4
	nextWidth = 32 + 4 + 4 + 1 + 32
	// maxLost bounds how many lost parts are told one by one.
	maxLost = 1000
	// marksAtOnce is how many parts are asked for together.
	marksAtOnce = 8192
)

// mark finds all chunks below roots. Parts that are missing or damaged are
// counted in losses; what is below them is not found. Close the marks.
func (v *Vault) mark(ctx context.Context, roots []protocol.Hash) (*marks, error) {
	base, err := v.kept.CacheDir()
	if err != nil {
		return nil, err
	}
	sweepMarks(base)
	dir, err := os.MkdirTemp(base, "marks-")
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "make a temporary folder")
	}
	m := &marks{v: v, dir: dir, used: newSorter(dir, usedWidth)}
	m.reader = tree.NewReader(tree.ReaderOptions{
		Index: v.index, Source: v.source(), Open: v.openPack, Names: v.namesOf, Workers: 2, Cache: 1,
	})
	if err := m.walk(ctx, roots); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// close removes the temporary files.
func (m *marks) close() {
	m.used.close()
	if m.next != nil {
		m.next.close()
	}
	os.RemoveAll(m.dir)
}

// sweepMarks removes what a killed process left; the index's lock keeps others
// away.
func sweepMarks(base string) {
	left, _ := filepath.Glob(filepath.Join(base, "marks-*"))
	for _, dir := range left {
		os.RemoveAll(dir)
	}
}

func (m *marks) walk(ctx context.Context, roots []protocol.Hash) error {
	m.next = newSorter(m.dir, nextWidth)
	for _, root := range roots {
		if err := m.note(tree.Reference{Kind: tree.KindNode, Name: root}); err != nil {
			return err
		}
	}
	for {
		level := m.next
		m.next = newSorter(m.dir, nextWidth)
		more, err := m.level(ctx, level)
		level.close()
		if err != nil || !more {
			return err
		}
	}
}

// level reads the parts of one level and notes what they refer to.
func (m *marks) level(ctx context.Context, level *sorter) (more bool, err error) {
	var wants []tree.Want
	flush := func() error {
		err := m.read(ctx, wants)
		wants = wants[:0]
		return err
	}
	for record, err := range level.sorted() {
		if err != nil {
			return false, err
		}
		more = true
		wants = append(wants, tree.Want{Kind: tree.Kind(record[40]), Name: protocol.Hash(record[41:])})
		if len(wants) == marksAtOnce {
			if err := flush(); err != nil {
				return false, err
			}
		}
	}
	return more, flush()
}

func (m *marks) read(ctx context.Context, wants []tree.Want) error {
	return m.reader.Fetch(ctx, wants, func(i int, chunk []byte, err error) error {
		if err == nil {
			var refs []tree.Reference
			err = tree.References(wants[i].Kind, chunk, func(r tree.Reference) error {
				refs = append(refs, r)
				return nil
			})
			if err == nil {
				return m.noteAll(refs)
			}
		}
		if !isLoss(err) {
			return err
		}
		m.lose(lostPart{wants[i].Name, wants[i].Kind, err})
		return nil
	})
}

func (m *marks) lose(p lostPart) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.losses++
	if len(m.lost) < maxLost {
		m.lost = append(m.lost, p)
	}
}

func (m *marks) noteAll(refs []tree.Reference) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range refs {
		if err := m.note(r); err != nil {
			return err
		}
	}
	return nil
}

// note notes a chunk as used, and one that refers to others for the next level;
// mu is held, or nobody else is at work yet.
func (m *marks) note(r tree.Reference) error {
	var used [usedWidth]byte
	copy(used[:], r.Name[:])
	used[32] = byte(r.Kind)
	binary.BigEndian.PutUint32(used[33:], uint32(r.Length))
	if err := m.used.add(used[:]); err != nil || r.Kind == tree.KindFile {
		return err
	}
	places, err := m.v.index.Lookup(nil, r.Name)
	if err != nil {
		return err
	}
	var next [nextWidth]byte
	if len(places) > 0 {
		copy(next[:], places[0].Pack[:])
		binary.BigEndian.PutUint32(next[32:], uint32(places[0].Frame))
		binary.BigEndian.PutUint32(next[36:], uint32(places[0].Start))
	}
	next[40] = byte(r.Kind)
	copy(next[41:], r.Name[:])
	return m.next.add(next[:])
}

// use is one way in which a chunk is referred to.
type use struct {
	kind   tree.Kind
	length int // 0: not said
}

// matched is a chunk with where it lies and how it is used. Without places it is
// missing, without uses nothing needs it. Both are the visitor's during the call.
type matched struct {
	name   protocol.Hash
	places []tree.Location // the oldest pack first
	uses   []use
}

// match goes through all chunks, those of the index and those that are used, in
// the order of their names.
func (m *marks) match(visit func(*matched) error) error {
	nextUsed, stopUsed := iter.Pull2(m.used.sorted())
	defer stopUsed()
	nextStored, stopStored := iter.Pull2(m.v.index.Chunks())
	defer stopStored()
	used, usedErr, moreUsed := nextUsed()
	stored, storedErr, moreStored := nextStored()
	var c matched
	for moreUsed || moreStored {
		if usedErr != nil || storedErr != nil {
			return firstError(usedErr, storedErr)
		}
		c.places, c.uses = c.places[:0], c.uses[:0]
		if moreUsed && (!moreStored || bytes.Compare(used[:32], stored.Name[:]) <= 0) {
			copy(c.name[:], used)
		} else {
			c.name = stored.Name
		}
		for moreUsed && usedErr == nil && bytes.Equal(used[:32], c.name[:]) {
			c.uses = append(c.uses, use{tree.Kind(used[32]), int(binary.BigEndian.Uint32(used[33:]))})
			used, usedErr, moreUsed = nextUsed()
		}
		for moreStored && storedErr == nil && stored.Name == c.name {
			c.places = append(c.places, stored.Location)
			stored, storedErr, moreStored = nextStored()
		}
		if err := visit(&c); err != nil {
			return err
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// roots returns the roots of snapshots, each once.
func roots(list []*Snapshot) []protocol.Hash {
	var names []protocol.Hash
	seen := map[protocol.Hash]bool{}
	for _, s := range list {
		if !seen[s.Root] {
			names = append(names, s.Root)
		}
		seen[s.Root] = true
	}
	return names
}
