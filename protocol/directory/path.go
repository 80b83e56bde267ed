// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"crypto/sha256"
	"math/bits"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Limits of the tree and of what shows something of it.
const (
	MaxDepth     = 256
	MaxValueSize = 1 << 10  // bytes of a value
	MaxPathSize  = 10 << 10 // bytes of an encoded path proof
)

// Item is an index and what stands there.
type Item struct {
	Index protocol.Hash `cbor:"1,keyasint"`
	Value []byte        `cbor:"2,keyasint"`
}

// PathProof shows what stands at an index under a root, or that nothing does:
// the hashes beside the path from the root down, and the leaf where the path
// ends. No leaf: the place is empty. Another index' leaf: it has the place to
// itself, so the index asked for is not there. There is one proof for one index
// under one root, and one encoding of it.
//
// Growth: it is part of answers and grows with their version.
type PathProof struct {
	Siblings []protocol.Hash `cbor:"1,keyasint"` // from the root down; zero: nothing there
	Leaf     *Item           `cbor:"2,keyasint,omitempty"`
}

// ParsePathProof reads a proof: syntax and limits only.
func ParsePathProof(raw []byte) (*PathProof, error) {
	var p PathProof
	if err := canonical.Unmarshal(raw, MaxPathSize, &p); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse path proof")
	}
	return &p, p.check()
}

// Bytes returns the encoding.
func (p *PathProof) Bytes() []byte { return canonical.MustMarshal(p) }

// check refuses what no tree has. A leaf is alone in its subtree, and so is an
// empty place not beside another: the last sibling is never empty.
func (p *PathProof) check() error {
	depth := len(p.Siblings)
	switch {
	case depth > MaxDepth:
		return protocol.Errorf(protocol.KindUntrusted, "path proof of depth %d, at most %d allowed", depth, MaxDepth)
	case depth > 0 && p.Siblings[depth-1].IsZero():
		return protocol.Errorf(protocol.KindUntrusted, "path proof is longer than its path")
	case p.Leaf != nil && (len(p.Leaf.Value) == 0 || len(p.Leaf.Value) > MaxValueSize):
		return protocol.Errorf(protocol.KindUntrusted, "path proof with a value of %d bytes, 1 to %d allowed", len(p.Leaf.Value), MaxValueSize)
	}
	return nil
}

// Verify returns the value at the index under the root and true, or nil and
// false where it is shown that nothing stands there. A proof that shows neither
// is protocol.KindUntrusted.
func (p *PathProof) Verify(root, index protocol.Hash) ([]byte, bool, error) {
	if p == nil {
		return nil, false, protocol.Errorf(protocol.KindUntrusted, "there is no path proof")
	}
	if err := p.check(); err != nil {
		return nil, false, err
	}
	var at protocol.Hash
	if p.Leaf != nil {
		if shared(p.Leaf.Index, index) < len(p.Siblings) {
			return nil, false, protocol.Errorf(protocol.KindUntrusted, "path proof ends at a leaf that is not on the path")
		}
		at = leafHash(p.Leaf.Index, p.Leaf.Value)
	}
	for depth := len(p.Siblings) - 1; depth >= 0; depth-- {
		if bit(index, depth) == 0 {
			at = nodeHash(at, p.Siblings[depth])
		} else {
			at = nodeHash(p.Siblings[depth], at)
		}
	}
	if at != root {
		return nil, false, protocol.Errorf(protocol.KindUntrusted, "path proof does not lead to the root")
	}
	if p.Leaf == nil || p.Leaf.Index != index {
		return nil, false, nil
	}
	return p.Leaf.Value, true, nil
}

// The labels that head the hashes of leaves and nodes, with their zero byte: no
// leaf is a node, whatever its value.
const (
	leafLabel = "solekey/v1/directory-leaf\x00"
	nodeLabel = "solekey/v1/directory-node\x00"
)

// leafHash binds the whole index, not what is left of it at the leaf's depth.
func leafHash(index protocol.Hash, value []byte) protocol.Hash {
	var room [len(leafLabel) + len(index) + 256]byte
	b := append(room[:0], leafLabel...)
	b = append(b, index[:]...)
	return sha256.Sum256(append(b, value...))
}

func nodeHash(left, right protocol.Hash) protocol.Hash {
	var b [len(nodeLabel) + 2*len(left)]byte
	copy(b[:], nodeLabel)
	copy(b[len(nodeLabel):], left[:])
	copy(b[len(nodeLabel)+len(left):], right[:])
	return sha256.Sum256(b[:])
}

// bit returns bit i of the index, from the most significant one.
func bit(index protocol.Hash, i int) int { return int(index[i/8]>>(7-i%8)) & 1 }

// shared returns how many leading bits two indexes have in common.
func shared(a, b protocol.Hash) int {
	for i := range a {
		if a[i] != b[i] {
			return 8*i + bits.LeadingZeros8(a[i]^b[i])
		}
	}
	return 8 * len(a)
}
