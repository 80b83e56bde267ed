// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/provider/sequencer"
)

// step integrates and publishes, a second later.
func (w *world) step() {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	w.integrate()
	w.publish()
}

// TestLookupMovesOn follows a name from answer to answer, as a device does that
// remembers the last one.
func TestLookupMovesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.step()
	var view *directory.View
	look := func(name string, since uint64) *directory.Answer {
		t.Helper()
		q := sequencer.Question{Name: name, Since: since}
		if view != nil {
			q.Size = view.Size()
		}
		answer, err := w.Lookup(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err = directory.ParseAnswer(answer.Bytes()); err != nil {
			t.Fatal(err)
		}
		if view, _, err = w.worlds[0].Look(view, name, answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if a := look("anna", 0); a.Origin == nil || a.Update != nil {
		t.Errorf("a first answer: %+v", a)
	}
	h := w.join("anna")
	for n := range 4 {
		w.step()
		for since := range uint64(n + 3) {
			a := look("anna", since)
			if want := max(n+1-int(since), 0); len(a.Openings) != want || a.Origin != nil {
				t.Errorf("version %d, since %d: %d openings, want %d", n+1, since, len(a.Openings), want)
			}
		}
		w.grow(h)
	}
	look("nobody", 0)
	for _, name := range []string{"", strings.Repeat("x", directory.MaxName+1)} {
		_, err := w.Lookup(ctx, sequencer.Question{Name: name})
		w.wantKind("no name", err, protocol.KindUsage)
	}
	if a, err := w.Lookup(ctx, sequencer.Question{Name: "anna", Size: view.Size() + 1000}); err != nil || a.Consistency != nil {
		t.Errorf("who knows more: %v", err)
	}
}

// TestReassigned gives a lost name to another identity: the look-up opens the new
// one alone.
func TestReassigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	lost := w.join("anna")
	w.grow(lost)
	w.step()
	found := w.newHolder("anna")
	opening := directory.GenerateOpening(found.account, ledger.Head{Seq: 3, Hash: protocol.Hash{1}})
	key := func(version uint64) *directory.UpdateSecret {
		return directory.DeriveUpdateSecret(found.secret, found.account, version)
	}
	notice := directory.NewNotice(w.log.Public(), found.index, 2, opening, key(3), key(4))
	raw := (&directory.Entry{Notice: notice}).Bytes()
	if err := w.Submit(ctx, raw, opening.Bytes()); err != nil {
		t.Fatal(err)
	}
	w.step()
	leaf, _ := w.look(w.worlds[0], "anna").Leaf()
	if leaf.Version != 2 || leaf.Notice == nil {
		t.Fatalf("leaf %+v", leaf)
	}
	reassign := (&directory.Entry{Reassign: &directory.Reassign{Index: found.index, Notice: leaf.Notice.Position}}).Bytes()
	if err := w.Submit(ctx, reassign, nil); err == nil {
		t.Error("reassigned before the delay")
	}
	w.now = w.now.Add(time.Duration(directory.ReassignDelay) + time.Hour)
	w.step() // the log's time passes
	if err := w.Submit(ctx, reassign, nil); err != nil {
		t.Fatal(err)
	}
	b := w.batch(lost)
	w.wantKind("an update by the lost identity, while it waits", w.store.AppendLedger(ctx, b), protocol.KindConflict)
	w.step()
	answer, err := w.Lookup(ctx, sequencer.Question{Name: "anna", Since: 1})
	if err != nil || len(answer.Openings) != 1 || answer.Openings[0] != opening {
		t.Fatalf("openings %+v, %v", answer.Openings, err)
	}
	if leaf, _ = w.look(w.worlds[0], "anna").Leaf(); leaf.Version != 3 || leaf.Identity != 1 {
		t.Errorf("leaf %+v", leaf)
	}
	w.wantKind("an update by the lost identity", w.store.AppendLedger(ctx, b), protocol.KindConflict)
}

// TestSubmit takes what the rules allow; of two that exclude each other the
// second is rejected, and stops nobody.
func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	policy := func(n uint64, text string) []byte {
		return (&directory.Entry{Policy: &directory.Policy{Number: n, Statement: text}}).Bytes()
	}
	for name, raw := range map[string][]byte{
		"a second statement": (&directory.Entry{Policy: &directory.Policy{Number: 2, Prev: protocol.Hash{1}, Statement: "x"}}).Bytes(),
		"a root":             (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes(),
		"noise":              []byte("noise"),
	} {
		if err := w.Submit(ctx, raw, nil); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, text := range []string{"one", "another one", "one"} {
		if err := w.Submit(ctx, policy(1, text), nil); err != nil {
			t.Fatal(err)
		}
	}
	w.join("anna")
	w.step()
	st, err := w.Status(ctx)
	if err != nil || st.Rejected != 1 || st.Waiting != 0 {
		t.Errorf("status %+v, %v", st, err)
	}
	if !w.look(w.worlds[0], "anna").Present() {
		t.Error("anna is not there")
	}
}

// source reads the log as it is served.
type source struct{ w *world }

// ReadTile reads a tile by its path.
func (s source) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return s.w.Tile(ctx, t.Path())
}

// TestTilesAreServed reads the whole log by paths, at every size that was
// published, also long after.
func TestTilesAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	var notes [][]byte
	var prev protocol.Hash
	for n := uint64(1); n < 700; n++ {
		raw := (&directory.Entry{Policy: &directory.Policy{Number: n, Prev: prev, Statement: "x"}}).Bytes()
		prev = tlog.LeafHash(raw)
		if err := w.store.Submit(ctx, raw, nil, 1); err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 {
			w.step()
			note, err := w.Checkpoint(ctx)
			if err != nil {
				t.Fatal(err)
			}
			notes = append(notes, note)
		}
	}
	for _, note := range notes {
		c, err := w.log.Public().Verify(note)
		if err != nil {
			t.Fatal(err)
		}
		read := uint64(0)
		err = tlog.Entries(ctx, source{w}, 0, c, new(tlog.Frontier), func(uint64, []byte) error { read++; return nil })
		if err != nil || read != c.Size {
			t.Errorf("%d of %d entries: %v", read, c.Size, err)
		}
	}
	for _, path := range []string{"tile/0/009", "tile/1/000", "tile/entries/000.p/257", "tile/0/000.p/0", "checkpoint", "tile/3/000.p/1"} {
		_, err := w.Tile(ctx, path)
		w.wantKind(path, err, protocol.KindNotFound)
	}
}

