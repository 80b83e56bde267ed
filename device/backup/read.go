// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"io"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// reader is what one goroutine reads files with.
type reader struct {
	chunker *tree.Chunker
	content *tree.ContentWriter
}

// errStopped ends the reading of a file in the middle because the run stops.
var errStopped = errors.New("the run stops")

// read reads the files of the queue until there are no more.
func (s *scan) read() {
	r := &reader{chunker: s.chunker.Fork(), content: tree.NewContentWriter(s.store)}
	for job := range s.jobs {
		if !s.stopped() {
			s.readJob(r, job)
		}
		close(job.done)
	}
}

func (s *scan) readJob(r *reader, job *fileJob) {
	if s.isLinked(job) {
		return
	}
	file, err := job.folder.Open(job.name)
	if err != nil {
		s.report.problem(err)
		return
	}
	defer file.Close()
	entry, problems := file.Describe(nil)
	s.report.problems(problems)
	if entry == nil {
		return
	}
	switch err := s.readContent(r, file, entry); {
	case errors.Is(err, errStopped):
		r.content = tree.NewContentWriter(s.store)
		return
	case isProblem(err):
		r.content = tree.NewContentWriter(s.store)
		s.report.problem(err)
		return
	case err != nil:
		s.fail(err)
		return
	}
	if err := file.Check(); err != nil {
		s.report.problem(err)
	}
	job.entry = entry
	s.report.newFile(entry.Size)
}

// isLinked takes over what was read under the file's first name. Where that
// could not be read, this name still may.
func (s *scan) isLinked(job *fileJob) bool {
	if job.first == nil {
		return false
	}
	<-job.first.done
	if job.first.entry == nil {
		return false
	}
	entry := *job.first.entry
	entry.Name = job.name
	job.entry = &entry
	s.report.linkedFile()
	return true
}

// isProblem reports whether the error is about one file only.
func isProblem(err error) bool {
	var p *files.Problem
	return errors.As(err, &p)
}

// readContent cuts and stores a file's data. A file that became shorter while it
// was read is stored as far as it went; the caller's Check tells.
func (s *scan) readContent(r *reader, file *files.File, entry *tree.Entry) error {
	data := &dataReader{file: file, holes: entry.Holes}
	r.chunker.Reset(data)
	if _, err := s.storeChunks(r); err != nil {
		return err
	}
	var err error
	entry.Content, err = r.content.Finish()
	data.shorten(entry)
	return err
}

// storeChunks cuts and stores what the reader's chunker was given, and returns
// how many bytes it had.
func (s *scan) storeChunks(r *reader) (size uint64, err error) {
	for {
		if s.stopped() {
			return size, errStopped
		}
		chunk, err := r.chunker.Next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		name, err := s.chunks.put(s.ctx, tree.KindFile, chunk)
		if err != nil {
			return size, err
		}
		s.report.read(len(chunk))
		if err := r.content.Add(name, len(chunk)); err != nil {
			return size, err
		}
		size += uint64(len(chunk))
	}
}

// dataReader reads a file without its holes.
type dataReader struct {
	file  *files.File
	holes []tree.Extent
	next  int   // the next hole
	at    int64 // in the file
	ended bool
}

// Read implements io.Reader.
func (d *dataReader) Read(p []byte) (int, error) {
	for d.next < len(d.holes) && d.at == int64(d.holes[d.next].Offset) {
		d.at += int64(d.holes[d.next].Length)
		d.next++
	}
	if d.next < len(d.holes) {
		p = p[:min(int64(len(p)), int64(d.holes[d.next].Offset)-d.at)]
	}
	n, err := d.file.ReadAt(p, d.at)
	d.at += int64(n)
	if err == io.EOF && n > 0 {
		err = nil
	}
	d.ended = d.ended || err == io.EOF
	return n, err
}

// shorten makes size and holes fit what was really there.
func (d *dataReader) shorten(entry *tree.Entry) {
	if uint64(d.at) >= entry.Size {
		return
	}
	entry.Size = uint64(d.at)
	for i, h := range entry.Holes {
		if h.Offset+h.Length > entry.Size {
			entry.Holes = entry.Holes[:i]
			return
		}
	}
}
