// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directorytest

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Lookup answers for a name under the newest checkpoint. Since and size are what
// the asker holds.
func (p *Provider) Lookup(name string, since, size uint64) *directory.Answer {
	p.t.Helper()
	return p.LookupAt(len(p.Heads())-1, name, since, size)
}

// LookupAt is Lookup under the checkpoint of a number, as Heads counts.
func (p *Provider) LookupAt(number int, name string, since, size uint64) *directory.Answer {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.heads[number]
	index, proof := p.Index(name)
	a := &directory.Answer{CheckpointPart: p.part(h, size), VRF: proof, Path: p.prove(h.Root.Names, index)}
	value := p.look(h.Root.Names, index)
	if value == nil {
		return p.travelled(a)
	}
	leaf, err := directory.ParseLeaf(value)
	check(p.t, err)
	if leaf.Position < uint64(len(p.entries)) {
		a.Update = p.entries[leaf.Position]
		a.UpdateProof = p.includes(h, leaf.Position)
	}
	for v := since + 1; v <= leaf.Version; v++ {
		if o, ok := p.opens[version{index, v}]; ok {
			a.Openings = append(a.Openings, o)
		}
	}
	return p.travelled(a)
}

// travelled returns the answer as it comes out of its bytes.
func (p *Provider) travelled(a *directory.Answer) *directory.Answer {
	p.t.Helper()
	again, err := directory.ParseAnswer(a.Bytes())
	check(p.t, err)
	return again
}

// part returns the part of an answer that moves a view of the size forward.
func (p *Provider) part(h Head, size uint64) directory.CheckpointPart {
	p.t.Helper()
	part := directory.CheckpointPart{Note: h.Note, Root: p.entries[h.Root.Size], RootProof: p.includes(h, h.Root.Size)}
	if size == 0 {
		part.Origin, part.OriginProof = p.entries[0], p.includes(h, 0)
		return part
	}
	if size < h.Size {
		var err error
		part.Consistency, err = tlog.ProveConsistency(context.Background(), p.Log, size, h.Size)
		check(p.t, err)
	}
	return part
}

func (p *Provider) includes(h Head, index uint64) []protocol.Hash {
	p.t.Helper()
	if index >= h.Size {
		return nil
	}
	proof, err := tlog.ProveInclusion(context.Background(), p.Log, h.Size, index)
	check(p.t, err)
	return proof
}

// Anchors answers for anchors under the newest checkpoint.
func (p *Provider) Anchors(asked []directory.AnchorQuestion, size uint64) *directory.AnchorsAnswer {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.heads[len(p.heads)-1]
	a := &directory.AnchorsAnswer{CheckpointPart: p.part(h, size)}
	at := map[directory.Period]int{}
	for _, q := range asked {
		root := p.look(h.Root.Anchors, q.Period.Index())
		if _, known := at[q.Period]; !known {
			at[q.Period] = len(a.Periods)
			a.Periods = append(a.Periods, directory.PeriodAnswer{Period: q.Period, Outer: p.prove(h.Root.Anchors, q.Period.Index())})
		}
		if root == nil {
			continue
		}
		x := directory.AnchorAnswer{Index: q.Index, Path: p.prove(protocol.Hash(root), q.Index)}
		if p.look(protocol.Hash(root), q.Index) != nil {
			x.Box = p.boxes[q.Index]
		}
		period := &a.Periods[at[q.Period]]
		period.Paths = append(period.Paths, x)
	}
	again, err := directory.ParseAnchorsAnswer(a.Bytes())
	check(p.t, err)
	return again
}
