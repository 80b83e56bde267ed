// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/test/vectors"
)

// book is what the vectors are made from: a ledger whose last entries remove a
// device, and a vault's chain with which they do.
type book struct {
	*world
	l      *line // four records; the removal names the second
	prune  *pruning
	before int // entries of the ledger before the removal
}

func newBook(t testing.TB) *book {
	w := newWorld(t, "vectors")
	b := &book{world: w, l: w.line(0)}
	b.prune = &pruning{l: b.l}
	b.l.run(w.anna)
	b.prune.add(w.anna, PruneRetire, 1, 2)
	b.l.run(w.bert)
	b.l.run(w.bert) // void after the removal
	b.prune.add(w.bert, PruneRevive, 2)
	b.before = len(w.entries)
	w.remove(w.anna, w.bert, b.l.at(2))
	b.l.list(w.anna, b.l.hashes[0], b.l.hashes[2]) // vouches for it
	b.prune.add(w.anna, PruneDrop, 1)
	return b
}

func TestVectors(t *testing.T) {
	b := newBook(t)
	vectors.Run(t, vectors.Suite{
		Prefix:   "snapshot",
		Generate: func(t *testing.T) []*vectors.Vector { return b.generate() },
		Check: map[string]func(*testing.T, *vectors.Vector){
			"snapshot-ledger": b.checkLedger, "snapshot-record": b.checkRecord, "snapshot-chain": b.checkChain,
			"snapshot-pack-statement": b.checkStatement, "snapshot-generation": b.checkGeneration, "snapshot-prunes": b.checkPrunes,
		},
	})
}

// generate makes the vectors. Each names how many entries of snapshot-ledger the
// reader has folded.
func (b *book) generate() []*vectors.Vector {
	list := []*vectors.Vector{vectors.New("snapshot-ledger", "the ledger that the other cases are held against: folded whole, or as many entries as they say", "snapshot-ledger", vectors.Valid, b.entries...)}
	add := func(kind, name, says, expect string, entries int, parts ...[]byte) *vectors.Vector {
		v := vectors.New("snapshot-"+kind+"-"+name, says, "snapshot-"+kind, expect, parts...).With("entries", fmt.Sprint(entries))
		list = append(list, v)
		return v
	}
	b.records(add)
	b.chains(add)
	b.statements(add)
	b.generations(add)
	return list
}

type adder func(kind, name, says, expect string, entries int, parts ...[]byte) *vectors.Vector

// flip returns a copy with the lowest bit of the byte flipped.
func flip(raw []byte, at int) []byte {
	changed := bytes.Clone(raw)
	changed[at] ^= 1
	return changed
}

