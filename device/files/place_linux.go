// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// temporaryPrefix begins the names of what is not finished yet.
const temporaryPrefix = ".solekey-restore-"

const temporaryDigits = 16

// randomDigits returns half the digits of a temporary name: the first half is
// the restore's, the second the entry's.
func randomDigits() string {
	var random [temporaryDigits / 4]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// temporaryName returns a name that no other entry of this restore has.
func (r *Restorer) temporaryName() string { return temporaryPrefix + r.run + randomDigits() }

// isTemporary reports whether a restore made this name for a while.
func isTemporary(name string) bool {
	digits, ok := strings.CutPrefix(name, temporaryPrefix)
	return ok && len(digits) == temporaryDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// clean removes the temporary names that a killed restore left in the folder.
// Those of this restore, and those that another one is writing, stay.
func (t *Target) clean() {
	dir, err := t.folder.pin()
	if err != nil {
		return
	}
	defer t.folder.unpin()
	names, err := t.folder.readNames(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if isTemporary(string(name)) && !strings.HasPrefix(string(name), temporaryPrefix+t.r.run) {
			removeUnused(dir, string(name))
		}
	}
}

// removeUnused removes a temporary name while it holds the lock that the
// restore writing it would hold.
func removeUnused(dir int, name string) {
	if fd, err := openFileAt(dir, name); err == nil {
		defer unix.Close(fd)
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
			return
		}
	}
	_ = unix.Unlinkat(dir, name, 0)
}

// Place makes a symlink, fifo or device node with its properties. A socket is
// an Unsupported problem: it means nothing without its program.
func (t *Target) Place(e *tree.Entry) ([]*Problem, error) {
	if err := t.refuse(e); err != nil {
		return nil, err
	}
	dir, err := t.folder.pin()
	if err != nil {
		return nil, t.folder.problem(ActCreate, nil, err)
	}
	defer t.folder.unpin()
	temp := t.r.temporaryName()
	if err := makeNode(dir, temp, e); err != nil {
		return nil, t.folder.problem(ActCreate, e.Name, err)
	}
	now, err := statNamed(dir, temp)
	if err != nil {
		return nil, t.folder.problem(ActCreate, e.Name, err)
	}
	path := func() []byte { return t.folder.pathOf(e.Name) }
	problems := t.r.apply(&subject{fd: -1, dir: dir, name: temp, now: now, entry: e, path: path})
	if err := t.settle(dir, temp, e); err != nil {
		_ = unix.Unlinkat(dir, temp, 0)
		return problems, err
	}
	t.r.remember(t, e, &now)
	return problems, nil
}

// makeNode creates what has no content.
func makeNode(dir int, name string, e *tree.Entry) error {
	return again(func() error {
		switch e.Type {
		case tree.TypeLink:
			return unix.Symlinkat(string(e.Target), dir, name)
		case tree.TypePipe:
			return unix.Mknodat(dir, name, unix.S_IFIFO|0o600, 0)
		case tree.TypeCharDev:
			return unix.Mknodat(dir, name, unix.S_IFCHR|0o600, int(e.Device))
		case tree.TypeBlkDev:
			return unix.Mknodat(dir, name, unix.S_IFBLK|0o600, int(e.Device))
		}
		return unix.EOPNOTSUPP
	})
}

// settle gives a finished entry its name in place of what stands there.
func (t *Target) settle(dir int, temp string, e *tree.Entry) error {
	err := t.rename(dir, temp, string(e.Name))
	if err == unix.EISDIR || err == unix.ENOTEMPTY || err == unix.EEXIST && t.r.options.Overwrite != Never {
		if err := t.clearFolder(dir, e.Name); err != nil {
			return err
		}
		err = t.rename(dir, temp, string(e.Name))
	}
	if err != nil {
		return t.folder.problem(ActCreate, e.Name, err)
	}
	return nil
}

// rename replaces what stands there, but not under Never, even if it appeared
// only a moment ago.
func (t *Target) rename(dir int, from, to string) error {
	return again(func() error {
		if t.r.options.Overwrite == Never {
			err := unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
			if err != unix.ENOSYS && err != unix.EINVAL {
				return err
			}
			if _, err := statNamed(dir, to); err == nil {
				return unix.EEXIST
			}
		}
		return unix.Renameat(dir, from, dir, to)
	})
}

// clearFolder removes the folder that stands in the way of another entry: an
// empty one always, any other only if the restore deletes.
func (t *Target) clearFolder(dir int, name []byte) error {
	err := unix.Unlinkat(dir, string(name), unix.AT_REMOVEDIR)
	if err == nil {
		return nil
	}
	if !t.r.options.Delete {
		return t.folder.problem(ActCreate, name, err)
	}
	sweep := sweep{r: t.r}
	sweep.remove(t.folder, name)
	if len(sweep.problems) > 0 {
		return sweep.problems[0]
	}
	return nil
}

// remember notes where the first name of a group of hard links stands.
func (r *Restorer) remember(t *Target, e *tree.Entry, stat *Stat) {
	if e.Links == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.links[*e.Links]; !ok {
		r.links[*e.Links] = linked{t.folder, string(e.Name), stat.Device, stat.Inode}
	}
}

// Link makes the entry another name of the file, symlink or node of its group
// that was restored before. If none was, done is false and the entry is to be
// restored like any other. Two names of a group must not be restored at the
// same time.
func (t *Target) Link(e *tree.Entry) (done bool, err error) {
	if err := t.refuse(e); err != nil {
		return false, err
	}
	if e.Links == nil {
		return false, nil
	}
	t.r.mu.Lock()
	first, ok := t.r.links[*e.Links]
	t.r.mu.Unlock()
	if !ok {
		return false, nil
	}
	if err := t.link(e, &first); err != nil {
		return false, t.folder.problem(ActLink, e.Name, err)
	}
	return true, nil
}

func (t *Target) link(e *tree.Entry, first *linked) error {
	from, err := first.folder.pin()
	if err != nil {
		return err
	}
	defer first.folder.unpin()
	dir, err := t.folder.pin()
	if err != nil {
		return err
	}
	defer t.folder.unpin()
	stat, err := statNamed(dir, string(e.Name))
	if err == nil && (stat.Device == first.device && stat.Inode == first.inode || t.keeps(e, &stat)) {
		return nil
	}
	temp := t.r.temporaryName()
	err = again(func() error { return unix.Linkat(from, first.name, dir, temp, 0) })
	if err != nil {
		return err
	}
	if stat, err = statNamed(dir, temp); err == nil && stat.Inode != first.inode {
		err = unix.ELOOP // someone replaced it meanwhile
	}
	if err == nil {
		err = t.settle(dir, temp, e)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, temp, 0)
	}
	return err
}
