// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Fork returns evidence that two logs are signed, by two notes of one size with two
// roots. The keys are of witnesses that may have cosigned both.
func Fork(log *tlog.LogKey, a, b []byte, witnesses ...*tlog.WitnessKey) ([]byte, error) {
	return (&file{Fork: &fork{A: a, B: b}, Witnesses: vkeys(witnesses)}).seal(log)
}

// ForkBelow returns evidence that the log of note b, which is the larger one, does
// not extend the log of note a: at a's size it had the root middle, which the proof
// shows. Who has read all of b's log can make both.
func ForkBelow(log *tlog.LogKey, a, b []byte, middle protocol.Hash, proof []protocol.Hash, witnesses ...*tlog.WitnessKey) ([]byte, error) {
	return (&file{Fork: &fork{A: a, B: b, Middle: middle, Proof: proof}, Witnesses: vkeys(witnesses)}).seal(log)
}

func vkeys(witnesses []*tlog.WitnessKey) []string {
	var list []string
	for _, w := range witnesses {
		list = append(list, w.String())
	}
	return list
}

func (f *fork) judge(log *tlog.LogKey) (*Verdict, error) {
	a, err := log.Verify(f.A)
	if err != nil {
		return nil, err
	}
	b, err := log.Verify(f.B)
	if err != nil {
		return nil, err
	}
	v := &Verdict{Broken: "a log is append-only, and there is one"}
	switch {
	case a.Size == b.Size && a.Root != b.Root && f.Middle.IsZero() && len(f.Proof) == 0:
		v.What = fmt.Sprintf("The provider signed two different logs of %d entries: who was shown the one does not see what stands in the other.", a.Size)
		return v, nil
	case a.Size == 0 || a.Size >= b.Size || f.Middle == a.Root:
		return nil, nothing("the two checkpoints can be of one log")
	}
	if err := tlog.VerifyConsistency(tlog.Checkpoint{Origin: a.Origin, Size: a.Size, Root: f.Middle}, b, f.Proof); err != nil {
		return nil, err
	}
	v.What = fmt.Sprintf("The provider signed a log of %d entries and later one of %d entries that does not extend it.", a.Size, b.Size)
	return v, nil
}

// cosigners returns those of the keys that cosigned both notes.
func (f *fork) cosigners(keys []string) ([]string, error) {
	var list []string
	seen := map[string]bool{}
	for _, text := range keys {
		w, err := tlog.ParseWitnessKey(text)
		if err != nil {
			return nil, err
		}
		_, a := w.VerifyCosignature(f.A)
		_, b := w.VerifyCosignature(f.B)
		if a && b && !seen[text] {
			list = append(list, "witness "+text)
		}
		seen[text] = true
	}
	return list, nil
}

// Split returns evidence that two logs are signed, by two entries at one position.
// The checkpoints are those of the two; the leaves are hashes of entries.
func Split(log *tlog.LogKey, a, b *directory.Included) ([]byte, error) {
	if a.Position != b.Position {
		return nil, protocol.Errorf(protocol.KindUsage, "evidence of a split: the entries stand at two positions")
	}
	side := func(i *directory.Included) leafShown {
		return leafShown{Note: i.Note, Leaf: tlog.LeafHash(i.Entry), Proof: i.Proof}
	}
	return (&file{Split: &split{Position: a.Position, A: side(a), B: side(b)}}).seal(log)
}

func (s *split) judge(log *tlog.LogKey) (*Verdict, error) {
	if s.A.Leaf == s.B.Leaf {
		return nil, nothing("it is one entry")
	}
	for _, side := range []*leafShown{&s.A, &s.B} {
		c, err := log.Verify(side.Note)
		if err != nil {
			return nil, err
		}
		if s.Position >= c.Size {
			return nil, nothing("the log does not go so far")
		}
		if err := tlog.VerifyInclusion(c, s.Position, side.Leaf, side.Proof); err != nil {
			return nil, err
		}
	}
	return &Verdict{
		Broken: "a log is append-only, and there is one",
		What:   fmt.Sprintf("The provider signed two logs that hold two different entries at position %d.", s.Position),
	}, nil
}

