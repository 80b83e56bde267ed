// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"math/bits"
)

// indexScanner reads an index file from its beginning to its end.
type indexScanner struct {
	x      *indexFile
	space  []byte // where blocks are read to
	buffer []byte // read and still to come, whole blocks
	block  int    // number of the next block to check
	rest   []byte // records of the current block that are still to come
	last   record // to see that they ascend
	begun  bool
}

// scanBlocks is how many blocks a scanner reads at once.
const scanBlocks = 16

// next moves to the next record; it returns nil at the end.
func (s *indexScanner) next() (*record, error) {
	if len(s.rest) == 0 {
		if s.block == len(s.x.fences) {
			return nil, nil
		}
		if err := s.read(); err != nil {
			return nil, err
		}
	}
	r := record(s.rest[:recordSize])
	s.rest = s.rest[recordSize:]
	if s.begun && bytes.Compare(s.last[:], r[:]) >= 0 {
		return nil, damaged(s.x.f.Name(), "its records do not ascend")
	}
	s.last, s.begun = r, true
	return &s.last, nil
}

// read brings the next block in.
func (s *indexScanner) read() error {
	if len(s.buffer) == 0 {
		n := min(scanBlocks, len(s.x.fences)-s.block)
		if s.space == nil {
			s.space = make([]byte, n*blockSize)
		}
		s.buffer = s.space[:n*blockSize]
		if err := s.x.readAt(s.buffer, int64(s.block)*blockSize); err != nil {
			return err
		}
	}
	records, err := s.x.checkBlock(s.buffer[:blockSize], s.block)
	if err != nil {
		return err
	}
	s.rest, s.buffer = records, s.buffer[blockSize:]
	s.block++
	return nil
}

// indexMerger reads several index files as one, in ascending order.
type indexMerger struct {
	scanners []*indexScanner
	heads    []*record
}

// newIndexMerger begins at the first record.
func newIndexMerger(files []*indexFile) (*indexMerger, error) {
	m := &indexMerger{}
	for _, f := range files {
		s := &indexScanner{x: f}
		head, err := s.next()
		if err != nil {
			return nil, err
		}
		m.scanners, m.heads = append(m.scanners, s), append(m.heads, head)
	}
	return m, nil
}

// next returns the next record, nil at the end.
func (m *indexMerger) next() (*record, error) {
	least := -1
	for i, h := range m.heads { // there are a dozen at most
		if h != nil && (least < 0 || bytes.Compare(h[:], m.heads[least][:]) < 0) {
			least = i
		}
	}
	if least < 0 {
		return nil, nil
	}
	r := *m.heads[least]
	head, err := m.scanners[least].next()
	m.heads[least] = head
	return &r, err
}

// mergeWidth is how many files of one tier become one. With 4, a record is written some five times on its way to an
// index of ten million, and there are three files of each tier at most.
const mergeWidth = 4

// tier orders files by how many times the memory's room they hold: four times as many records make the next tier.
func tier(rooms uint64) int { return (bits.Len64(rooms) + 1) / 2 }

// toMerge returns how many of the newest files are to become one; 0: none. Sizes are in records, oldest first.
func toMerge(sizes []uint64, room uint64) int {
	if len(sizes) == 0 {
		return 0
	}
	top, n := tier(sizes[len(sizes)-1]/room), 0
	for i := len(sizes) - 1; i >= 0 && tier(sizes[i]/room) <= top; i-- {
		n++
	}
	if n < mergeWidth {
		return 0
	}
	return n
}
