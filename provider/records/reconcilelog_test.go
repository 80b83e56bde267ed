// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/storage/sqlite"
)

// reconcile starts as far as Reconcile and returns its error.
func (w *world) reconcile() error {
	w.t.Helper()
	var err error
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	if w.db, err = sqlite.Open(ctx, w.database(), Schema()); err != nil {
		w.t.Fatal(err)
	}
	w.store = New(w.db.Write, w.db.Read, w.store.blobs)
	_, err = w.store.Reconcile(ctx)
	return err
}

// batches returns the batches of the log, by where they begin.
func (w *world) batches() map[uint64]*sequencer.Batch {
	w.t.Helper()
	found := map[uint64]*sequencer.Batch{}
	err := w.store.blobs.List(ctx, nil, blob.KindLog, func(ref blob.Ref, _ int64) error {
		raw, err := blob.ReadAll(ctx, w.store.blobs, ref)
		if err != nil {
			return err
		}
		b, err := sequencer.ParseBatch(raw)
		found[b.From] = b
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) putBatch(b *sequencer.Batch) blob.Ref {
	w.t.Helper()
	ref := blob.NewRef(nobody, blob.KindLog, b.Bytes())
	if err := w.store.blobs.Put(ctx, ref, b.Bytes()); err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// TestForkedJournal: where the blobs hold two batches for one place, or lack one,
// nothing starts, with the database and without it; nothing is guessed.
func TestForkedJournal(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world) // of the blobs
		want   string
		lost   bool // it takes the loss of the database to show
	}{
		"another at the end": {func(w *world) {
			b := w.batches()[4]
			b.Root[0]++
			w.putBatch(b)
		}, "two batches", false},
		"another in the middle": {func(w *world) {
			b := w.batches()[2]
			b.Entries[0] = b.Entries[1]
			w.putBatch(b)
		}, "two batches", false},
		"one is missing": {func(w *world) {
			ref := blob.NewRef(nobody, blob.KindLog, w.batches()[2].Bytes())
			if err := w.store.blobs.Delete(ctx, ref); err != nil {
				w.t.Fatal(err)
			}
		}, "is lost", true},
		"one is damaged": {func(w *world) {
			name := blob.Name(w.batches()[4].Bytes())
			path := w.disk.Root + "/" + nobody.String() + "/log/" + name.String()
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, "do not hash", true},
	} {
		for _, lost := range []bool{false, true} {
			w := newWorld(t)
			w.join("anna")
			w.integrate()
			w.join("bert")
			w.integrate()
			c.change(w)
			if lost {
				if err := w.db.Close(); err != nil {
					t.Fatal(err)
				}
				w.loseDatabase()
			}
			err := w.reconcile()
			switch {
			case c.lost && !lost:
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("%s, database lost %v: %v, want %q", name, lost, err, c.want)
			}
		}
	}
}

// TestOlderBlobs: a blob store that lacks the newest batch of the database is an
// older copy.
func TestOlderBlobs(t *testing.T) {
	w := newWorld(t)
	w.join("anna")
	w.integrate()
	ref := blob.NewRef(nobody, blob.KindLog, w.batches()[2].Bytes())
	if err := w.store.blobs.Delete(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	_, err := sequencer.Open(ctx, w.logConfig())
	wantKind(t, "older blobs", err, protocol.KindUntrusted)
}

// TestTheLogDecides: of two appends in the journal that continue one head, the one
// whose update is in the log counts, though the other one was received later.
func TestTheLogDecides(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	_, refused := h.Copy().AddWriter()
	_, taken := h.AddWriter()
	owner := session(h, h.Owner)
	w.now = w.now.Add(time.Hour)
	w.store.testingOnlyBeforeCommit = func() error { return errors.New("the database is full") }
	if _, err := w.people.Append(ctx, owner, refused); err == nil {
		t.Fatal("acknowledged without a row")
	}
	w.store.testingOnlyBeforeCommit = nil
	w.now = w.now.Add(-time.Minute)
	if _, err := w.people.Append(ctx, owner, taken); err != nil {
		t.Fatal(err)
	}
	for _, integrated := range []bool{true, false} {
		if integrated {
			w.integrate()
			w.publish()
		}
		w.restart(ends()[3])
		page, err := w.people.Ledger(ctx, h.Account(), 0, api.Question{})
		if err != nil || len(page.Entries) != len(h.Entries) || string(page.Entries[len(page.Entries)-1]) != string(h.Entries[len(h.Entries)-1]) {
			t.Fatalf("another append counts after the database was lost: %v", err)
		}
	}
	if w.publish(); directoryHead(w.look("anna")) != h.State.Head().Hash {
		t.Error("another head")
	}
}

// TestQueueSurvives: what waits for the log is there again after the database is
// lost: updates, anchors with their boxes, statements.
func TestQueueSurvives(t *testing.T) {
	b := newLogBeginning(t)
	w := b.world
	policy := w.batches()[2].Entries[1] // of fill; again is nothing new
	if err := w.store.Submit(ctx, policy, nil, 1); err != nil {
		t.Fatal(err)
	}
	before, anchors, _, err := w.store.QueueLength(ctx)
	if err != nil || before != 2 || anchors != 1 {
		t.Fatalf("%d wait, and %d anchors, %v", before, anchors, err)
	}
	found := w.restart(ends()[3])
	if found.Submissions == 0 || found.Batches == 0 {
		t.Errorf("found %+v", found)
	}
	if after, anchors, _, err := w.store.QueueLength(ctx); err != nil || after != before || anchors != 1 {
		t.Fatalf("%d wait, and %d anchors, %v", after, anchors, err)
	}
	w.now = w.now.Add(2 * time.Hour)
	w.wantAll(b, "after the database was lost")
	if again := w.restart(ends()[0]); again.Any() {
		t.Errorf("found twice: %+v", again)
	}
}

// TestSweepSparesTheLog: blobs of a batch that was decided on, and not
// integrated, are nobody's yet and stay.
func TestSweepSparesTheLog(t *testing.T) {
	b := newLogBeginning(t)
	w := b.world
	transactions := 0
	w.store.testingOnlyBeforeCommit = func() error {
		if transactions++; transactions == 2 {
			return errors.New("the database is full")
		}
		return nil
	}
	if _, err := w.log.Integrate(ctx); err == nil {
		t.Fatal("integrated without rows")
	}
	w.store.testingOnlyBeforeCommit = nil
	if _, err := w.store.SweepOrphans(ctx); err != nil {
		t.Fatal(err)
	}
	w.restart(ends()[3])
	w.now = w.now.Add(2 * time.Hour)
	w.wantAll(b, "after a sweep")
}

// TestWritesStopWithTheLog: while the log must not go on, nothing that it would
// have to hold is taken.
func TestWritesStopWithTheLog(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	if err := w.store.Refuse(ctx, "an older copy"); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Refuse(ctx, "a second reason"); err != nil {
		t.Fatal(err)
	}
	_, request := h.Copy().AddWriter()
	_, err := w.people.Append(ctx, session(h, h.Owner), request)
	wantKind(t, "an append", err, protocol.KindInternal)
	_, err = w.people.Create(ctx, "192.0.2.1", w.create(accountstest.NewHolder(t), w.invite(), "bert"))
	wantKind(t, "an account", err, protocol.KindInternal)
	a, _ := w.anchor(keys.GenerateSecret(), 0)
	wantKind(t, "an anchor", w.log.AddAnchors(ctx, h.Account(), []sequencer.Anchor{a}), protocol.KindInternal)
	if err := w.log.Refusal(ctx); err == nil || !strings.Contains(err.Error(), "an older copy") {
		t.Errorf("refusal: %v", err)
	}
	if err := w.store.Reconsider(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = w.people.Append(ctx, session(h, h.Owner), request); err != nil {
		t.Error(err)
	}
}
