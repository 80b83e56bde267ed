// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"cmp"
	"io"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// File is a regular file opened for reading. It has no lock and no finaliser:
// who opened it closes it. ReadAt may be called concurrently.
type File struct {
	fd     int
	folder *Folder
	item   Item
	offset int64
}

// Open opens the regular file of that name; whatever else stands there is a
// problem and is not waited for. The file's access time stays as it is where
// the system permits.
func (f *Folder) Open(name []byte) (*File, error) {
	if !ValidName(name) {
		return nil, &Problem{ActOpen, Refused, f.pathOf(name), nil}
	}
	dir, err := f.pin()
	if err != nil {
		return nil, f.problem(ActOpen, nil, err)
	}
	defer f.unpin()
	fd, err := openFileAt(dir, string(name))
	if err != nil {
		return nil, f.problem(ActOpen, name, err)
	}
	stat, err := statOf(fd)
	if err == nil && stat.Type != tree.TypeFile {
		err = unix.ENXIO
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, f.problem(ActOpen, name, err)
	}
	return &File{fd: fd, folder: f, item: Item{name, stat}}, nil
}

// openFileAt opens for reading. O_NONBLOCK means nothing to a regular file and
// keeps a fifo that took its place since the listing from being waited for.
func openFileAt(dir int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	return openQuietly(dir, name, flags)
}

// Stat returns what the system said of the file when it was opened. It may
// differ from the listing; what describes the content read is this one.
func (f *File) Stat() Stat { return f.item.Stat }

// Describe returns the file's entry, read through its descriptor, as
// [Folder.Describe] does. Holes are filled too.
func (f *File) Describe(known *tree.Entry) (*tree.Entry, []*Problem) {
	entry := entryOf(&f.item)
	var problems []*Problem
	var err error
	if known != nil {
		entry.Xattrs = known.Xattrs
	} else if entry.Xattrs, err = xattrsOf(opened(f.fd)); err != nil {
		problems = append(problems, f.folder.problem(ActXattrs, f.item.Name, err))
	}
	if entry.Holes, err = f.Holes(); err != nil {
		problems = append(problems, f.folder.problem(ActRead, f.item.Name, err))
	}
	return entry, problems
}

// Read reads on from where the last Read ended, at most to the size the file
// had when it was opened: a log that grows does not keep a backup from ending.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt reads at an offset, at most to the size the file had when opened. A
// file that became shorter is io.EOF at its new end, and Check tells.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	end := int64(f.item.Size)
	if offset >= end {
		return 0, io.EOF
	}
	short := int64(len(p)) > end-offset
	if short {
		p = p[:end-offset]
	}
	for done := 0; done < len(p); {
		n, err := retry(func() (int, error) { return unix.Pread(f.fd, p[done:], offset+int64(done)) })
		if err != nil {
			return done, f.folder.problem(ActRead, f.item.Name, err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// Holes returns the ranges that hold nothing, sorted and apart from each other,
// for a file that has any. Of more than an entry can hold, the largest.
func (f *File) Holes() ([]tree.Extent, error) {
	if !f.item.maySparse() {
		return nil, nil
	}
	var holes []tree.Extent
	for at := uint64(0); at < f.item.Size; {
		data, err := f.seek(at, unix.SEEK_DATA)
		if err == unix.EINVAL || err == unix.EOPNOTSUPP {
			return nil, nil
		}
		if err != nil {
			return nil, f.folder.problem(ActRead, f.item.Name, err)
		}
		if data > at {
			holes = append(holes, tree.Extent{Offset: at, Length: data - at})
		}
		if at, err = f.seek(data, unix.SEEK_HOLE); err != nil {
			return nil, f.folder.problem(ActRead, f.item.Name, err)
		}
	}
	return largest(holes), nil
}

// seek finds the next data or hole; there is neither beyond the size the file
// had when it was opened.
func (f *File) seek(from uint64, whence int) (uint64, error) {
	if from >= f.item.Size {
		return f.item.Size, nil
	}
	at, err := unix.Seek(f.fd, int64(from), whence)
	if err == unix.ENXIO || err == nil && uint64(at) > f.item.Size {
		return f.item.Size, nil
	}
	return uint64(at), err
}

// largest drops the smallest holes of a file that has more than an entry holds.
func largest(holes []tree.Extent) []tree.Extent {
	if len(holes) <= tree.MaxHoles {
		return holes
	}
	slices.SortFunc(holes, func(a, b tree.Extent) int { return cmp.Compare(b.Length, a.Length) })
	holes = holes[:tree.MaxHoles]
	slices.SortFunc(holes, func(a, b tree.Extent) int { return cmp.Compare(a.Offset, b.Offset) })
	return holes
}

// Check returns a Changed problem if the file is not as it was when it was
// opened: what was read may be a mixture, or shorter than the size. Call it
// after the last read. A file that was only removed meanwhile is no problem.
func (f *File) Check() error {
	now, err := statOf(f.fd)
	if err != nil {
		return f.folder.problem(ActRead, f.item.Name, err)
	}
	was := f.item.Stat
	if now.Links != was.Links {
		was.Changed = now.Changed // a name came or went, which also moves this time
	}
	if now.Identity() != was.Identity() {
		return &Problem{ActRead, Changed, f.folder.pathOf(f.item.Name), nil}
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return unix.Close(f.fd) }
