// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"iter"
	"slices"

	"github.com/solekey/solekey/protocol"
)

// Indexed is a chunk with one of the places where it lies.
type Indexed struct {
	Name protocol.Hash
	Location
}

// Packs goes through all packs that are known, in the order in which they were added. After an error it ends. Packs
// added meanwhile may be left out.
func (x *Index) Packs() iter.Seq2[PackInfo, error] {
	return func(yield func(PackInfo, error) bool) {
		x.mu.RLock()
		flags := slices.Clone(x.flags)
		x.mu.RUnlock()
		buffer := make([]byte, 256*packSize)
		for number := uint32(0); int(number) < len(flags); {
			packs, err := x.packs.read(buffer, number, uint32(len(flags)))
			if err != nil {
				yield(PackInfo{}, wrapIndex(err, "read the table of packs"))
				return
			}
			for _, p := range packs {
				flag := flags[number]
				number++
				p.Usable = flag&flagUsable != 0
				if flag&flagRemoved == 0 && !yield(p, nil) {
					return
				}
			}
		}
	}
}

// Chunks goes through all chunks of all known packs in ascending order of their names; a chunk comes once for each
// place where it lies. It flushes first. Packs added meanwhile are left out; after an error it ends.
func (x *Index) Chunks() iter.Seq2[Indexed, error] {
	return func(yield func(Indexed, error) bool) {
		if x.lock != nil {
			if err := x.Flush(); err != nil {
				yield(Indexed{}, err)
				return
			}
		}
		if err := x.walk(yield); err != nil {
			yield(Indexed{}, wrapIndex(err, "read the index"))
		}
	}
}

// snapshot returns the files and flags of this moment; the caller releases the files.
func (x *Index) snapshot() (files []*indexFile, flags []byte) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, f := range x.files {
		files = append(files, f.acquire())
	}
	return files, slices.Clone(x.flags)
}

// walk yields every chunk in the files; it returns nil when yield wants no more.
func (x *Index) walk(yield func(Indexed, error) bool) error {
	files, flags := x.snapshot()
	defer releaseAll(files)
	m, err := newIndexMerger(files)
	if err != nil {
		return err
	}
	for {
		r, err := m.next()
		if r == nil || err != nil {
			return err
		}
		if r.isPack() || int(r.pack()) >= len(flags) || flags[r.pack()]&flagRemoved != 0 {
			continue
		}
		c := Indexed{Name: protocol.Hash(r.name()), Location: r.location()}
		if c.Pack, err = x.packs.id(r.pack()); err != nil {
			return err
		}
		if !yield(c, nil) {
			return nil
		}
	}
}
