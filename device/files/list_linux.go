// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// listBuffers hold what one call returns of a folder.
var listBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// List returns the folder's items sorted by the bytes of their names, each with
// a fresh stat. What vanishes meanwhile is left out; an item whose stat fails
// otherwise is a problem. The error, a *Problem, is about the folder itself.
func (f *Folder) List() (items []Item, problems []*Problem, err error) {
	dir, err := f.pin()
	if err != nil {
		return nil, nil, f.problem(ActList, nil, err)
	}
	defer f.unpin()
	names, err := f.readNames(dir)
	if err != nil {
		return nil, nil, f.problem(ActList, nil, err)
	}
	items = make([]Item, 0, len(names))
	var raw unix.Stat_t
	for _, name := range names {
		err := statEntry(dir, name, &raw)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			problems = append(problems, f.problem(ActStat, name, err))
			continue
		}
		items = append(items, Item{Name: name})
		items[len(items)-1].fill(&raw)
	}
	return items, problems, nil
}

// readNames returns the names in the folder, sorted. Each is followed by a NUL
// within its capacity's reach, so that it can be handed to the system as it is.
func (f *Folder) readNames(dir int) ([][]byte, error) {
	f.listing.Lock()
	defer f.listing.Unlock()
	buf := listBuffers.Get().(*[64 << 10]byte)
	defer listBuffers.Put(buf)
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var names [][]byte
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(dir, buf[:]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		names = appendNames(names, buf[:n])
	}
	slices.SortFunc(names, bytes.Compare)
	return names, nil
}

// appendNames copies the names out of one block of linux_dirent64 records.
func appendNames(names [][]byte, block []byte) [][]byte {
	const nameAt = 19
	arena := make([]byte, 0, len(block))
	for len(block) > nameAt {
		size := int(binary.NativeEndian.Uint16(block[16:]))
		if size <= nameAt || size > len(block) {
			break
		}
		name := block[nameAt:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		block = block[size:]
		if !ValidName(name) {
			continue
		}
		start := len(arena)
		arena = append(arena, name...)
		arena = append(arena, 0)
		names = append(names, arena[start:start+len(name):start+len(name)+1])
	}
	return names
}
