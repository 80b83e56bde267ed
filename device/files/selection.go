// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"io"
	"strings"

	"github.com/solekey/solekey/device/tree"
)

// IgnoreName is the file in which a folder says what to leave out, with the
// syntax of gitignore.
const IgnoreName = ".solekeyignore"

const (
	cacheTagName   = "CACHEDIR.TAG"
	cacheTagHeader = "Signature: 8a477f597d28d172789f06886806bc55"

	// maxIgnoreFile bounds what is read as rules; git's bound is the same.
	maxIgnoreFile = 100 << 20
)

// Rules say what a walk leaves out. The zero Rules leave out what ignore files
// name, and nothing else.
type Rules struct {
	Exclude    []string // patterns, see Patterns
	IExclude   []string // patterns for any case
	IfPresent  []string // NAME or NAME:HEADER: leave out the rest of a folder that holds such a file
	LargerThan uint64   // leave out larger files; 0 for no limit

	Caches        bool // leave out the rest of a folder tagged as a cache
	OneFileSystem bool // store mount points as empty folders
	NoIgnoreFiles bool // do not look at ignore files
}

// Selection is Rules ready for use. It does not change and may be used
// concurrently.
type Selection struct {
	rules           Rules
	exclude, folded *Patterns
	tags            []folderTag
}

// folderTag marks a folder by a file of that name that begins with header.
type folderTag struct {
	name, header string
}

// Compile checks the patterns.
func (r Rules) Compile() (*Selection, error) {
	s := &Selection{rules: r}
	var err error
	if s.exclude, err = ParsePatterns(r.Exclude, false); err != nil {
		return nil, err
	}
	if s.folded, err = ParsePatterns(r.IExclude, true); err != nil {
		return nil, err
	}
	if r.Caches {
		s.tags = append(s.tags, folderTag{cacheTagName, cacheTagHeader})
	}
	for _, tag := range r.IfPresent {
		name, header, _ := strings.Cut(tag, ":")
		s.tags = append(s.tags, folderTag{name, header})
	}
	return s, nil
}

// Scope is what the rules say inside one folder. It does not change and may be
// used concurrently.
type Scope struct {
	selection *Selection
	device    uint64
	parts     []string // the folder's path
	folded    []string // the same in lower case, if there are patterns for it
	path      []byte   // relative to the root of the walk, slash at its end or empty
	ignores   []placedIgnore
	only      []string // if the folder is tagged, what alone is kept
	nothing   bool     // the folder is a mount point not to be entered
}

// placedIgnore is an ignore file and how much of a path lies above it.
type placedIgnore struct {
	file  *IgnoreFile
	above int
}

// Enter returns the scope of the root of a walk, whose path should be absolute,
// after it looked at the tags and ignore rules among its items. Problems name
// rules that could not be read; they hold nothing back then.
func (s *Selection) Enter(root *Folder, items []Item) (*Scope, []*Problem) {
	scope := &Scope{selection: s, device: root.Stat().Device, parts: splitPath(string(root.Path()))}
	if len(s.folded.list) > 0 {
		scope.folded = splitPath(strings.ToLower(string(root.Path())))
	}
	return scope, scope.look(root, items)
}

// Enter returns the scope of a child folder of that name, as Selection.Enter
// does for the root.
func (sc *Scope) Enter(name []byte, folder *Folder, items []Item) (*Scope, []*Problem) {
	child := &Scope{
		selection: sc.selection,
		device:    sc.device,
		parts:     append(sc.parts[:len(sc.parts):len(sc.parts)], string(name)),
		path:      append(append(sc.path[:len(sc.path):len(sc.path)], name...), '/'),
		ignores:   sc.ignores[:len(sc.ignores):len(sc.ignores)],
	}
	if sc.folded != nil {
		child.folded = append(sc.folded[:len(sc.folded):len(sc.folded)], strings.ToLower(string(name)))
	}
	if sc.selection.rules.OneFileSystem && folder.Stat().Device != sc.device {
		child.nothing = true
		return child, nil
	}
	return child, child.look(folder, items)
}

// look finds the folder's tags and ignore file.
func (sc *Scope) look(folder *Folder, items []Item) (problems []*Problem) {
	for i := range items {
		item := &items[i]
		for _, tag := range sc.selection.tags {
			if string(item.Name) != tag.name {
				continue
			}
			tagged, err := tag.on(folder, item)
			if err != nil {
				problems = append(problems, folder.problem(ActIgnore, item.Name, err))
			}
			if tagged {
				sc.only = append(sc.only, tag.name)
			}
		}
		if sc.selection.rules.NoIgnoreFiles || item.Type != tree.TypeFile || string(item.Name) != IgnoreName {
			continue
		}
		data, err := readHead(folder, item.Name, maxIgnoreFile)
		if err != nil {
			problems = append(problems, folder.problem(ActIgnore, item.Name, err))
			continue
		}
		sc.ignores = append(sc.ignores, placedIgnore{ParseIgnore(data), len(sc.path)})
	}
	return problems
}

// on reports whether the item of the tag's name has the tag's header.
func (t *folderTag) on(folder *Folder, item *Item) (bool, error) {
	if t.header == "" {
		return true, nil
	}
	if item.Type != tree.TypeFile {
		return false, nil
	}
	head, err := readHead(folder, item.Name, int64(len(t.header)))
	return string(head) == t.header, err
}

// readHead reads the first bytes of a file.
func readHead(folder *Folder, name []byte, most int64) ([]byte, error) {
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// Keeps reports whether the walk keeps an item of the folder.
func (sc *Scope) Keeps(item *Item) bool {
	if sc.nothing {
		return false
	}
	for _, name := range sc.only {
		if string(item.Name) != name {
			return false
		}
	}
	rules := &sc.selection.rules
	if item.Type == tree.TypeFile && rules.LargerThan > 0 && item.Size > rules.LargerThan {
		return false
	}
	if rules.OneFileSystem && item.Device != sc.device && item.Type != tree.TypeFolder {
		return false
	}
	return !sc.excluded(item.Name) && !sc.ignored(item)
}

// excluded asks the patterns.
func (sc *Scope) excluded(name []byte) bool {
	s := sc.selection
	if len(s.exclude.list) > 0 {
		parts := append(sc.parts[:len(sc.parts):len(sc.parts)], viewString(name))
		if matched, _ := s.exclude.match(parts, false); matched {
			return true
		}
	}
	if len(s.folded.list) > 0 {
		parts := append(sc.folded[:len(sc.folded):len(sc.folded)], strings.ToLower(string(name)))
		if matched, _ := s.folded.match(parts, false); matched {
			return true
		}
	}
	return false
}

// ignored asks the ignore files, the nearest first.
func (sc *Scope) ignored(item *Item) bool {
	if len(sc.ignores) == 0 {
		return false
	}
	path := bytes.Join([][]byte{sc.path, item.Name}, nil)
	for i := len(sc.ignores) - 1; i >= 0; i-- {
		placed := sc.ignores[i]
		ignored, decided := placed.file.Match(path[placed.above:], item.Type == tree.TypeFolder)
		if decided {
			return ignored
		}
	}
	return false
}
