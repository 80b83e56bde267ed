// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64 || riscv64)

package files

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// statEntry is lstat of a name in an open folder. The name is followed by a NUL
// in its own memory, so that nothing is copied.
func statEntry(dir int, name []byte, raw *unix.Stat_t) error {
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	for {
		_, _, number := unix.Syscall6(sysFstatat, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
			uintptr(unsafe.Pointer(raw)), flags, 0, 0)
		if number == 0 {
			return nil
		}
		if number != unix.EINTR {
			return number
		}
	}
}
