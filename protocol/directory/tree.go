// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"slices"

	"github.com/solekey/solekey/protocol"
)

// NodeStore keeps tiles by their names. Tile returns protocol.KindNotFound for
// one that it does not have; what it returns is not believed but checked against
// the name. It is safe for concurrent use.
type NodeStore interface {
	Tile(ctx context.Context, name protocol.Hash) ([]byte, error)
}

// Tree is a binary prefix tree over indexes, as it is under one root. A subtree
// with one leaf is that leaf; an empty tree has the root zero. It is immutable,
// and safe for concurrent use.
type Tree struct {
	root  protocol.Hash
	store NodeStore
}

// NewTree returns the tree under the root. Nothing is read until it is asked.
func NewTree(root protocol.Hash, store NodeStore) *Tree { return &Tree{root, store} }

// Root returns the root.
func (t *Tree) Root() protocol.Hash { return t.root }

// load returns the top of the tile of this name.
func (t *Tree) load(ctx context.Context, name protocol.Hash, depth int, path protocol.Hash) (*node, error) {
	if l, ok := t.store.(loader); ok {
		return l.load(ctx, name, depth, path)
	}
	return read(ctx, t.store, name, depth, path)
}

// loader is a store that has tiles checked and parsed.
type loader interface {
	load(ctx context.Context, name protocol.Hash, depth int, path protocol.Hash) (*node, error)
}

// read reads and checks a tile.
func read(ctx context.Context, store NodeStore, name protocol.Hash, depth int, path protocol.Hash) (*node, error) {
	data, err := store.Tile(ctx, name)
	if err != nil {
		return nil, err
	}
	return parseTile(data, name, depth, path)
}

// top returns the node at the root, nil for an empty tree.
func (t *Tree) top(ctx context.Context) (*node, error) {
	if t.root.IsZero() {
		return nil, nil
	}
	return t.load(ctx, t.root, 0, protocol.Hash{})
}

// Look returns the value at the index, which must not be changed, and whether
// there is one.
func (t *Tree) Look(ctx context.Context, index protocol.Hash) ([]byte, bool, error) {
	end, err := t.walk(ctx, index, nil)
	if err != nil || end == nil || end.leaf.Index != index {
		return nil, false, err
	}
	return end.leaf.Value, true, nil
}

// Prove returns the proof of what stands at the index, or that nothing does.
func (t *Tree) Prove(ctx context.Context, index protocol.Hash) (*PathProof, error) {
	p := &PathProof{Siblings: []protocol.Hash{}}
	end, err := t.walk(ctx, index, &p.Siblings)
	if err != nil {
		return nil, err
	}
	if end != nil {
		p.Leaf = &Item{Index: end.leaf.Index, Value: bytes.Clone(end.leaf.Value)}
	}
	return p, nil
}

// walk follows the index down to the leaf or the empty place where it ends, and
// collects the hashes beside the way.
func (t *Tree) walk(ctx context.Context, index protocol.Hash, siblings *[]protocol.Hash) (*node, error) {
	n, err := t.top(ctx)
	for depth := 0; err == nil && n != nil && n.kind != nodeLeaf; {
		if n.kind == nodeLink {
			n, err = t.load(ctx, n.hash, depth, index)
			continue
		}
		next, beside := n.left, n.right
		if bit(index, depth) == 1 {
			next, beside = beside, next
		}
		if siblings != nil {
			*siblings = append(*siblings, beside.name())
		}
		n, depth = next, depth+1
	}
	return n, err
}

// Change is what a step of a tree does to the store: tiles that are new, and
// tiles of the tree before that the tree after has no more. Tiles are never
// changed. One that was gone can come back; it is among the new ones then, and
// whoever deletes later must not delete that.
type Change struct {
	New  map[protocol.Hash][]byte
	Gone []protocol.Hash
	// Periods tells of a new tile which period's tree it belongs to; the others
	// belong to the tree over names or the one over periods. Of a Replay only.
	Periods map[protocol.Hash]Period
	// Closed are the periods that take no anchors any more: the rules never again
	// ask for a tile that belongs to one. Of a Replay only.
	Closed []Period
	// Left are the periods that left the tree over periods: nothing leads to a tile
	// that belongs to one any more. Of a Replay only.
	Left []Period
}

// made is a tile that is new: its top, and how deep that stands.
type made struct {
	top   *node
	depth int
}

// setter is one Set.
type setter struct {
	tree *Tree
	made map[protocol.Hash]made
	gone map[protocol.Hash]bool
}

