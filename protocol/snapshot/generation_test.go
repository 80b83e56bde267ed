// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// generation returns an unsigned first generation of vault 0 about packs of
// these first bytes.
func (w *world) generation(l *line, act PruneAct, packs ...byte) *Generation {
	g := &Generation{Act: act, Account: w.state.Account(), Vault: l.vault, Number: 1, Ledger: w.state.Head(), Head: l.head()}
	for _, b := range packs {
		g.Packs = append(g.Packs, protocol.PackID{b})
	}
	return g
}

func TestGenerationPrintsAsItWasParsed(t *testing.T) {
	w := newWorld(t, "print")
	l := w.line(0)
	for range 2 {
		raw := w.generation(l, PruneDrop, 1, 2, 3).Sign(w.anna)
		g, err := ParseGeneration(raw)
		if err != nil || !bytes.Equal(canonical.MustMarshal(g), raw) {
			t.Fatalf("does not print as it was parsed: %v", err)
		}
		if err := g.Verify(w.state); err != nil {
			t.Error(err)
		}
		l.run(w.anna)
	}
}

func TestGenerationRefusesEveryFlippedByte(t *testing.T) {
	w := newWorld(t, "flip")
	raw := w.generation(w.line(0), PruneRetire, 1, 2, 3).Sign(w.bert)
	for i := range raw {
		if sparse(raw, i) {
			continue
		}
		raw[i] ^= 1 << (i % 8)
		p := NewPrunes(w.vaults[0])
		g, err := p.Append(raw, w.state)
		if kind := protocol.KindOf(err); g != nil || p.Number() != 0 || len(p.Retired()) != 0 || kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
			t.Errorf("byte %d changed: %v", i, err)
		}
		raw[i] ^= 1 << (i % 8)
	}
	for n := range raw {
		if _, err := ParseGeneration(raw[:n]); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	_, err := ParseGeneration(append(raw, 0))
	wantKind(t, "one byte more", err, protocol.KindUntrusted)
	_, err = ParseGeneration(make([]byte, MaxGenerationSize+1))
	wantKind(t, "too large", err, protocol.KindUntrusted)
}

func TestGenerationIsHeldToItsSyntax(t *testing.T) {
	w := newWorld(t, "syntax")
	l := w.line(0)
	l.run(w.anna)
	many := func(n int) (list []protocol.PackID) {
		for i := range n {
			list = append(list, protocol.PackID{byte(i >> 16), byte(i >> 8), byte(i)})
		}
		return list
	}
	for _, c := range []struct {
		name   string
		change func(g *Generation)
		want   protocol.Kind
	}{
		{"nothing", func(*Generation) {}, ""},
		{"no act", func(g *Generation) { g.Act = 0 }, protocol.KindUntrusted},
		{"an act of the future", func(g *Generation) { g.Act = 4 }, protocol.KindUntrusted},
		{"number zero", func(g *Generation) { g.Number = 0 }, protocol.KindUntrusted},
		{"the second and none before", func(g *Generation) { g.Number = 2 }, protocol.KindUntrusted},
		{"the first and one before", func(g *Generation) { g.Prev = protocol.Hash{1} }, protocol.KindUntrusted},
		{"another vault's head", func(g *Generation) { g.Head.Vault[0] ^= 1 }, protocol.KindUntrusted},
		{"a head without a hash", func(g *Generation) { g.Head.Hash = protocol.Hash{} }, protocol.KindUntrusted},
		{"the empty head with a hash", func(g *Generation) { g.Head.Seq = 0 }, protocol.KindUntrusted},
		{"no packs", func(g *Generation) { g.Packs = nil }, protocol.KindUntrusted},
		{"packs out of order", func(g *Generation) { g.Packs = []protocol.PackID{{2}, {1}} }, protocol.KindUntrusted},
		{"one pack twice", func(g *Generation) { g.Packs = []protocol.PackID{{2}, {2}} }, protocol.KindUntrusted},
		{"the most packs", func(g *Generation) { g.Packs = many(MaxGenerationPacks) }, ""},
		{"more packs", func(g *Generation) { g.Packs = many(MaxGenerationPacks + 1) }, protocol.KindUntrusted},
	} {
		g := w.generation(l, PruneRetire, 1)
		c.change(g)
		got, err := ParseGeneration(g.Sign(w.anna))
		wantKind(t, c.name, err, c.want)
		if (got == nil) != (c.want != "") {
			t.Errorf("%s: a generation beside the error %v", c.name, err)
		}
	}
}

func TestWhoMayPrune(t *testing.T) {
	w, stranger := newWorld(t, "who"), newWorld(t, "stranger")
	l := w.line(0)
	genesis := ledger.Head{Hash: protocol.Hash(w.state.Account())}
	for _, c := range []struct {
		name   string
		device *keys.MemberSecrets
		change func(g *Generation)
		good   bool
	}{
		{"an owner", w.anna, func(*Generation) {}, true},
		{"another owner", w.bert, func(*Generation) {}, true},
		{"a writer", w.writer, func(*Generation) {}, false},
		{"a recovery key", w.kit, func(*Generation) {}, false},
		{"a stranger", stranger.anna, func(*Generation) {}, false},
		{"another account", w.anna, func(g *Generation) { g.Account = stranger.state.Account() }, false},
		{"another account's ledger", w.anna, func(g *Generation) { g.Ledger = stranger.state.Head() }, false},
		{"a ledger of the future", w.anna, func(g *Generation) { g.Ledger.Seq++ }, false},
		{"a vault that is not there", w.anna, func(g *Generation) { g.Vault[0], g.Head.Vault[0] = 99, 99 }, false},
		{"a vault that was not there yet", w.anna, func(g *Generation) { g.Ledger = genesis }, false},
		{"a device that was not there yet", w.bert, func(g *Generation) { g.Ledger = genesis }, false},
	} {
		g := w.generation(l, PruneRetire, 1)
		c.change(g)
		g.Sign(c.device)
		if err := g.Verify(w.state); (err == nil) != c.good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v, want good %v", c.name, err, c.good)
		}
	}
	before, after := w.generation(l, PruneRetire, 1), w.generation(l, PruneRetire, 1)
	w.remove(w.anna, w.bert)
	before.Sign(w.bert)
	if err := before.Verify(w.state); err != nil {
		t.Errorf("a removed owner's, from before: %v", err)
	}
	after.Ledger = w.state.Head()
	after.Sign(w.bert)
	wantKind(t, "a removed owner's, from after", after.Verify(w.state), protocol.KindUntrusted)
}

