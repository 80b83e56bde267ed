// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestChainKeepsWhatIsLive(t *testing.T) {
	w := newWorld(t, "live")
	l := w.line(0)
	one, two, three := l.run(w.anna), l.run(w.writer), l.run(w.bert)
	c := l.mustChain(w.state)
	live(t, c, one, two, three)
	l.list(w.anna, one, three)
	four := l.run(w.writer)
	c = l.mustChain(w.state)
	live(t, c, one, three, four)
	if c.Runs()[two] != 2 || len(c.Runs()) != 4 || c.Head() != l.head() {
		t.Errorf("%d runs, head %d", len(c.Runs()), c.Head().Seq)
	}
	l.list(w.bert, one, two) // brings back what was forgotten
	live(t, l.mustChain(w.state), one, two)
	l.list(w.bert)
	live(t, l.mustChain(w.state))
	l.list(w.anna, four)
	live(t, l.mustChain(w.state), four)
}

func TestResumeGivesTheSameChain(t *testing.T) {
	w := newWorld(t, "resume")
	l := w.line(0)
	one := l.run(w.anna)
	l.run(w.writer)
	l.list(w.anna, one)
	verified, resumed := l.mustChain(w.state), NewChain(l.vault)
	for _, raw := range l.raws {
		if _, err := resumed.Resume(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := resumed.Check(w.state); err != nil {
		t.Fatal(err)
	}
	live(t, resumed, one)
	if resumed.Place() != verified.Place() || len(resumed.Runs()) != len(verified.Runs()) {
		t.Errorf("resumed to %+v, verified to %+v", resumed.Place(), verified.Place())
	}
	l.run(w.bert)
	if _, err := resumed.Append(l.raws[3], w.state); err != nil {
		t.Errorf("append after resume: %v", err)
	}
	_, err := NewChain(l.vault).Resume([]byte("no record"))
	wantKind(t, "resume of no record", err, protocol.KindUntrusted)
	_, err = NewChain(l.vault).Resume(l.raws[1])
	wantKind(t, "resume of a record out of order", err, protocol.KindUntrusted)
}

// TestChainRefuses is G11, G13 and G14: every record that is not the next one.
func TestChainRefuses(t *testing.T) {
	w, stranger := newWorld(t, "refuse"), newWorld(t, "stranger")
	l := w.line(0)
	l.run(w.anna)
	older := w.state.Head()
	w.say(w.anna, ledger.Body{SetProtection: &ledger.SetProtection{Category: protocol.CategoryBackups, Level: protocol.LevelAdvanced}})
	generation := l.next()
	generation.Generation = 4
	l.keep(generation.Sign(w.anna))
	sibling := l.fork(1)
	sibling.run(w.bert)
	sibling.run(w.bert)
	other := w.line(1)
	other.run(w.anna)
	other.run(w.anna)
	other.run(w.anna)
	foreign := stranger.line(0)
	foreign.run(stranger.anna)
	make1 := func(device *keys.MemberSecrets, change func(r *Record)) []byte {
		r := l.next()
		r.Generation = 4
		change(r)
		return r.Sign(device)
	}
	nothing := func(*Record) {}
	flipped := make1(w.anna, nothing)
	flipped[len(flipped)-1] ^= 1
	unknown := func(r *Record) { r.Act, r.Live = ActList, []protocol.Hash{{1}} }
	for name, raw := range map[string][]byte{
		"nothing":                        nil,
		"replayed":                       l.raws[1],
		"replayed from the start":        l.raws[0],
		"one dropped before it":          make1(w.anna, func(r *Record) { r.Seq++ }),
		"of a fork":                      sibling.raws[2],
		"of another vault":               other.raws[2],
		"of another account":             foreign.raws[0],
		"moved from another vault":       make1(w.anna, func(r *Record) { r.Vault = w.vaults[1] }),
		"an older ledger than before":    make1(w.anna, func(r *Record) { r.Ledger = older }),
		"an older generation":            make1(w.anna, func(r *Record) { r.Generation = 3 }),
		"a writer's list":                make1(w.writer, func(r *Record) { r.Act = ActList }),
		"a list of unknown snapshots":    make1(w.anna, unknown),
		"a list that names a list":       nil,
		"a signature that does not hold": flipped,
		"a writer that was not granted":  make1(w.idle, nothing),
	} {
		c, err := l.chain(w.state)
		if err != nil {
			t.Fatal(err)
		}
		if name == "a list that names a list" {
			named := l.fork(2)
			r := named.next()
			r.Act, r.Generation = ActList, 4
			list := r.Sign(w.anna)
			if _, err := c.Append(list, w.state); err != nil {
				t.Fatal(err)
			}
			named.keep(list)
			r = named.next()
			r.Act, r.Generation, r.Live = ActList, 4, []protocol.Hash{HashOf(list)}
			raw = r.Sign(w.anna)
		}
		before, lives := c.Place(), len(c.Live())
		r, err := c.Append(raw, w.state)
		wantKind(t, name, err, protocol.KindUntrusted)
		if r != nil || c.Place() != before || len(c.Live()) != lives {
			t.Errorf("%s: a refused record changed the chain", name)
		}
	}
	c, _ := l.chain(w.state)
	if _, err := c.Append(make1(w.anna, nothing), w.state); err != nil {
		t.Errorf("the next record: %v", err)
	}
}

func TestChainRefusesAReorderedLine(t *testing.T) {
	w := newWorld(t, "order")
	l := w.line(0)
	for range 4 {
		l.run(w.anna)
	}
	for drop := range 4 {
		cut := l.fork(4)
		cut.raws = append(cut.raws[:drop:drop], l.raws[drop+1:]...)
		c, err := cut.chain(w.state)
		if drop == 3 {
			if err != nil || c.Holds(l.head()) {
				t.Errorf("the newest dropped: %v, holds the head %v", err, c.Holds(l.head()))
			}
			continue // only a mark, another vault's record or a removal shows this
		}
		wantKind(t, "one dropped", err, protocol.KindUntrusted)
		swapped := l.fork(4)
		swapped.raws[drop], swapped.raws[drop+1] = l.raws[drop+1], l.raws[drop]
		_, err = swapped.chain(w.state)
		wantKind(t, "two swapped", err, protocol.KindUntrusted)
	}
}

func TestHoldsTellsForksApart(t *testing.T) {
	w := newWorld(t, "holds")
	l := w.line(0)
	l.run(w.anna)
	fork := l.fork(1)
	l.run(w.anna)
	r := fork.next()
	r.Details = []byte("another history")
	fork.keep(r.Sign(w.anna))
	c := l.mustChain(w.state)
	for name, h := range map[string]struct {
		head ledger.VaultHead
		want bool
	}{
		"the empty head":            {l.at(0), true},
		"the first":                 {l.at(1), true},
		"the head":                  {l.head(), true},
		"the fork's head":           {fork.head(), false},
		"another vault's":           {ledger.VaultHead{Vault: w.vaults[1], Seq: 1, Hash: l.hashes[0]}, false},
		"one that is not there yet": {ledger.VaultHead{Vault: l.vault, Seq: 3, Hash: l.hashes[1]}, false},
		"the empty head with hash":  {ledger.VaultHead{Vault: l.vault, Hash: l.hashes[0]}, false},
		"a place that overflows":    {ledger.VaultHead{Vault: l.vault, Seq: 1<<64 - 1, Hash: l.hashes[0]}, false},
	} {
		if c.Holds(h.head) != h.want {
			t.Errorf("%s: holds %v, want %v", name, !h.want, h.want)
		}
	}
}

// TestChainPassesThroughRemovals lets a removed device and the provider put
// another past below the head that its removal names.
func TestChainPassesThroughRemovals(t *testing.T) {
	w := newWorld(t, "through")
	l := w.line(0)
	l.run(w.anna)
	fake := l.fork(1)
	before := w.state
	l.run(w.bert)
	r := fake.next()
	r.Details = []byte("another past")
	fake.keep(r.Sign(w.bert))
	w.remove(w.anna, w.bert, l.head())
	l.run(w.anna)
	l.mustChain(w.state)
	_, err := fake.chain(w.state)
	wantKind(t, "another record in the named place", err, protocol.KindUntrusted)

	shown, err := fake.chain(before) // a device that was shown the fork before it learnt of the removal
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the fork taken in before", shown.Check(w.state), protocol.KindUntrusted)
	next := fake.next()
	_, err = shown.Append(next.Sign(w.anna), w.state)
	wantKind(t, "a record on top of the fork", err, protocol.KindUntrusted)
}

// TestChainThatEndsBeforeARemovalsHead is G13 for a device without memory: the
// ledger itself says that there is more.
func TestChainThatEndsBeforeARemovalsHead(t *testing.T) {
	w := newWorld(t, "short")
	l := w.line(0)
	l.run(w.anna)
	l.run(w.writer)
	l.run(w.writer)
	w.remove(w.anna, w.writer, l.head())
	l.mustChain(w.state)
	for n := range 3 {
		c, err := l.fork(n).chain(w.state)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the newest withheld", c.Check(w.state), protocol.KindUntrusted)
	}
	if err := w.line(1).mustChain(w.state).Check(w.state); err != nil {
		t.Errorf("a vault that the removal does not name: %v", err)
	}
}

// TestVoidRecordsKeepTheirPlace is the race of a commit with a removal: the
// record stays in the chain, its snapshot does not count, the vault goes on.
func TestVoidRecordsKeepTheirPlace(t *testing.T) {
	w := newWorld(t, "void")
	l := w.line(0)
	one := l.run(w.anna)
	counted, before := l.run(w.bert), w.state
	late, lateList := l.run(w.bert), l.list(w.bert) // which says that nothing is live
	known := l.mustChain(before)
	live(t, known)
	w.remove(w.anna, w.bert, l.at(2))
	after := l.run(w.anna)

	wantKind(t, "a chain that counted the void records", known.Check(w.state), protocol.KindConflict)
	_, err := known.Append(l.raws[4], w.state)
	wantKind(t, "the next record on that chain", err, protocol.KindConflict)
	resumed := NewChain(l.vault)
	for _, raw := range l.raws {
		if _, err := resumed.Resume(raw); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "a resumed chain that counts them", resumed.Check(w.state), protocol.KindConflict)

	c := l.mustChain(w.state)
	live(t, c, one, counted, after)
	if len(c.Void()) != 1 || c.Void()[late] != 3 || len(c.Runs()) != 3 {
		t.Errorf("void %v, %d runs", c.Void(), len(c.Runs()))
	}
	if !c.Holds(ledger.VaultHead{Vault: l.vault, Seq: 4, Hash: lateList}) {
		t.Error("the chain does not hold the void list's place")
	}
}

// TestOwnersVouchForVoidSnapshots brings back what a thief's removal named no
// head for, and lets nobody vouch who did not know of the removal.
func TestOwnersVouchForVoidSnapshots(t *testing.T) {
	w := newWorld(t, "vouch")
	l := w.line(0)
	one, two := l.run(w.bert), l.run(w.bert)
	before, epoch := w.state.Head(), w.epoch(l.vault)
	unknowing := l.fork(2)
	w.remove(w.anna, w.bert) // names no head at all
	live(t, l.mustChain(w.state))

	r := unknowing.next()
	r.Act, r.Live, r.Ledger, r.Epoch = ActList, sorted([]protocol.Hash{one, two}), before, epoch
	unknowing.keep(r.Sign(w.anna))
	c := unknowing.mustChain(w.state)
	live(t, c)
	if len(c.Void()) != 2 {
		t.Errorf("%d void, want 2", len(c.Void()))
	}

	l.list(w.anna, two)
	c = l.mustChain(w.state)
	live(t, c, two)
	if len(c.Void()) != 1 || c.Runs()[two] != 2 {
		t.Errorf("void %v, runs %v", c.Void(), c.Runs())
	}
	l.list(w.anna, one, two)
	live(t, l.mustChain(w.state), one, two)
}

// TestVoidRecordsAreStillSigned: a place without effect is no place for anything.
func TestVoidRecordsAreStillSigned(t *testing.T) {
	w, stranger := newWorld(t, "void signed"), newWorld(t, "stranger")
	l := w.line(0)
	l.run(w.anna)
	before, epoch := w.state.Head(), w.epoch(l.vault)
	w.remove(w.anna, w.bert, l.head())
	old := func(r *Record) { r.Ledger, r.Epoch = before, epoch }
	for _, c := range []struct {
		name   string
		device *keys.MemberSecrets
		change func(r *Record)
		good   bool
	}{
		{"beyond the head, with the ledger of before", w.bert, old, true},
		{"with the ledger of after", w.bert, func(*Record) {}, false},
		{"with an epoch of after", w.bert, func(r *Record) { r.Ledger = before }, false},
		{"a stranger", stranger.anna, old, false},
	} {
		chain, err := l.chain(w.state)
		if err != nil {
			t.Fatal(err)
		}
		r := l.next()
		c.change(r)
		raw := r.Sign(c.device)
		_, err = chain.Append(raw, w.state)
		if (err == nil) != c.good {
			t.Errorf("%s: %v, want good %v", c.name, err, c.good)
		}
		live(t, chain, l.hashes[0])
		broken := bytes.Clone(raw)
		broken[len(broken)-1] ^= 1
		chain, _ = l.chain(w.state)
		_, err = chain.Append(broken, w.state)
		wantKind(t, c.name+", with a broken signature", err, protocol.KindUntrusted)
	}
	// Once a record has seen the removal, none that has not follows.
	l.run(w.anna)
	r := l.next()
	old(r)
	chain := l.mustChain(w.state)
	_, err := chain.Append(r.Sign(w.bert), w.state)
	wantKind(t, "after a record that knows of the removal", err, protocol.KindUntrusted)
}

func TestChainIsHeldAgainstNoOlderLedger(t *testing.T) {
	w := newWorld(t, "older")
	l := w.line(0)
	before := w.state
	l.run(w.anna)
	w.remove(w.anna, w.writer)
	c := l.mustChain(w.state)
	wantKind(t, "check", c.Check(before), protocol.KindInternal)
	l.run(w.anna)
	_, err := c.Append(l.raws[1], before)
	wantKind(t, "append", err, protocol.KindInternal)
}

func TestChainsOfManyRecords(t *testing.T) {
	w := newWorld(t, "many")
	l := w.line(0)
	var kept []protocol.Hash
	for i := range 60 {
		hash := l.run(w.anna)
		if i%10 == 9 {
			kept = append(kept, hash)
			l.list(w.bert, kept...)
		}
	}
	live(t, l.mustChain(w.state), kept...)
}
