// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// lastThatCounts is what a removal by this device would name.
func (d *fakeDevice) lastThatCounts() (ledger.VaultHead, error) {
	d.t.Helper()
	kept, err := state.Open(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	check(d.t, err)
	defer kept.Close()
	v := d.vaultOf(kept, d.server, false)
	v.ledger = d.account()
	return v.lastThatCounts(context.Background())
}

// TestRemovalNamesWhatTheLogProves: a device that comes back with a key and removes
// all others is shown an old chain. It does not sign the newest snapshots away.
func TestRemovalNamesWhatTheLogProves(t *testing.T) {
	d, _ := someSnapshots(t, 3)
	d.with(func(v *Vault) { check(t, v.Anchor(context.Background())) })
	d.server.log.Publish()
	back := newFakeDevice(t, d.server, d.self, d.account(), d.is.BackupVault)
	f := back.freshness()
	if len(f.Heads) != 1 {
		t.Fatalf("%+v", f)
	}
	good := d.server.records
	d.server.records = good[:f.Heads[0].Seq-1]
	if head, err := back.lastThatCounts(); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("names record %d, where the log proves %d: %v", head.Seq, f.Heads[0].Seq, err)
	}
	d.server.records = good
	if head, err := back.lastThatCounts(); err != nil || head.Seq != 3 {
		t.Errorf("names record %d, %v", head.Seq, err)
	}
}

// TestWriterHoldsNoRemovalUp: what a writer made up keeps nobody from removing it.
func TestWriterHoldsNoRemovalUp(t *testing.T) {
	d, _ := someSnapshots(t, 1)
	writer := d.add(protocol.RoleWriter)
	writer.with(func(v *Vault) {
		v.head.Seq, v.head.Hash = 1000, protocol.Hash{1}
		check(t, v.Anchor(context.Background()))
	})
	d.server.log.Publish()
	back := newFakeDevice(t, d.server, d.self, d.account(), d.is.BackupVault)
	back.freshness()
	if head, err := back.lastThatCounts(); err != nil || head.Seq != 1 || len(back.warned) == 0 {
		t.Errorf("names record %d, %v, warned %v", head.Seq, err, back.warned)
	}
}