// Set returns the root of the tree with the items put in, in any order; an item
// without a value takes its index out. It writes nothing: whoever wants the new
// tree stores what is new. The values are kept and must not be changed.
func (t *Tree) Set(ctx context.Context, items []Item) (protocol.Hash, Change, error) {
	root, s, err := t.set(ctx, items)
	if err != nil {
		return protocol.Hash{}, Change{}, err
	}
	change := Change{New: make(map[protocol.Hash][]byte, len(s.made))}
	for name, m := range s.made {
		change.New[name] = tileOf(m.top)
	}
	for name := range s.gone {
		change.Gone = append(change.Gone, name)
	}
	slices.SortFunc(change.Gone, func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
	return root, change, nil
}

func (t *Tree) set(ctx context.Context, items []Item) (protocol.Hash, *setter, error) {
	items, err := sorted(items)
	if err != nil {
		return protocol.Hash{}, nil, err
	}
	s := &setter{tree: t, made: map[protocol.Hash]made{}, gone: map[protocol.Hash]bool{}}
	top, err := t.top(ctx)
	if err != nil {
		return protocol.Hash{}, nil, err
	}
	after, err := s.put(ctx, top, 0, protocol.Hash{}, items)
	if err != nil {
		return protocol.Hash{}, nil, err
	}
	root := after.name()
	if root != t.root {
		if after != nil && after.kind == nodeLeaf {
			s.made[root] = made{after, 0} // the one tile whose top may be a leaf
		}
		if top != nil {
			s.gone[t.root] = true
		}
	}
	for name := range s.made {
		delete(s.gone, name)
	}
	return root, s, nil
}

// sorted returns the items in the order of their indexes, each once.
func sorted(items []Item) ([]Item, error) {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b Item) int { return bytes.Compare(a.Index[:], b.Index[:]) })
	for i, item := range items {
		if i > 0 && items[i-1].Index == item.Index {
			return nil, protocol.Errorf(protocol.KindUsage, "set in tree: index %s stands there twice", item.Index)
		}
		if len(item.Value) > MaxValueSize {
			return nil, protocol.Errorf(protocol.KindUsage, "set in tree: value of %d bytes, at most %d allowed", len(item.Value), MaxValueSize)
		}
	}
	return items, nil
}

// put returns the node at the depth with the items, all of which belong below
// it, put in. Where a tile begins, the node that names it comes back as a link.
func (s *setter) put(ctx context.Context, n *node, depth int, path protocol.Hash, items []Item) (*node, error) {
	if len(items) == 0 {
		return n, nil
	}
	if n == nil || n.kind == nodeLeaf {
		if items = merged(n, items); len(items) < 2 {
			return alone(n, items), nil
		}
		n = nil
	}
	link := n != nil && n.kind == nodeLink
	before := n.name()
	if link {
		loaded, err := s.tree.load(ctx, n.hash, depth, path)
		if err != nil {
			return nil, err
		}
		n = loaded
	}
	after, err := s.branch(ctx, n, depth, path, items)
	if err != nil {
		return nil, err
	}
	if link && after.name() != before {
		s.gone[before] = true
	}
	if depth%tileLevels != 0 || after == nil || after.kind != nodeInner {
		return after, nil
	}
	if after.name() != before {
		s.made[after.hash] = made{after, depth}
	}
	return newLink(after.hash), nil
}

// branch puts the items in below an inner node, or below none.
func (s *setter) branch(ctx context.Context, n *node, depth int, path protocol.Hash, items []Item) (*node, error) {
	var left, right *node
	if n != nil {
		left, right = n.left, n.right
	}
	cut, _ := slices.BinarySearchFunc(items, 1, func(i Item, v int) int { return bit(i.Index, depth) - v })
	newLeft, err := s.put(ctx, left, depth+1, withBit(path, depth, 0), items[:cut])
	if err != nil {
		return nil, err
	}
	newRight, err := s.put(ctx, right, depth+1, withBit(path, depth, 1), items[cut:])
	if err != nil {
		return nil, err
	}
	return join(newLeft, newRight), nil
}

// merged returns what stands below a leaf or an empty place after the items: the
// leaf's own among them, and none that is taken out.
func merged(n *node, items []Item) []Item {
	var list []Item
	for _, i := range items {
		if n != nil && bytes.Compare(n.leaf.Index[:], i.Index[:]) <= 0 {
			if n.leaf.Index != i.Index {
				list = append(list, n.leaf)
			}
			n = nil
		}
		if len(i.Value) > 0 {
			list = append(list, i)
		}
	}
	if n != nil {
		list = append(list, n.leaf)
	}
	return list
}

// alone returns the leaf for at most one item, the old one where it is the same.
func alone(n *node, items []Item) *node {
	switch {
	case len(items) == 0:
		return nil
	case n != nil && n.leaf.Index == items[0].Index && bytes.Equal(n.leaf.Value, items[0].Value):
		return n
	}
	return newLeaf(items[0])
}
