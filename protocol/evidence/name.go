// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// FromAlarm returns the evidence that an alarm holds, and false where it proves
// nothing to others.
func FromAlarm(log *tlog.LogKey, a *directory.Alarm, witnesses ...*tlog.WitnessKey) ([]byte, bool) {
	if !a.Provable() {
		return nil, false
	}
	var raw []byte
	var err error
	switch a.Kind {
	case directory.AlarmFork:
		raw, err = Fork(log, a.Old.Note, a.New.Note, witnesses...)
	case directory.AlarmNoRoot:
		raw, err = NoRoot(log, a.New)
	case directory.AlarmTime:
		raw, err = TimeBack(log, a.Old, a.New)
	case directory.AlarmLeaf:
		raw, err = (&file{Leaf: &leafLie{Shown: *a.New, Entry: a.Entry, Proof: a.EntryProof}}).seal(log)
	case directory.AlarmRegress:
		raw, err = Regress(log, a.Old, a.New)
	case directory.AlarmUpdate:
		raw, err = (&file{Key: &wrongKey{A: *a.Old, B: *a.New, Entry: a.Entry, Proof: a.EntryProof}}).seal(log)
	default:
		return nil, false
	}
	return raw, err == nil
}

// Regress returns evidence that a name went back, changed without a new version, or
// is gone.
func Regress(log *tlog.LogKey, a, b *directory.Shown) ([]byte, error) {
	return (&file{Regress: &regress{A: *a, B: *b}}).seal(log)
}

func (l *leafLie) judge(log *tlog.LogKey) (*Verdict, error) {
	c, _, leaf, err := l.Shown.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	if leaf == nil {
		return nil, nothing("there is no leaf")
	}
	v := &Verdict{Broken: string(directory.RuleRoot)}
	if leaf.Position >= c.Size {
		v.What = fmt.Sprintf("The provider's directory names entry %d of a log that has %d.", leaf.Position, c.Size)
		return v, nil
	}
	if err := tlog.VerifyInclusion(c, leaf.Position, tlog.LeafHash(l.Entry), l.Proof); err != nil {
		return nil, err
	}
	e, err := directory.ParseEntry(l.Entry)
	if protocol.KindOf(err) == protocol.KindUnsupported {
		return nil, err
	}
	if err == nil && e.Makes(l.Shown.Index, leaf) && e.VerifySignature(log.ID()) == nil {
		return nil, nothing("the entry says what the leaf says")
	}
	v.What = fmt.Sprintf("The provider's directory holds version %d of a name, and the entry of the log from which it should be, at position %d, says something else.", leaf.Version, leaf.Position)
	return v, nil
}

func (r *regress) judge(log *tlog.LogKey) (*Verdict, error) {
	a, _, before, err := r.A.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	b, _, after, err := r.B.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	if r.A.Index != r.B.Index || before == nil || a.Size > b.Size {
		return nil, nothing("the two do not follow each other")
	}
	why := ""
	switch {
	case after == nil:
		why = fmt.Sprintf("had version %d of a name, and later does not know it", before.Version)
	case after.Version < before.Version || after.Identity < before.Identity:
		why = fmt.Sprintf("had version %d of a name, and later version %d", before.Version, after.Version)
	case after.Version == before.Version && (after.Chain != before.Chain || after.Next != before.Next || after.Identity != before.Identity || after.Position != before.Position):
		why = fmt.Sprintf("had one version %d of a name, and later another version %d", before.Version, after.Version)
	case after.Version > before.Version && before.Closed():
		why = fmt.Sprintf("held a name as closed for ever, and later has version %d of it", after.Version)
	case after.Version > before.Version && after.Position <= before.Position:
		why = fmt.Sprintf("has version %d of a name from an older entry than version %d", after.Version, before.Version)
	default:
		return nil, nothing("the one can follow the other")
	}
	return &Verdict{Broken: string(directory.RuleVersion), What: "The provider's directory " + why + "."}, nil
}

func (k *wrongKey) judge(log *tlog.LogKey) (*Verdict, error) {
	a, _, before, err := k.A.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	b, _, after, err := k.B.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	if k.A.Index != k.B.Index || before == nil || after == nil || a.Size > b.Size || after.Version != before.Version+1 || after.Identity != before.Identity || after.Position >= b.Size {
		return nil, nothing("the two do not follow each other")
	}
	if err := tlog.VerifyInclusion(b, after.Position, tlog.LeafHash(k.Entry), k.Proof); err != nil {
		return nil, err
	}
	e, err := directory.ParseEntry(k.Entry)
	if err != nil {
		return nil, err
	}
	if e.Update != nil && e.Makes(k.A.Index, after) && directory.KeyHash(e.Update.Key) == before.Next {
		return nil, nothing("the key is the one that the leaf before names")
	}
	return &Verdict{
		Broken: string(directory.RuleKey),
		What:   fmt.Sprintf("The provider's directory moved a name to version %d without the key that only its account has: somebody else's ledger can stand under it.", after.Version),
	}, nil
}
