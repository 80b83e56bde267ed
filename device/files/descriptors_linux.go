// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"container/list"
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// openFolders is how many folders below one root are held open at a time, not
// counting those in use at that moment.
const openFolders = 96

var errClosed = errors.New("the root folder is closed")

// descriptors holds the open folders below one root. A folder that was not used
// for long loses its descriptor and is opened again, from its nearest open
// ancestor down, when it is needed: however deep or wide the tree, the number of
// descriptors stays bounded.
type descriptors struct {
	mu     sync.Mutex
	limit  int
	idle   list.List // of *Folder with a descriptor and no user, oldest first
	open   int
	closed bool
}

// pin returns the folder's descriptor, which stays open until unpin.
func (f *Folder) pin() (int, error) {
	if fd, ok, err := f.pinOpen(); ok || err != nil {
		return fd, err
	}
	return f.reopen()
}

// pinOpen pins the folder if it has a descriptor.
func (f *Folder) pinOpen() (fd int, ok bool, err error) {
	d := f.pool
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return -1, false, errClosed
	}
	if f.fd < 0 {
		return -1, false, nil
	}
	f.busy()
	return f.fd, true, nil
}

// busy counts one more user of a folder that has a descriptor. The caller holds
// mu.
func (f *Folder) busy() {
	if f.place != nil {
		f.pool.idle.Remove(f.place)
		f.place = nil
	}
	f.pins++
}

// unpin gives back what pin lent.
func (f *Folder) unpin() {
	d := f.pool
	d.mu.Lock()
	defer d.mu.Unlock()
	f.pins--
	if f.pins > 0 || f.fd < 0 || f.parent == nil && !d.closed {
		return
	}
	if f.released || d.closed {
		f.drop()
		return
	}
	f.place = d.idle.PushBack(f)
	d.trim()
}

// trim closes the folders unused for longest. The caller holds mu.
func (d *descriptors) trim() {
	for d.open > d.limit && d.idle.Len() > 0 {
		d.idle.Front().Value.(*Folder).drop()
	}
}

// drop closes the folder's descriptor. The caller holds mu; nobody uses it.
func (f *Folder) drop() {
	if f.place != nil {
		f.pool.idle.Remove(f.place)
		f.place = nil
	}
	_ = unix.Close(f.fd)
	f.fd = -1
	f.pool.open--
}

// install gives the folder its descriptor, pinned once. If another call was
// faster, its descriptor is used and fd closed.
func (f *Folder) install(fd int) (int, error) {
	d := f.pool
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = unix.Close(fd)
		return -1, errClosed
	}
	if f.fd >= 0 {
		_ = unix.Close(fd)
		f.busy()
		return f.fd, nil
	}
	f.pins++
	f.fd = fd
	d.open++
	d.trim()
	return fd, nil
}

// reopen opens the folder again from its nearest open ancestor, and refuses
// what is not the folder that was first opened there.
func (f *Folder) reopen() (int, error) {
	var closed []*Folder
	at, fd := f, -1
	for {
		got, ok, err := at.pinOpen()
		if err != nil {
			return -1, err
		}
		if ok {
			fd = got
			break
		}
		closed = append(closed, at)
		at = at.parent
	}
	for i := len(closed) - 1; i >= 0; i-- {
		next, err := closed[i].openFrom(fd)
		at.unpin()
		if err != nil {
			return -1, err
		}
		at, fd = closed[i], next
	}
	return fd, nil
}

// openFrom opens the folder again relative to its parent's descriptor.
func (f *Folder) openFrom(parent int) (int, error) {
	fd, stat, err := openFolderAt(parent, string(f.name))
	if err != nil {
		return -1, err
	}
	if stat.Device != f.stat.Device || stat.Inode != f.stat.Inode {
		_ = unix.Close(fd)
		return -1, unix.ELOOP
	}
	return f.install(fd)
}

// release lets go of the folder; on the root, of everything below it.
func (f *Folder) release() {
	d := f.pool
	d.mu.Lock()
	defer d.mu.Unlock()
	f.released = true
	if f.parent == nil {
		d.closed = true
		for d.idle.Len() > 0 {
			d.idle.Front().Value.(*Folder).drop()
		}
	}
	if f.pins == 0 && f.fd >= 0 {
		f.drop()
	}
}
