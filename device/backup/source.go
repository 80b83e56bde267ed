// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"path/filepath"
	"sort"
	"strings"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// source is a place in the tree of what is to be backed up: a folder on the way
// to a path the user named, or such a path itself.
type source struct {
	name     string
	path     string
	named    bool // the user named it: everything in it is taken
	children []*source
}

// newSources arranges absolute paths in one tree. A path below another named
// one adds nothing.
func newSources(paths []string) (*source, error) {
	root := &source{path: "/"}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return nil, protocol.Errorf(protocol.KindInternal, "back up %q: the path is not absolute", path)
		}
		root.add(filepath.Clean(path))
	}
	return root, nil
}

func (s *source) add(path string) {
	at := s
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if at.named {
			return
		}
		at = at.child(name)
	}
	at.named, at.children = true, nil
}

// child returns the child of the name, and adds it in its place where there is
// none.
func (s *source) child(name string) *source {
	i := sort.Search(len(s.children), func(i int) bool { return s.children[i].name >= name })
	if i < len(s.children) && s.children[i].name == name {
		return s.children[i]
	}
	c := &source{name: name, path: filepath.Join(s.path, name)}
	s.children = append(s.children, nil)
	copy(s.children[i+1:], s.children[i:])
	s.children[i] = c
	return c
}

// walkSource walks a source; the caller hands it to the assembler. It returns nil
// where it could not be read.
func (s *scan) walkSource(src *source, prev *lastFolder) *openFolder {
	if src.named {
		l := s.list(func() (*files.Folder, error) { return files.OpenFolder(src.path) })
		of := s.walk(l, prev, func(l *listing) (*files.Scope, []*files.Problem) {
			return s.selection.Enter(l.folder, l.items)
		})
		if of != nil {
			s.taken++
		}
		return of
	}
	folder, err := files.OpenPassage(src.path)
	if err != nil {
		s.report.problem(err)
		return nil
	}
	of := &openFolder{folder: folder, prev: prev}
	hint := 0
	for _, child := range src.children {
		if s.stopped() {
			break
		}
		s.walkSourceChild(of, child, prev.find([]byte(child.name), &hint))
	}
	return of
}

// walkSourceChild looks at a source within a folder: a named file, or a folder.
func (s *scan) walkSourceChild(of *openFolder, src *source, known *lastItem) {
	item, err := of.folder.Lookup([]byte(src.name))
	if err != nil {
		s.report.problem(err)
		return
	}
	if src.named && item.Type != tree.TypeFolder {
		s.taken++
		s.walkItem(of, &item, known, nil, nil)
		return
	}
	var prev *lastFolder
	if known != nil && known.child != 0 {
		prev = s.last.folder(known.child)
	}
	child := s.walkSource(src, prev)
	if child == nil {
		return
	}
	if !src.named {
		s.addPassage(of, src, child, known)
		return
	}
	stat := child.folder.Stat()
	sl := slot{name: []byte(src.name), identity: appendIdentity(nil, &stat), unsure: stat.Changed > s.now()-unsureAfter}
	unchanged := known != nil && !known.unsure && bytes.Equal(known.identity, sl.identity)
	if s.describe(&sl, child, known, unchanged) {
		of.slots = append(of.slots, sl)
	}
}

// addPassage adds a walked folder on the way to a source. It is kept without its
// times: they change with whatever else lies in it, in /home with each new user
// and in /tmp all day, and would make a run new in which nothing of what was
// named changed. So times are no part of what makes it unchanged either, and what
// stands of it in the last run is held against what it is now.
func (s *scan) addPassage(of *openFolder, src *source, child *openFolder, known *lastItem) {
	if len(child.slots) == 0 {
		child.folder.Close() // on the way to nothing
		return
	}
	s.report.folder()
	entry, problems := child.folder.DescribeSelf()
	s.report.problems(problems)
	stat := child.folder.Stat()
	s.folders <- child
	if entry == nil {
		return
	}
	entry.Name, entry.Modified = []byte(src.name), 0
	sl := slot{name: entry.Name, child: child, identity: appendIdentity(nil, &files.Stat{Type: stat.Type, Device: stat.Device, Inode: stat.Inode})}
	if known != nil && known.child != 0 && sameFolder(entry, decodeEntry(known.entry)) {
		sl.known = known
	} else {
		sl.entry = entry
	}
	of.slots = append(of.slots, sl)
}

// sameFolder reports whether two entries say the same of a folder, whatever is in
// it; b is nil where nothing is known.
func sameFolder(a, b *tree.Entry) bool {
	if b == nil {
		return false
	}
	inside := *b
	inside.Folder = a.Folder
	return bytes.Equal(canonical.MustMarshal(a), canonical.MustMarshal(&inside))
}
