// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/solekey/solekey/protocol"
)

// emptyRoot is the root of the tree over nothing.
var emptyRoot = protocol.Hash(sha256.Sum256(nil))

// LeafHash returns the hash under which an entry stands in the tree.
func LeafHash(entry []byte) protocol.Hash { return protocol.Hash(tlog.RecordHash(entry)) }

func nodeHash(left, right protocol.Hash) protocol.Hash {
	return protocol.Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}

// VerifyInclusion checks that the tree of the checkpoint holds this leaf at this
// index.
func VerifyInclusion(c Checkpoint, index uint64, leaf protocol.Hash, proof []protocol.Hash) error {
	if c.Size > MaxSize || index >= c.Size {
		return protocol.Errorf(protocol.KindUntrusted, "index %d is not in a log of size %d", index, c.Size)
	}
	if err := tlog.CheckRecord(theirs(proof), int64(c.Size), tlog.Hash(c.Root), int64(index), tlog.Hash(leaf)); err != nil {
		return protocol.Errorf(protocol.KindUntrusted, "entry %d is not proven to be in the log of size %d: %v", index, c.Size, err)
	}
	return nil
}

// VerifyConsistency checks that the newer checkpoint's log begins with all that
// the older one's holds. From a log of no entries the proof is empty.
func VerifyConsistency(older, newer Checkpoint, proof []protocol.Hash) error {
	switch {
	case older.Origin != newer.Origin:
		return protocol.Errorf(protocol.KindUntrusted, "checkpoints of two logs, %q and %q", older.Origin, newer.Origin)
	case older.Size > newer.Size || newer.Size > MaxSize:
		return protocol.Errorf(protocol.KindUntrusted, "a log of size %d does not extend one of size %d", newer.Size, older.Size)
	case older.Size == 0:
		if len(proof) > 0 || older.Root != emptyRoot || newer.Size == 0 && newer.Root != emptyRoot {
			return protocol.Errorf(protocol.KindUntrusted, "the empty log is extended by every one, with the empty root and an empty proof")
		}
		return nil
	}
	if err := tlog.CheckTree(theirs(proof), int64(newer.Size), tlog.Hash(newer.Root), int64(older.Size), tlog.Hash(older.Root)); err != nil {
		return protocol.Errorf(protocol.KindUntrusted, "the log of size %d is not proven to extend the one of size %d: %v", newer.Size, older.Size, err)
	}
	return nil
}

// theirs converts hashes to those of the library, ours back.
func theirs(hashes []protocol.Hash) []tlog.Hash {
	out := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		out[i] = tlog.Hash(h)
	}
	return out
}

func ours(hashes []tlog.Hash) []protocol.Hash {
	out := make([]protocol.Hash, len(hashes))
	for i, h := range hashes {
		out[i] = protocol.Hash(h)
	}
	return out
}

// Frontier is what has to be kept of a tree to append to it and to know its root:
// the roots of the perfect subtrees it is made of, at most one per bit of the
// size. The zero value is the empty tree. It is not safe for concurrent use.
//
// Growth: its text is eight bytes of size and as many hashes as the size has bits
// that are set; there is nothing to add.
type Frontier struct {
	size  uint64
	nodes []protocol.Hash // from the left, the largest first
}

// Size returns the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Append adds a leaf at the right.
func (f *Frontier) Append(leaf protocol.Hash) {
	if f.size == MaxSize {
		panic("solekey: internal error: a log is full")
	}
	for range bits.TrailingZeros64(^f.size) { // as many equal subtrees end here
		last := len(f.nodes) - 1
		leaf = nodeHash(f.nodes[last], leaf)
		f.nodes = f.nodes[:last]
	}
	f.nodes = append(f.nodes, leaf)
	f.size++
}

// Root returns the root of the tree.
func (f *Frontier) Root() protocol.Hash {
	if f.size == 0 {
		return emptyRoot
	}
	root := f.nodes[len(f.nodes)-1]
	for i := len(f.nodes) - 2; i >= 0; i-- {
		root = nodeHash(f.nodes[i], root)
	}
	return root
}

// Clone returns a copy that is appended to apart from f.
func (f *Frontier) Clone() *Frontier { return &Frontier{f.size, slices.Clone(f.nodes)} }

// Marshal returns what ParseFrontier reads.
func (f *Frontier) Marshal() []byte {
	out := binary.BigEndian.AppendUint64(nil, f.size)
	for _, h := range f.nodes {
		out = append(out, h[:]...)
	}
	return out
}

// ParseFrontier reads what Marshal returned. Whether it belongs to a log is for
// the caller to know, by its root.
func ParseFrontier(raw []byte) (*Frontier, error) {
	if len(raw) < 8 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "frontier has %d bytes", len(raw))
	}
	f := &Frontier{size: binary.BigEndian.Uint64(raw)}
	if f.size > MaxSize || len(raw) != 8+sha256.Size*bits.OnesCount64(f.size) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "frontier of size %d has %d bytes", f.size, len(raw))
	}
	for part := range slices.Chunk(raw[8:], sha256.Size) {
		f.nodes = append(f.nodes, protocol.Hash(part))
	}
	return f, nil
}
