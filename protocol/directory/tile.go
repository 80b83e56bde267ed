// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
)

// A tile holds four levels of the tree: the node that names it and what is below
// it, down to the nodes that name tiles themselves. Its form is a byte for the
// version, then the nodes, each before what is below it.
const (
	tileLevels  = 4
	tileVersion = 1

	// MaxTileSize bounds the bytes of a tile: its leaves are at most as many as
	// the nodes of its lowest level.
	MaxTileSize = 1 + 2<<tileLevels + (1<<tileLevels)*(len(protocol.Hash{})+2+MaxValueSize)
)

// The nodes of a tile.
const (
	nodeEmpty = 0 // nothing
	nodeLeaf  = 1 // index, two bytes of length, value
	nodeInner = 2 // then the two below it
	nodeLink  = 3 // the name of the tile that goes on, at the lowest level only
)

// node is a node of the tree. It is immutable once it is made, so that trees
// share what they have in common. A nil node is an empty place.
type node struct {
	kind        byte
	hash        protocol.Hash
	leaf        Item  // of a leaf
	left, right *node // of an inner node
}

func newLeaf(i Item) *node {
	return &node{kind: nodeLeaf, hash: leafHash(i.Index, i.Value), leaf: i}
}

func newLink(name protocol.Hash) *node { return &node{kind: nodeLink, hash: name} }

// join returns the node over two: none where both are empty, and a leaf that is
// alone takes the place itself.
func join(left, right *node) *node {
	switch {
	case left == nil && right == nil:
		return nil
	case left == nil && right.kind == nodeLeaf:
		return right
	case right == nil && left.kind == nodeLeaf:
		return left
	}
	return &node{kind: nodeInner, hash: nodeHash(left.name(), right.name()), left: left, right: right}
}

// name returns the node's hash, zero for an empty place.
func (n *node) name() protocol.Hash {
	if n == nil {
		return protocol.Hash{}
	}
	return n.hash
}

// appendTile appends the form of a node that stands at the level of a tile.
func appendTile(b []byte, n *node, level int) []byte {
	switch {
	case n == nil:
		return append(b, nodeEmpty)
	case n.kind == nodeLeaf:
		b = append(append(b, nodeLeaf), n.leaf.Index[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(n.leaf.Value)))
		return append(b, n.leaf.Value...)
	case level == tileLevels:
		return append(append(b, nodeLink), n.hash[:]...)
	}
	b = append(b, nodeInner)
	return appendTile(appendTile(b, n.left, level+1), n.right, level+1)
}

// tileOf returns the tile that the node names.
func tileOf(n *node) []byte { return appendTile([]byte{tileVersion}, n, 0) }

// tileReader reads a tile.
type tileReader struct {
	data []byte
	path protocol.Hash // the bits above the node being read
}

// parseTile reads the tile of this name, whose top stands at the depth and below
// the leading bits of an index. It refuses whatever tileOf would not have
// written, so that nothing a store returns is believed.
func parseTile(data []byte, name protocol.Hash, depth int, path protocol.Hash) (*node, error) {
	r := &tileReader{data: data, path: path}
	if version, ok := r.byte(); !ok || version != tileVersion || len(data) > MaxTileSize {
		return nil, badTile(name, "its version is not known here, or it is too large")
	}
	n, ok := r.node(depth, 0)
	if !ok || len(r.data) > 0 {
		return nil, badTile(name, "it is not written in the one way")
	}
	if n == nil || n.hash != name || n.kind == nodeLink || n.kind == nodeLeaf && depth > 0 {
		return nil, badTile(name, "it holds something else")
	}
	return n, nil
}

func badTile(name protocol.Hash, why string) error {
	return protocol.Errorf(protocol.KindUntrusted, "read tile %s: %s", name, why)
}

func (r *tileReader) byte() (byte, bool) {
	b, ok := r.bytes(1)
	if !ok {
		return 0, false
	}
	return b[0], true
}

func (r *tileReader) bytes(n int) ([]byte, bool) {
	if len(r.data) < n {
		return nil, false
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b, true
}

// node reads the node at the depth of the tree and the level of the tile.
func (r *tileReader) node(depth, level int) (*node, bool) {
	kind, ok := r.byte()
	switch {
	case !ok:
		return nil, false
	case kind == nodeEmpty:
		return nil, true
	case kind == nodeLeaf:
		return r.leaf(depth)
	case kind == nodeInner && level < tileLevels && depth < MaxDepth:
		return r.inner(depth, level)
	case kind == nodeLink && level == tileLevels && depth < MaxDepth:
		name, ok := r.bytes(len(protocol.Hash{}))
		if !ok || protocol.Hash(name).IsZero() {
			return nil, false
		}
		return newLink(protocol.Hash(name)), true
	}
	return nil, false
}

func (r *tileReader) leaf(depth int) (*node, bool) {
	head, ok := r.bytes(len(protocol.Hash{}) + 2)
	if !ok {
		return nil, false
	}
	index, size := protocol.Hash(head[:32]), int(binary.BigEndian.Uint16(head[32:]))
	value, ok := r.bytes(size)
	if !ok || size == 0 || size > MaxValueSize || shared(index, r.path) < depth {
		return nil, false
	}
	return newLeaf(Item{Index: index, Value: value}), true
}

func (r *tileReader) inner(depth, level int) (*node, bool) {
	above := r.path
	r.path = withBit(above, depth, 0)
	left, ok := r.node(depth+1, level+1)
	if !ok {
		return nil, false
	}
	r.path = withBit(above, depth, 1)
	right, ok := r.node(depth+1, level+1)
	r.path = above
	n := join(left, right)
	// A leaf alone, or nothing, would not have made an inner node.
	return n, ok && n != nil && n.kind == nodeInner
}

// withBit returns the index with bit i set to v.
func withBit(index protocol.Hash, i int, v byte) protocol.Hash {
	mask := byte(1) << (7 - i%8)
	index[i/8] &^= mask
	if v == 1 {
		index[i/8] |= mask
	}
	return index
}
