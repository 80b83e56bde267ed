// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// TestSyncProves joins, looks, changes the account from two devices, and looks
// again after a restart.
func TestSyncProves(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	out := d.wantStatus("the first look", StatusFresh)
	if out.Text != "" || len(d.warned) != 0 || out.AsOf == 0 {
		t.Errorf("%+v, warned %q", out, d.warned)
	}
	other := d.add()
	if got := other.synced(); got.State.Head() != d.synced().State.Head() {
		t.Error("two devices see two heads")
	}
	other.rename("second")
	d.restart()
	out = d.wantStatus("after a restart", StatusFresh)
	pin, err := d.kept.Pin("anna")
	must(t, err)
	if pin.Version != 3 || pin.Ledger != out.State.Head() {
		t.Errorf("pin of version %d", pin.Version)
	}
	if _, err := out.Standing.Member(other.self.ID()); err != nil {
		t.Errorf("the other device is no recipient: %v", err)
	}
	if d.waited != 0 || other.waited != 0 {
		t.Error("somebody waited for a directory that was in step")
	}
}

// TestLedgerAhead: another device's append is not in the directory yet. There is a
// wait, then a hold under the keys that are known; in the end it is proven.
func TestLedgerAhead(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	other.synced()
	d.synced()
	w.publishes = false
	other.rename("unpublished")
	out := d.wantStatus("ahead", StatusHeld)
	if d.waited < patience || !strings.Contains(out.Text, "nobody new is let in") || len(d.warned) != 1 {
		t.Errorf("waited %s, warned %q, says %q", d.waited, d.warned, out.Text)
	}
	if _, err := out.Standing.Vault(d.vault); err != nil {
		t.Errorf("own backups do not go on: %v", err)
	}
	var unproven *directory.Unproven
	if _, err := out.Standing.Member(other.self.ID()); !errors.As(err, &unproven) {
		t.Errorf("somebody is let in: %v", err)
	}
	if _, err := d.tryAppend(func(_ *keyring.Ring, draft *keyring.Draft) error { return draft.Rotate() }); !errors.As(err, &unproven) {
		t.Errorf("a new secret was wrapped without proof: %v", err)
	}
	w.p.Publish()
	d.wantStatus("published", StatusFresh)
	if _, err := d.kept.Note(noteAhead); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("it is remembered as ahead: %v", err)
	}
}

// TestOwnEntriesNeedNoProof: what this device signed itself is no reason to wait.
func TestOwnEntriesNeedNoProof(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	d.synced()
	w.publishes = false
	d.rename("one")
	d.rename("two")
	out := d.wantStatus("two own appends ahead", StatusFresh)
	if d.waited != 0 {
		t.Errorf("waited %s", d.waited)
	}
	if _, err := out.Standing.Member(other.self.ID()); err != nil {
		t.Error(err)
	}
	w.p.Publish()
	d.wantStatus("published", StatusFresh)
	pin, err := d.kept.Pin("anna")
	must(t, err)
	left, err := d.kept.AllSaid(statement.KindReceipt)
	must(t, err)
	if pin.Version != 4 || len(left) != 0 {
		t.Errorf("version %d, %d promises left", pin.Version, len(left))
	}
}

// TestOwnEntriesOfAnotherMachine: a recovery key signed on another machine, and this
// one does not know how many versions that made: it waits for the directory.
func TestOwnEntriesOfAnotherMachine(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	twin := w.device("anna", d.self, d.synced().State.Account(), d.vault)
	twin.synced()
	w.publishes = false
	d.rename("elsewhere")
	out := twin.wantStatus("never published", StatusFresh)
	if twin.waited < patience || out.State.Head() != d.synced().State.Head() {
		t.Errorf("waited %s", twin.waited)
	}
	_, err := twin.tryAppend(func(_ *keyring.Ring, draft *keyring.Draft) error { return draft.NameMember(d.self.ID(), "x") })
	wantKind(t, "a version that is taken", err, protocol.KindConflict, "")
	w.p.Publish()
	twin.rename("twin")
}

// TestAccountNotThereYet: the directory shows a new account a moment later.
func TestAccountNotThereYet(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	w.lookup = onlyBefore(w, 0)
	_, err := d.Sync(bg)
	wantKind(t, "an account that is not there yet", err, protocol.KindUnreachable, "does not have the name")
	if d.waited < patience {
		t.Errorf("waited %s", d.waited)
	}
	w.honest()
	d.wantStatus("there now", StatusFresh)
}

// TestWithheldForGood: a ledger that stays ahead while the log goes on is an alarm.
func TestWithheldForGood(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	other.synced()
	d.synced()
	w.publishes = false
	other.rename("unpublished")
	hidden := w.p.Fork() // which publishes everything but the update
	for _, hours := range []int{0, 47} {
		forward(w, hidden, hours)
		d.wantStatus("not long ago", StatusHeld)
	}
	forward(w, hidden, 2)
	_, err := d.Sync(bg)
	wantKind(t, "two days", err, protocol.KindUntrusted, "keeps it out of its public directory")
}

// TestBrokenPromise: a receipt whose time has passed is an alarm, with evidence.
func TestBrokenPromise(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.publishes = false
	d.rename("promised")
	hidden := w.p.Fork()
	forward(w, hidden, 23)
	d.wantStatus("not yet", StatusFresh)
	forward(w, hidden, 2)
	_, err := d.Sync(bg)
	wantKind(t, "a broken promise", err, protocol.KindUntrusted, "promised on")
	proves(t, d, HeldBy(err), "promised")
}

