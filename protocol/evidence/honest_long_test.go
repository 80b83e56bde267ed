// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package evidence

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// honest is an honest provider with everything that it ever signed.
type honest struct {
	*book
	people   []*person
	claims   []claim
	said     []*statement.Signed
	receipts []*statement.Signed
	shown    []*directory.Shown
	included []*directory.Included // all entries, each under several checkpoints
	numbers  map[string]int        // of notes
}

// honestly tells a history with names that come, move, are closed, lost and given
// to others, with statements in between, and over the end of a day.
func honestly(t testing.TB) *honest {
	t.Helper()
	h := &honest{book: newBook(t, "good"), numbers: map[string]int{}}
	for _, word := range []string{"anna", "bert", "carl"} {
		h.people = append(h.people, newPerson(t, word))
	}
	anna, bert, carl := h.people[0], h.people[1], h.people[2]
	h.move(anna)
	h.root()
	h.move(anna, bert)
	h.move(anna) // twice under one root
	h.root()
	h.root() // nothing happened
	h.move(carl)
	h.root()
	index := carl.index
	heir := newPerson(t, "heir")
	o := directory.Opening{Account: heir.state.Account(), Ledger: heir.state.Head()}
	h.add(&directory.Entry{Notice: directory.NewNotice(h.key, index, 1, o, heir.key(2), heir.key(3))})
	position := uint64(len(h.entries) - 1)
	h.root()
	h.at += 31 * 24 * hour
	h.root()
	h.add(&directory.Entry{Reassign: &directory.Reassign{Index: index, Notice: position}})
	h.add(&directory.Entry{Anchor: directory.NewAnchor(h.key, directory.DeriveAnchorKey(anna.secret, directory.DayOf(h.at), 0), hash("box"))})
	h.root()
	bert.grow("last")
	u := bert.move(h.key)
	h.add(&directory.Entry{Update: directory.NewUpdate(h.key, bert.index, u.Version, bert.opens[u.Version-1], bert.key(u.Version), nil)})
	h.root()
	h.collect()
	return h
}

// move lets ledgers grow and their names follow: the receipt comes before the log
// has the update, and statements before and after.
func (h *honest) move(people ...*person) {
	h.t.Helper()
	for _, p := range people {
		h.state(p)
		p.grow(fmt.Sprintf("r%d", len(p.entries)))
		u := p.move(h.key)
		h.receipts = append(h.receipts, h.promise(u))
		h.state(p)
		h.add(&directory.Entry{Update: u})
	}
}

// state states the head of a person's ledger.
func (h *honest) state(p *person) {
	h.said = append(h.said, h.head(p.state))
	h.claims = append(h.claims, claim{Statement: h.said[len(h.said)-1].Bytes()})
}

// collect takes in what can be shown of the log.
func (h *honest) collect() {
	h.t.Helper()
	nobody := protocol.Hash{} // the index that a statement about a head names
	for number := range h.notes {
		h.numbers[string(h.notes[number])] = number
		for _, p := range h.people {
			h.shown = append(h.shown, h.book.shown(number, p.index))
		}
		h.shown = append(h.shown, h.book.shown(number, nobody))
		for position := range h.roots[number] + 1 {
			if number == len(h.notes)-1 || position%5 == number%5 {
				h.included = append(h.included, h.book.included(number, position))
			}
		}
	}
	last := len(h.notes) - 1
	for position, raw := range h.entries {
		e, err := directory.ParseEntry(raw)
		check(h.t, err)
		if e.Update == nil {
			continue
		}
		for _, p := range h.people {
			if p.index == e.Update.Index && e.Update.Version <= uint64(len(p.opens)) {
				h.claims = append(h.claims, claim{Update: h.book.included(last, position), Opening: p.opens[e.Update.Version-1].Bytes()})
			}
		}
	}
}

