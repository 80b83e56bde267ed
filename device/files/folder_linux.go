// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"container/list"
	"errors"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

const openFolderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// Folder is a folder of a real file system, reached from its parent by name and
// never through a symbolic link. Its descriptor may be closed and opened again
// behind the scenes; a folder that was replaced meanwhile is a Problem, never
// another folder. All methods may be called concurrently.
type Folder struct {
	pool    *descriptors
	parent  *Folder // nil for the root
	name    []byte  // within parent; the whole path for the root
	stat    Stat    // when it was opened
	listing sync.Mutex
	passage bool // opened to go through only

	// Guarded by pool.mu.
	fd       int
	pins     int
	place    *list.Element
	released bool
}

// OpenFolder opens the folder at a path of the user's, symbolic links in it
// followed, as a root to walk from. Who opened it closes it, which also ends
// every folder reached from it.
func OpenFolder(path string) (*Folder, error) {
	fd, err := openPath(path, openFolderFlags&^unix.O_NOFOLLOW)
	if err != nil {
		return nil, &Problem{ActOpen, causeOf(err), []byte(path), err}
	}
	return newRoot(path, fd)
}

// OpenPassage is OpenFolder for a folder on the way to something. It need not be
// readable, as the folder above a home need not be, and List fails.
func OpenPassage(path string) (*Folder, error) {
	fd, err := openPath(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, &Problem{ActOpen, causeOf(err), []byte(path), err}
	}
	folder, err := newRoot(path, fd)
	if err != nil {
		return nil, err
	}
	folder.passage = true
	return folder, nil
}

func newRoot(path string, fd int) (*Folder, error) {
	stat, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, &Problem{ActStat, causeOf(err), []byte(path), err}
	}
	pool := &descriptors{limit: openFolders, open: 1}
	return &Folder{pool: pool, name: []byte(path), stat: stat, fd: fd}, nil
}

// openPath opens a folder whose path may be longer than the system takes at once.
func openPath(path string, flags int) (int, error) {
	const most = 4000
	dir := unix.AT_FDCWD
	path = filepath.Clean(path)
	for {
		part := path
		if len(path) > most {
			cut := strings.LastIndexByte(path[:most], '/')
			if cut <= 0 {
				return -1, unix.ENAMETOOLONG
			}
			part, path = path[:cut], path[cut+1:]
		} else {
			path = ""
		}
		now := flags
		if path != "" {
			now = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
		}
		fd, err := openQuietly(dir, part, now)
		if dir >= 0 {
			_ = unix.Close(dir)
		}
		if err != nil || path == "" {
			return fd, err
		}
		dir = fd
	}
}

// openQuietly opens without moving the time of access, where that is permitted.
func openQuietly(dir int, name string, flags int) (int, error) {
	return retry(func() (int, error) {
		fd, err := unix.Openat(dir, name, flags|unix.O_NOATIME, 0)
		if err == unix.EPERM {
			return unix.Openat(dir, name, flags, 0)
		}
		return fd, err
	})
}

// openFolderAt opens a folder within another one.
func openFolderAt(dir int, name string) (int, Stat, error) {
	fd, err := openQuietly(dir, name, openFolderFlags)
	if err != nil {
		return -1, Stat{}, err
	}
	stat, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return -1, Stat{}, err
	}
	return fd, stat, nil
}

// Child opens the folder of that name.
func (f *Folder) Child(name []byte) (*Folder, error) {
	if !ValidName(name) {
		return nil, &Problem{ActOpen, Refused, f.pathOf(name), nil}
	}
	dir, err := f.pin()
	if err != nil {
		return nil, f.problem(ActOpen, nil, err)
	}
	defer f.unpin()
	fd, stat, err := openFolderAt(dir, string(name))
	if err != nil {
		return nil, f.problem(ActOpen, name, err)
	}
	child := &Folder{pool: f.pool, parent: f, name: append([]byte(nil), name...), stat: stat, fd: -1}
	if _, err := child.install(fd); err != nil {
		return nil, f.problem(ActOpen, name, err)
	}
	child.unpin()
	return child, nil
}

