// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/sequencer"
)

// fill makes the log nearly long enough for its first full tiles, with
// statements of policy.
func (w *world) fill(upTo uint64) {
	w.t.Helper()
	st, err := w.log.Status(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var prev protocol.Hash
	sub := submission{Version: journalVersion, At: 1}
	for n := uint64(1); st.Size+n < upTo; n++ {
		raw := (&directory.Entry{Policy: &directory.Policy{Number: n, Prev: prev, Statement: fmt.Sprint("statement ", n)}}).Bytes()
		prev = tlog.LeafHash(raw)
		sub.Entries = append(sub.Entries, submitted{raw, nil})
	}
	// One blob for all of them: worlds are copied often.
	err = w.store.change(ctx, func(x *write, tx *sql.Tx) error {
		for _, e := range sub.Entries {
			if _, err := insertSubmission(ctx, tx, e.Entry, nil, 1); err != nil {
				return err
			}
		}
		_, err := x.journal(ctx, tx, nobody, blob.KindSubmission, canonical.MustMarshal(sub))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.integrate()
}

// grow appends to a ledger.
func (w *world) grow(h *accountstest.Holder) {
	w.t.Helper()
	_, request := h.AddWriter()
	if _, err := w.people.Append(ctx, session(h, h.Owner), request); err != nil {
		w.t.Fatalf("append: %v", err)
	}
}

// leave leaves an anchor of the day.
func (w *world) leave(h *accountstest.Holder, secret *keys.Secret, slot uint64) protocol.Hash {
	w.t.Helper()
	a, index := w.anchor(secret, slot)
	if err := w.log.AddAnchors(ctx, h.Account(), []sequencer.Anchor{a}); err != nil {
		w.t.Fatalf("leave anchor: %v", err)
	}
	return index
}

func (w *world) anchor(secret *keys.Secret, slot uint64) (sequencer.Anchor, protocol.Hash) {
	key := directory.DeriveAnchorKey(secret, directory.DayOf(protocol.TimeOf(w.now)), slot)
	box := fmt.Appendf(nil, "box %d", slot)
	entry := directory.Entry{Anchor: directory.NewAnchor(w.keys.log.Public(), key, directory.AnchorBoxHash(box))}
	return sequencer.Anchor{Entry: entry.Bytes(), Box: box}, key.Index()
}

// anchored looks anchors of the day up as a device does.
func (w *world) anchored(h *accountstest.Holder, indexes ...protocol.Hash) (present int) {
	w.t.Helper()
	day := directory.DayOf(protocol.TimeOf(w.now))
	answer, err := w.log.Anchors(ctx, h.Account(), sequencer.AnchorsQuestion{
		Periods: []sequencer.AnchorPeriod{{Period: day, Indexes: indexes}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	view, err := w.worlds[0].Advance(nil, &answer.CheckpointPart)
	if err != nil {
		w.t.Fatal(err)
	}
	var questions []directory.AnchorQuestion
	for _, index := range indexes {
		questions = append(questions, directory.AnchorQuestion{Period: day, Index: index})
	}
	found, err := w.worlds[0].VerifyAnchors(view, questions, answer)
	if err != nil {
		w.t.Fatalf("anchors: %v", err)
	}
	for _, f := range found {
		if f.Present {
			present++
		}
		if f.Present && f.Box == nil {
			w.t.Error("an anchor's box is lost")
		}
	}
	return present
}

// logBeginning is a log that was published, where a good deal waits: updates of two
// names, an anchor, and enough to fill the first tiles.
type logBeginning struct {
	*world
	anna, bert *accountstest.Holder
	index      protocol.Hash
}

func newLogBeginning(t *testing.T) logBeginning {
	b := logBeginning{world: newWorld(t)}
	b.anna = b.join("anna")
	b.fill(254)
	b.publish()
	b.bert = b.join("bert")
	b.grow(b.anna)
	b.index = b.leave(b.anna, keys.GenerateSecret(), 0)
	return b
}

// wantAll demands that all that the beginning acknowledged is in the log, once.
func (w *world) wantAll(b logBeginning, where string) {
	w.t.Helper()
	w.now = w.now.Add(time.Hour) // a new process waits for the next hour with anchors
	w.integrate()
	w.publish()
	if a, c := w.version("anna"), w.version("bert"); a != 2 || c < 1 || w.anchored(b.anna, b.index) != 1 {
		w.t.Errorf("%s: versions %d and %d, or no anchor", where, a, c)
	}
	st, err := w.log.Status(ctx)
	if err != nil || st.Rejected != 0 || st.Waiting != 0 || st.Refusal != "" {
		w.t.Errorf("%s: %+v, %v", where, st, err)
	}
	w.wantSound()
	w.now = w.now.Add(time.Hour)
	w.grow(b.anna.Copy())
	w.integrate()
	w.publish()
	if a := w.version("anna"); a != 3 {
		w.t.Errorf("%s: version %d after it went on", where, a)
	}
}

// TestTwoProcesses integrates and publishes with two processes on one database
// and one folder: there is one log.
func TestTwoProcesses(t *testing.T) {
	b := newLogBeginning(t)
	w := b.world
	other, err := sequencer.Open(ctx, w.logConfig())
	if err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		w.grow([]*accountstest.Holder{b.anna, b.bert}[round%2])
		done := make(chan error, 2)
		for _, s := range []*sequencer.Service{w.log, other} {
			go func() {
				_, err := s.Integrate(ctx)
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if err := other.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		w.publish()
	}
	w.integrate()
	w.publish()
	if a, c := w.version("anna"), w.version("bert"); a != 5 || c != 4 {
		t.Errorf("versions %d, %d", a, c)
	}
	if st, err := w.log.Status(ctx); err != nil || st.Rejected > 0 {
		t.Errorf("%+v, %v", st, err)
	}
	w.restart(ends()[3])
	w.publish()
	w.wantSound()
}

// newJoinable is a log with more batches than a volume is made of.
func newJoinable(t *testing.T) logBeginning {
	b := logBeginning{world: newWorld(t)}
	b.anna = b.join("anna")
	for range 3 {
		b.grow(b.anna)
		b.integrate()
	}
	b.bert = b.join("bert")
	b.integrate()
	b.publish()
	return b
}

// small makes volumes of few batches.
func small() volumes { return volumes{entries: 7, batches: 1024, bytes: 1 << 20} }

// TestVolumes joins batches into a volume, which they are rebuilt from.
func TestVolumes(t *testing.T) {
	b := newJoinable(t)
	before := b.batches()
	b.store.volumes = small()
	if _, err := b.log.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	after := b.batches()
	if len(after) >= len(before) || after[0].End() < 7 {
		t.Errorf("%d batches became %d, the first ends at %d", len(before), len(after), after[0].End())
	}
	for _, e := range ends() {
		b.restart(e)
		b.grow(b.bert)
		b.integrate()
		b.publish()
		if a, c := b.version("anna"), b.version("bert"); a != 4 || c < 2 {
			t.Errorf("%s: versions %d and %d", e.name, a, c)
		}
		b.wantSound()
	}
	for _, v := range []volumes{{entries: 7, batches: 1, bytes: 1 << 20}, {entries: 100, batches: 2, bytes: 1}, defaultVolumes()} {
		b.store.volumes = v
		for more := true; more; {
			var err error
			if more, err = b.store.JoinBatches(ctx); err != nil {
				t.Errorf("%+v: %v", v, err)
			}
		}
		b.restart(ends()[3])
		b.publish()
	}
}

// TestVolumesOfLater restores databases from before batches were joined: what ends
// where a volume begins, within it, where it ends, and one that was copied while
// the batches were joined.
func TestVolumesOfLater(t *testing.T) {
	for _, upTo := range []int{0, 1, 2, 3, 4} {
		w := newWorld(t)
		h := w.join("anna")
		copied := w.dir + "/copy.db"
		for n := range 5 {
			if n == upTo {
				if err := w.db.Backup(ctx, copied); err != nil {
					t.Fatal(err)
				}
			}
			w.grow(h)
			w.integrate()
		}
		w.publish()
		w.store.volumes = small()
		if more, err := w.store.JoinBatches(ctx); err != nil || !more {
			t.Fatalf("joined %v, %v", more, err)
		}
		w.restart(end{"old database", false, func(w *world) {
			w.loseDatabase()
			if err := os.Rename(copied, w.database()); err != nil {
				t.Fatal(err)
			}
		}})
		w.integrate()
		w.publish()
		if got := w.version("anna"); got != 6 {
			t.Errorf("up to %d: version %d", upTo, got)
		}
		w.wantSound()
		if found := w.restart(ends()[0]); found.Any() {
			t.Errorf("up to %d: found %+v later", upTo, found)
		}
	}
}