// TestPrune forgets tiles that took no part for two days, and none that the
// published checkpoint needs.
func TestPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	var holders []*holder
	for _, name := range []string{"anna", "bert", "cleo", "dora", "emil"} {
		holders = append(holders, w.join(name))
		w.step()
	}
	for _, h := range holders {
		w.grow(h)
	}
	w.integrate() // and not published
	w.now = w.now.Add(49 * time.Hour)
	n, err := w.Prune(ctx)
	if err != nil || n < 4 { // each at least has a tile, where it begins to branch
		t.Errorf("pruned %d, %v; want the trees of one to four names", n, err)
	}
	w.look(w.worlds[0], "anna")
	w.publish()
	if n, err = w.Prune(ctx); err != nil || n < 1 {
		t.Errorf("pruned %d after that, %v", n, err)
	}
	w.restart()
	for _, h := range holders {
		w.look(w.worlds[0], h.name)
		w.grow(h)
	}
	w.step()
	if n, err = w.Prune(ctx); err != nil || n != 0 {
		t.Errorf("pruned %d too early, %v", n, err)
	}
}

// TestOpenRefuses what does not belong together.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	c := sequencer.DefaultConfig()
	c.Store, c.Key, c.VRF = w.store, w.log, w.vrf
	_, err := sequencer.Open(ctx, c)
	w.wantKind("no world", err, protocol.KindUsage)
	c.Worlds, c.VRF = w.worlds, vrf.Generate()
	_, err = sequencer.Open(ctx, c)
	w.wantKind("another function's key", err, protocol.KindUsage)
	other := newWorld(t, 0, "quorum none")
	c.Key, c.VRF, c.Worlds = other.log, other.vrf, other.worlds
	_, err = sequencer.Open(ctx, c)
	w.wantKind("another log's database", err, protocol.KindDenied)
}
