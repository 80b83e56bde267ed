// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"io"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// reserveFrom is the size from which space for a file is reserved at once.
const reserveFrom = 1 << 20

// Writing is a file under its temporary name. WriteAt and CopyFrom may be
// called concurrently and in any order; what is in none of the entry's holes
// must be written. Commit or Abort ends it.
type Writing struct {
	target *Target
	entry  *tree.Entry
	fd     int
	temp   string
}

// Create begins the file of that entry. Its size is set and space for its data
// reserved, so that a full disk is known early. Where it fails, nothing is left.
func (t *Target) Create(e *tree.Entry) (*Writing, error) {
	if err := t.refuse(e); err != nil {
		return nil, err
	}
	dir, err := t.folder.pin()
	if err != nil {
		return nil, t.folder.problem(ActCreate, nil, err)
	}
	defer t.folder.unpin()
	w := &Writing{target: t, entry: e}
	if err := w.open(dir); err != nil {
		return nil, t.folder.problem(ActCreate, e.Name, err)
	}
	if err := w.reserve(); err != nil {
		w.Abort()
		return nil, t.folder.problem(ActCreate, e.Name, err)
	}
	return w, nil
}

// open makes the temporary file and locks it, which tells other restores that it
// is in use. One that was cleaning just then may have taken it for a leftover.
func (w *Writing) open(dir int) error {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	for {
		w.temp = w.target.r.temporaryName()
		fd, err := retry(func() (int, error) { return unix.Openat(dir, w.temp, flags, 0o600) })
		if err != nil {
			return err
		}
		_ = again(func() error { return unix.Flock(fd, unix.LOCK_EX) }) // not every file system has locks
		stat, err := statOf(fd)
		if err == nil && stat.Links > 0 {
			w.fd = fd
			return nil
		}
		_ = unix.Close(fd)
		if err != nil {
			return err
		}
	}
}

// reserve sets the size and allocates what is in no hole.
func (w *Writing) reserve() error {
	e := w.entry
	if e.Size == 0 {
		return nil
	}
	if err := again(func() error { return unix.Ftruncate(w.fd, int64(e.Size)) }); err != nil {
		return err
	}
	if w.target.r.options.Sparse || e.Size < reserveFrom {
		return nil
	}
	at := uint64(0)
	for i := 0; i <= len(e.Holes); i++ {
		hole := tree.Extent{Offset: e.Size}
		if i < len(e.Holes) {
			hole = e.Holes[i]
		}
		if hole.Offset > at {
			err := again(func() error { return unix.Fallocate(w.fd, 0, int64(at), int64(hole.Offset-at)) })
			if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
				return nil
			}
			if err != nil {
				return err
			}
		}
		at = hole.Offset + hole.Length
	}
	return nil
}

// WriteAt writes all of p or fails with a Problem, Full where there is no space.
func (w *Writing) WriteAt(p []byte, offset int64) (int, error) {
	for done := 0; done < len(p); {
		n, err := retry(func() (int, error) { return unix.Pwrite(w.fd, p[done:], offset+int64(done)) })
		if err != nil {
			return done, w.problem(err)
		}
		done += n
	}
	return len(p), nil
}

func (w *Writing) problem(err error) *Problem {
	return w.target.folder.problem(ActWrite, w.entry.Name, err)
}

// CopyFrom takes a range over from the file that stands there now, at the same
// offset; the system shares the blocks where it can.
func (w *Writing) CopyFrom(old *File, offset, length int64) error {
	for length > 0 {
		from, to := offset, offset
		n, err := retry(func() (int, error) {
			return unix.CopyFileRange(old.fd, &from, w.fd, &to, int(min(length, 1<<30)), 0)
		})
		if err == unix.EXDEV || err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP {
			_, err := io.Copy(io.NewOffsetWriter(w, offset), io.NewSectionReader(old, offset, length))
			return err
		}
		if err != nil {
			return w.problem(err)
		}
		if n == 0 {
			return w.problem(io.ErrUnexpectedEOF)
		}
		offset, length = offset+int64(n), length-int64(n)
	}
	return nil
}

// Commit sets the file's properties and gives it its name, in that order, and
// ends the writing either way. Where it fails, what stood there still does.
func (w *Writing) Commit() ([]*Problem, error) {
	t := w.target
	dir, err := t.folder.pin()
	if err != nil {
		w.Abort()
		return nil, t.folder.problem(ActWrite, nil, err)
	}
	defer t.folder.unpin()
	now, err := statOf(w.fd)
	if err == nil && now.Size != w.entry.Size {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.Abort()
		return nil, w.problem(err)
	}
	path := func() []byte { return t.folder.pathOf(w.entry.Name) }
	problems := t.r.apply(&subject{fd: w.fd, now: now, entry: w.entry, path: path})
	if err := t.settle(dir, w.temp, w.entry); err != nil {
		w.Abort()
		return problems, err
	}
	t.r.remember(t, w.entry, &now)
	if err := unix.Close(w.fd); err != nil {
		return problems, w.problem(err)
	}
	return problems, nil
}

// Abort ends the writing and leaves nothing of it.
func (w *Writing) Abort() {
	if dir, err := w.target.folder.pin(); err == nil {
		_ = unix.Unlinkat(dir, w.temp, 0)
		w.target.folder.unpin()
	}
	_ = unix.Close(w.fd)
}
