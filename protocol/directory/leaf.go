// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Leaf is what the tree over names holds at an index.
//
// Growth: a field is only ever added with a new format version of the log's
// entries, from the root on that the new version's rules give.
type Leaf struct {
	Version  uint64         `cbor:"1,keyasint"`
	Chain    protocol.Hash  `cbor:"2,keyasint"`          // over the commitments of this identity, see Chain
	Next     protocol.Hash  `cbor:"3,keyasint,omitzero"` // KeyHash of the next update's key; zero: closed for ever
	Position uint64         `cbor:"4,keyasint"`          // of the entry that made this version
	Identity uint64         `cbor:"5,keyasint,omitzero"` // how often the name was given to another identity
	Notice   *PendingNotice `cbor:"6,keyasint,omitempty"`
}

// PendingNotice is a Notice that waits in a leaf.
type PendingNotice struct {
	Position   uint64        `cbor:"1,keyasint"` // of the Notice
	Time       protocol.Time `cbor:"2,keyasint"` // of the first root after it
	Commitment protocol.Hash `cbor:"3,keyasint"`
	Next       protocol.Hash `cbor:"4,keyasint"`
}

// Closed reports whether the name is closed for ever.
func (l *Leaf) Closed() bool { return l.Next.IsZero() }

// ParseLeaf reads a leaf's value.
func ParseLeaf(value []byte) (*Leaf, error) {
	var l Leaf
	if err := canonical.Unmarshal(value, MaxValueSize, &l); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse leaf")
	}
	if l.Version == 0 || l.Closed() && l.Notice != nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse leaf: version 0, or a notice on a closed name")
	}
	return &l, nil
}

// Bytes returns the leaf's value.
func (l *Leaf) Bytes() []byte { return canonical.MustMarshal(l) }
