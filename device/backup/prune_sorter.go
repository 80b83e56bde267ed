// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"io"
	"iter"
	"os"
	"sort"

	"github.com/solekey/solekey/protocol"
)

// sorter sorts any number of records of one width and leaves out what comes
// twice. In memory it holds one buffer, and one block of each file that it is
// reading; the rest lies in temporary files. It is not safe for concurrent use.
type sorter struct {
	dir   string
	width int
	room  int    // bytes gathered before they are written to a file
	all   []byte // what was gathered
	files []*os.File
}

const (
	sorterRoom  = 16 << 20
	sorterFiles = 64 // merged into one when there are so many
	sorterBlock = 64 << 10
)

// newSorter returns a sorter whose temporary files lie in dir. Close it.
func newSorter(dir string, width int) *sorter {
	return &sorter{dir: dir, width: width, room: sorterRoom / width * width}
}

// add adds a record, of which it keeps a copy.
func (s *sorter) add(record []byte) error {
	s.all = append(s.all, record...)
	if len(s.all) < s.room {
		return nil
	}
	return s.spill()
}

// close lets go of everything.
func (s *sorter) close() {
	for _, f := range s.files {
		discard(f)
	}
	s.files, s.all = nil, nil
}

func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// order sorts what is in memory.
func (s *sorter) order() {
	sort.Sort(&flat{records: s.all, width: s.width, swap: make([]byte, s.width)})
}

// spill writes what is in memory to a file.
func (s *sorter) spill() error {
	s.order()
	if err := s.write(func(w *bufio.Writer) error {
		_, err := w.Write(s.all)
		return err
	}); err != nil {
		return err
	}
	s.all = s.all[:0]
	if len(s.files) < sorterFiles {
		return nil
	}
	return s.compact()
}

// compact merges all files into one.
func (s *sorter) compact() error {
	old := s.files
	s.files = nil
	err := s.write(func(w *bufio.Writer) error {
		for record, err := range merge(readers(old, s.width)) {
			if err != nil {
				return err
			}
			if _, err := w.Write(record); err != nil {
				return err
			}
		}
		return nil
	})
	for _, f := range old {
		discard(f)
	}
	return err
}

// write makes a file of what fill writes.
func (s *sorter) write(fill func(*bufio.Writer) error) error {
	f, err := os.CreateTemp(s.dir, "sort-*")
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "make a temporary file")
	}
	s.files = append(s.files, f)
	w := bufio.NewWriterSize(f, sorterBlock)
	if err := errors.Join(fill(w), w.Flush()); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write a temporary file")
	}
	return nil
}

// sorted goes through the records in ascending order, each once. A record is the
// caller's until the next one. It may be called again, and after more was added.
func (s *sorter) sorted() iter.Seq2[[]byte, error] {
	s.order()
	sources := readers(s.files, s.width)
	sources = append(sources, &sortedRun{r: bytes.NewReader(s.all), record: make([]byte, s.width)})
	return merge(sources)
}

// flat sorts records that lie side by side.
type flat struct {
	records []byte
	width   int
	swap    []byte
}

func (f *flat) at(i int) []byte { return f.records[i*f.width : (i+1)*f.width] }

// Len implements sort.Interface.
func (f *flat) Len() int { return len(f.records) / f.width }

// Less implements sort.Interface.
func (f *flat) Less(i, j int) bool { return bytes.Compare(f.at(i), f.at(j)) < 0 }

// Swap implements sort.Interface.
func (f *flat) Swap(i, j int) {
	copy(f.swap, f.at(i))
	copy(f.at(i), f.at(j))
	copy(f.at(j), f.swap)
}

// sortedRun is one ascending run of records, with the one that is next.
type sortedRun struct {
	r      io.Reader
	record []byte
}

func readers(files []*os.File, width int) []*sortedRun {
	var runs []*sortedRun
	for _, f := range files {
		section := io.NewSectionReader(f, 0, 1<<62)
		runs = append(runs, &sortedRun{r: bufio.NewReaderSize(section, sorterBlock), record: make([]byte, width)})
	}
	return runs
}

// next reads the next record; false at the end.
func (r *sortedRun) next() (bool, error) {
	_, err := io.ReadFull(r.r, r.record)
	if err == io.EOF {
		return false, nil
	}
	return err == nil, protocol.Wrap(protocol.KindInternal, err, "read a temporary file")
}

// runHeap has the run with the smallest next record on top.
type runHeap []*sortedRun

// Len implements heap.Interface.
func (h runHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h runHeap) Less(i, j int) bool { return bytes.Compare(h[i].record, h[j].record) < 0 }

// Swap implements heap.Interface.
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*sortedRun)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// merge goes through runs together.
func merge(runs []*sortedRun) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var h runHeap
		for _, r := range runs {
			more, err := r.next()
			if err != nil {
				yield(nil, err)
				return
			}
			if more {
				h = append(h, r)
			}
		}
		heap.Init(&h)
		var last []byte
		for len(h) > 0 {
			if !bytes.Equal(h[0].record, last) || last == nil {
				last = append(last[:0], h[0].record...)
				if !yield(last, nil) {
					return
				}
			}
			if err := h.advance(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// advance moves the top run on.
func (h *runHeap) advance() error {
	more, err := (*h)[0].next()
	if err != nil {
		return err
	}
	if more {
		heap.Fix(h, 0)
	} else {
		heap.Pop(h)
	}
	return nil
}
