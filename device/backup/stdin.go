// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Stdin is a stream that is backed up as a file.
type Stdin struct {
	Reader io.Reader
	Mode   uint32
}

// runStdin stores the stream as the file at the absolute path.
func (s *scan) runStdin(in *Stdin, path string) (*openFolder, error) {
	r := &reader{chunker: s.chunker.Fork(), content: tree.NewContentWriter(s.store)}
	entry := &tree.Entry{Type: tree.TypeFile, Mode: in.Mode, Modified: s.now()}
	stream := s.untilStopped(in.Reader)
	defer close(stream.asks)
	r.chunker.Reset(stream)
	size, err := s.storeChunks(r)
	if errors.Is(err, errStopped) {
		err = errCutStream()
	}
	if err != nil {
		return nil, err
	}
	entry.Size = size
	if entry.Content, err = r.content.Finish(); err != nil {
		return nil, err
	}
	s.report.newFile(size)
	names := strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == '/' })
	if len(names) == 0 {
		return nil, protocol.Errorf(protocol.KindUsage, "the stream needs the name of a file")
	}
	return s.nest(names, entry)
}

func errCutStream() error {
	return protocol.Errorf(protocol.KindInterrupted, "interrupted: of a stream nothing is saved unless it was read to its end")
}

// stream reads in a goroutine of its own, since a read that waits for input cannot
// be ended.
type stream struct {
	s     *scan
	asks  chan int // how many bytes are wanted; closed when no more are
	comes chan streamed
}

type streamed struct {
	bytes []byte
	err   error
}

func (s *scan) untilStopped(in io.Reader) *stream {
	r := &stream{s: s, asks: make(chan int), comes: make(chan streamed, 1)}
	go func() {
		var buffer []byte
		for want := range r.asks {
			if cap(buffer) < want {
				buffer = make([]byte, want)
			}
			n, err := in.Read(buffer[:want])
			r.comes <- streamed{buffer[:n], err}
		}
	}()
	return r
}

// Read implements io.Reader. It does not wait on when the run is to stop, and an
// end that comes then counts as cut off: the interrupt may have ended who wrote.
func (r *stream) Read(p []byte) (int, error) {
	select {
	case r.asks <- len(p):
	case <-r.s.stop:
	case <-r.s.ctx.Done():
	}
	select {
	case c := <-r.comes:
		if c.err == io.EOF && r.s.stopped() {
			return 0, errStopped
		}
		return copy(p, c.bytes), c.err
	case <-r.s.stop:
	case <-r.s.ctx.Done():
	}
	r.s.stopped()
	return 0, errStopped
}

// nest stores folders around an entry, as many as it has names above it.
func (s *scan) nest(names []string, entry *tree.Entry) (*openFolder, error) {
	for i := len(names) - 1; ; i-- {
		entry.Name = []byte(names[i])
		node := tree.NewFolderWriter(s.cutter, s.store)
		if err := node.Add(entry); err != nil {
			return nil, err
		}
		root, err := node.Finish()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			return &openFolder{node: root}, nil
		}
		entry = &tree.Entry{Type: tree.TypeFolder, Mode: 0o755, Folder: root}
	}
}