// TestPromisedTwice: two receipts for one version.
func TestPromisedTwice(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.publishes = false
	d.rename("one")
	receipts, err := d.kept.AllSaid(statement.KindReceipt)
	must(t, err)
	other := receipts[0].Statement()
	other.Hash[0]++
	signed, err := w.p.Statements.Sign(other)
	must(t, err)
	err = d.Promised(signed)
	wantKind(t, "another update for one version", err, protocol.KindUntrusted, "promised version")
	proves(t, d, HeldBy(err), "contradicts itself")
}

// TestAge warns after a day and lets nobody in after three (G32).
func TestAge(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	d.synced()
	w.p.Pass(23 * time.Hour)
	d.wantStatus("a day", StatusFresh)
	w.p.Pass(3 * time.Hour)
	out := d.wantStatus("more than a day", StatusAging)
	if _, err := out.Standing.Member(other.self.ID()); err != nil || len(d.warned) == 0 {
		t.Errorf("%v, warned %q", err, d.warned)
	}
	w.p.Pass(48 * time.Hour)
	out = d.wantStatus("more than three days", StatusHeld)
	if _, err := out.Standing.Member(other.self.ID()); err == nil {
		t.Error("somebody is let in on an old proof")
	}
	if _, err := out.Standing.Vault(d.vault); err != nil {
		t.Errorf("own backups stand still: %v", err)
	}
	w.p.Cosign() // the same log, cosigned for ever, is not fresh either
	d.wantStatus("cosigned again", StatusHeld)
	w.p.Publish()
	d.wantStatus("published again", StatusFresh)
}

// TestWitnessOutage: a checkpoint without a quorum moves nothing on, and own
// backups go on.
func TestWitnessOutage(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	other.synced()
	d.synced()
	before, err := d.kept.View()
	must(t, err)
	witnesses := w.p.Witnesses
	w.p.Witnesses = nil
	other.rename("without witnesses")
	out := d.wantStatus("no quorum", StatusHeld)
	if _, err := out.Standing.Vault(d.vault); err != nil {
		t.Error(err)
	}
	after, err := d.kept.View()
	must(t, err)
	if after.Size() != before.Size() {
		t.Error("a checkpoint without a quorum was remembered")
	}
	// New keys of a vault that nothing proves are no keys.
	renewed := func(ring *keyring.Ring, draft *keyring.Draft) error {
		v, err := ring.Vault(d.vault)
		must(t, err)
		return draft.RotateVault(v)
	}
	other.append(renewed)
	out = d.wantStatus("a new key without a quorum", StatusHeld)
	if _, err := out.Standing.Vault(d.vault); err == nil {
		t.Error("a run is sealed to a key that nothing proves")
	}
	w.p.Witnesses = witnesses
	w.p.Cosign()
	out = d.wantStatus("the witnesses are back", StatusFresh)
	if _, err := out.Standing.Vault(d.vault); err != nil {
		t.Error(err)
	}
}

// TestOwnKeyInAnOutage: a device that renewed a vault's key itself goes on under it.
func TestOwnKeyInAnOutage(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.p.Witnesses = nil
	d.append(func(ring *keyring.Ring, draft *keyring.Draft) error {
		v, err := ring.Vault(d.vault)
		must(t, err)
		return draft.RotateVault(v)
	})
	out := d.wantStatus("no quorum", StatusHeld)
	to, err := out.Standing.Vault(d.vault)
	must(t, err)
	if to.Epoch() != 2 {
		t.Errorf("epoch %d", to.Epoch())
	}
	if _, err := out.Standing.Member(d.self.ID()); err == nil {
		t.Error("somebody is let in")
	}
}

// TestDirectoryOutage: a server that answers and cannot show its directory is held
// as one without witnesses; one that is not reached is not reached.
func TestDirectoryOutage(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.silent = protocol.Wrap(protocol.KindUnreachable, &client.Refusal{Status: 503}, "the server refused")
	out := d.wantStatus("no directory", StatusHeld)
	if _, err := out.Standing.Vault(d.vault); err != nil {
		t.Error(err)
	}
	_, err := d.lookAt("bob")
	wantKind(t, "a contact without a directory", err, protocol.KindUnreachable, "cannot show")
	w.silent = protocol.Errorf(protocol.KindUnreachable, "no route")
	_, err = d.Sync(bg)
	wantKind(t, "no server", err, protocol.KindUnreachable, "no route")
	w.honest()
	d.wantStatus("back again", StatusFresh)
	fresh := w.device("anna", d.self, out.State.Account(), d.vault)
	w.silent = protocol.Wrap(protocol.KindUnreachable, &client.Refusal{Status: 503}, "the server refused")
	_, err = fresh.Sync(bg)
	wantKind(t, "no directory at the first look", err, protocol.KindUnreachable, "cannot show")
}

// TestFirstLookNeedsProof: a device without a memory takes nothing on a hold.
func TestFirstLookNeedsProof(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	w.p.Witnesses = nil
	w.p.Cosign()
	_, err := d.Sync(bg)
	wantKind(t, "no quorum at the first look", err, protocol.KindUnreachable, "not cosigned")
	if _, err := d.kept.Ledger(); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("a ledger was taken: %v", err)
	}
}

// TestAnotherProcess looks while another process of the device moves on.
func TestAnotherProcess(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	raced := false
	w.served = func(entries []*ledger.Entry) []*ledger.Entry {
		if !raced {
			raced = true
			w.p.Publish()
			d.synced() // the other process is faster
		}
		return entries
	}
	d.wantStatus("raced", StatusFresh)
	view, err := d.kept.View()
	must(t, err)
	if heads := w.p.Heads(); view.Size() != heads[len(heads)-1].Size {
		t.Error("the view is behind")
	}
}
