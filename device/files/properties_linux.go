// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// subject is an entry whose properties are being set: through its descriptor,
// or where it has none, as what cannot be opened, by its name in a folder.
type subject struct {
	fd    int // -1: by name
	dir   int
	name  string
	now   Stat
	entry *tree.Entry
	path  func() []byte

	problems []*Problem
}

func (s *subject) warn(act Act, err error) {
	if err != nil {
		s.problems = append(s.problems, &Problem{act, causeOf(err), s.path(), err})
	}
}

func (s *subject) chown(uid, gid int) error {
	return again(func() error {
		if s.fd >= 0 {
			return unix.Fchown(s.fd, uid, gid)
		}
		return unix.Fchownat(s.dir, s.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (s *subject) chmod(mode uint32) error {
	if s.fd >= 0 {
		return again(func() error { return unix.Fchmod(s.fd, mode) })
	}
	return chmodNamed(s.dir, s.name, mode)
}

// chmodNamed sets the mode of an entry that must not be a symlink, reached
// through a descriptor that neither follows nor opens it.
func chmodNamed(dir int, name string, mode uint32) error {
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return again(func() error { return unix.Chmod(procFile(fd), mode) })
}

func (s *subject) xattrs() xattrHolder {
	if s.fd >= 0 {
		return opened(s.fd)
	}
	return named{s.dir, s.name}
}

// setModified sets the time of content and leaves the time of access.
func (s *subject) setModified(t protocol.Time) error {
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(int64(t))}
	return again(func() error {
		if s.fd < 0 {
			return unix.UtimesNanoAt(s.dir, s.name, times[:], unix.AT_SYMLINK_NOFOLLOW)
		}
		_, _, number := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(s.fd), 0,
			uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if number != 0 {
			return number
		}
		return nil
	})
}

// apply sets owner, extended attributes, mode and time, in the one order in
// which none undoes another: a new owner clears capabilities and setuid, an
// ACL may clear setgid, and whatever writes moves the time. What cannot be set
// is a warning.
func (r *Restorer) apply(s *subject) []*Problem {
	mode := r.applyOwner(s)
	if r.user != 0 && s.now.Mode&0o600 != 0o600 && s.entry.Type != tree.TypeLink {
		_ = s.chmod(s.now.Mode | 0o600) // or the owner could not set attributes
	}
	s.applyXattrs()
	if s.entry.Type != tree.TypeLink {
		s.warn(ActSetMode, s.chmod(mode))
	}
	if !s.entry.Timeless() {
		s.warn(ActSetTime, s.setModified(s.entry.Modified))
	}
	return s.problems
}

// applyOwner sets the owner and returns the mode that is safe with it: a
// program must not run with the rights of someone it was not given to.
func (r *Restorer) applyOwner(s *subject) (mode uint32) {
	uid, gid := r.owner(s.entry)
	mode = s.entry.Mode
	if s.now.UID == uid && s.now.GID == gid {
		return mode
	}
	err := s.chown(int(uid), int(gid))
	if err == nil {
		return mode
	}
	groupSet := s.now.GID == gid || s.chown(-1, int(gid)) == nil
	s.warn(ActSetOwner, err)
	safe := mode
	if s.now.UID != uid {
		safe &^= unix.S_ISUID
	}
	if !groupSet {
		safe &^= unix.S_ISGID
	}
	if safe != mode && s.entry.Type == tree.TypeFile {
		s.problems = append(s.problems, &Problem{ActSetMode, Denied, s.path(), nil})
		return safe
	}
	return mode
}

// owner returns the numbers an entry's owners have on this system.
func (r *Restorer) owner(e *tree.Entry) (uid, gid uint32) {
	if r.options.NumericOwner {
		return e.UID, e.GID
	}
	return systemAccounts.userID(e.User, e.UID), systemAccounts.groupID(e.Group, e.GID)
}

// applyXattrs makes the extended attributes those of the entry: ACLs last,
// since they may take away the right to set the others.
func (s *subject) applyXattrs() {
	holder := s.xattrs()
	current, err := xattrsOf(holder)
	if err != nil {
		s.warn(ActSetXattr, err)
	}
	for _, x := range current {
		if findXattr(s.entry.Xattrs, x.Name) == nil && ours(string(x.Name)) {
			s.warnXattr(x.Name, holder.remove(string(x.Name)))
		}
	}
	for _, acls := range []bool{false, true} {
		for _, x := range s.entry.Xattrs {
			if isACL(string(x.Name)) != acls {
				continue
			}
			if was := findXattr(current, x.Name); was != nil && bytes.Equal(was.Value, x.Value) {
				continue
			}
			s.warnXattr(x.Name, holder.set(string(x.Name), x.Value))
		}
	}
}

func (s *subject) warnXattr(name []byte, err error) {
	if err != nil {
		s.problems = append(s.problems,
			&Problem{ActSetXattr, causeOf(err), s.path(), fmt.Errorf("%q: %w", name, err)})
	}
}

func findXattr(all []tree.Xattr, name []byte) *tree.Xattr {
	for i := range all {
		if bytes.Equal(all[i].Name, name) {
			return &all[i]
		}
	}
	return nil
}

func isACL(name string) bool { return strings.HasPrefix(name, "system.posix_acl_") }

// ours reports whether an attribute that the entry does not have is taken away.
// Labels that the system gives by itself stay.
func ours(name string) bool {
	return isACL(name) || name == "security.capability" ||
		strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.")
}
