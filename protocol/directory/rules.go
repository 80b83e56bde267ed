// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"

	"github.com/solekey/solekey/protocol"
)

// refuse returns a breach by the entry that is looked at.
func (r *Replay) refuse(rule Rule, format string, args ...any) error {
	return breach(r.now.Size, rule, format, args...)
}

// allowed holds an entry to all rules but those of its form and signature.
func (r *Replay) allowed(ctx context.Context, e *Entry) error {
	if (r.now.Size == 0) != (e.Origin != nil) {
		return r.refuse(RuleOrigin, "entry 0 is the origin and no other is; this one is %s %s", article(e.Kind()), e.Kind())
	}
	if e.Root == nil && r.now.Size-r.pending.from >= MaxBatch {
		return r.refuse(RuleBatch, "more than %d entries stand before the next root", MaxBatch)
	}
	switch {
	case e.Update != nil:
		return r.allowUpdate(ctx, e.Update)
	case e.Notice != nil:
		return r.allowNotice(ctx, e.Notice)
	case e.Reassign != nil:
		return r.allowReassign(ctx, e.Reassign)
	case e.Anchor != nil:
		return r.allowAnchor(ctx, e.Anchor)
	case e.Root != nil:
		return r.allowRoot(ctx, e.Root)
	case e.Policy != nil:
		return r.allowPolicy(e.Policy)
	case e.Custodian != nil:
		return r.allowCustodian(e.Custodian)
	case e.Release != nil:
		return r.allowRelease(e.Release)
	}
	return nil
}

// article returns "an" before a vowel.
func article(word string) string {
	switch word[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "an"
	}
	return "a"
}

func (r *Replay) allowUpdate(ctx context.Context, u *Update) error {
	leaf, err := r.Leaf(ctx, u.Index)
	if err != nil {
		return err
	}
	if leaf == nil {
		if u.Version != 1 {
			return r.refuse(RuleVersion, "a name that is not registered goes to version %d", u.Version)
		}
		return nil
	}
	switch {
	case leaf.Closed():
		return r.refuse(RuleClosed, "a closed name goes to version %d", u.Version)
	case u.Version != leaf.Version+1:
		return r.refuse(RuleVersion, "a name goes from version %d to %d", leaf.Version, u.Version)
	case KeyHash(u.Key) != leaf.Next:
		return r.refuse(RuleKey, "a name goes to version %d with a key that the version before does not name", u.Version)
	}
	return nil
}

// allowNotice takes a notice for the name as it is. It stands in nobody's way: an
// update is as good as before and clears it. A second one takes the place of the
// first, and its own delay begins, so that no old notice lends its age to another
// identity.
func (r *Replay) allowNotice(ctx context.Context, n *Notice) error {
	leaf, err := r.Leaf(ctx, n.Index)
	if err != nil {
		return err
	}
	switch {
	case leaf == nil:
		return r.refuse(RuleNotice, "a notice is about a name that is not registered")
	case leaf.Closed():
		return r.refuse(RuleClosed, "a notice is about a closed name")
	case n.Version != leaf.Version:
		return r.refuse(RuleNotice, "a notice is about version %d of a name that has version %d", n.Version, leaf.Version)
	case leaf.Notice != nil && leaf.Notice.Commitment == n.Commitment && leaf.Notice.Next == n.Next:
		return r.refuse(RuleNotice, "a notice says what the pending one says")
	}
	return nil
}

func (r *Replay) allowReassign(ctx context.Context, a *Reassign) error {
	leaf, err := r.Leaf(ctx, a.Index)
	if err != nil {
		return err
	}
	switch {
	case leaf == nil || leaf.Notice == nil || leaf.Notice.Position != a.Notice:
		return r.refuse(RuleDelay, "a name is reassigned by a notice that it does not carry")
	case a.Notice >= r.pending.from:
		return r.refuse(RuleDelay, "a name is reassigned before the root after its notice")
	case r.now.Time < leaf.Notice.Time+ReassignDelay:
		return r.refuse(RuleDelay, "a name is reassigned at %s, its notice is of %s", r.now.Time, leaf.Notice.Time)
	}
	return nil
}