func (b *book) records(add adder) {
	l, all := b.l.fork(0), b.before
	r := func() *Record { // as before the removal
		r := l.next()
		r.Epoch, r.Ledger = 1, b.states[all-1].Head()
		return r
	}
	first := r().Sign(b.anna)
	add("record", "owner-run", "an owner's run, first of its chain", vectors.Valid, all, first)
	add("record", "writer-run", "a writer's run", vectors.Valid, all, r().Sign(b.writer))
	full := r()
	full.Generation, full.Others = 3, []ledger.VaultHead{{Vault: b.vaults[1], Seq: 2, Hash: protocol.Hash{7}}}
	add("record", "others", "a run that names another vault's head, and a generation", vectors.Valid, all, full.Sign(b.anna))
	list := r()
	list.Act, list.Live, list.Seq, list.Prev = ActList, []protocol.Hash{{1}, {2}}, 3, protocol.Hash{9}
	add("record", "owner-list", "an owner's list", vectors.Valid, all, list.Sign(b.anna))
	add("record", "writer-list", "a writer's list", "untrusted", all, list.Sign(b.writer))
	add("record", "not-granted", "a run of a writer that was not granted the vault", "untrusted", all, r().Sign(b.idle))
	add("record", "recovery", "a run of a recovery key", "untrusted", all, r().Sign(b.kit))
	add("record", "flipped-ed25519", "a bit of the Ed25519 half of the signature is flipped", "untrusted", all, flip(first, len(first)-3373))
	add("record", "flipped-ml-dsa", "a bit of the ML-DSA half of the signature is flipped", "untrusted", all, flip(first, len(first)-3000))
	add("record", "flipped-details", "a bit of the details is flipped", "untrusted", all, flip(first, bytes.Index(first, []byte("sealed details"))))
	add("record", "trailing", "a byte follows", "untrusted", all, append(bytes.Clone(first), 0))
	add("record", "short", "the last byte is missing", "untrusted", all, first[:len(first)-1])
	unsigned, _ := Parse(first)
	unsigned.Signature = nil
	add("record", "unsigned", "there is no signature", "untrusted", all, canonical.MustMarshal(unsigned))
	unsigned, _ = Parse(first)
	unsigned.Version = 2
	add("record", "version-2", "a version that is not known", "unsupported", all, canonical.MustMarshal(unsigned))
	for name, c := range map[string]struct {
		says   string
		change func(r *Record)
	}{
		"act-3":        {"an act that is not known", func(r *Record) { r.Act = 3 }},
		"old-epoch":    {"an epoch that was not in force", func(r *Record) { r.Epoch = 2 }},
		"place-zero":   {"records count from 1", func(r *Record) { r.Seq = 0 }},
		"first-prev":   {"the first record names one before it", func(r *Record) { r.Prev = protocol.Hash{1} }},
		"short-wrap":   {"the wrap is a byte short", func(r *Record) { r.Wrap = r.Wrap[1:] }},
		"run-live":     {"a run with a list of what is live", func(r *Record) { r.Live = []protocol.Hash{{1}} }},
		"live-order":   {"a list out of order", func(r *Record) { r.Act, r.Live = ActList, []protocol.Hash{{2}, {1}} }},
		"own-vault":    {"the own vault among the others", func(r *Record) { r.Others = []ledger.VaultHead{{Vault: r.Vault, Seq: 1, Hash: protocol.Hash{1}}} }},
		"other-ledger": {"a ledger head of another history", func(r *Record) { r.Ledger.Hash[0] ^= 1 }},
		"other-vault":  {"a vault that is not in the ledger", func(r *Record) { r.Vault[0] = 0xff }},
	} {
		changed := r()
		c.change(changed)
		add("record", name, c.says, "untrusted", all, changed.Sign(b.anna))
	}
	add("record", "removed-counts", "of a removed device, not beyond the head that its removal names", vectors.Valid, len(b.entries), b.l.raws[1])
	add("record", "removed-beyond", "of a removed device, beyond that head", "untrusted", len(b.entries), b.l.raws[2])
}

func (b *book) chains(add adder) {
	raws, all := b.l.raws, len(b.entries)
	chain := func(name, says, expect string, entries int, live string, raws ...[]byte) {
		v := add("chain", name, says, expect, entries, raws...)
		if expect == vectors.Valid {
			v.With("live", live)
		}
	}
	chain("whole", "four records; the third is void, and the list that follows vouches for it", vectors.Valid, all, "1 3", raws...)
	chain("void", "the third record lies beyond the head that the removal names: it keeps its place and does not count", vectors.Valid, all, "1 2", raws[:3]...)
	chain("before", "the same before the removal: all three count", vectors.Valid, b.before, "1 2 3", raws[:3]...)
	chain("too-short", "it ends before the head that the removal names", "untrusted", all, "", raws[:1]...)
	chain("empty", "no records, and the removal names one", "untrusted", all, "")
	chain("dropped", "the second record is missing", "untrusted", all, "", raws[0], raws[2])
	chain("reordered", "the second and third have changed places", "untrusted", b.before, "", raws[0], raws[2], raws[1])
	chain("replayed", "the second stands there twice", "untrusted", b.before, "", raws[0], raws[1], raws[1])
	fork := b.l.fork(1)
	r := fork.next()
	r.Epoch, r.Ledger, r.Details = 1, b.states[b.before-1].Head(), []byte("another past")
	other := r.Sign(b.bert)
	chain("fork", "the second record is not the one that the removal names", "untrusted", all, "", raws[0], other)
	fork = b.l.fork(1)
	r = fork.next()
	r.Ledger, r.Epoch = b.states[b.before-2].Head(), 1
	chain("older-ledger", "the second record saw an older ledger than the first", "untrusted", b.before, "", raws[0], r.Sign(b.anna))
	r = fork.next()
	r.Act, r.Live, r.Epoch, r.Ledger = ActList, []protocol.Hash{{1}}, 1, b.states[b.before-1].Head()
	chain("unknown", "a list names a snapshot that is not in the chain", "untrusted", b.before, "", raws[0], r.Sign(b.anna))
}