// Rules returns evidence that the log breaks one of its rules. The note is of a
// checkpoint at the end of the excerpt, or later with the proof from there.
func Rules(log *tlog.LogKey, note []byte, consistency []protocol.Hash, x *directory.Excerpt) ([]byte, error) {
	return (&file{Rules: &rules{Note: note, Consistency: consistency, Excerpt: *x}}).seal(log)
}

func (r *rules) judge(log *tlog.LogKey) (*Verdict, error) {
	c, err := log.Verify(r.Note)
	if err != nil {
		return nil, err
	}
	end, breach, err := r.Excerpt.Judge(context.Background(), log)
	if err != nil {
		return nil, err
	}
	if end.Size == c.Size && end.Root != c.Root || end.Size > c.Size {
		return nil, nothing("the entries are not the log's")
	}
	if end.Size < c.Size {
		if err := tlog.VerifyConsistency(end, c, r.Consistency); err != nil {
			return nil, err
		}
	}
	if breach == nil {
		return nil, nothing("the entries break no rule")
	}
	return &Verdict{
		Broken: string(breach.Rule),
		What:   fmt.Sprintf("The provider's log holds an entry, at position %d, that its rules forbid: %s.", breach.Position, breach.Text),
	}, nil
}

// TimeBack returns evidence that the log's time went back.
func TimeBack(log *tlog.LogKey, a, b *directory.Shown) ([]byte, error) {
	return (&file{Order: &order{A: bare(a), B: *bare(b)}}).seal(log)
}

// NoRoot returns evidence of a checkpoint that does not end with a root that covers
// it.
func NoRoot(log *tlog.LogKey, b *directory.Shown) ([]byte, error) {
	return (&file{Order: &order{B: *bare(b)}}).seal(log)
}

// bare returns what is shown without a name's path.
func bare(s *directory.Shown) *directory.Shown {
	return &directory.Shown{Note: s.Note, Root: s.Root, RootProof: s.RootProof}
}

func (o *order) judge(log *tlog.LogKey) (*Verdict, error) {
	if o.A == nil {
		return judgeEnd(log, &o.B)
	}
	a, before, err := o.A.Verify(log)
	if err != nil {
		return nil, err
	}
	b, after, err := o.B.Verify(log)
	if err != nil {
		return nil, err
	}
	if a.Size >= b.Size || before.Time <= after.Time {
		return nil, nothing("the log's time goes forward")
	}
	return &Verdict{
		Broken: string(directory.RuleTime),
		What: fmt.Sprintf("The provider's log was at %s when it had %d entries, and at %s, which is earlier, when it had %d.",
			before.Time, a.Size, after.Time, b.Size),
	}, nil
}

// judgeEnd decides whether a checkpoint ends with something else than a root.
func judgeEnd(log *tlog.LogKey, s *directory.Shown) (*Verdict, error) {
	c, err := log.Verify(s.Note)
	if err != nil {
		return nil, err
	}
	if c.Size == 0 {
		return nil, nothing("the log is empty")
	}
	if err := tlog.VerifyInclusion(c, c.Size-1, tlog.LeafHash(s.Root), s.RootProof); err != nil {
		return nil, err
	}
	e, err := directory.ParseEntry(s.Root)
	if protocol.KindOf(err) == protocol.KindUnsupported {
		return nil, err
	}
	if err == nil && e.Root != nil && e.Root.Size == c.Size-1 {
		return nil, nothing("the checkpoint ends with a root that covers it")
	}
	return &Verdict{
		Broken: string(directory.RuleRoot),
		What:   fmt.Sprintf("The provider signed a log of %d entries whose last one is no root that covers the others, so that nobody can say what it amounts to.", c.Size),
	}, nil
}
