// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
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
	r.chunker.Reset(in.Reader)
	size, err := s.storeChunks(r)
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
		entry = &tree.Entry{Type: tree.TypeFolder, Mode: 0o755, Modified: s.now(), Folder: root}
	}
}
