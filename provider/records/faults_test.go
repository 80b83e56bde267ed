// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/test/faults"
)

// attempt is one write of which each step is broken.
type attempt struct {
	do   func() error
	seen func() bool // whether the write is visible; it is whole then
}

// writes are the write paths; each prepares a world for one attempt.
func writes() map[string]func(w *world, h *accountstest.Holder) attempt {
	return map[string]func(*world, *accountstest.Holder) attempt{
		"account":    writeAccount,
		"ledger":     writeLedger,
		"pack":       writePack,
		"snapshot":   writeSnapshot,
		"retire":     writeRetire,
		"drop":       writeDrop,
		"suspension": writeSuspension,
		"anchor":     writeAnchor,
	}
}

func writeAccount(w *world, _ *accountstest.Holder) attempt {
	h := accountstest.NewHolder(w.t)
	request := w.create(h, w.invite(), "bert")
	return attempt{
		do: func() error { _, err := w.people.Create(ctx, "192.0.2.1", request); return err },
		seen: func() bool {
			info, err := w.people.Find(ctx, "bert")
			if protocol.KindOf(err) == protocol.KindNotFound {
				return false
			}
			page, err2 := w.people.Ledger(ctx, h.Account(), 0, api.Question{})
			box, err3 := w.store.RecoveryBox(ctx, request.Recovery[0].Locator)
			if err := errors.Join(err, err2, err3); err != nil || !bytes.Equal(box, request.Recovery[0].Box) ||
				len(page.Entries) != len(h.Entries) || len(page.Objects) != len(h.Objects) || !bytes.Equal(info.Password, request.Record) {
				w.t.Fatalf("half an account is visible: %v", err)
			}
			return true
		},
	}
}

func writeLedger(w *world, h *accountstest.Holder) attempt {
	_, request := h.AddWriter()
	before := int(request.Seq) + 1
	return attempt{
		do: func() error { _, err := w.people.Append(ctx, session(h, h.Owner), request); return err },
		seen: func() bool {
			page, err := w.people.Ledger(ctx, h.Account(), 0, api.Question{})
			if err != nil || len(page.Entries) != before && len(page.Entries) != before+2 {
				w.t.Fatalf("half a batch is visible: %d entries, %v", len(page.Entries), err)
			}
			return len(page.Entries) > before
		},
	}
}

func writePack(w *world, h *accountstest.Holder) attempt {
	data := accountstest.Random(3000)
	id, statement := h.Pack(h.Owner, data)
	return attempt{
		do: func() error {
			offer, err := w.packs.Offer(ctx, device(h, h.Owner), h.Vault, id, statement)
			if err != nil || offer.Stored() {
				return err
			}
			_, err = w.packs.Put(ctx, offer, data)
			return err
		},
		seen: func() bool {
			states, err := w.packs.Stat(ctx, device(h, h.Owner), h.Vault, []protocol.PackID{id})
			if err != nil {
				w.t.Fatal(err)
			}
			return states[0] == api.PackStored
		},
	}
}

func writeSnapshot(w *world, h *accountstest.Holder) attempt {
	raw := h.Run(h.Owner, w.head(h))
	return attempt{
		do:   func() error { _, err := w.packs.Commit(ctx, device(h, h.Owner), h.Vault, raw); return err },
		seen: func() bool { return w.head(h).Hash == snapshot.HashOf(raw) },
	}
}

func writeRetire(w *world, h *accountstest.Holder) attempt {
	id := w.mustPut(h, []byte("to be retired"))
	raw := h.Generation(h.Owner, w.head(h), snapshot.PruneRetire, id)
	return writePrune(w, h, raw, id, api.PackRetired)
}

func writeDrop(w *world, h *accountstest.Holder) attempt {
	id := w.mustPut(h, []byte("to be dropped"))
	retire := h.Generation(h.Owner, w.head(h), snapshot.PruneRetire, id)
	if _, err := w.packs.Prune(ctx, device(h, h.Owner), h.Vault, retire); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(retention + 1)
	return writePrune(w, h, h.Generation(h.Owner, w.head(h), snapshot.PruneDrop, id), id, api.PackDropped)
}

