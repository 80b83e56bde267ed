// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// Anchor is an anchor as a device leaves it: the log's entry, and the box that it
// commits to, which stays beside the log.
type Anchor struct {
	Entry []byte
	Box   []byte
}

// grace is how long before its end a period takes no anchors any more, besides
// the time that they wait.
const grace = 10 * time.Minute

// AddAnchors takes anchors of an account. They enter the log within the hour, in
// the order of their indexes, among everybody's. What was taken before is passed
// over; an index that another anchor has is protocol.KindExists.
func (s *Service) AddAnchors(ctx context.Context, account protocol.AccountID, anchors []Anchor) error {
	now := s.now()
	for _, a := range anchors {
		entry, err := directory.ParseEntry(a.Entry)
		if err != nil {
			return err
		}
		if entry.Anchor == nil {
			return protocol.Errorf(protocol.KindUsage, "anchors: a %s is none", entry.Kind())
		}
		if err := entry.VerifySignature(s.key.ID()); err != nil {
			return err
		}
		if entry.Anchor.Commitment != directory.AnchorBoxHash(a.Box) || len(a.Box) > directory.MaxAnchorBoxSize {
			return protocol.Errorf(protocol.KindUntrusted, "anchors: an anchor commits to another box, or the box is too large")
		}
		// It has to be open still when the anchor gets there.
		if p := entry.Anchor.Period; !p.Open(now) || !p.Open(now+protocol.Time(s.AnchorsEvery+grace)) {
			return protocol.Errorf(protocol.KindUsage, "anchors: %s is not open now", p)
		}
	}
	return s.Store.AddAnchors(ctx, account, anchors, now)
}

// AnchorsQuestion asks for anchors by their indexes.
type AnchorsQuestion struct {
	World   protocol.Hash
	Size    uint64
	Periods []AnchorPeriod
}

// AnchorPeriod is a period and indexes in it.
type AnchorPeriod struct {
	Period  directory.Period
	Indexes []protocol.Hash
}

// Anchors answers for anchors at the newest checkpoint that is published for
// the asker's world, with the boxes that this account left.
func (s *Service) Anchors(ctx context.Context, account protocol.AccountID, q AnchorsQuestion) (*directory.AnchorsAnswer, error) {
	asked := 0
	for _, p := range q.Periods {
		if _, err := directory.ParsePeriod(string(p.Period)); err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "anchors")
		}
		asked += max(1, len(p.Indexes))
	}
	if asked > directory.MaxAnchorIndexes {
		return nil, protocol.Errorf(protocol.KindUsage, "anchors: %d asked for, at most %d allowed at once", asked, directory.MaxAnchorIndexes)
	}
	a, err := s.published(ctx, q.World, q.Size)
	if err != nil {
		return nil, err
	}
	answer := &directory.AnchorsAnswer{CheckpointPart: a.part}
	for _, p := range q.Periods {
		said, err := s.period(ctx, account, a.root.Anchors, p)
		if err != nil {
			return nil, err
		}
		answer.Periods = append(answer.Periods, said)
	}
	return answer, nil
}

// period answers for one period.
func (s *Service) period(ctx context.Context, account protocol.AccountID, root protocol.Hash, p AnchorPeriod) (directory.PeriodAnswer, error) {
	said := directory.PeriodAnswer{Period: p.Period}
	var err error
	if said.Outer, err = directory.NewTree(root, s.nodes).Prove(ctx, p.Period.Index()); err != nil {
		return said, err
	}
	value, present, err := said.Outer.Verify(root, p.Period.Index())
	if err != nil || !present || len(value) != len(root) {
		return said, err
	}
	tree := directory.NewTree(protocol.Hash(value), s.nodes)
	for _, index := range p.Indexes {
		x := directory.AnchorAnswer{Index: index}
		if x.Path, err = tree.Prove(ctx, index); err != nil {
			return said, err
		}
		if _, present, err = x.Path.Verify(tree.Root(), index); err != nil {
			return said, err
		}
		if present {
			if x.Box, err = s.Store.AnchorBox(ctx, account, p.Period, index); err != nil {
				return said, err
			}
		}
		said.Paths = append(said.Paths, x)
	}
	return said, nil
}

// Submit takes an entry that comes with no append: a policy statement, a notice,
// a reassignment, the use of a custodian, a release. Opening is what the
// commitment of a notice opens to, else nil. One that the rules would refuse now is
// refused; of several that wait and exclude each other, the later ones are
// rejected when they are integrated.
func (s *Service) Submit(ctx context.Context, raw, opening []byte) error {
	entry, err := directory.ParseEntry(raw)
	if err != nil {
		return err
	}
	if entry.Origin != nil || entry.Root != nil || entry.Update != nil || entry.Anchor != nil {
		return protocol.Errorf(protocol.KindUsage, "a %s is not submitted like this", entry.Kind())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	if err := s.replay.Check(ctx, entry); err != nil {
		return err
	}
	return s.Store.Submit(ctx, raw, opening, s.now())
}
