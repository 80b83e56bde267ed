// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"testing"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// TestAnchorsSteered: a provider takes all anchors and keeps out, or calls taken,
// those that a search without memory goes by. The search comes to the newest all
// the same, or the device that anchors fails within two days.
func TestAnchorsSteered(t *testing.T) {
	first := func(from *keyring.Anchorage, a *directory.Anchor) bool {
		return !a.Period.IsMonth() && a.Index == from.Key(a.Period, 0).Index()
	}
	month := func(_ *keyring.Anchorage, a *directory.Anchor) bool { return a.Period.IsMonth() }
	for _, c := range []struct {
		what  string
		of    func(*keyring.Anchorage, *directory.Anchor) bool
		claim error // what the provider says; nil: it takes them, and drops them
	}{
		{"the month's is dropped", month, nil},
		{"the month's is called taken", month, protocol.Errorf(protocol.KindExists, "taken")},
		{"the first of the day is dropped", first, nil},
		{"the first of the day is called taken", first, protocol.Errorf(protocol.KindConflict, "taken")},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			d := w.open("anna")
			d.synced()
			must(t, d.anchored(1))
			w.p.Publish()
			w.p.Pass(40 * 24 * time.Hour) // in another month
			from := d.anchorages()[0]
			w.leave = func(a *directory.Anchor) (bool, error) { return !c.of(from, a), c.claim }
			var failed error
			for step := range uint64(15) {
				w.p.Pass(4 * time.Hour)
				w.p.Publish()
				if failed = d.anchored(2 + step); failed != nil {
					break
				}
			}
			if failed == nil {
				t.Error("two days, and no failure")
			}
			wantKind(t, "steered", failed, protocol.KindTooOld, "could be shown older ones")
			w.honest()
			for range 6 {
				w.p.Pass(time.Hour)
				w.p.Publish()
				_ = d.anchored(99) // the failure stands until a look shows that it went in
			}
			must(t, d.anchored(99))
			f, err := d.newcomer().fresh()
			must(t, err)
			if len(f.Heads) != 1 || f.Heads[0].Seq != 99 {
				t.Errorf("found %+v", f.Heads)
			}
		})
	}
}

// TestFreshnessWithoutTheMonth: where the month's anchor never went in, the days
// are looked at all the same.
func TestFreshnessWithoutTheMonth(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	w.leave = func(a *directory.Anchor) (bool, error) { return !a.Period.IsMonth(), nil }
	must(t, d.anchored(1))
	w.p.Publish()
	d.newcomer().wantFresh("its first month", 1, "2026-11-21")
	w.p.Pass(45 * 24 * time.Hour)
	w.p.Publish()
	d.newcomer().wantFresh("weeks later", 1, "2026-11-21")
}

// TestAnchorsAfterALostOne: one anchor that an honest provider lost is no failure,
// where newer ones went in.
func TestAnchorsAfterALostOne(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	must(t, d.anchored(1))
	w.p.Drop()
	for step := range uint64(20) {
		w.p.Pass(3 * time.Hour)
		w.p.Publish()
		must(t, d.anchored(2+step))
	}
	d.newcomer().wantFresh("days later", 20, "2026-11-23")
}

// TestAnchorsAfterAFarClock: a clock that once was years ahead puts neither the next
// anchor off, nor the failure.
func TestAnchorsAfterAFarClock(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	far := w.p.Now() + protocol.Time(9*365*24*time.Hour)
	must(t, d.kept.ChangeAnchors(func(a *state.Anchors) {
		a.Epoch, a.Last, a.Behind = 1, far, far
		a.Heads = []ledger.VaultHead{{Vault: d.vault, Seq: 1, Hash: protocol.Hash{1}}}
		a.Pending = []state.Anchor{{Period: "2035-01-01", Index: protocol.Hash{7}, Sent: far}}
	}))
	must(t, d.anchored(2))
	if w.p.Waiting() == 0 {
		t.Error("nothing is anchored")
	}
	w.p.Drop()
	w.refuse = protocol.Errorf(protocol.KindUnreachable, "not today")
	w.p.Pass(49 * time.Hour)
	w.p.Publish()
	wantKind(t, "two days", d.anchored(3), protocol.KindTooOld, "")
}

// TestAlarmsOfTwoContacts: an alarm about one name is not the one about another, of
// which the user took note, though both were proved by one checkpoint.
func TestAlarmsOfTwoContacts(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	old := &directory.Shown{Note: []byte("one note")}
	var numbers []uint64
	for _, index := range []protocol.Hash{{1}, {2}, {1}} {
		err := d.Judge(&directory.Alarm{Kind: directory.AlarmIdentity, Text: "it is not who it was", Old: old, New: &directory.Shown{Index: index}})
		h := HeldBy(err)
		if h == nil {
			t.Fatalf("no alarm: %v", err)
		}
		must(t, d.kept.NoteAlarm(h.Alarm.Number, 5))
		numbers = append(numbers, h.Alarm.Number)
	}
	if numbers[0] == numbers[1] || numbers[0] != numbers[2] {
		t.Errorf("alarms %d", numbers)
	}
}
