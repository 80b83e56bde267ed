// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/solekey/solekey/test/faults"
)

func newDisk(t *testing.T) *faults.Disk {
	t.Helper()
	d, err := faults.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write makes a file of the text; sync flushes it, but not its folder.
func write(t *testing.T, d *faults.Disk, name, text string, sync bool) {
	t.Helper()
	f, err := d.Create(filepath.Join(d.Root, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, d *faults.Disk, name, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Root, name))
	if text == "" && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil || string(data) != text {
		t.Errorf("%s: %q, %v; want %q", name, data, err, text)
	}
}

// TestPowerCut takes away exactly what was not flushed.
func TestPowerCut(t *testing.T) {
	d := newDisk(t)
	write(t, d, "kept", "all", true)
	if err := d.SyncDir(d.Root); err != nil {
		t.Fatal(err)
	}
	write(t, d, "folder not flushed", "x", true)
	if err := d.Rename(filepath.Join(d.Root, "kept"), filepath.Join(d.Root, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := d.Mkdir(filepath.Join(d.Root, "folder")); err != nil {
		t.Fatal(err)
	}
	if err := d.PowerCut(); err != nil {
		t.Fatal(err)
	}
	want(t, d, "kept", "all")
	want(t, d, "moved", "")
	want(t, d, "folder not flushed", "")
	if _, err := os.Stat(filepath.Join(d.Root, "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that was not flushed: %v", err)
	}
	write(t, d, "content not flushed", "x", false)
	if err := errors.Join(d.Remove(filepath.Join(d.Root, "kept")), d.SyncDir(d.Root), d.PowerCut()); err != nil {
		t.Fatal(err)
	}
	want(t, d, "kept", "")
	if info, err := os.Stat(filepath.Join(d.Root, "content not flushed")); err != nil || info.Size() != 0 {
		t.Errorf("content that was not flushed: %v, %v", info, err)
	}
}

func TestModes(t *testing.T) {
	for _, mode := range faults.Modes() {
		d := newDisk(t)
		f, err := d.Create(filepath.Join(d.Root, "a"))
		if err != nil {
			t.Fatal(err)
		}
		d.Break(1, mode)
		n, err := f.Write([]byte("1234"))
		torn := mode == faults.Torn || mode == faults.Full
		if !faults.IsFault(err) || torn != (n == 2) || !d.Hit() || d.Steps() != 1 {
			t.Errorf("%v: wrote %d, %v", mode, n, err)
		}
		if full := errors.Is(err, syscall.ENOSPC); full != (mode == faults.Full) {
			t.Errorf("%v: %v", mode, err)
		}
		goesOn := mode == faults.Fail || mode == faults.Full
		if err := d.SyncDir(d.Root); (err == nil) != goesOn {
			t.Errorf("%v: the step after: %v", mode, err)
		}
		d.Break(0, faults.Fail)
		if _, err := f.Write([]byte("5")); err != nil || d.Hit() {
			t.Errorf("%v: after the fault: %v", mode, err)
		}
		_ = f.Close()
	}
}

// TestOpenOnWhatIsThere counts it as flushed.
func TestOpenOnWhatIsThere(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(root, "d"), 0o700), os.WriteFile(filepath.Join(root, "d", "a"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err := faults.NewDisk(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PowerCut(); err != nil {
		t.Fatal(err)
	}
	want(t, d, "d/a", "x")
	if _, err := faults.NewDisk(filepath.Join(root, "absent")); err == nil {
		t.Error("a folder that is not there was opened")
	}
}
