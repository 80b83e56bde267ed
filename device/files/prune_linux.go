// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// Prune removes what stands in the folder and is not kept, folders with all
// they hold, but nothing that is on another file system or to be spared, nor the
// folders that this is in. It calls removed, if not nil, with the path of each
// entry that it removed from this folder, or from below where some is spared.
func (t *Target) Prune(keep func(name []byte) bool, removed func(path []byte)) []*Problem {
	items, problems, err := t.folder.List()
	if err != nil {
		return []*Problem{t.folder.problem(ActRemove, nil, err)}
	}
	sweep := sweep{r: t.r, problems: problems, removed: removed}
	for i := range items {
		name := items[i].Name
		if keep(name) || isTemporary(string(name)) {
			continue
		}
		if sweep.remove(t.folder, name) && removed != nil {
			removed(t.folder.pathOf(name))
		}
	}
	return sweep.problems
}

// sweep removes entries and gathers what resists.
type sweep struct {
	r        *Restorer
	problems []*Problem
	removed  func(path []byte) // nil: nobody wants to know
}

// spares reports whether an entry stays though the folder it is in does not.
func (s *sweep) spares(folder *Folder, name []byte) bool {
	return s.r.options.Spare != nil && s.r.options.Spare(folder.pathBelowRoot(name))
}

// remove reports whether the entry is gone. No symlink is followed.
func (s *sweep) remove(folder *Folder, name []byte) bool {
	full, err := s.unlink(folder, name)
	if err != nil {
		return s.failed(folder, name, err)
	}
	if !full {
		return true
	}
	if !s.empty(folder, name) {
		return false
	}
	if full, err = s.unlink(folder, name); full && err == nil {
		err = unix.ENOTEMPTY
	}
	if err != nil {
		return s.failed(folder, name, err)
	}
	return true
}

// unlink removes one entry that is no folder, or an empty one; of another
// folder it says that it is full, and prepares it to be emptied.
func (s *sweep) unlink(folder *Folder, name []byte) (full bool, err error) {
	dir, err := folder.pin()
	if err != nil {
		return false, err
	}
	defer folder.unpin()
	stat, err := statNamed(dir, string(name))
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if stat.Type != tree.TypeFolder {
		return false, unix.Unlinkat(dir, string(name), 0)
	}
	if stat.Device != folder.Stat().Device {
		return false, unix.EBUSY
	}
	err = unix.Unlinkat(dir, string(name), unix.AT_REMOVEDIR)
	if err == unix.ENOTEMPTY || err == unix.EEXIST {
		return true, s.r.unlock(dir, string(name), &stat)
	}
	return false, err
}

// empty removes all that a folder holds.
func (s *sweep) empty(folder *Folder, name []byte) bool {
	child, err := folder.Child(name)
	if err != nil {
		return s.failed(folder, name, err)
	}
	defer child.Close()
	items, problems, err := child.List()
	s.problems = append(s.problems, problems...)
	if err != nil {
		return s.failed(child, nil, err)
	}
	all := len(problems) == 0
	for i := range items {
		name := items[i].Name
		if s.spares(child, name) || !s.remove(child, name) {
			all = false
		} else if s.r.options.Spare != nil && s.removed != nil {
			s.removed(child.pathOf(name)) // the folder itself may stay
		}
	}
	return all
}

func (s *sweep) failed(folder *Folder, name []byte, err error) bool {
	s.problems = append(s.problems, folder.problem(ActRemove, name, err))
	return false
}
