// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// Limits of answers.
const (
	MaxAnswerSize = 10 << 20 // bytes of an encoded answer
	MaxOpenings   = ledger.MaxEntries
	MaxName       = 255 // bytes of a canonical name
)

// CheckpointPart is the part of an answer that moves a View forward: the newest
// checkpoint that satisfies the asker's world, and that it ends with a Root.
type CheckpointPart struct {
	Note        []byte          `cbor:"1,keyasint"`           // the checkpoint with its cosignatures
	Consistency []protocol.Hash `cbor:"2,keyasint,omitempty"` // with the size that was asked from
	Root        []byte          `cbor:"3,keyasint"`           // the last entry
	RootProof   []protocol.Hash `cbor:"4,keyasint,omitempty"`
	Origin      []byte          `cbor:"5,keyasint,omitempty"` // entry 0; where the size asked from is 0
	OriginProof []protocol.Hash `cbor:"6,keyasint,omitempty"`
}

// Answer is all that a provider says when it is asked for a name. Nothing in it is
// verified: that is for World.Look.
//
// Growth: a field is only ever added with a new format version; a reader refuses
// a version or field that it does not know.
type Answer struct {
	Version        uint64 `cbor:"1,keyasint"`
	CheckpointPart `cbor:"2,keyasint"`
	VRF            vrf.Proof       `cbor:"3,keyasint"`           // that the index is the name's
	Path           *PathProof      `cbor:"4,keyasint"`           // what stands at the index, under Root
	Update         []byte          `cbor:"5,keyasint,omitempty"` // the entry at the leaf's position: an Update or a Reassign
	UpdateProof    []protocol.Hash `cbor:"6,keyasint,omitempty"`
	// Openings are those of the versions after the one that was asked from, up to
	// the leaf's; where that is 0 or of an identity before, all of the present
	// identity.
	Openings []Opening `cbor:"7,keyasint,omitempty"`
}

// ParseAnswer reads an answer: syntax and limits only.
func ParseAnswer(raw []byte) (*Answer, error) {
	var a Answer
	if v, ok := canonical.Version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse answer: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxAnswerSize, &a); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse answer")
	}
	if len(a.Openings) > MaxOpenings || len(a.Note) > tlog.MaxNote {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse answer: %d openings beside a note of %d bytes", len(a.Openings), len(a.Note))
	}
	return &a, a.Path.check()
}

// Bytes sets the version and returns the encoding.
func (a *Answer) Bytes() []byte {
	a.Version = protocol.FormatVersion
	return canonical.MustMarshal(a)
}

// ProofSize returns how many bytes the proofs of the answer take: its encoding
// without the note, whose cosignatures are the witnesses' affair, and without the
// openings, whose number is the account's.
func (a *Answer) ProofSize() int {
	c := *a
	c.Note, c.Openings = nil, nil
	return len(c.Bytes())
}

// Shown is something that a checkpoint of the log proves by its last entry: with a
// path, what stands at an index. It can be shown to anybody.
//
// Growth: it is part of evidence and grows with its version.
type Shown struct {
	Note      []byte          `cbor:"1,keyasint"`
	Root      []byte          `cbor:"2,keyasint"`
	RootProof []protocol.Hash `cbor:"3,keyasint,omitempty"`
	Index     protocol.Hash   `cbor:"4,keyasint,omitzero"`
	Path      *PathProof      `cbor:"5,keyasint,omitempty"`
}

// Included is an entry that a checkpoint of the log proves. It can be shown to
// anybody.
//
// Growth: it is part of evidence and grows with its version.
type Included struct {
	Note     []byte          `cbor:"1,keyasint"`
	Position uint64          `cbor:"2,keyasint"`
	Entry    []byte          `cbor:"3,keyasint"`
	Proof    []protocol.Hash `cbor:"4,keyasint,omitempty"`
}

// Verify returns the checkpoint that the log signed, under which the entry stands
// at the position. It demands no cosignature.
func (i *Included) Verify(log *tlog.LogKey) (tlog.Checkpoint, error) {
	c, err := log.Verify(i.Note)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	if i.Position >= c.Size {
		return c, protocol.Errorf(protocol.KindUntrusted, "the log has %d entries, and none at %d", c.Size, i.Position)
	}
	return c, tlog.VerifyInclusion(c, i.Position, tlog.LeafHash(i.Entry), i.Proof)
}

// Verify returns the checkpoint that the log signed and the Root that it ends
// with. It demands no cosignature.
func (s *Shown) Verify(log *tlog.LogKey) (tlog.Checkpoint, *Root, error) {
	c, err := log.Verify(s.Note)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	if c.Size == 0 {
		return tlog.Checkpoint{}, nil, protocol.Errorf(protocol.KindUntrusted, "the checkpoint is of an empty log")
	}
	if err := tlog.VerifyInclusion(c, c.Size-1, tlog.LeafHash(s.Root), s.RootProof); err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	e, err := ParseEntry(s.Root)
	if err != nil {
		return c, nil, err
	}
	if e.Root == nil || e.Root.Size != c.Size-1 {
		return c, nil, protocol.Errorf(protocol.KindUntrusted, "the checkpoint does not end with a root that covers it")
	}
	return c, e.Root, nil
}

// VerifyLeaf returns, besides, the leaf that the path shows, nil for none.
func (s *Shown) VerifyLeaf(log *tlog.LogKey) (tlog.Checkpoint, *Root, *Leaf, error) {
	c, root, err := s.Verify(log)
	if err != nil {
		return c, nil, nil, err
	}
	value, present, err := s.Path.Verify(root.Names, s.Index)
	if err != nil || !present {
		return c, root, nil, err
	}
	leaf, err := ParseLeaf(value)
	return c, root, leaf, err
}
