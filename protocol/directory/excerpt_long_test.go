// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package directory

import (
	"context"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/tlog"
)

// archive is a log with the trees under every root that it ever had.
type archive struct {
	*simLog
	store  *MemoryStore
	replay *Replay
	roots  []int // positions of the roots
}

// archived replays a log and keeps everything.
func archived(t testing.TB, l *simLog) *archive {
	t.Helper()
	a := &archive{simLog: l, store: NewMemoryStore()}
	a.replay = NewReplay(l.key, a.store)
	for i, raw := range l.raws {
		e, err := ParseEntry(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.replay.Entry(context.Background(), raw); err != nil {
			t.Fatal(err)
		}
		if e.Root != nil {
			a.roots = append(a.roots, i)
			a.store.Apply(Change{New: a.replay.TakeChange().New})
		}
	}
	return a
}

// frontier returns the frontier of the first entries.
func (a *archive) frontier(size int) *tlog.Frontier {
	var f tlog.Frontier
	for _, raw := range a.raws[:size] {
		f.Append(tlog.LeafHash(raw))
	}
	return &f
}

// excerpt returns the excerpt from one position to another, as it comes out of its
// bytes.
func (a *archive) excerpt(from int, entries [][]byte) *Excerpt {
	a.t.Helper()
	x, err := NewExcerpt(context.Background(), a.key, a.frontier(from), entries, a.store)
	if err != nil {
		a.t.Fatalf("excerpt from %d: %v", from, err)
	}
	var again Excerpt
	if err := canonical.Unmarshal(canonical.MustMarshal(x), 64<<20, &again); err != nil {
		a.t.Fatal(err)
	}
	return &again
}

// TestHonestExcerptsBreakNoRule judges each stretch of an honest log from one root
// to the next, with all that can stand in a log, over days and years.
func TestHonestExcerptsBreakNoRule(t *testing.T) {
	l := story(t, 1, 40)
	l.wait(900 * day) // so that periods leave their tree
	alice := newSimName(t, 1<<30)
	l.add(alice.next(l.key), &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 0), simHash("box", 0))})
	l.root()
	a := archived(t, l)
	from := 0
	for _, root := range a.roots {
		x := a.excerpt(from, a.raws[from:root+1])
		end, b, err := x.Judge(context.Background(), a.key)
		if err != nil || b != nil {
			t.Fatalf("entries %d to %d: %v, %v", from, root, b, err)
		}
		if end.Size != uint64(root+1) || end.Root != a.frontier(root+1).Root() {
			t.Fatalf("entries %d to %d end elsewhere", from, root)
		}
		from = root
	}
}

// TestBrokenRulesShowInAnExcerpt: for each rule that can be judged without the whole
// log, an entry that breaks it, behind others that do not.
func TestBrokenRulesShowInAnExcerpt(t *testing.T) {
	l := story(t, 2, 5)
	alice, bob, lost := newSimName(t, 1<<30), newSimName(t, 1<<30+1), newSimName(t, 1<<30+2)
	l.add(alice.next(l.key), bob.close(l.key), lost.next(l.key), alice.notice(l.key, lost))
	anchor := &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 0), simHash("box", 0))}
	l.add(anchor)
	l.root()
	a := archived(t, l)
	from := a.roots[len(a.roots)-1]
	root, size := a.raws[from], uint64(len(a.raws))
	update := func(n *simName, version uint64, key *UpdateSecret) *Entry {
		return &Entry{Update: NewUpdate(l.key, n.index, version, n.opening(version), key, n.key(version+1))}
	}
	unsigned := update(alice, 2, alice.key(2))
	unsigned.Update.Signature[0] ^= 1
	names, anchors := a.replay.Roots()
	for what, c := range map[string]struct {
		e    *Entry
		rule Rule
	}{
		"a version left out":         {update(alice, 3, alice.key(3)), RuleVersion},
		"a first version twice":      {update(alice, 1, alice.key(1)), RuleVersion},
		"a key that was not named":   {update(alice, 2, bob.key(2)), RuleKey},
		"a closed name":              {update(bob, 2, bob.key(2)), RuleClosed},
		"a broken signature":         {unsigned, RuleSignature},
		"a second origin":            {simOriginEntry(t), RuleOrigin},
		"a name taken at once":       {&Entry{Reassign: &Reassign{Index: lost.index, Notice: mustLeaf(t, a, lost).Notice.Position}}, RuleDelay},
		"an index that is taken":     {anchor, RuleIndex},
		"a root of other names":      {&Entry{Root: &Root{Size: size, Names: simHash("x", 1), Anchors: anchors, Time: l.at}}, RuleRoot},
		"a root of other anchors":    {&Entry{Root: &Root{Size: size, Names: names, Anchors: simHash("x", 1), Time: l.at}}, RuleRoot},
		"a root that covers less":    {&Entry{Root: &Root{Size: size - 1, Names: names, Anchors: anchors, Time: l.at}}, RuleRoot},
		"a root of before":           {&Entry{Root: &Root{Size: size, Names: names, Anchors: anchors, Time: l.at - 1}}, RuleTime},
		"an anchor for a closed day": {&Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, "2020-01-01", 0), simHash("box", 0))}, RulePeriod},
	} {
		for _, raws := range [][][]byte{{root, c.e.Bytes()}, {root, newSimName(t, 99).next(l.key).Bytes(), c.e.Bytes(), alice.next(l.key).Bytes()}} {
			if c.e.Root != nil && len(raws) > 2 {
				continue // its place would be wrong as well
			}
			_, b, err := a.excerpt(from, raws).Judge(context.Background(), l.key)
			if err != nil || b == nil || b.Rule != c.rule {
				t.Errorf("%s: %v, %v", what, b, err)
			}
		}
		alice.version = 1
	}
	_, b, err := a.excerpt(from, [][]byte{root, {0xa0}}).Judge(context.Background(), l.key)
	if err != nil || b == nil || b.Rule != RuleFormat {
		t.Errorf("nothing that can be read: %v, %v", b, err)
	}
	_, b, err = a.excerpt(0, [][]byte{alice.next(l.key).Bytes()}).Judge(context.Background(), l.key)
	if err != nil || b == nil || b.Rule != RuleOrigin {
		t.Errorf("a log that begins with an update: %v, %v", b, err)
	}
}