func (b *book) statements(add adder) {
	statement := func(change func(p *PackStatement)) *PackStatement {
		p := b.statement()
		p.Epoch, p.Ledger = 1, b.states[b.before-1].Head()
		change(p)
		return p
	}
	same := func(*PackStatement) {}
	origin := func(v *vectors.Vector, origin string) { v.With("origin", origin) }
	origin(add("pack-statement", "owner", "an owner's pack", vectors.Valid, b.before, statement(same).Sign(b.bert)), "present")
	origin(add("pack-statement", "writer", "a writer's pack", vectors.Valid, b.before, statement(same).Sign(b.writer)), "present")
	origin(add("pack-statement", "removed", "a pack of a device that was removed since", vectors.Valid, len(b.entries), statement(same).Sign(b.bert)), "removed")
	add("pack-statement", "not-granted", "a pack of a writer that was not granted the vault", "untrusted", b.before, statement(same).Sign(b.idle))
	add("pack-statement", "recovery", "a pack of a recovery key", "untrusted", b.before, statement(same).Sign(b.kit))
	add("pack-statement", "old-epoch", "an epoch that was not in force", "untrusted", len(b.entries), b.statementNow(1).Sign(b.anna))
	add("pack-statement", "no-size", "a pack without a size", "untrusted", b.before, statement(func(p *PackStatement) { p.Size = 0 }).Sign(b.anna))
	raw := statement(same).Sign(b.anna)
	add("pack-statement", "flipped", "a bit of the pack's name is flipped", "untrusted", b.before, flip(raw, bytes.Index(raw, b.statement().Pack[:])))
}

func (b *book) statementNow(epoch uint64) *PackStatement {
	p := b.statement()
	p.Epoch = epoch
	return p
}

func (b *book) generations(add adder) {
	all := len(b.entries)
	raws := b.prune.raws
	add("generation", "retire", "an owner retires two packs", vectors.Valid, b.before, raws[0])
	add("generation", "removed", "of an owner that was removed since, made before", vectors.Valid, all, raws[1])
	g := func(change func(g *Generation)) *Generation {
		g := b.generation(b.l, PruneRetire, 1, 2)
		change(g)
		return g
	}
	add("generation", "writer", "a writer's", "untrusted", all, g(func(*Generation) {}).Sign(b.writer))
	add("generation", "removed-after", "of a removed owner, with the ledger of after", "untrusted", all, g(func(*Generation) {}).Sign(b.bert))
	add("generation", "no-packs", "no packs", "untrusted", all, g(func(g *Generation) { g.Packs = nil }).Sign(b.anna))
	add("generation", "order", "packs out of order", "untrusted", all, g(func(g *Generation) { g.Packs = []protocol.PackID{{2}, {1}} }).Sign(b.anna))
	add("generation", "act-4", "an act that is not known", "untrusted", all, g(func(g *Generation) { g.Act = 4 }).Sign(b.anna))
	add("generation", "other-head", "the head of another vault", "untrusted", all, g(func(g *Generation) { g.Head.Vault[0] = 9 }).Sign(b.anna))
	add("prunes", "whole", "two packs are retired, one revived, the other dropped", vectors.Valid, all, raws...).With("retired", "none")
	two := hex.EncodeToString([]byte{2}) + strings.Repeat("00", 31)
	one := hex.EncodeToString([]byte{1}) + strings.Repeat("00", 31)
	add("prunes", "retired", "two packs are retired", vectors.Valid, all, raws[0]).With("retired", one+" "+two)
	add("prunes", "dropped", "the second generation is missing", "untrusted", all, raws[0], raws[2])
	early := b.generation(b.l, PruneDrop, 1)
	early.Number, early.Prev, early.Head = 2, HashOf(raws[0]), b.l.at(0)
	add("prunes", "older-head", "a drop computed from an older head than the retirement", "untrusted", all, raws[0], early.Sign(b.anna))
	early = b.generation(b.l, PruneDrop, 1, 7)
	early.Number, early.Prev = 2, HashOf(raws[0])
	add("prunes", "not-retired", "a drop of a pack that is not retired", "untrusted", all, raws[0], early.Sign(b.anna))
}

