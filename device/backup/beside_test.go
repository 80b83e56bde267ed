// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
)

// TestReadersRunBesideABackup opens a device's vault a second time while a
// backup has it open: who only reads is let in, who would write is not.
func TestReadersRunBesideABackup(t *testing.T) {
	d, dir := newFakeAccount(t), t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644))
	made := d.mustBackup(dir)
	_, done, err := d.open()
	check(t, err)
	defer done()
	second := func(beside bool) (*Vault, error) {
		kept, err := state.OpenReader(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
		check(t, err)
		v := d.vaultOf(kept, d.server, beside)
		return v, v.open(context.Background())
	}
	if _, err := second(false); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("a second writer: %v", err)
	}
	v, err := second(true)
	check(t, err)
	defer v.Close()
	list, err := v.Snapshots()
	check(t, err)
	if len(list) != 1 || list[0].ID != made.Snapshot {
		t.Fatalf("a reader sees %v", list)
	}
	browser, err := v.Browser()
	check(t, err)
	if _, err := browser.Entry(context.Background(), list[0], []byte(filepath.Join(dir, "file"))); err != nil {
		t.Errorf("a reader cannot read: %v", err)
	}
}