// TestAnHonestProviderIsNeverConvicted puts together whatever an honest provider
// signed, in every pair, in every kind of evidence.
func TestAnHonestProviderIsNeverConvicted(t *testing.T) {
	h := honestly(t)
	tried := 0
	try := func(what string, f *file) {
		t.Helper()
		tried++
		f.Version, f.Log = protocol.FormatVersion, h.key.String()
		if v, err := f.verify(Options{}); err == nil {
			t.Fatalf("%s convicts an honest provider: %s", what, v.What)
		}
	}
	h.tryCheckpoints(try)
	h.tryNames(try)
	h.tryStatements(try)
	h.tryHistories(try)
	h.tryRules(try)
	if tried < 1000 {
		t.Errorf("only %d files were tried", tried)
	}
}

type try func(what string, f *file)

func (h *honest) tryCheckpoints(try try) {
	for i, a := range h.notes {
		for j, b := range h.notes {
			try("fork", &file{Fork: &fork{A: a, B: b}})
			size, larger := uint64(h.roots[i]+1), uint64(h.roots[j]+1)
			if size < larger {
				proof, err := tlog.ProveConsistency(context.Background(), h.log, size, larger)
				check(h.t, err)
				try("fork below", &file{Fork: &fork{A: a, B: b, Middle: h.log.At(h.t, size).Root, Proof: proof}})
				try("fork below another root", &file{Fork: &fork{A: a, B: b, Middle: hash("x"), Proof: proof}})
				try("fork below another size", &file{Fork: &fork{A: a, B: b, Middle: h.log.At(h.t, size-1).Root, Proof: proof}})
			}
			x, y := h.book.shown(i, protocol.Hash{}), h.book.shown(j, protocol.Hash{})
			try("time", &file{Order: &order{A: bare(x), B: *bare(y)}})
			crossed := *bare(x)
			crossed.Note = b
			try("no root, with another's note", &file{Order: &order{B: crossed}})
		}
		try("no root", &file{Order: &order{B: *bare(h.book.shown(i, protocol.Hash{}))}})
	}
	for n, a := range h.included {
		for _, b := range h.included[:n] {
			if a.Position != b.Position && n%7 > 0 {
				continue
			}
			side := func(i *directory.Included) leafShown {
				return leafShown{Note: i.Note, Leaf: tlog.LeafHash(i.Entry), Proof: i.Proof}
			}
			try("split", &file{Split: &split{Position: a.Position, A: side(a), B: side(b)}})
		}
	}
}

func (h *honest) tryNames(try try) {
	for _, a := range h.shown {
		for _, i := range under(a, h.included) {
			try("leaf", &file{Leaf: &leafLie{Shown: *a, Entry: i.Entry, Proof: i.Proof}})
		}
		for _, b := range h.shown {
			try("regress", &file{Regress: &regress{A: *a, B: *b}})
			if i := h.newestOf(b); i != nil {
				try("key", &file{Key: &wrongKey{A: *a, B: *b, Entry: i.Entry, Proof: i.Proof}})
			}
			try("key with another entry", &file{Key: &wrongKey{A: *a, B: *b, Entry: h.included[0].Entry, Proof: h.included[0].Proof}})
		}
	}
}

// newestOf returns the entry that the shown leaf names, nil for no leaf.
func (h *honest) newestOf(s *directory.Shown) *directory.Included {
	_, _, leaf, err := s.VerifyLeaf(h.key)
	check(h.t, err)
	if leaf == nil {
		return nil
	}
	return h.book.included(h.numbers[string(s.Note)], int(leaf.Position))
}

// elsewhere returns what the provider stated in another log of its own, with the
// same key for statements.
func (h *honest) elsewhere() []*statement.Signed {
	other := newBook(h.t, "second")
	other.says = h.says
	p := newPerson(h.t, "anna")
	p.grow("another way")
	return []*statement.Signed{other.head(p.state), other.promise(p.move(other.key)), other.head(newPerson(h.t, "anna").state)}
}

