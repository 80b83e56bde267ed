// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// oldLog answers every look-up under the log's first checkpoint.
type oldLog struct{ *fakeServer }

func (o oldLog) Lookup(_ context.Context, q client.Question) (*directory.Answer, error) {
	return o.log.LookupAt(0, q.Name, q.Since, q.Size), nil
}

// TestAlarmHoldsWrites: after a provider was caught, a device reads and does not
// write, also when the provider is honest again, until its user took note.
func TestAlarmHoldsWrites(t *testing.T) {
	d, dir := someSnapshots(t, 2)
	_, _, err := d.openWith(oldLog{d.server})
	if trust.HeldBy(err) == nil {
		t.Fatalf("an old log: %v", err)
	}
	d.wantUntrusted("a backup after it")
	kept, err := state.OpenReader(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	check(t, err)
	for _, account := range []trust.Member{d.server, oldLog{d.server}} {
		v := d.vaultOf(kept, account, true)
		check(t, v.open(context.Background()))
		list, err := v.Snapshots()
		check(t, err)
		if len(list) != 2 {
			t.Errorf("a reader sees %d snapshots", len(list))
		}
		if _, err := v.recipient(); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("a reader could seal: %v", err)
		}
		if err := v.Anchor(context.Background()); err != nil {
			t.Errorf("a reader anchors: %v", err)
		}
		check(t, v.Close())
	}
	check(t, kept.NoteAlarm(1, 1))
	d.mustBackup(dir)
}

// TestBackupsGoOnWithoutWitnesses: under keys that are known, with a warning.
func TestBackupsGoOnWithoutWitnesses(t *testing.T) {
	d, dir := someSnapshots(t, 1)
	d.server.log.Witnesses = nil
	d.server.log.Publish()
	d.mustBackup(dir)
	found := false
	for _, w := range d.warned {
		found = found || strings.Contains(w.Error(), "not cosigned by enough witnesses")
	}
	if !found {
		t.Errorf("warned %v", d.warned)
	}
	d.with(func(v *Vault) {
		draft, err := v.ring.Edit(v.standing, 2)
		check(t, err)
		var unproven *directory.Unproven
		if err := draft.AddOwner(keyring.GenerateRecoveryKey().Member().Public()); !errors.As(err, &unproven) {
			t.Errorf("somebody is let in: %v", err)
		}
	})
}

// TestBackupsAnchor: a backup leaves its heads in the log, an owner's and a
// writer's, and a device that comes back finds them.
func TestBackupsAnchor(t *testing.T) {
	d, dir := someSnapshots(t, 1)
	writer := d.add(protocol.RoleWriter)
	writer.mustBackup(dir)
	if n := d.server.log.Waiting(); n != 2 {
		t.Fatalf("%d anchors, want the writer's, for the day and the month", n)
	}
	d.server.log.Publish()
	back := newFakeDevice(t, d.server, d.self, d.account(), d.is.BackupVault)
	f := back.freshness()
	if len(f.Heads) != 2 || f.Heads[1].Seq != 2 || f.Heads[1].Writer != writer.self.ID() {
		t.Fatalf("%+v", f)
	}
	good := d.server.records
	d.server.records = good[:1]
	back.wantUntrusted("a head older than the newest anchor")
	d.server.records = good
	back.with(func(v *Vault) {
		if left, err := trust.Anchored(v.o.State); len(left) != 0 || err != nil {
			t.Errorf("%d heads are still looked for, %v", len(left), err)
		}
	})
}

// account folds what the server has.
func (d *fakeDevice) account() *ledger.State {
	d.t.Helper()
	l, err := ledger.Fold(d.server.entries, nil)
	check(d.t, err)
	return l
}

// freshness is what a device does that has nothing but a key.
func (d *fakeDevice) freshness() *trust.Freshness {
	d.t.Helper()
	kept, err := state.Open(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	check(d.t, err)
	defer kept.Close()
	beliefs := d.vaultOf(kept, d.server, false).trust
	out, err := beliefs.Sync(context.Background())
	check(d.t, err)
	ring, err := keyring.Open(out.State, kept.Object, d.self)
	check(d.t, err)
	anchorages, err := Anchorages(ring)
	check(d.t, err)
	f, err := beliefs.Freshness(context.Background(), d.server, anchorages, out.State)
	check(d.t, err)
	return f
}

// TestFalseAnchorOfARemovedWriter: what it claimed holds nobody up once it is gone.
func TestFalseAnchorOfARemovedWriter(t *testing.T) {
	d, dir := someSnapshots(t, 1)
	writer := d.add(protocol.RoleWriter)
	writer.with(func(v *Vault) {
		v.head.Seq, v.head.Hash = 1000, protocol.Hash{1}
		check(t, v.Anchor(context.Background()))
	})
	d.server.log.Publish()
	back := newFakeDevice(t, d.server, d.self, d.account(), d.is.BackupVault)
	back.freshness()
	back.wantUntrusted("a head that a writer made up")
	d.remove(writer)
	back.mustBackup(dir)
	if len(back.warned) == 0 || !strings.Contains(back.warned[0].Error(), "does not show") {
		t.Errorf("warned %v", back.warned)
	}
}

// TestUnprovenBackup: without an anchor in the log for two days a backup is stored,
// and a failure.
func TestUnprovenBackup(t *testing.T) {
	d, dir := someSnapshots(t, 1)
	d.server.log.Drop()
	d.clock = 49 * time.Hour
	d.server.log.Pass(49 * time.Hour)
	d.server.log.Publish()
	r, err := d.backup(RunOptions{Paths: []string{dir}})
	check(t, err)
	if protocol.KindOf(r.Unproven) != protocol.KindTooOld || r.Snapshot.IsZero() {
		t.Errorf("%+v", r)
	}
	d.server.log.Publish()
	if r = d.mustBackup(dir); r.Unproven != nil {
		t.Errorf("afterwards: %v", r.Unproven)
	}
}

// TestCommitIsConfirmed: a server that takes a snapshot and then signs another head
// is caught in the same run.
func TestCommitIsConfirmed(t *testing.T) {
	d, dir := someSnapshots(t, 2)
	d.server.mu.Lock()
	d.server.afterCommit = func() { d.server.signs = d.server.records[:2] }
	d.server.mu.Unlock()
	r, err := d.backup(RunOptions{Paths: []string{dir}})
	check(t, err)
	if protocol.KindOf(r.Unproven) != protocol.KindUntrusted || r.Snapshot.IsZero() {
		t.Errorf("%+v", r)
	}
}

// TestSignedHeadIsServed: what the provider signs as newest it must also show.
func TestSignedHeadIsServed(t *testing.T) {
	d, _ := someSnapshots(t, 2)
	good := d.server.records
	d.server.signs = good
	d.server.records = good[:1]
	fresh := newFakeDevice(t, d.server, d.self, d.account(), d.is.BackupVault)
	fresh.wantUntrusted("a signed head that is not shown")
	d.server.records = good
	fresh.with(func(*Vault) {})
}
