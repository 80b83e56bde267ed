// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/tlog"
)

// Limits of an answer about anchors.
const (
	MaxAnchorsAnswerSize = 8 << 20 // bytes
	MaxAnchorIndexes     = 64      // asked for at once
	MaxAnchorBoxSize     = 64 << 10
)

// AnchorsAnswer is what a provider says when it is asked for anchors. Nothing in it
// is verified: that is for World.VerifyAnchors.
//
// Growth: a field is only ever added with a new format version; a reader refuses
// a version or field that it does not know.
type AnchorsAnswer struct {
	Version        uint64 `cbor:"1,keyasint"`
	CheckpointPart `cbor:"2,keyasint"`
	Periods        []PeriodAnswer `cbor:"3,keyasint,omitempty"`
}

// PeriodAnswer is what is said of one period: that it has a tree, with the indexes
// that were asked for in it, or that it has none.
type PeriodAnswer struct {
	Period Period         `cbor:"1,keyasint"`
	Outer  *PathProof     `cbor:"2,keyasint"` // the root of the period's tree, under Root.Anchors
	Paths  []AnchorAnswer `cbor:"3,keyasint,omitempty"`
}

// AnchorAnswer is what is said of one index of a period. Box is what the anchor
// commits to; only the provider keeps it.
type AnchorAnswer struct {
	Index protocol.Hash `cbor:"1,keyasint"`
	Path  *PathProof    `cbor:"2,keyasint"`
	Box   []byte        `cbor:"3,keyasint,omitempty"`
}

// ParseAnchorsAnswer reads an answer: syntax and limits only.
func ParseAnchorsAnswer(raw []byte) (*AnchorsAnswer, error) {
	var a AnchorsAnswer
	if v, ok := canonical.Version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse anchors: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxAnchorsAnswerSize, &a); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse anchors")
	}
	count := 0
	for _, p := range a.Periods {
		if _, err := ParsePeriod(string(p.Period)); err != nil {
			return nil, err
		}
		for _, x := range p.Paths {
			if len(x.Box) > MaxAnchorBoxSize {
				return nil, protocol.Errorf(protocol.KindUntrusted, "parse anchors: a box of %d bytes, at most %d allowed", len(x.Box), MaxAnchorBoxSize)
			}
		}
		count += max(len(p.Paths), 1)
	}
	if len(a.Note) > tlog.MaxNote || count > MaxAnchorIndexes {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse anchors: more is said than can be asked")
	}
	return &a, nil
}

// Bytes sets the version and returns the encoding.
func (a *AnchorsAnswer) Bytes() []byte {
	a.Version = protocol.FormatVersion
	return canonical.MustMarshal(a)
}

// AnchorBoxHash returns what an anchor commits to: its box.
func AnchorBoxHash(box []byte) protocol.Hash { return hash("solekey/v1/anchor-box", box) }

// AnchorQuestion is one index of a period that is asked for.
type AnchorQuestion struct {
	Period Period
	Index  protocol.Hash
}

// AnchorFound is what the log says of one index: that nothing stands there, or
// which commitment. Box is nil where the provider does not give what the anchor
// commits to, although the log holds it: a thing to report.
type AnchorFound struct {
	AnchorQuestion
	Present    bool
	Commitment protocol.Hash
	Box        []byte
}

// VerifyAnchors verifies what the answer says of each index that was asked for,
// under the view, and returns it in the order of the questions. An answer that
// leaves a question out is protocol.KindUntrusted: there is no silence, only a
// proof that something stands in the log or that nothing does.
func (w *World) VerifyAnchors(v *View, asked []AnchorQuestion, a *AnchorsAnswer) ([]AnchorFound, error) {
	if v.log != w.Log().ID() {
		return nil, protocol.Errorf(protocol.KindInternal, "look up anchors: the view is of another log")
	}
	said := map[AnchorQuestion]AnchorFound{}
	empty := map[Period]bool{}
	for _, p := range a.Periods {
		root, ok, err := p.Outer.Verify(v.Anchors(), p.Period.Index())
		if err != nil || ok && len(root) != len(protocol.Hash{}) {
			return nil, protocol.Errorf(protocol.KindUntrusted, "look up anchors: the tree of %s is not in the log", p.Period)
		}
		if !ok {
			empty[p.Period] = true
			continue
		}
		for _, x := range p.Paths {
			q := AnchorQuestion{p.Period, x.Index}
			if said[q], err = x.verify(q, protocol.Hash(root)); err != nil {
				return nil, err
			}
		}
	}
	found := make([]AnchorFound, 0, len(asked))
	for _, q := range asked {
		f, ok := said[q]
		switch {
		case ok:
			found = append(found, f)
		case empty[q.Period]:
			found = append(found, AnchorFound{AnchorQuestion: q})
		default:
			return nil, protocol.Errorf(protocol.KindUntrusted, "look up anchors: nothing is said of index %s of %s", q.Index, q.Period)
		}
	}
	return found, nil
}

// verify holds what is said of an index against its period's root.
func (x *AnchorAnswer) verify(q AnchorQuestion, root protocol.Hash) (AnchorFound, error) {
	f := AnchorFound{AnchorQuestion: q}
	value, ok, err := x.Path.Verify(root, x.Index)
	switch {
	case err != nil || ok && len(value) != len(f.Commitment):
		return f, protocol.Errorf(protocol.KindUntrusted, "look up anchors: index %s of %s is not in its tree", x.Index, q.Period)
	case !ok && len(x.Box) > 0:
		return f, protocol.Errorf(protocol.KindUntrusted, "look up anchors: a box for index %s of %s, where the log holds nothing", x.Index, q.Period)
	case !ok:
		return f, nil
	}
	f.Present, f.Commitment = true, protocol.Hash(value)
	if len(x.Box) > 0 && AnchorBoxHash(x.Box) != f.Commitment {
		return f, protocol.Errorf(protocol.KindUntrusted, "look up anchors: the box for index %s of %s is not the one in the log", x.Index, q.Period)
	}
	if len(x.Box) > 0 {
		f.Box = x.Box
	}
	return f, nil
}
