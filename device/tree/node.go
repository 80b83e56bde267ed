// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// A node is a folder or a part of a large one, in canonical CBOR, stored as a chunk of KindNode. At level 0 it holds
// entries in ascending order of their names, compared as bytes. Above, it holds parts: nodes one level below, with
// the first name and the number of entries in each. An empty folder is a node of level 0 without entries.
//
// Growth: whatever changes what a node may hold, its entries included, takes a new version. A reader refuses a
// version it does not know as protocol.KindUnsupported: it would restore less than there is.
type node struct {
	Version uint8      `cbor:"1,keyasint"`
	Level   uint8      `cbor:"2,keyasint,omitempty"`
	Entries []Entry    `cbor:"3,keyasint,omitempty"`
	Parts   []nodePart `cbor:"4,keyasint,omitempty"`
}

// nodePart stands for a node one level below.
type nodePart struct {
	_       struct{} `cbor:",toarray"`
	First   []byte   // the first name in it
	Name    protocol.Hash
	Entries uint64 // in it and all below, 1 or more
}

const (
	nodeVersion = 1
	// maxNodeEntries is the largest number of entries or parts of one node.
	maxNodeEntries = 1024
	// maxNodeLevel is the highest level of a node.
	maxNodeLevel = 7
	// maxFolder bounds the entries of a part, so that their sum is a number too.
	maxFolder = 1 << 50
)

// parseNode returns the node that the chunk holds, with every rule checked that it can be held to by itself.
func parseNode(plaintext []byte) (*node, error) {
	n := &node{}
	if err := unmarshalVersioned(plaintext, nodeVersion, n); err != nil {
		return nil, wrapParse(err, "parse a folder")
	}
	if n.Version != nodeVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse a folder: version %d is not known here", n.Version)
	}
	if err := n.check(); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse a folder")
	}
	return n, nil
}

// unmarshalVersioned decodes a map that begins with key 1 and a version below 24. A version that is not known here is
// said to be just that, and not to be damage, which is what its unknown keys would look like.
func unmarshalVersioned(b []byte, version byte, v any) error {
	if len(b) > 2 && b[0]>>5 == 5 && b[1] == 1 && b[2] < 24 && b[2] != version {
		return protocol.Errorf(protocol.KindUnsupported, "version %d is not known here", b[2])
	}
	return canonical.Unmarshal(b, MaxChunkLength, v)
}

// wrapParse says what was being parsed and keeps the kind.
func wrapParse(err error, act string) error {
	return protocol.Wrap(protocol.KindOf(err), err, "%s", act)
}

func (n *node) check() error {
	if n.Level > maxNodeLevel {
		return fmt.Errorf("level %d, at most %d is allowed", n.Level, maxNodeLevel)
	}
	if len(n.Entries) > maxNodeEntries || len(n.Parts) > maxNodeEntries {
		return fmt.Errorf("more than %d entries or parts", maxNodeEntries)
	}
	if n.Level > 0 {
		return n.checkParts()
	}
	if len(n.Parts) > 0 {
		return fmt.Errorf("a node of level 0 has parts")
	}
	for i := range n.Entries {
		if err := n.Entries[i].Check(); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(n.Entries[i-1].Name, n.Entries[i].Name) >= 0 {
			return fmt.Errorf("entry %q is out of order", n.Entries[i].Name)
		}
	}
	return nil
}

func (n *node) checkParts() error {
	if len(n.Entries) > 0 || len(n.Parts) == 0 {
		return fmt.Errorf("a node of level %d has entries, or no parts", n.Level)
	}
	for i, p := range n.Parts {
		if err := CheckName(p.First); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(n.Parts[i-1].First, p.First) >= 0 {
			return fmt.Errorf("part %q is out of order", p.First)
		}
		if p.Entries == 0 || p.Entries > maxFolder || p.Name.IsZero() {
			return fmt.Errorf("part %q is empty or has no name", p.First)
		}
	}
	return nil
}

// first returns the first name in the node; nil for an empty one.
func (n *node) first() []byte {
	switch {
	case n.Level > 0:
		return n.Parts[0].First
	case len(n.Entries) > 0:
		return n.Entries[0].Name
	}
	return nil
}

// entries returns how many entries the node says are in it and below.
func (n *node) entries() uint64 {
	if n.Level == 0 {
		return uint64(len(n.Entries))
	}
	var sum uint64
	for _, p := range n.Parts {
		sum += p.Entries
	}
	return sum
}

// checkPart holds a node to what the node above says of it.
func (n *node) checkPart(above *node, p *nodePart) error {
	if n.Level+1 != above.Level || n.entries() != p.Entries || !bytes.Equal(n.first(), p.First) {
		return protocol.Errorf(protocol.KindUntrusted, "parse a folder: part %q is not what its folder says", p.First)
	}
	return nil
}
