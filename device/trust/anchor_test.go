// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// heads are those of the device's vault at a number.
func (d *device) heads(seq uint64) keyring.Anchored {
	if seq == 0 {
		return keyring.Anchored{}
	}
	return keyring.Anchored{Heads: []ledger.VaultHead{{Vault: d.vault, Seq: seq, Hash: protocol.Hash{byte(seq), 1}}}}
}

// anchored anchors what the device's vault has come to.
func (d *device) anchored(seq uint64) error {
	d.w.t.Helper()
	ring := d.ring()
	from, err := ring.Anchorage(ring.State().Epoch())
	must(d.w.t, err)
	return d.Anchor(bg, source{d.w, d.name}, from, d.heads(seq))
}

// TestAnchorsHourly: new heads go into the log at most once an hour, and only new
// ones; each is looked for.
func TestAnchorsHourly(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	for _, step := range []struct {
		what    string
		pass    time.Duration
		seq     uint64
		waiting int // in the provider's queue
		pending int
	}{
		{"the first, for day and month", 0, 1, 2, 2},
		{"within the hour", 30 * time.Minute, 2, 0, 0},
		{"after an hour", 40 * time.Minute, 2, 1, 1},
		{"nothing new", 2 * time.Hour, 2, 0, 0},
		{"the next day", 24 * time.Hour, 3, 1, 1},
		{"nothing at all yet", 24 * time.Hour, 0, 0, 0},
	} {
		w.p.Publish()
		w.p.Pass(step.pass)
		d.restart()
		if err := d.anchored(step.seq); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		kept, err := d.kept.Anchors()
		must(t, err)
		if w.p.Waiting() != step.waiting || len(kept.Pending) != step.pending {
			t.Errorf("%s: %d sent, %d pending", step.what, w.p.Waiting(), len(kept.Pending))
		}
	}
	if len(d.warned) != 0 {
		t.Errorf("warned %q", d.warned)
	}
}

// TestAnchorsOfTwoDevices: two devices of an account share the places of a day.
func TestAnchorsOfTwoDevices(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	other.synced()
	d.synced()
	for i := range uint64(9) {
		must(t, d.anchored(2*i+1))
		w.p.Publish()
		must(t, other.anchored(2*i+2))
		w.p.Publish()
		w.p.Pass(61 * time.Minute)
		w.p.Publish()
	}
	both := []*device{d, other}
	for _, one := range both {
		must(t, one.anchored(99)) // at one place: neither is in the log yet
		kept, err := one.kept.Anchors()
		must(t, err)
		if kept.Proven == 0 || kept.Slot != 19 || len(kept.Pending) != 1 {
			t.Errorf("%+v", kept)
		}
	}
	w.p.Publish()
	w.p.Pass(61 * time.Minute)
	for _, one := range both {
		must(t, one.anchored(99))
	}
	if w.p.Waiting() != 1 {
		t.Errorf("%d sent again, want that of the one whose place was taken", w.p.Waiting())
	}
}

// TestAnchorsThatDoNotGoIn: what is unproven for two days is a failure, and none
// when it went in at last.
func TestAnchorsThatDoNotGoIn(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	must(t, d.anchored(1))
	w.p.Drop()
	for _, hours := range []int{0, 20, 27} {
		w.p.Pass(time.Duration(hours) * time.Hour)
		w.p.Publish()
		must(t, d.anchored(2))
		w.p.Drop()
	}
	w.p.Pass(2 * time.Hour)
	w.p.Publish()
	err := d.anchored(2)
	wantKind(t, "two days", err, protocol.KindTooOld, "could be shown older ones")
	w.p.Pass(4 * time.Hour)
	w.p.Publish()
	wantKind(t, "sent once more", d.anchored(2), protocol.KindTooOld, "")
	w.p.Publish()
	must(t, d.anchored(2))
}

// TestAnchorsRefused: a provider that does not take anchors is told of at once, and
// fails after two days.
func TestAnchorsRefused(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.refuse = protocol.Errorf(protocol.KindUnreachable, "not today")
	must(t, d.anchored(1))
	if len(d.warned) != 1 || !strings.Contains(d.warned[0], "not today") {
		t.Errorf("warned %q", d.warned)
	}
	w.p.Pass(49 * time.Hour)
	w.p.Publish()
	wantKind(t, "two days", d.anchored(1), protocol.KindTooOld, "")
	w.refuse = protocol.Errorf(protocol.KindConflict, "taken")
	wantKind(t, "every place is taken", d.anchored(1), protocol.KindTooOld, "")
}

// TestAnchorsOfWhoWasAway: a device that could leave no anchor once and then was away
// for days has not failed when it leaves one.
func TestAnchorsOfWhoWasAway(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.refuse = protocol.Errorf(protocol.KindUnreachable, "not now")
	must(t, d.anchored(1))
	w.refuse = nil
	w.p.Pass(72 * time.Hour)
	w.p.Publish()
	must(t, d.anchored(2))
	w.p.Publish()
	must(t, d.anchored(2))
	kept, err := d.kept.Anchors()
	must(t, err)
	if kept.Behind != 0 {
		t.Errorf("behind since %s", kept.Behind)
	}
}

// TestAnchorsOfAForkedLog: an answer about anchors is held to the same log.
func TestAnchorsOfAForkedLog(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	fork := w.p.Fork()
	w.p.Publish()
	d.synced()
	fork.Pass(time.Minute)
	fork.Publish()
	honest := w.p
	w.p = fork
	err := d.anchored(1)
	w.p = honest
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmFork) {
		t.Errorf("%v", err)
	}
}
