// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestReadersTogether: trees over one small cache are asked from many sides while
// the store moves on, and each gets its own truth.
func TestReadersTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	m := newModel(t)
	cache := NewCache(keepAll{m.store, NewMemoryStore()}, 8<<10)
	all := cache.store.(keepAll)
	type version struct {
		tree *Tree
		held map[protocol.Hash][]byte
	}
	var versions []version
	var indexes []protocol.Hash
	for round := range 6 {
		var items []Item
		for range 60 {
			indexes = append(indexes, draw(r))
			items = append(items, Item{indexes[len(indexes)-1], []byte{1, byte(round)}})
		}
		items = append(items, Item{indexes[round], []byte{2, byte(round)}}, Item{Index: indexes[round+30]})
		m.set(dedupe(items)...)
		all.keep(m.store)
		held := map[protocol.Hash][]byte{}
		for index, value := range m.held {
			held[index] = value
		}
		versions = append(versions, version{NewTree(m.tree.Root(), cache), held})
	}
	var wg sync.WaitGroup
	for _, v := range versions {
		wg.Go(func() {
			for _, index := range indexes {
				p, err := v.tree.Prove(context.Background(), index)
				if err != nil {
					t.Error(err)
					return
				}
				value, ok, err := p.Verify(v.tree.Root(), index)
				if want, held := v.held[index]; err != nil || ok != held || !bytes.Equal(value, want) {
					t.Errorf("a reader gets %x, %v, want %x (%v)", value, ok, want, err)
				}
			}
		})
	}
	wg.Wait()
}

// keepAll is a store that also has what was deleted, as a provider's is for a while.
type keepAll struct{ now, ever *MemoryStore }

func (k keepAll) keep(from *MemoryStore) {
	k.ever.Apply(Change{New: from.Clone().tiles})
}

func (k keepAll) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	return k.ever.Tile(ctx, name)
}

// TestStartAhead: batches that are started while others are not finished give what
// Entries gives, and one that is dropped leaves nothing behind.
func TestStartAhead(t *testing.T) {
	ctx := context.Background()
	l := story(t, 4, 12)
	r := NewReplay(l.key, NewMemoryStore())
	var batches []*Batch
	for from := 0; from < len(l.raws); from += 17 {
		batches = append(batches, r.Start(l.raws[from:min(from+17, len(l.raws))]))
	}
	for _, b := range batches {
		if err := r.Finish(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(r.State(), l.replay.State()) {
		t.Error("batches that were started ahead give another state")
	}
	_ = r.Start([][]byte{l.raws[1]})
	if err := r.Finish(ctx, r.Start(nil)); err != nil || r.Size() != uint64(len(l.raws)) {
		t.Errorf("a batch of nothing: %v", err)
	}
}

// TestLeaveOutWhatIsClosed: a replay never asks for a tile of a closed period, and a
// tree never leads to one of a period that left.
func TestLeaveOutWhatIsClosed(t *testing.T) {
	ctx := context.Background()
	l := story(t, 5, 10)
	store := NewMemoryStore()
	r := NewReplay(l.key, store)
	of := map[Period][]protocol.Hash{}
	closed := 0
	for _, raw := range l.raws {
		if err := r.Entry(ctx, raw); err != nil {
			t.Fatal(err)
		}
		c := r.TakeChange()
		store.Apply(c)
		for name, p := range c.Periods {
			of[p] = append(of[p], name)
		}
		for _, p := range c.Closed {
			closed++
			store.Apply(Change{Gone: of[p]})
		}
		if r.Rooted() {
			// A new one, so that nothing is left in memory.
			again, err := ResumeReplay(l.key, store, r.State())
			if err != nil {
				t.Fatal(err)
			}
			r = again
		}
	}
	if closed < 3 || !bytes.Equal(r.State(), l.replay.State()) {
		t.Errorf("%d periods closed, or the state is another", closed)
	}
	if root, err := r.NextRoot(ctx, l.at+PeriodKept+40*day); err != nil || !root.Root.Anchors.IsZero() {
		t.Errorf("after %s the tree over periods is %s (%v)", PeriodKept.Std(), root.Root.Anchors, err)
	}
}

// TestTilesOfAReplay: what a replay shows of its trees is what it states, taken by
// the caller or not.
func TestTilesOfAReplay(t *testing.T) {
	ctx := context.Background()
	l := newSimLog(t)
	for i := range uint64(30) {
		l.add(newSimName(t, i).next(l.key))
	}
	e, err := l.replay.NextRoot(ctx, l.at)
	if err != nil {
		t.Fatal(err)
	}
	l.add(e)
	for _, taken := range []bool{false, true} {
		if taken {
			l.store.Apply(l.replay.TakeChange())
		}
		root, _ := l.replay.Roots()
		for i := range uint64(30) {
			name := newSimName(t, i)
			p, err := NewTree(root, l.replay.Tiles()).Prove(ctx, name.index)
			if err != nil {
				t.Fatal(err)
			}
			if value, ok, err := p.Verify(root, name.index); err != nil || !ok || !bytes.Equal(value, l.leaf(name).Bytes()) {
				t.Fatalf("taken %v: name %d is %x (%v)", taken, i, value, err)
			}
		}
		data, err := l.replay.Tiles().Tile(ctx, root)
		if err != nil || len(data) == 0 {
			t.Fatal(err)
		}
		if _, err := parseTile(data, root, 0, protocol.Hash{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.replay.Tiles().Tile(ctx, simHash("no tile", 0)); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("a tile that there is not: %v", err)
	}
}
