// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"math"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// retry repeats a call that a signal interrupted.
func retry[T any](call func() (T, error)) (T, error) {
	for {
		got, err := call()
		if err != unix.EINTR {
			return got, err
		}
	}
}

// again is retry for calls that return nothing.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// causeOf translates the system's error.
func causeOf(err error) Cause {
	number, ok := err.(unix.Errno)
	if !ok {
		return portableCause(err)
	}
	switch number {
	case unix.ELOOP, unix.ENOTDIR, unix.ENXIO, unix.EISDIR:
		return Replaced
	case unix.ENOENT, unix.ESTALE:
		return Vanished
	case unix.EACCES, unix.EPERM, unix.EROFS:
		return Denied
	case unix.ENOSPC, unix.EDQUOT:
		return Full
	case unix.EEXIST, unix.ENOTEMPTY, unix.EBUSY:
		return Exists
	case unix.EOPNOTSUPP, unix.ENOSYS, unix.EXDEV, unix.EMLINK: // the last two: not for this pair, not once more
		return Unsupported
	}
	return Failed
}

func statOf(fd int) (Stat, error) {
	var raw unix.Stat_t
	err := again(func() error { return unix.Fstat(fd, &raw) })
	if err != nil {
		return Stat{}, err
	}
	var stat Stat
	stat.fill(&raw)
	return stat, nil
}

func statNamed(dir int, name string) (Stat, error) {
	var raw unix.Stat_t
	err := again(func() error {
		return unix.Fstatat(dir, name, &raw, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	})
	if err != nil {
		return Stat{}, err
	}
	var stat Stat
	stat.fill(&raw)
	return stat, nil
}

// fill translates the system's record; the widths of its fields differ by
// architecture.
func (s *Stat) fill(raw *unix.Stat_t) {
	s.Type = typeOf(raw.Mode)
	s.Mode = raw.Mode & 0o7777
	s.UID, s.GID = raw.Uid, raw.Gid
	s.Links = uint32(raw.Nlink)
	s.Size = uint64(raw.Size)
	s.Blocks = uint64(raw.Blocks)
	s.Device, s.Inode, s.Node = uint64(raw.Dev), uint64(raw.Ino), uint64(raw.Rdev)
	s.Modified = timeOf(int64(raw.Mtim.Sec), int64(raw.Mtim.Nsec))
	s.Changed = timeOf(int64(raw.Ctim.Sec), int64(raw.Ctim.Nsec))
}

func typeOf(mode uint32) tree.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return tree.TypeFolder
	case unix.S_IFLNK:
		return tree.TypeLink
	case unix.S_IFIFO:
		return tree.TypePipe
	case unix.S_IFCHR:
		return tree.TypeCharDev
	case unix.S_IFBLK:
		return tree.TypeBlkDev
	case unix.S_IFSOCK:
		return tree.TypeSocket
	}
	return tree.TypeFile
}

// timeOf counts nanoseconds since 1970; what lies before 1678 or after 2262 is
// held at those ends.
func timeOf(seconds, nanos int64) protocol.Time {
	if seconds > math.MaxInt64/1_000_000_000-1 {
		return math.MaxInt64
	}
	if seconds < math.MinInt64/1_000_000_000+1 {
		return math.MinInt64
	}
	return protocol.Time(seconds*1e9 + nanos)
}

// procPath names an entry of an open folder in one short path that leads
// through the descriptor, for calls that know no descriptors.
func procPath(dir int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
}

// procFile names an open descriptor itself.
func procFile(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// readLink returns a symlink's target, whatever its length.
func readLink(dir int, name string, size uint64) ([]byte, error) {
	for room := size + 1; ; room *= 2 {
		if room < 128 {
			room = 128
		}
		buf := make([]byte, room)
		n, err := retry(func() (int, error) { return unix.Readlinkat(dir, name, buf) })
		if err != nil {
			return nil, err
		}
		if n < len(buf) {
			return buf[:n:n], nil
		}
	}
}
