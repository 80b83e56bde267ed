// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build root

package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/files"
)

// The tests of this file need a superuser and a file system with ACLs.

func TestRestoreAsSuperuser(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	check(t, unix.Mknod(filepath.Join(source, "char"), unix.S_IFCHR|0o640, int(unix.Mkdev(259, 70000))))
	check(t, unix.Mknod(filepath.Join(source, "block"), unix.S_IFBLK|0o604, int(unix.Mkdev(7, 3))))
	owned := put(t, source, "owned", []byte("x"))
	check(t, os.Chown(owned, 12345, 54321))
	check(t, unix.Chmod(owned, 0o6755))
	check(t, os.Symlink("x", filepath.Join(source, "link")))
	check(t, os.Lchown(filepath.Join(source, "link"), 12345, 54321))
	capable := put(t, source, "capable", []byte("x"))
	// cap_net_bind_service, permitted and effective, version 2.
	check(t, unix.Setxattr(capable, "security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	listed := put(t, source, "acl/listed", []byte("x"))
	// user::rw-, user:12345:r--, group::r--, mask::r--, other::---
	acl := []byte("\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\x39\x30\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")
	check(t, unix.Setxattr(listed, "system.posix_acl_access", acl, 0))
	check(t, unix.Setxattr(filepath.Dir(listed), "system.posix_acl_default", acl, 0))
	w := newRestoreWorld(t)
	w.backup(source)
	w.mustRestore(target)
	wantSame(t, source, target)
	got := w.mustRestore(target, func(o *RestoreOptions) { o.NumericOwner = true })
	wantSame(t, source, target)
	if got.Written != 0 {
		t.Errorf("the second restore: %+v", got.RestoreProgress)
	}
}

// TestRestoreIntoFullDisk ends with what to do, and goes on when there is space.
func TestRestoreIntoFullDisk(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	for i := range 8 {
		put(t, source, fmt.Sprint(i), noise(uint64(i), 3<<20))
	}
	w := newRestoreWorld(t)
	w.backup(source)
	check(t, unix.Mount("tmpfs", target, "tmpfs", 0, "size=10m"))
	t.Cleanup(func() { check(t, unix.Unmount(target, 0)) })
	got := w.restore(target)
	if got.err == nil || kindOfProblem(got.err) != "full" && files.CauseOf(got.err) != files.Full {
		t.Fatalf("%v %+v", got.err, got.RestoreProgress)
	}
	wantTrue(t, source, target)
	noLeftovers(t, target)
	check(t, unix.Mount("tmpfs", target, "tmpfs", unix.MS_REMOUNT, "size=100m"))
	w.mustRestore(target)
	wantSame(t, source, target)
}
