// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// bitIndex is an index whose leading bits are the text's, the rest zero.
func bitIndex(bits string) (index protocol.Hash) {
	for i, c := range bits {
		index = withBit(index, i, byte(c-'0'))
	}
	return index
}

func TestPathProofOfSmallTrees(t *testing.T) {
	m := newModel(t)
	if p := m.look(bitIndex("0")); len(p.Siblings) != 0 || p.Leaf != nil {
		t.Errorf("in an empty tree: %+v", p)
	}
	m.set(Item{bitIndex("0101"), []byte{1}})
	if p := m.look(bitIndex("1")); len(p.Siblings) != 0 || p.Leaf == nil || p.Leaf.Index != bitIndex("0101") {
		t.Errorf("beside one leaf: %+v", p)
	}
	m.set(Item{bitIndex("0100"), []byte{2}})
	for _, c := range []struct {
		index string
		depth int
		leaf  bool
	}{{"0101", 4, true}, {"0100", 4, true}, {"1", 1, false}, {"00", 2, false}, {"011", 3, false}, {"01001", 4, true}} {
		if p := m.look(bitIndex(c.index)); len(p.Siblings) != c.depth || (p.Leaf != nil) != c.leaf {
			t.Errorf("at %s: %+v", c.index, p)
		}
	}
	// Two indexes that differ in the last bit alone.
	deep := bitIndex("0101")
	deep[31] = 1
	m.set(Item{deep, []byte{3}})
	if p := m.look(deep); len(p.Siblings) != MaxDepth || len(p.Bytes()) > MaxPathSize {
		t.Errorf("depth %d, %d bytes", len(p.Siblings), len(p.Bytes()))
	}
	m.set(Item{Index: deep}, Item{Index: bitIndex("0101")})
	if p := m.look(deep); len(p.Siblings) != 0 {
		t.Errorf("after taking them out: %+v", p)
	}
}

// TestPathProofSaysNothingElse turns proofs into what they are not: each must be
// refused, or say the truth.
func TestPathProofSaysNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	m := newModel(t)
	var items []Item
	for range 60 {
		items = append(items, Item{draw(r), []byte{byte(r.Uint32()), 7}})
	}
	m.set(items...)
	lie := func(what string, p *PathProof, index protocol.Hash) {
		t.Helper()
		value, ok, err := p.Verify(m.tree.Root(), index)
		if err != nil {
			if protocol.KindOf(err) != protocol.KindUntrusted || ok || value != nil {
				t.Fatalf("%s: %v", what, err)
			}
			return
		}
		if want, held := m.held[index]; ok != held || !bytes.Equal(value, want) {
			t.Fatalf("%s: it says %x, %v", what, value, ok)
		}
	}
	for _, i := range items {
		p := m.look(i.Index)
		last := p.Siblings[len(p.Siblings)-1]
		lie("the leaf left out", &PathProof{Siblings: p.Siblings}, i.Index)
		lie("another value", &PathProof{p.Siblings, &Item{i.Index, []byte{9}}}, i.Index)
		lie("no value", &PathProof{p.Siblings, &Item{i.Index, nil}}, i.Index)
		lie("a huge value", &PathProof{p.Siblings, &Item{i.Index, make([]byte, MaxValueSize+1)}}, i.Index)
		lie("another leaf's index", &PathProof{p.Siblings, &Item{near(r, i.Index, len(p.Siblings)), i.Value}}, i.Index)
		lie("one sibling less", &PathProof{p.Siblings[:len(p.Siblings)-1], p.Leaf}, i.Index)
		lie("one sibling more", &PathProof{append(bytes2(p.Siblings), protocol.Hash{}), p.Leaf}, i.Index)
		lie("one sibling twice", &PathProof{append(bytes2(p.Siblings), last), p.Leaf}, i.Index)
		lie("a proof from far away", p, draw(r))
		lie("a proof from beside", p, near(r, i.Index, len(p.Siblings)-1))
		lie("too deep", &PathProof{make([]protocol.Hash, MaxDepth+1), p.Leaf}, i.Index)
		lie("none", nil, i.Index)
		for j := range p.Siblings {
			other := bytes2(p.Siblings)
			other[j][3] ^= 1
			lie("another sibling", &PathProof{other, p.Leaf}, i.Index)
		}
		if _, _, err := p.Verify(protocol.Hash{}, i.Index); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("under the empty root: %v", err)
		}
	}
}

// bytes2 copies hashes.
func bytes2(list []protocol.Hash) []protocol.Hash { return append([]protocol.Hash(nil), list...) }

