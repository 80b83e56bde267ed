// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build root

package world

import (
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk: a provider whose disk is full says so, loses nothing that it
// acknowledged, and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=24m,mode=700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := NewAt(t, programs, data)
	d := w.Joined("anna")
	small := photos(d)
	d.Backup(small)
	packs := &acknowledged{}
	w.Net.Use(packs.watch)
	source := noisy(d)
	r := d.Run("backup", source)
	if r.Code != 1 || !strings.Contains(r.Err, "space") && !strings.Contains(r.Err, "full") {
		t.Errorf("a full disk: %s", r)
	}
	if list := d.Snapshots(); len(list) != 1 {
		t.Errorf("%d snapshots: %v", len(list), list)
	}
	Same(t, small, d.restored(small))
	if err := syscall.Mount("tmpfs", data, "tmpfs", syscall.MS_REMOUNT, "size=2g,mode=700"); err != nil {
		t.Fatal(err)
	}
	d.Backup(source)
	packs.stand(t, w.Provider)
	Same(t, source, d.restored(source))
	w.Provider.Must("doctor", "--read-data")
}
