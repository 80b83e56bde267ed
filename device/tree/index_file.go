// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"sync/atomic"
)

// An index file holds records in ascending order and never changes. It consists of
//
//	blocks   4096 bytes each: 73 records, number of the block (4), checksum of all before (4)
//	fences   the first 8 bytes of each block's first name
//	filter   see filter
//	footer   magic (8), records (8), blocks (4), lines of the filter (4), checksums of fences, filter, footer (4 each)
//
// Fences and filter are in memory while it is open, 1.1 bytes a record together; a look-up reads one block.
const (
	blockSize    = 4096
	blockRecords = (blockSize - blockTrailer) / recordSize
	blockTrailer = 8
	fenceSize    = 8
	footerSize   = 36
	indexMagic   = "solekyx1"
)

// indexFile is an open index file. It is safe for concurrent use until its last reference is released.
type indexFile struct {
	f       *os.File
	number  uint64
	records uint64
	fences  []uint64
	filter  filter
	refs    atomic.Int32 // closes the file when it falls to zero
}

// blocks are buffers of one block each.
var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

func damaged(path, format string, args ...any) error {
	return fmt.Errorf("index file %s: %s: %w", path, fmt.Sprintf(format, args...), ErrIndexDamaged)
}

// openIndexFile opens the file of that number, which holds that many records.
func openIndexFile(path string, number, records uint64) (*indexFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	x := &indexFile{f: f, number: number}
	x.refs.Store(1)
	if err := x.load(); err != nil {
		f.Close()
		return nil, err
	}
	if x.records != records {
		f.Close()
		return nil, damaged(path, "it has %d records instead of %d", x.records, records)
	}
	return x, nil
}

// load reads footer, fences and filter.
func (x *indexFile) load() error {
	info, err := x.f.Stat()
	if err != nil {
		return err
	}
	var foot [footerSize]byte
	if info.Size() < footerSize {
		return damaged(x.f.Name(), "it is cut off")
	}
	if err := x.readAt(foot[:], info.Size()-footerSize); err != nil {
		return err
	}
	if string(foot[:8]) != indexMagic || checksum(foot[:32]) != binary.BigEndian.Uint32(foot[32:]) {
		return damaged(x.f.Name(), "its footer does not hold")
	}
	x.records = binary.BigEndian.Uint64(foot[8:])
	blockCount, lines := int64(binary.BigEndian.Uint32(foot[16:])), int64(binary.BigEndian.Uint32(foot[20:]))
	need := (x.records + blockRecords - 1) / blockRecords
	size := blockCount*(blockSize+fenceSize) + lines*filterLine + footerSize
	if uint64(blockCount) != need || lines == 0 || size != info.Size() {
		return damaged(x.f.Name(), "its size does not fit its footer")
	}
	return x.loadTables(blockCount, lines, foot[24:])
}

// loadTables reads fences and filter and holds them to their checksums.
func (x *indexFile) loadTables(blockCount, lines int64, sums []byte) error {
	fences := make([]byte, blockCount*fenceSize)
	if err := x.readAt(fences, blockCount*blockSize); err != nil {
		return err
	}
	x.filter = make(filter, lines*filterLine)
	if err := x.readAt(x.filter, blockCount*(blockSize+fenceSize)); err != nil {
		return err
	}
	if checksum(fences) != binary.BigEndian.Uint32(sums) || checksum(x.filter) != binary.BigEndian.Uint32(sums[4:]) {
		return damaged(x.f.Name(), "its tables do not hold")
	}
	x.fences = make([]uint64, blockCount)
	for i := range x.fences {
		x.fences[i] = binary.BigEndian.Uint64(fences[i*fenceSize:])
	}
	return nil
}

// readAt fills b; a file that ends early is damaged.
func (x *indexFile) readAt(b []byte, at int64) error {
	n, err := x.f.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return damaged(x.f.Name(), "it is cut off")
	}
	return err
}

// acquire keeps the file open until release.
func (x *indexFile) acquire() *indexFile {
	x.refs.Add(1)
	return x
}