func writePrune(w *world, h *accountstest.Holder, raw []byte, id protocol.PackID, want api.PackState) attempt {
	return attempt{
		do: func() error { _, err := w.packs.Prune(ctx, device(h, h.Owner), h.Vault, raw); return err },
		seen: func() bool {
			pack, err := w.store.Pack(ctx, h.Account(), id)
			applied := w.head(h).GenerationHash == snapshot.HashOf(raw)
			if err != nil || applied != (pack.State == want) {
				w.t.Fatalf("half a generation is visible: applied %v, pack %s, %v", applied, pack.State, err)
			}
			return applied
		},
	}
}

func writeSuspension(w *world, h *accountstest.Holder) attempt {
	return attempt{
		do: func() error { return w.people.Suspend(ctx, h.Account(), true) },
		seen: func() bool {
			info, err := w.store.Account(ctx, h.Account())
			if err != nil {
				w.t.Fatal(err)
			}
			return info.Suspended
		},
	}
}

func writeAnchor(w *world, h *accountstest.Holder) attempt {
	a, index := w.anchor(keys.GenerateSecret(), 0)
	return attempt{
		do: func() error { return w.log.AddAnchors(ctx, h.Account(), []sequencer.Anchor{a}) },
		seen: func() bool {
			box, err := w.store.AnchorBox(ctx, h.Account(), directory.DayOf(protocol.TimeOf(w.now)), index)
			_, waiting, _, err2 := w.store.QueueLength(ctx)
			if err := errors.Join(err, err2); err != nil || (waiting == 1) != (box != nil) {
				w.t.Fatalf("half an anchor is there: %d wait, %v", waiting, err)
			}
			return box != nil
		},
	}
}

// TestWriteFaults breaks each step of each write, in each way, and ends the
// process in each way. What was acknowledged before and what this write
// acknowledged is there; what was not is there whole or not at all; the same
// write again succeeds; and every row finds its blob.
func TestWriteFaults(t *testing.T) {
	b := beginning{world: newWorld(t)}
	b.holder = b.world.join("anna")
	b.kept = b.world.mustPut(b.holder, []byte("acknowledged before"))
	b.head = b.world.mustCommit(b.holder)
	for name, prepare := range writes() {
		for _, mode := range faults.Modes() {
			t.Run(fmt.Sprintf("%s/%v", name, mode), func(t *testing.T) {
				t.Parallel()
				for step := 1; b.breakStep(t, prepare, step, mode); step++ {
				}
			})
		}
	}
}

// beginning is the world that each step is broken in a copy of.
type beginning struct {
	world  *world
	holder *accountstest.Holder
	kept   protocol.PackID
	head   api.Head
}

// breakStep breaks one step and reports whether the write had it.
func (b beginning) breakStep(t *testing.T, prepare func(*world, *accountstest.Holder) attempt, step int, mode faults.Mode) bool {
	t.Helper()
	w := b.world.copy(t)
	defer func() { _ = w.db.Close() }()
	h := b.holder.Copy()
	a := prepare(w, h)
	w.disk.Break(step, mode)
	err := a.do()
	hit := w.disk.Hit()
	e := ends()[step%len(ends())]
	where := fmt.Sprintf("step %d, then %s", step, e.name)
	if err == nil && !a.seen() {
		t.Fatalf("%s: acknowledged and not visible", where)
	}
	w.restart(e)
	if err == nil && !a.seen() {
		t.Fatalf("%s: what was acknowledged is gone", where)
	}
	seen := a.seen()
	wantKept(t, w, h, b.kept, b.head, where)
	w.wantSound()
	again := a.do()
	if invited := protocol.KindOf(again) == protocol.KindWrongSecret; invited && !seen {
		return hit // the database is gone, and with it the invite: the holder asks for a new one
	}
	if again != nil || !a.seen() {
		t.Fatalf("%s: the same write again: %v (first: %v)", where, again, err)
	}
	w.wantSound()
	return hit
}

