// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// xattrHolder is what has extended attributes: an entry reached by folder and
// name, or an open descriptor.
type xattrHolder interface {
	list(buf []byte) (int, error)
	get(name string, buf []byte) (int, error)
	set(name string, value []byte) error
	remove(name string) error
}

// named is an entry of an open folder; a symlink is meant itself.
type named struct {
	dir  int
	name string
}

func (n named) list(buf []byte) (int, error) { return unix.Llistxattr(procPath(n.dir, n.name), buf) }

func (n named) get(name string, buf []byte) (int, error) {
	return unix.Lgetxattr(procPath(n.dir, n.name), name, buf)
}

func (n named) set(name string, value []byte) error {
	return unix.Lsetxattr(procPath(n.dir, n.name), name, value, 0)
}

func (n named) remove(name string) error {
	return unix.Lremovexattr(procPath(n.dir, n.name), name)
}

// opened is a descriptor that is not O_PATH.
type opened int

func (o opened) list(buf []byte) (int, error)             { return unix.Flistxattr(int(o), buf) }
func (o opened) get(name string, buf []byte) (int, error) { return unix.Fgetxattr(int(o), name, buf) }

func (o opened) set(name string, value []byte) error { return unix.Fsetxattr(int(o), name, value, 0) }
func (o opened) remove(name string) error            { return unix.Fremovexattr(int(o), name) }

// xattrRoom is the kernel's limit for a list of names and for one value.
const xattrRoom = 1 << 16

var xattrBuffers = sync.Pool{New: func() any { return new([xattrRoom]byte) }}

// errTooMany is what is left of attributes beyond the format's limits.
var errTooMany = errors.New("more extended attributes than can be stored")

// xattrsOf returns the extended attributes, sorted by name; none where the file
// system has none. If some could not be read, the others are returned with the
// error.
func xattrsOf(holder xattrHolder) ([]tree.Xattr, error) {
	buf := xattrBuffers.Get().(*[xattrRoom]byte)
	defer xattrBuffers.Put(buf)
	n, err := retry(func() (int, error) { return holder.list(buf[:]) })
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		return nil, nil
	}
	if err != nil || n == 0 {
		return nil, err
	}
	var all []tree.Xattr
	var failed error
	room := tree.MaxXattrBytes
	for _, name := range strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		n, err := retry(func() (int, error) { return holder.get(name, buf[:]) })
		if err == unix.ENODATA {
			continue
		}
		if err != nil {
			failed = err
			continue
		}
		if room -= len(name) + n; room < 0 || len(all) == tree.MaxXattrs {
			failed = errTooMany
			break
		}
		all = append(all, tree.Xattr{Name: []byte(name), Value: bytes.Clone(buf[:n])})
	}
	slices.SortFunc(all, func(a, b tree.Xattr) int { return bytes.Compare(a.Name, b.Name) })
	return all, failed
}