// folded returns the state that the reader of a vector has.
func (b *book) folded(t *testing.T, v *vectors.Vector) *ledger.State {
	n, err := strconv.Atoi(v.Text(t, "entries"))
	if err != nil {
		t.Fatal(err)
	}
	return b.states[n-1]
}

func (b *book) checkLedger(t *testing.T, v *vectors.Vector) {
	var entries []*ledger.Entry
	for _, raw := range v.Parts {
		e, err := ledger.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	state, err := ledger.Fold(entries, nil)
	if v.Expect(t, err) && state.Head() != b.state.Head() {
		t.Error("folds to another head")
	}
}

func (b *book) checkRecord(t *testing.T, v *vectors.Vector) {
	state := b.folded(t, v)
	r, err := Parse(v.Body(t))
	if err == nil {
		err = r.Verify(state)
	}
	v.Expect(t, err)
}

func (b *book) checkChain(t *testing.T, v *vectors.Vector) {
	state, c := b.folded(t, v), NewChain(b.vaults[0])
	var err error
	for _, raw := range v.Parts {
		if err == nil {
			_, err = c.Append(raw, state)
		}
	}
	if err == nil {
		err = c.Check(state)
	}
	if !v.Expect(t, err) {
		return
	}
	places := map[string]bool{}
	for _, seq := range c.Live() {
		places[fmt.Sprint(seq)] = true
	}
	want := strings.Fields(v.Text(t, "live"))
	for _, place := range want {
		if !places[place] {
			t.Errorf("snapshot %s is not live", place)
		}
	}
	if len(places) != len(want) {
		t.Errorf("live are %v, want %v", places, want)
	}
}

func (b *book) checkStatement(t *testing.T, v *vectors.Vector) {
	state := b.folded(t, v)
	var origin Origin
	p, err := ParsePackStatement(v.Body(t))
	if err == nil {
		origin, err = p.Verify(state)
	}
	if v.Expect(t, err) && v.Text(t, "origin") != map[Origin]string{OriginPresent: "present", OriginRemoved: "removed"}[origin] {
		t.Errorf("origin is %d", origin)
	}
}

func (b *book) checkGeneration(t *testing.T, v *vectors.Vector) {
	state := b.folded(t, v)
	g, err := ParseGeneration(v.Body(t))
	if err == nil {
		err = g.Verify(state)
	}
	v.Expect(t, err)
}

func (b *book) checkPrunes(t *testing.T, v *vectors.Vector) {
	state, p := b.folded(t, v), NewPrunes(b.vaults[0])
	var err error
	for _, raw := range v.Parts {
		if err == nil {
			_, err = p.Append(raw, state)
		}
	}
	if !v.Expect(t, err) {
		return
	}
	var want []string
	if text := v.Text(t, "retired"); text != "none" {
		want = strings.Fields(text)
	}
	for _, id := range want {
		pack, err := protocol.ParsePackID(id)
		if _, retired := p.Retired()[pack]; err != nil || !retired {
			t.Errorf("pack %s is not retired", id)
		}
	}
	if len(p.Retired()) != len(want) {
		t.Errorf("%d packs are retired, want %d", len(p.Retired()), len(want))
	}
}