// TestOneProofOneForm: an empty place beside an empty place, or a leaf that could
// stand higher, is no proof, even where the hashes would come out right.
func TestOneProofOneForm(t *testing.T) {
	index, value := bitIndex("01"), []byte{1}
	// A root that no tree has: the leaf pushed one level down.
	pushed := nodeHash(leafHash(index, value), protocol.Hash{})
	p := &PathProof{[]protocol.Hash{{}}, &Item{index, value}}
	if _, _, err := p.Verify(pushed, index); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a leaf pushed down: %v", err)
	}
	empty := nodeHash(protocol.Hash{}, protocol.Hash{})
	if _, _, err := (&PathProof{Siblings: []protocol.Hash{{}}}).Verify(empty, index); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("an empty node: %v", err)
	}
	for what, raw := range map[string][]byte{
		"a field more":     {0xa2, 1, 0x80, 3, 1},
		"no siblings":      {0xa0},
		"a short sibling":  {0xa1, 1, 0x81, 0x41, 0},
		"an empty leaf":    append([]byte{0xa2, 1, 0x80, 2, 0xa2, 1, 0x58, 0x20}, append(make([]byte, 32), 2, 0x40)...),
		"siblings in text": {0xa1, 1, 0x60},
		"a byte behind":    {0xa1, 1, 0x80, 0},
	} {
		if _, err := ParsePathProof(raw); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	tree := NewTree(protocol.Hash{}, NewMemoryStore())
	for what, items := range map[string][]Item{
		"an index twice": {{bitIndex("1"), []byte{1}}, {bitIndex("0"), []byte{1}}, {bitIndex("1"), []byte{2}}},
		"a huge value":   {{bitIndex("1"), make([]byte, MaxValueSize+1)}},
	} {
		if _, _, err := tree.Set(context.Background(), items); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v", what, err)
		}
	}
	root, change, err := tree.Set(context.Background(), []Item{{Index: bitIndex("1")}})
	if err != nil || !root.IsZero() || len(change.New)+len(change.Gone) != 0 {
		t.Errorf("taking out what is not there: %s, %+v (%v)", root, change, err)
	}
}

// TestSettingTheSameChangesNothing: no tile is new where no value is.
func TestSettingTheSameChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	m := newModel(t)
	for range 50 {
		m.set(Item{near(r, bitIndex("0"), r.IntN(30)), []byte{1}})
	}
	root, change, err := m.tree.Set(context.Background(), append(m.items(), Item{Index: bitIndex("1111")}))
	if err != nil || root != m.tree.Root() || len(change.New)+len(change.Gone) != 0 {
		t.Errorf("%d new tiles, %d gone (%v)", len(change.New), len(change.Gone), err)
	}
}

// TestTilesAreNotBelieved changes tiles in the store in every byte: nothing comes
// back but an error.
func TestTilesAreNotBelieved(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(6, 6))
	m := newModel(t)
	var items []Item
	for range 18 {
		items = append(items, Item{near(r, bitIndex("1011"), r.IntN(9)), []byte{byte(r.Uint32())}})
	}
	m.set(dedupe(items)...)
	for name, data := range m.store.tiles {
		for at := range data {
			bad := bytes.Clone(data)
			bad[at] ^= byte(1 + r.IntN(255))
			m.store.tiles[name] = bad
			for index := range m.held {
				value, ok, err := m.tree.Look(ctx, index)
				if err == nil && (!ok || !bytes.Equal(value, m.held[index])) {
					t.Fatalf("byte %d of tile %s changes a value", at, name)
				}
				if err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
					t.Fatalf("byte %d of tile %s: %v", at, name, err)
				}
			}
		}
		m.store.tiles[name] = data
	}
	for name, data := range m.store.tiles {
		for other, wrong := range m.store.tiles {
			if name != other {
				m.store.tiles[name] = wrong
				if err := m.lookAll(ctx); protocol.KindOf(err) != protocol.KindUntrusted {
					t.Fatalf("tile %s in the place of %s: %v", other, name, err)
				}
			}
		}
		m.store.tiles[name] = data
	}
	delete(m.store.tiles, m.tree.Root())
	if err := m.lookAll(ctx); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("a tile that is missing: %v", err)
	}
}

// lookAll returns the first error of looking everything up.
func (m *model) lookAll(ctx context.Context) error {
	for index := range m.held {
		if _, _, err := m.tree.Look(ctx, index); err != nil {
			return err
		}
	}
	return nil
}

func dedupe(items []Item) []Item {
	seen := map[protocol.Hash]bool{}
	var list []Item
	for _, i := range items {
		if !seen[i.Index] {
			list = append(list, i)
		}
		seen[i.Index] = true
	}
	return list
}

// TestCacheIsBounded: it answers what the store does, and forgets.
func TestCacheIsBounded(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(7, 7))
	m := newModel(t)
	var items []Item
	for range 1200 {
		items = append(items, Item{draw(r), bytes.Repeat([]byte{1}, 80)})
	}
	m.set(items...)
	const limit = 32 << 10
	cache := NewCache(m.store, limit)
	tree := NewTree(m.tree.Root(), cache)
	for range 3 {
		for _, i := range items {
			if value, ok, err := tree.Look(ctx, i.Index); err != nil || !ok || !bytes.Equal(value, i.Value) {
				t.Fatalf("%x, %v (%v)", value, ok, err)
			}
		}
	}
	use := 0
	for _, half := range []map[protocol.Hash]cached{cache.young, cache.old} {
		for _, t := range half {
			use += t.use
		}
	}
	if use == 0 || use > limit+16<<10 {
		t.Errorf("the cache holds %d bytes, want about %d", use, limit)
	}
	if data, err := cache.Tile(ctx, m.tree.Root()); err != nil || !bytes.Equal(data, m.store.tiles[m.tree.Root()]) {
		t.Errorf("a tile through the cache: %v", err)
	}
}
