// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package files

import "github.com/solekey/solekey/device/tree"

// Reading and writing a real file system is built for Linux. On any other
// system nothing can be opened, and every attempt says so.

func unsupported(path string) *Problem { return &Problem{ActOpen, Unsupported, []byte(path), nil} }

// Folder is a folder of a real file system.
type Folder struct{}

// OpenFolder opens nothing on this system.
func OpenFolder(path string) (*Folder, error) { return nil, unsupported(path) }

// OpenPassage opens nothing on this system.
func OpenPassage(path string) (*Folder, error) { return nil, unsupported(path) }

// List lists nothing.
func (f *Folder) List() ([]Item, []*Problem, error) { return nil, nil, unsupported("") }

// Lookup finds nothing.
func (f *Folder) Lookup([]byte) (Item, error) { return Item{}, unsupported("") }

// Child opens nothing.
func (f *Folder) Child([]byte) (*Folder, error) { return nil, unsupported("") }

// Open opens nothing.
func (f *Folder) Open([]byte) (*File, error) { return nil, unsupported("") }

// Describe describes nothing.
func (f *Folder) Describe(*Item, *tree.Entry) (*tree.Entry, []*Problem) {
	return nil, []*Problem{unsupported("")}
}

// DescribeSelf describes nothing.
func (f *Folder) DescribeSelf() (*tree.Entry, []*Problem) { return nil, []*Problem{unsupported("")} }

// Stat is empty.
func (f *Folder) Stat() Stat { return Stat{} }

// Path is empty.
func (f *Folder) Path() []byte { return nil }

// Close closes nothing.
func (f *Folder) Close() error { return nil }

func (f *Folder) problem(act Act, name []byte, err error) *Problem {
	return &Problem{act, portableCause(err), name, err}
}

// File is a regular file opened for reading.
type File struct{}

// Stat is empty.
func (f *File) Stat() Stat { return Stat{} }

// Describe describes nothing.
func (f *File) Describe(*tree.Entry) (*tree.Entry, []*Problem) {
	return nil, []*Problem{unsupported("")}
}

// Read reads nothing.
func (f *File) Read([]byte) (int, error) { return 0, unsupported("") }

// ReadAt reads nothing.
func (f *File) ReadAt([]byte, int64) (int, error) { return 0, unsupported("") }

// Holes finds none.
func (f *File) Holes() ([]tree.Extent, error) { return nil, nil }

// Check checks nothing.
func (f *File) Check() error { return unsupported("") }

// Close closes nothing.
func (f *File) Close() error { return nil }

// Restorer writes entries below one folder of a real file system.
type Restorer struct{}

// NewRestorer opens nothing on this system.
func NewRestorer(path string, _ RestoreOptions) (*Restorer, error) { return nil, unsupported(path) }

// Root is empty.
func (r *Restorer) Root() *Target { return new(Target) }

// Sync does nothing.
func (r *Restorer) Sync() error { return unsupported("") }

// Close closes nothing.
func (r *Restorer) Close() error { return nil }

// Target is a folder that is being restored into.
type Target struct{}

// Path is empty.
func (t *Target) Path() []byte { return nil }

// Existing is empty.
func (t *Target) Existing() *Folder { return new(Folder) }

// Close closes nothing.
func (t *Target) Close() error { return nil }

// Folder makes nothing.
func (t *Target) Folder(*tree.Entry) (*Target, error) { return nil, unsupported("") }

// Finish sets nothing.
func (t *Target) Finish(*tree.Entry) []*Problem { return []*Problem{unsupported("")} }

// Decide decides nothing.
func (t *Target) Decide(*tree.Entry) (Decision, error) { return 0, unsupported("") }

// Adjust sets nothing.
func (t *Target) Adjust(*tree.Entry) []*Problem { return []*Problem{unsupported("")} }

// Same compares nothing.
func (t *Target) Same(*tree.Entry, func(*File) (bool, error)) (bool, error) {
	return false, unsupported("")
}

// Create makes nothing.
func (t *Target) Create(*tree.Entry) (*Writing, error) { return nil, unsupported("") }

// Place makes nothing.
func (t *Target) Place(*tree.Entry) ([]*Problem, error) { return nil, unsupported("") }

// Link makes nothing.
func (t *Target) Link(*tree.Entry) (bool, error) { return false, unsupported("") }

// Prune removes nothing.
func (t *Target) Prune(func([]byte) bool, func([]byte)) []*Problem {
	return []*Problem{unsupported("")}
}

// Writing is a file under its temporary name.
type Writing struct{}

// WriteAt writes nothing.
func (w *Writing) WriteAt([]byte, int64) (int, error) { return 0, unsupported("") }

// CopyFrom copies nothing.
func (w *Writing) CopyFrom(*File, int64, int64) error { return unsupported("") }

// Commit commits nothing.
func (w *Writing) Commit() ([]*Problem, error) { return nil, unsupported("") }

// Abort does nothing.
func (w *Writing) Abort() {}

// Compare compares nothing on this system.
func Compare(a, _ string, _ CompareOptions) (*Comparison, error) { return nil, unsupported(a) }