func (r *Replay) allowAnchor(ctx context.Context, a *Anchor) error {
	if r.pending.from == 0 || !a.Period.Open(r.now.Time) {
		return r.refuse(RulePeriod, "an anchor for %s at %s", a.Period, r.now.Time)
	}
	if a.Index != anchorIndex(a.Period, a.Key) {
		return r.refuse(RuleIndex, "an anchor's index is not its key's")
	}
	_, taken := r.pending.anchors[a.Period][a.Index]
	if !taken {
		_, ok, err := NewTree(r.now.period(a.Period), r.tiles).Look(ctx, a.Index)
		if err != nil {
			return err
		}
		taken = ok
	}
	if taken {
		return r.refuse(RuleIndex, "an anchor's index is taken already")
	}
	return nil
}

func (r *Replay) allowRoot(ctx context.Context, root *Root) error {
	switch {
	case root.Size != r.now.Size:
		return r.refuse(RuleRoot, "a root says that it covers %d entries and stands behind %d", root.Size, r.now.Size)
	case root.Time < r.now.Time:
		return r.refuse(RuleTime, "a root is of %s, the one before it of %s", root.Time, r.now.Time)
	}
	p, err := r.prepare(ctx, root.Time)
	if err != nil {
		return err
	}
	switch {
	case root.Names != p.state.Names:
		return r.refuse(RuleRoot, "a root states %s for the names, the entries give %s", root.Names, p.state.Names)
	case root.Anchors != p.state.Anchors:
		return r.refuse(RuleRoot, "a root states %s for the anchors, the entries give %s", root.Anchors, p.state.Anchors)
	}
	return nil
}

func (r *Replay) allowPolicy(p *Policy) error {
	if p.Number != r.now.Policy+1 || p.Prev != r.now.PolicyHash {
		return r.refuse(RuleNumber, "policy statement %d comes after number %d, or does not name it", p.Number, r.now.Policy)
	}
	return nil
}

func (r *Replay) allowCustodian(c *Custodian) error {
	i, ok := r.now.custodian(c.Custodian)
	last := uint64(0)
	if ok {
		last = r.now.Custodians[i].Number
	} else if len(r.now.Custodians) == MaxCustodians {
		return r.refuse(RuleNumber, "more than %d custodians", MaxCustodians)
	}
	if c.Number != last+1 {
		return r.refuse(RuleNumber, "use %d of a custodian's key comes after number %d", c.Number, last)
	}
	return nil
}

func (r *Replay) allowRelease(rel *Release) error {
	i, ok := r.now.program(rel.Program)
	last := uint64(0)
	if ok {
		last = r.now.Programs[i].Number
	} else if len(r.now.Programs) == MaxPrograms {
		return r.refuse(RuleNumber, "more than %d programs", MaxPrograms)
	}
	if rel.Number != last+1 {
		return r.refuse(RuleNumber, "release %d of %s comes after number %d", rel.Number, rel.Program, last)
	}
	return nil
}

// leafAfter returns the leaf of a name after an update.
func leafAfter(leaf *Leaf, u *Update, position uint64) *Leaf {
	after := &Leaf{Version: u.Version, Next: u.Next, Position: position}
	var chain protocol.Hash
	if leaf != nil {
		chain, after.Identity = leaf.Chain, leaf.Identity
	}
	after.Chain = Chain(chain, u.Commitment)
	return after
}

// leafNoticed returns the leaf of a name after a notice. Its time is not known
// before the next root.
func leafNoticed(leaf *Leaf, n *Notice, position uint64) *Leaf {
	after := *leaf
	after.Notice = &PendingNotice{Position: position, Commitment: n.Commitment, Next: n.Next}
	return &after
}

// leafReassigned returns the leaf of a name that was given to another identity.
func leafReassigned(leaf *Leaf, position uint64) *Leaf {
	return &Leaf{
		Version: leaf.Version + 1, Chain: Chain(protocol.Hash{}, leaf.Notice.Commitment), Next: leaf.Notice.Next,
		Position: position, Identity: leaf.Identity + 1,
	}
}
