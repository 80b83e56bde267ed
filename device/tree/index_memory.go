// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"slices"

	"github.com/solekey/solekey/protocol"
)

// memoryRecords is how many records the index gathers in memory before it writes a file of them. With its map a
// record takes some 130 bytes, and two tables may exist at once: 10 MiB, and one pack more.
const memoryRecords = 32 << 10

// memoryTable holds the newest records. It is guarded by its index.
type memoryTable struct {
	records []record
	older   []int32                 // for each record, the one before it under the same name; -1: none
	newest  map[protocol.Hash]int32 // the last record under each name
}

func newMemoryTable() *memoryTable { return &memoryTable{newest: make(map[protocol.Hash]int32)} }

// add takes the records of one pack in. Of several under one name the first is kept: one place in a pack is enough.
func (t *memoryTable) add(records []record) {
	for i := range records {
		name := protocol.Hash(records[i].name())
		older, found := t.newest[name]
		if found && t.records[older].pack() == records[i].pack() {
			continue
		}
		if !found {
			older = -1
		}
		t.newest[name] = int32(len(t.records))
		t.records, t.older = append(t.records, records[i]), append(t.older, older)
	}
}

// find appends the records under a name to dst, newest first.
func (t *memoryTable) find(dst []record, name protocol.Hash) []record {
	if t == nil {
		return dst
	}
	at, found := t.newest[name]
	for ; found && at >= 0; at = t.older[at] {
		dst = append(dst, t.records[at])
	}
	return dst
}

// sorted returns a sorted copy of the records; the table stays as it is, since others may be reading it.
func (t *memoryTable) sorted() []record {
	records := slices.Clone(t.records)
	slices.SortFunc(records, func(a, b record) int { return bytes.Compare(a[:], b[:]) })
	return records
}