func wantKept(t *testing.T, w *world, h *accountstest.Holder, kept protocol.PackID, head api.Head, where string) {
	t.Helper()
	pack, err := w.store.Pack(ctx, h.Account(), kept)
	if err != nil || pack.State != api.PackStored {
		t.Fatalf("%s: a pack that was acknowledged before is gone: %v", where, err)
	}
	hash, _, err := w.store.SnapshotAt(ctx, place(h), head.Seq)
	if err != nil || hash != head.Hash {
		t.Fatalf("%s: a snapshot that was acknowledged before is gone: %v", where, err)
	}
	if err := w.store.Snapshots(ctx, place(h), 1, 10, func([]byte) error { return nil }); err != nil {
		t.Fatalf("%s: a head points at what is not there: %v", where, err)
	}
}

// TestCommitFaults fails the database's commit after the blob is durable: the
// process goes on, and so does the write when it is sent again.
func TestCommitFaults(t *testing.T) {
	for name, prepare := range writes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.join("anna")
			w.mustPut(h, []byte("acknowledged before"))
			w.mustCommit(h)
			a := prepare(w, h)
			w.store.testingOnlyBeforeCommit = func() error { return errors.New("the database is full") }
			if err := a.do(); err == nil {
				t.Fatal("acknowledged without a row")
			}
			if a.seen() {
				t.Fatal("visible without a row")
			}
			w.store.testingOnlyBeforeCommit = nil
			w.now = w.now.Add(1)
			if err := a.do(); err != nil || !a.seen() {
				t.Fatalf("again: %v", err)
			}
			for _, e := range ends() {
				w.restart(e)
				if !a.seen() {
					t.Fatalf("%s: what was acknowledged is gone", e.name)
				}
				w.wantSound()
			}
		})
	}
}

// TestLoserOfACompareAndSwap leaves two records in the journal that continue one
// head, as after a failed commit; the one that was acknowledged counts, also
// when the database is lost.
func TestLoserOfACompareAndSwap(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	head := w.mustCommit(h)
	w.store.testingOnlyBeforeCommit = func() error { return errors.New("the database is full") }
	if _, err := w.packs.Commit(ctx, device(h, h.Owner), h.Vault, h.Run(h.Owner, head)); err == nil {
		t.Fatal("acknowledged without a row")
	}
	w.store.testingOnlyBeforeCommit = nil
	w.now = w.now.Add(1)
	winner := w.mustCommit(h)
	for _, e := range ends() {
		w.restart(e)
		if got := w.head(h); got != winner {
			t.Fatalf("%s: head %d is %s, want %s", e.name, got.Seq, got.Hash, winner.Hash)
		}
	}
	if next := w.mustCommit(h); next.Seq != winner.Seq+1 {
		t.Fatalf("the chain does not go on: %+v", next)
	}
}

// TestEnrolmentFaults: enrolments live in the database alone; a failed commit
// changes nothing, and the same step again is taken.
func TestEnrolmentFaults(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	newcomer := accounts.Session{Account: h.Account(), Scope: api.ScopeEnrol, Token: protocol.Hash{1}}
	owner := session(h, h.Owner)
	id := accountstest.RequestID()
	steps := []func() error{
		func() error {
			_, err := w.people.BeginEnrolment(ctx, newcomer, api.EnrolmentRequest{RequestID: id, Commitment: []byte("c")})
			return err
		},
		func() error {
			return w.people.ChallengeEnrolment(ctx, owner, id, api.EnrolmentChallenge{Challenge: []byte("x")})
		},
		func() error {
			return w.people.RevealEnrolment(ctx, newcomer, id, api.EnrolmentReveal{Reveal: []byte("r")})
		},
		func() error { return w.people.EndEnrolment(ctx, owner, id, api.EnrolmentOutcome{Approved: true}) },
	}
	for i, step := range steps {
		w.store.testingOnlyBeforeCommit = func() error { return errors.New("the database is full") }
		if err := step(); err == nil {
			t.Fatalf("step %d: acknowledged without a row", i)
		}
		w.store.testingOnlyBeforeCommit = nil
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		w.restart(ends()[i%2])
	}
}