func (h *honest) tryStatements(try try) {
	all := slices.Concat(h.said, h.receipts, h.elsewhere())
	for _, origin := range []*directory.Included{h.origin(), h.book.included(3, 0), h.included[1]} {
		for _, a := range all {
			for _, b := range all {
				try("statements", &file{Statements: &statements{Origin: *origin, A: a.Bytes(), B: b.Bytes()}})
			}
		}
	}
	for _, r := range all {
		for _, s := range h.shown {
			try("promise", &file{Promise: &promise{Origin: *h.origin(), Receipt: r.Bytes(), Shown: *s}})
			for _, i := range under(s, h.included) {
				try("promise with an entry", &file{Promise: &promise{Origin: *h.origin(), Receipt: r.Bytes(), Shown: *s, Entry: i}})
			}
		}
	}
}

// unclaimed returns claims that the provider never made: openings that somebody
// else made up for its updates, and heads of vaults.
func (h *honest) unclaimed() []claim {
	var list []claim
	for _, c := range h.claims {
		if c.Update == nil {
			continue
		}
		o, err := directory.ParseOpening(c.Opening)
		check(h.t, err)
		o.Ledger.Hash = hash("made up")
		list = append(list, claim{Update: c.Update, Opening: o.Bytes()})
	}
	for _, p := range h.people {
		for seq := range p.entries {
			s := h.say(statement.Statement{Kind: statement.KindVault, Account: p.state.Account(), Vault: protocol.VaultID{1}, Seq: uint64(seq + 1), Hash: hash("record")})
			list = append(list, claim{Statement: s.Bytes()})
		}
	}
	return list
}

func (h *honest) tryHistories(try try) {
	for _, s := range h.elsewhere() {
		for _, a := range h.claims {
			try("histories of two logs", &file{Histories: &histories{Origin: h.origin(), A: a, B: claim{Statement: s.Bytes()}}})
			try("histories of two logs", &file{Histories: &histories{Origin: h.origin(), A: claim{Statement: s.Bytes()}, B: a}})
		}
	}
	for _, f := range h.unclaimed() {
		for _, a := range h.claims {
			try("histories with what was never claimed", &file{Histories: &histories{Origin: h.origin(), A: a, B: f}})
			try("histories with what was never claimed", &file{Histories: &histories{Origin: h.origin(), A: f, B: a}})
		}
	}
	for _, a := range h.claims {
		for _, b := range h.claims {
			try("histories", &file{Histories: &histories{Origin: h.origin(), A: a, B: b}})
			for _, entries := range h.between(a, b) {
				try("histories with entries", &file{Histories: &histories{Origin: h.origin(), A: a, B: b, Entries: raws(entries)}})
			}
		}
	}
}

// between returns the entries from the one head to the other, and some others.
func (h *honest) between(a, b claim) [][]*ledger.Entry {
	account, x, err := a.head(h.key, h.origin())
	check(h.t, err)
	_, y, err := b.head(h.key, h.origin())
	check(h.t, err)
	var list [][]*ledger.Entry
	for _, p := range h.people {
		if p.state.Account() != account || x.Seq > y.Seq || y.Seq >= uint64(len(p.entries)) {
			continue
		}
		from, to := int(x.Seq), int(y.Seq)
		list = append(list, p.entries[from:to], p.entries[from+1:to+1], p.entries[:to+1])
	}
	return list
}

// under returns the entries that are shown under the checkpoint, and one that is
// not.
func under(s *directory.Shown, all []*directory.Included) []*directory.Included {
	list := all[:1:1]
	for _, i := range all {
		if bytes.Equal(i.Note, s.Note) {
			list = append(list, i)
		}
	}
	return list
}

func raws(entries []*ledger.Entry) [][]byte {
	var list [][]byte
	for _, e := range entries {
		list = append(list, e.Bytes())
	}
	return list
}

