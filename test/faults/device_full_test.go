// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build root

package faults_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/solekey/solekey/test/world"
)

// own mounts a small file system of its own at a folder.
func own(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves room for so many bytes in a folder.
func fill(t *testing.T, path string, room int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block, size := make([]byte, 4096), int64(0)
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Truncate(max(0, size-int64(room))); err != nil {
		t.Fatal(err)
	}
}

// TestStateFull: where there is no space for what the device must remember, the
// command says so, and nothing that it remembered is lost.
func TestStateFull(t *testing.T) {
	t.Parallel()
	w := world.New(t, programs)
	d := w.Device("desk")
	own(t, d.State(), "1m")
	d.Join("anna", w.Provider.Invite())
	source := settled(d)
	for _, room := range []int{0, 4096, 8192, 16384, 32768} {
		fill(t, d.Path("state", "filler"), room)
		d.Write("files/text", fmt.Sprintf("with room for %d bytes", room))
		r := d.Run("backup", source)
		if r.Code != 0 && (r.Code != 1 || !strings.Contains(r.Err, "space")) {
			t.Errorf("room for %d bytes: %s", room, r)
		}
		if err := os.Remove(d.Path("state", "filler")); err != nil {
			t.Fatal(err)
		}
		d.Backup(source)
		d.Must("check")
	}
}

// TestCacheFull: the same of what the device could fetch again.
func TestCacheFull(t *testing.T) {
	t.Parallel()
	w := world.New(t, programs)
	d := w.Device("desk")
	own(t, d.Cache(), "2m")
	d.Join("anna", w.Provider.Invite())
	source := settled(d)
	for _, room := range []int{0, 4096, 16384, 65536} {
		fill(t, d.Path("cache", "filler"), room)
		d.Write("files/text", fmt.Sprintf("with room for %d bytes", room))
		if r := d.Run("backup", source); r.Code != 0 && (r.Code != 1 || !strings.Contains(r.Err, "space")) {
			t.Errorf("room for %d bytes: %s", room, r)
		}
		if err := os.Remove(d.Path("cache", "filler")); err != nil {
			t.Fatal(err)
		}
		d.Backup(source)
		d.Must("check", "--read-data")
	}
}

// TestStateReadOnly: a state folder that cannot be written changes nothing and
// is said.
func TestStateReadOnly(t *testing.T) {
	t.Parallel()
	w := world.New(t, programs)
	d := w.Device("desk")
	own(t, d.State(), "1m")
	d.Join("anna", w.Provider.Invite())
	source := settled(d)
	if err := syscall.Mount("", d.State(), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if r := d.Run("backup", source); r.Code != 1 || !strings.Contains(r.Err, "must be writable") {
		t.Errorf("backup: %s", r)
	}
	if err := syscall.Mount("", d.State(), "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	d.Backup(source)
}

// TestTargetFull: a target that is full ends a
// restore with what is whole, and the next one goes on.
func TestTargetFull(t *testing.T) {
	t.Parallel()
	w := world.New(t, programs)
	d := w.Joined("anna")
	for i := range 6 {
		d.Write(fmt.Sprintf("files/%d", i), string(world.Noise(byte(i), 400_000)))
	}
	d.Backup(d.Path("files"))
	own(t, d.Path("target"), "1m")
	r := d.Run("restore", "latest", "--target", d.Path("target"))
	if r.Code != 1 && r.Code != 3 || !strings.Contains(r.Err, "space") {
		t.Errorf("a full target: %s", r)
	}
	if err := syscall.Mount("", d.Path("target"), "", syscall.MS_REMOUNT, "size=20m"); err != nil {
		t.Fatal(err)
	}
	d.Must("restore", "latest", "--target", d.Path("target"))
	world.Same(t, d.Path("files"), d.Path("target"+d.Path("files")))
}