func mustLeaf(t *testing.T, a *archive, n *simName) *Leaf {
	t.Helper()
	leaf, err := a.replay.Leaf(context.Background(), n.index)
	if err != nil || leaf == nil {
		t.Fatal(err)
	}
	return leaf
}

// TestWhatAnExcerptCannotJudge: counters are not committed to, and what is newer
// than this program is not for it to judge.
func TestWhatAnExcerptCannotJudge(t *testing.T) {
	a := archived(t, story(t, 3, 5))
	from := a.roots[len(a.roots)-1]
	for _, e := range []*Entry{
		{Policy: &Policy{Number: 77, Prev: simHash("x", 0), Statement: "no"}},
		{Custodian: &Custodian{Custodian: simHash("c", 0), Number: 77}},
		{Release: &Release{Program: "solekey", Version: "9", Number: 77}},
	} {
		_, b, err := a.excerpt(from, [][]byte{a.raws[from], e.Bytes()}).Judge(context.Background(), a.key)
		if b != nil || err != nil {
			t.Errorf("%s: %v, %v", e.Kind(), b, err)
		}
	}
	newer := canonical.MustMarshal(map[uint64]any{1: 2, 2: map[uint64]any{1: 1}})
	x := &Excerpt{Frontier: a.frontier(from).Marshal(), Entries: [][]byte{a.raws[from], newer}}
	if _, b, err := x.Judge(context.Background(), a.key); b != nil || protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("a newer entry: %v, %v", b, err)
	}
}

// TestAForgedExcerptConvictsNobody takes things out of an honest excerpt and puts
// others in. It must come to no breach: with an error, or with another root of the
// log than the one that is signed.
func TestAForgedExcerptConvictsNobody(t *testing.T) {
	l := story(t, 4, 20)
	alice := newSimName(t, 1<<30)
	l.add(alice.next(l.key), &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 0), simHash("box", 0))})
	l.root()
	l.add(alice.next(l.key), &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 1), simHash("box", 0))})
	l.root()
	a := archived(t, l)
	from, to := a.roots[len(a.roots)-2], a.roots[len(a.roots)-1]
	signed := a.frontier(to + 1).Root()
	honest := func() *Excerpt { return a.excerpt(from, a.raws[from:to+1]) }
	x := honest()
	forge := map[string]func(x *Excerpt){
		"an entry dropped":      func(x *Excerpt) { x.Entries = append(x.Entries[:1:1], x.Entries[2:]...) },
		"an entry changed":      func(x *Excerpt) { x.Entries[1] = alice.next(l.key).Bytes() },
		"an older root":         func(x *Excerpt) { x.Entries[0] = a.raws[a.roots[0]] },
		"no root":               func(x *Excerpt) { x.Entries = x.Entries[1:] },
		"nothing":               func(x *Excerpt) { x.Entries = nil },
		"another frontier":      func(x *Excerpt) { x.Frontier = a.frontier(from - 1).Marshal() },
		"a frontier of nothing": func(x *Excerpt) { x.Frontier = a.frontier(0).Marshal() },
		"a broken frontier":     func(x *Excerpt) { x.Frontier = x.Frontier[:9] },
		"no periods":            func(x *Excerpt) { x.Periods = nil },
		"a period as empty": func(x *Excerpt) {
			x.Periods[0].Outer = &PathProof{}
		},
		"another period's proof": func(x *Excerpt) { x.Periods[0].Period = "2026-01-01" },
	}
	for i := range x.Tiles {
		forge["a tile missing"] = func(x *Excerpt) { x.Tiles = append(x.Tiles[:i:i], x.Tiles[i+1:]...) }
		forge["a tile changed"] = func(x *Excerpt) { x.Tiles[i].Data[len(x.Tiles[i].Data)-1] ^= 1 }
		forge["a tile renamed"] = func(x *Excerpt) { x.Tiles[i].Name[0] ^= 1 }
		for what, change := range forge {
			x := honest()
			change(x)
			end, b, err := x.Judge(context.Background(), l.key)
			if b != nil && err == nil && end.Root == signed && end.Size == uint64(to+1) {
				t.Errorf("%s convicts: %v", what, b)
			}
		}
	}
}