// release gives a reference up; the last one closes the file.
func (x *indexFile) release() {
	if x.refs.Add(-1) == 0 {
		x.f.Close() // it was only read
	}
}

// checkBlock holds the block's number and checksum, and returns its records.
func (x *indexFile) checkBlock(b []byte, number int) ([]byte, error) {
	if binary.BigEndian.Uint32(b[blockSize-4:]) != checksum(b[:blockSize-4]) ||
		binary.BigEndian.Uint32(b[blockSize-8:]) != uint32(number) {
		return nil, damaged(x.f.Name(), "block %d does not hold", number)
	}
	n := min(uint64(blockRecords), x.records-uint64(number)*blockRecords)
	return b[:n*recordSize], nil
}

// find appends all records under a name to dst.
func (x *indexFile) find(dst []record, name []byte) ([]record, error) {
	if !x.filter.mayHold(name) {
		return dst, nil
	}
	buffer := blocks.Get().(*[blockSize]byte)
	defer blocks.Put(buffer)
	key := binary.BigEndian.Uint64(name)
	// The name's first record lies in the last block that begins before the key, or in one that begins with it.
	i := sort.Search(len(x.fences), func(i int) bool { return x.fences[i] >= key })
	for i = max(i-1, 0); i < len(x.fences) && x.fences[i] <= key; i++ {
		if err := x.readAt(buffer[:], int64(i)*blockSize); err != nil {
			return dst, err
		}
		records, err := x.checkBlock(buffer[:], i)
		if err != nil {
			return dst, err
		}
		dst = appendMatches(dst, records, name)
	}
	return dst, nil
}

// appendMatches appends those of a block's records that are under a name.
func appendMatches(dst []record, records, name []byte) []record {
	n := len(records) / recordSize
	at := sort.Search(n, func(i int) bool { return bytes.Compare(records[i*recordSize:i*recordSize+nameSize], name) >= 0 })
	for ; at < n && bytes.Equal(records[at*recordSize:at*recordSize+nameSize], name); at++ {
		dst = append(dst, record(records[at*recordSize:(at+1)*recordSize]))
	}
	return dst
}

// indexFileWriter writes an index file; records must come in ascending order.
type indexFileWriter struct {
	w       io.Writer
	records uint64
	fences  []byte
	filter  filter
	block   [blockSize]byte
	fill    int // records in block
}

// newIndexFileWriter writes to w a file of at most that many records.
func newIndexFileWriter(w io.Writer, most uint64) *indexFileWriter {
	return &indexFileWriter{w: w, filter: newFilter(most)}
}

func (w *indexFileWriter) add(r *record) error {
	if w.fill == blockRecords {
		if err := w.flush(); err != nil {
			return err
		}
	}
	copy(w.block[w.fill*recordSize:], r[:])
	w.fill++
	w.records++
	w.filter.add(r.name())
	return nil
}

// flush writes the block and begins an empty one.
func (w *indexFileWriter) flush() error {
	number := len(w.fences) / fenceSize
	w.fences = append(w.fences, w.block[:fenceSize]...)
	clear(w.block[w.fill*recordSize:])
	binary.BigEndian.PutUint32(w.block[blockSize-8:], uint32(number))
	binary.BigEndian.PutUint32(w.block[blockSize-4:], checksum(w.block[:blockSize-4]))
	w.fill = 0
	_, err := w.w.Write(w.block[:])
	return err
}

// finish writes what follows the blocks.
func (w *indexFileWriter) finish() error {
	if w.fill > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	foot := append(make([]byte, 0, footerSize), indexMagic...)
	foot = binary.BigEndian.AppendUint64(foot, w.records)
	foot = binary.BigEndian.AppendUint32(foot, uint32(len(w.fences)/fenceSize))
	foot = binary.BigEndian.AppendUint32(foot, uint32(len(w.filter)/filterLine))
	foot = binary.BigEndian.AppendUint32(foot, checksum(w.fences))
	foot = binary.BigEndian.AppendUint32(foot, checksum(w.filter))
	foot = binary.BigEndian.AppendUint32(foot, checksum(foot))
	for _, part := range [][]byte{w.fences, w.filter, foot} {
		if _, err := w.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