// pruning is a prune chain as a provider would keep it.
type pruning struct {
	l    *line
	raws [][]byte
}

func (p *pruning) add(device *keys.MemberSecrets, act PruneAct, packs ...byte) []byte {
	g := p.l.w.generation(p.l, act, packs...)
	if n := len(p.raws); n > 0 {
		g.Number, g.Prev = uint64(n+1), HashOf(p.raws[n-1])
	}
	raw := g.Sign(device)
	p.raws = append(p.raws, raw)
	return raw
}

func TestPrunesRetireReviveAndDrop(t *testing.T) {
	w := newWorld(t, "prunes")
	l := w.line(0)
	l.run(w.anna)
	p := &pruning{l: l}
	p.add(w.anna, PruneRetire, 1, 2, 3)
	p.add(w.bert, PruneRevive, 2, 9) // to revive what is not retired changes nothing
	l.run(w.anna)
	p.add(w.anna, PruneRetire, 1, 4) // 1 stays retired since before
	p.add(w.anna, PruneDrop, 1)
	prunes, resumed := NewPrunes(l.vault), NewPrunes(l.vault)
	for _, raw := range p.raws {
		if _, err := prunes.Append(raw, w.state); err != nil {
			t.Fatal(err)
		}
		if _, err := resumed.Resume(raw); err != nil {
			t.Fatal(err)
		}
	}
	want := map[byte]Retirement{3: {1, 1}, 4: {3, 2}}
	for _, got := range []*Prunes{prunes, resumed} {
		if got.Number() != 4 || got.Hash() != HashOf(p.raws[3]) || len(got.Retired()) != len(want) {
			t.Errorf("generation %d, %d packs retired", got.Number(), len(got.Retired()))
		}
		for b, r := range want {
			if got.Retired()[protocol.PackID{b}] != r {
				t.Errorf("pack %d: %+v, want %+v", b, got.Retired()[protocol.PackID{b}], r)
			}
		}
	}
}

func TestPrunesRefuse(t *testing.T) {
	w := newWorld(t, "refuse")
	l := w.line(0)
	l.run(w.anna)
	l.run(w.anna)
	p := &pruning{l: l}
	p.add(w.anna, PruneRetire, 1, 2)
	take := func() *Prunes {
		c := NewPrunes(l.vault)
		for _, raw := range p.raws {
			if _, err := c.Append(raw, w.state); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	older := w.generation(l, PruneRetire, 3).Ledger
	w.add(members("refuse", "late"), protocol.RoleWriter)
	p.add(w.bert, PruneRetire, 3)
	next := func(act PruneAct, change func(g *Generation), packs ...byte) []byte {
		g := w.generation(l, act, packs...)
		g.Number, g.Prev = 3, HashOf(p.raws[1])
		change(g)
		return g.Sign(w.anna)
	}
	nothing := func(*Generation) {}
	byWriter := w.generation(l, PruneRetire, 4)
	byWriter.Number, byWriter.Prev = 3, HashOf(p.raws[1])
	writers := byWriter.Sign(w.writer)
	for name, raw := range map[string][]byte{
		"replayed":                   p.raws[1],
		"replayed from the start":    p.raws[0],
		"dropped one before":         next(PruneRetire, func(g *Generation) { g.Number = 4 }, 4),
		"another before":             next(PruneRetire, func(g *Generation) { g.Prev[0] ^= 1 }, 4),
		"another vault":              next(PruneRetire, func(g *Generation) { g.Vault, g.Head.Vault = w.vaults[1], w.vaults[1] }, 4),
		"an older ledger":            next(PruneRetire, func(g *Generation) { g.Ledger = older }, 4),
		"an older head":              next(PruneRetire, func(g *Generation) { g.Head = l.at(1) }, 4),
		"drops what is not retired":  next(PruneDrop, nothing, 9),
		"drops one more that is not": next(PruneDrop, func(g *Generation) { g.Head.Seq++ }, 1, 9),
		"drops from an older head":   next(PruneDrop, func(g *Generation) { g.Head = l.at(1) }, 1),
		"a writer's":                 writers,
	} {
		c := take()
		g, err := c.Append(raw, w.state)
		wantKind(t, name, err, protocol.KindUntrusted)
		if g != nil || c.Number() != 2 || len(c.Retired()) != 3 {
			t.Errorf("%s: a refused generation changed the chain", name)
		}
	}
	for name, change := range map[string]func(g *Generation){
		"the same head": nothing, "a newer head": func(g *Generation) { g.Head.Seq++ },
	} {
		c := take()
		if _, err := c.Append(next(PruneDrop, change, 1, 2, 3), w.state); err != nil || len(c.Retired()) != 0 || c.Place().Number != 3 {
			t.Errorf("a drop from %s: %v", name, err)
		}
	}
}
