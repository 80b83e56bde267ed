// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// modelRoot computes a root as the spec says it, with nothing clever: it is what
// the tree is held to.
func modelRoot(items []Item, depth int) protocol.Hash {
	switch len(items) {
	case 0:
		return protocol.Hash{}
	case 1:
		return sha256.Sum256(slices.Concat([]byte("solekey/v1/directory-leaf\x00"), items[0].Index[:], items[0].Value))
	}
	var halves [2][]Item
	for _, i := range items {
		b := i.Index[depth/8] >> (7 - depth%8) & 1
		halves[b] = append(halves[b], i)
	}
	left, right := modelRoot(halves[0], depth+1), modelRoot(halves[1], depth+1)
	return sha256.Sum256(slices.Concat([]byte("solekey/v1/directory-node\x00"), left[:], right[:]))
}

// model is a tree and what it should hold.
type model struct {
	t     testing.TB
	tree  *Tree
	store *MemoryStore
	held  map[protocol.Hash][]byte
}

func newModel(t testing.TB) *model {
	store := NewMemoryStore()
	return &model{t, NewTree(protocol.Hash{}, store), store, map[protocol.Hash][]byte{}}
}

// set puts the items in and holds everything to what it should be.
func (m *model) set(items ...Item) {
	m.t.Helper()
	root, change, err := m.tree.Set(context.Background(), items)
	if err != nil {
		m.t.Fatal(err)
	}
	before := m.store.Len()
	for _, name := range change.Gone {
		if _, err := m.store.Tile(context.Background(), name); err != nil || change.New[name] != nil {
			m.t.Fatalf("tile %s goes and was not there, or is new: %v", name, err)
		}
	}
	m.store.Apply(change)
	if m.store.Len() != before+len(change.New)-len(change.Gone) {
		m.t.Fatal("a tile that is new was there already")
	}
	m.tree = NewTree(root, m.store)
	for _, i := range items {
		if delete(m.held, i.Index); len(i.Value) > 0 {
			m.held[i.Index] = i.Value
		}
	}
	m.check()
}

func (m *model) items() []Item {
	var list []Item
	for index, value := range m.held {
		list = append(list, Item{index, value})
	}
	return list
}

func (m *model) check() {
	m.t.Helper()
	if want := modelRoot(m.items(), 0); m.tree.Root() != want {
		m.t.Fatalf("%d items: the root is %s, want %s", len(m.held), m.tree.Root(), want)
	}
	if tiles := m.reach(m.tree.Root(), 0, protocol.Hash{}); tiles != m.store.Len() {
		m.t.Fatalf("%d tiles are stored, %d are reached", m.store.Len(), tiles)
	}
}

// reach counts the tiles below a name and holds each to its one form.
func (m *model) reach(name protocol.Hash, depth int, path protocol.Hash) int {
	if name.IsZero() {
		return 0
	}
	data, err := m.store.Tile(context.Background(), name)
	if err != nil {
		m.t.Fatal(err)
	}
	top, err := parseTile(data, name, depth, path)
	if err != nil || !bytes.Equal(tileOf(top), data) {
		m.t.Fatalf("tile %s is not in its one form: %v", name, err)
	}
	count := 1
	var visit func(n *node, depth int, path protocol.Hash)
	visit = func(n *node, depth int, path protocol.Hash) {
		switch {
		case n == nil || n.kind == nodeLeaf:
		case n.kind == nodeLink:
			count += m.reach(n.hash, depth, path)
		default:
			visit(n.left, depth+1, withBit(path, depth, 0))
			visit(n.right, depth+1, withBit(path, depth, 1))
		}
	}
	visit(top, depth, path)
	return count
}

// look holds a look-up and its proof to what should be there.
func (m *model) look(index protocol.Hash) *PathProof {
	m.t.Helper()
	value, ok, err := m.tree.Look(context.Background(), index)
	want, held := m.held[index]
	if err != nil || ok != held || !bytes.Equal(value, want) {
		m.t.Fatalf("look-up gives %x, %v, want %x (%v)", value, ok, want, err)
	}
	p, err := m.tree.Prove(context.Background(), index)
	if err != nil {
		m.t.Fatal(err)
	}
	again, err := ParsePathProof(p.Bytes())
	if err != nil {
		m.t.Fatal(err)
	}
	value, ok, err = again.Verify(m.tree.Root(), index)
	if err != nil || ok != held || !bytes.Equal(value, want) {
		m.t.Fatalf("proof gives %x, %v, want %x (%v)", value, ok, want, err)
	}
	return p
}

// near returns an index that shares so many leading bits with another.
func near(r *rand.Rand, index protocol.Hash, bits int) protocol.Hash {
	for i := bits; i < 256; i++ {
		index = withBit(index, i, byte(r.Uint32()&1))
	}
	return index
}

func draw(r *rand.Rand) (index protocol.Hash) {
	for i := range 4 {
		binary.BigEndian.PutUint64(index[8*i:], r.Uint64())
	}
	return index
}

// TestTreeAgainstModel sets, changes and takes out at random, with indexes that
// share long prefixes, and holds root, tiles and proofs to the naive tree.
func TestTreeAgainstModel(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t)
		known := []protocol.Hash{draw(r)}
		for range 25 {
			batch := map[protocol.Hash]Item{}
			for range 1 + r.IntN(12) {
				index := known[r.IntN(len(known))]
				switch r.IntN(4) {
				case 0:
					index = draw(r)
				case 1:
					index = near(r, index, r.IntN(257))
				}
				known = append(known, index)
				item := Item{Index: index, Value: []byte{1, byte(r.Uint32())}}
				if r.IntN(3) == 0 {
					item.Value = nil
				}
				batch[index] = item
			}
			var items []Item
			for _, i := range batch {
				items = append(items, i)
			}
			m.set(items...)
			for range 4 {
				m.look(known[r.IntN(len(known))])
				m.look(near(r, known[r.IntN(len(known))], r.IntN(257)))
			}
		}
		// And all of them out again.
		var items []Item
		for index := range m.held {
			items = append(items, Item{Index: index})
		}
		m.set(items...)
		if !m.tree.Root().IsZero() || m.store.Len() != 0 {
			t.Fatalf("seed %d: an empty tree has root %s and %d tiles", seed, m.tree.Root(), m.store.Len())
		}
	}
}
