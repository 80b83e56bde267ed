// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directorytest

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// tiles keeps every tile there ever was, so that old roots can be answered from.
type tiles map[protocol.Hash][]byte

// Tile returns a tile.
func (s tiles) Tile(_ context.Context, name protocol.Hash) ([]byte, error) {
	if data, ok := s[name]; ok {
		return data, nil
	}
	return nil, protocol.Errorf(protocol.KindNotFound, "no tile %s", name)
}

// set returns the root of a tree with the items put in.
func (p *Provider) set(root protocol.Hash, items ...directory.Item) protocol.Hash {
	p.t.Helper()
	root, change, err := directory.NewTree(root, p.tiles).Set(context.Background(), items)
	check(p.t, err)
	for name, tile := range change.New {
		p.tiles[name] = tile
	}
	return root
}

// prove returns the proof for an index under a root.
func (p *Provider) prove(root, index protocol.Hash) *directory.PathProof {
	p.t.Helper()
	proof, err := directory.NewTree(root, p.tiles).Prove(context.Background(), index)
	check(p.t, err)
	return proof
}

// look returns the value at an index under a root, nil for none.
func (p *Provider) look(root, index protocol.Hash) []byte {
	p.t.Helper()
	value, _, err := directory.NewTree(root, p.tiles).Look(context.Background(), index)
	check(p.t, err)
	return value
}

// namesRoot returns the root over the newest leaves.
func (p *Provider) namesRoot() protocol.Hash {
	var items []directory.Item
	for index, leaf := range p.leaves {
		items = append(items, directory.Item{Index: index, Value: leaf.Bytes()})
	}
	return p.set(protocol.Hash{}, items...)
}

// anchorsRoot returns the root over periods after the anchors.
func (p *Provider) anchorsRoot(root protocol.Hash, found []*directory.Anchor) protocol.Hash {
	for _, a := range found {
		var inner protocol.Hash
		copy(inner[:], p.look(root, a.Period.Index()))
		inner = p.set(inner, directory.Item{Index: a.Index, Value: a.Commitment[:]})
		root = p.set(root, directory.Item{Index: a.Period.Index(), Value: inner[:]})
	}
	return root
}

// apply does to the leaves what an entry says, whether it may or not.
func (p *Provider) apply(e *directory.Entry, at uint64) {
	switch {
	case e.Update != nil:
		u := e.Update
		old := p.leaves[u.Index]
		p.leaves[u.Index] = directory.Leaf{
			Version: u.Version, Chain: directory.Chain(old.Chain, u.Commitment), Next: u.Next, Position: at, Identity: old.Identity,
		}
	case e.Notice != nil:
		n := e.Notice
		leaf := p.leaves[n.Index]
		leaf.Notice = &directory.PendingNotice{Position: at, Time: p.now, Commitment: n.Commitment, Next: n.Next}
		p.leaves[n.Index] = leaf
	case e.Reassign != nil:
		old := p.leaves[e.Reassign.Index]
		p.leaves[e.Reassign.Index] = directory.Leaf{
			Version: old.Version + 1, Chain: directory.Chain(protocol.Hash{}, old.Notice.Commitment), Next: old.Notice.Next,
			Position: at, Identity: old.Identity + 1,
		}
	}
}