// Close lets go of the folder. Folders reached from it may still be used,
// unless it is the root.
func (f *Folder) Close() error {
	f.release()
	return nil
}

// Stat returns what the system said of the folder when it was opened.
func (f *Folder) Stat() Stat { return f.stat }

// Path returns the folder's path as the root was named; it may be longer than
// any system call takes.
func (f *Folder) Path() []byte {
	size, depth := 0, 0
	for at := f; at != nil; at = at.parent {
		size += len(at.name) + 1
		depth++
	}
	chain := make([]*Folder, depth)
	for at := f; at != nil; at = at.parent {
		depth--
		chain[depth] = at
	}
	path := make([]byte, 0, size)
	for _, at := range chain {
		path = joinName(path, at.name)
	}
	return path
}

func (f *Folder) pathOf(name []byte) []byte {
	if name == nil {
		return f.Path()
	}
	return joinName(f.Path(), name)
}

// pathBelowRoot is pathOf from the root on, which is "/".
func (f *Folder) pathBelowRoot(name []byte) []byte {
	if f.parent == nil {
		return joinName([]byte("/"), name)
	}
	return joinName(f.parent.pathBelowRoot(f.name), name)
}

// problem says what err means for the entry of that name, or for the folder
// itself where name is nil.
func (f *Folder) problem(act Act, name []byte, err error) *Problem {
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	return &Problem{act, causeOf(err), f.pathOf(name), err}
}

// Lookup returns the one item of that name.
func (f *Folder) Lookup(name []byte) (Item, error) {
	if !ValidName(name) {
		return Item{}, &Problem{ActStat, Refused, f.pathOf(name), nil}
	}
	dir, err := f.pin()
	if err != nil {
		return Item{}, f.problem(ActStat, nil, err)
	}
	defer f.unpin()
	stat, err := statNamed(dir, string(name))
	if err != nil {
		return Item{}, f.problem(ActStat, name, err)
	}
	return Item{append([]byte(nil), name...), stat}, nil
}

// Describe returns the entry of an item of this folder: its properties and, for
// a symlink, its target; size and holes of content are read through [File].
// If known is not nil, it is what was described when the item had the same
// Identity, and its extended attributes and target are taken over without a
// system call. Where a property could not be read, the entry is returned
// without it and a problem says so; the entry is nil only if the item is gone.
func (f *Folder) Describe(item *Item, known *tree.Entry) (*tree.Entry, []*Problem) {
	entry := entryOf(item)
	if known != nil {
		entry.Xattrs, entry.Target = known.Xattrs, known.Target
		return entry, nil
	}
	dir, err := f.pin()
	if err != nil {
		return nil, []*Problem{f.problem(ActStat, nil, err)}
	}
	defer f.unpin()
	if item.Type == tree.TypeLink {
		entry.Target, err = readLink(dir, string(item.Name), item.Size)
		if err != nil {
			return nil, []*Problem{f.problem(ActReadLink, item.Name, err)}
		}
	}
	entry.Xattrs, err = xattrsOf(named{dir, string(item.Name)})
	if err != nil {
		return entry, []*Problem{f.problem(ActXattrs, item.Name, err)}
	}
	return entry, nil
}

// DescribeSelf returns the entry of the folder itself, with fresh properties
// and without a name.
func (f *Folder) DescribeSelf() (*tree.Entry, []*Problem) {
	fd, err := f.pin()
	if err != nil {
		return nil, []*Problem{f.problem(ActStat, nil, err)}
	}
	defer f.unpin()
	stat, err := statOf(fd)
	if err != nil {
		return nil, []*Problem{f.problem(ActStat, nil, err)}
	}
	entry := entryOf(&Item{Stat: stat})
	var holder xattrHolder = opened(fd)
	if f.passage {
		holder = named{fd, "."}
	}
	entry.Xattrs, err = xattrsOf(holder)
	if err != nil {
		return entry, []*Problem{f.problem(ActXattrs, nil, err)}
	}
	return entry, nil
}
