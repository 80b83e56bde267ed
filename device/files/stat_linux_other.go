// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64 && !arm64 && !riscv64

package files

import "golang.org/x/sys/unix"

// statEntry is lstat of a name in an open folder.
func statEntry(dir int, name []byte, raw *unix.Stat_t) error {
	return again(func() error {
		return unix.Fstatat(dir, string(name), raw, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	})
}