// tryRules judges every stretch of the log, under its own checkpoint and under
// others, and with parts of other stretches.
func (h *honest) tryRules(try try) {
	from := 0
	var stretches []*directory.Excerpt
	for _, to := range h.roots {
		stretches = append(stretches, h.excerpt(from, to))
		from = to
	}
	for i, x := range stretches {
		for j, note := range h.notes {
			var proof []protocol.Hash
			if size, larger := uint64(h.roots[i]+1), uint64(h.roots[j]+1); size < larger {
				var err error
				proof, err = tlog.ProveConsistency(context.Background(), h.log, size, larger)
				check(h.t, err)
			}
			try("rules", &file{Rules: &rules{Note: note, Consistency: proof, Excerpt: *x}})
		}
		for at := range x.Entries[1:] {
			forged := *x
			forged.Entries = slices.Clone(x.Entries)
			forged.Entries[at+1] = h.entries[0] // a second origin, which no log may hold
			try("rules with an entry that is made up", &file{Rules: &rules{Note: h.notes[i], Excerpt: forged}})
			for j := i + 1; j < len(h.notes); j++ {
				proof, err := tlog.ProveConsistency(context.Background(), h.log, uint64(h.roots[i]+1), uint64(h.roots[j]+1))
				check(h.t, err)
				try("rules with an entry that is made up, under a later checkpoint", &file{Rules: &rules{Note: h.notes[j], Consistency: proof, Excerpt: forged}})
			}
		}
		for _, y := range stretches {
			mixed := *x
			mixed.Tiles, mixed.Periods = y.Tiles, y.Periods
			try("rules with the trees of another stretch", &file{Rules: &rules{Note: h.notes[i], Excerpt: mixed}})
			mixed = *x
			mixed.Entries = append(append([][]byte(nil), x.Entries...), y.Entries...)
			try("rules with the entries of another stretch", &file{Rules: &rules{Note: h.notes[i], Excerpt: mixed}})
			mixed = *x
			mixed.Frontier = y.Frontier
			if i > 0 {
				try("rules from another place", &file{Rules: &rules{Note: h.notes[i], Excerpt: mixed}})
			}
		}
	}
}

// FuzzVerify changes files that are made of what an honest provider signed, and
// files against another one. Nothing convicts the honest one.
func FuzzVerify(f *testing.F) {
	h := honestly(f)
	seeds := []*file{
		{Fork: &fork{A: h.notes[1], B: h.notes[2]}},
		{Statements: &statements{Origin: *h.origin(), A: h.said[0].Bytes(), B: h.said[1].Bytes()}},
		{Promise: &promise{Origin: *h.origin(), Receipt: h.receipts[0].Bytes(), Shown: *h.shown[len(h.shown)-4]}},
		{Regress: &regress{A: *h.shown[4], B: *h.shown[8]}},
		{Order: &order{A: bare(h.shown[0]), B: *bare(h.shown[4])}},
		{Leaf: &leafLie{Shown: *h.shown[4], Entry: h.included[2].Entry, Proof: h.included[2].Proof}},
		{Rules: &rules{Note: h.notes[1], Excerpt: *h.excerpt(h.roots[0], h.roots[1])}},
		{Histories: &histories{Origin: h.origin(), A: h.claims[0], B: h.claims[1]}},
	}
	for _, c := range crimes(f, "evil") {
		seeds = append(seeds, c.file)
	}
	for _, s := range seeds {
		s.Version, s.Log = protocol.FormatVersion, h.key.String()
		f.Add(canonical.MustMarshal(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decode(data)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
				t.Fatalf("refused as %s", kind)
			}
			return
		}
		again, err := parse(text(g))
		if err != nil || string(canonical.MustMarshal(again)) != string(data) {
			t.Fatalf("the text does not come back: %v", err)
		}
		if v, err := g.verify(Options{Log: h.key}); err == nil {
			t.Fatalf("convicts an honest provider: %s", v.What)
		}
	})
}
