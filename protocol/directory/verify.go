// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
)

// Found is what the log says of a name, verified: that it has no such name, or
// which leaf stands for it. What the name leads to is for Standing to say. Only a
// World makes one; it is immutable.
type Found struct {
	log      *tlog.LogKey
	view     *View
	name     string
	leaf     *Leaf // nil: absent
	openings []Opening
	shown    *Shown

	entry *Entry // at the leaf's position
	raw   []byte
	proof []protocol.Hash
}

// Name returns the name that was looked up.
func (f *Found) Name() string { return f.name }

// Index returns the index of the name.
func (f *Found) Index() protocol.Hash { return f.shown.Index }

// Present reports whether the directory holds the name.
func (f *Found) Present() bool { return f.leaf != nil }

// Leaf returns a copy of the leaf; false where the name is absent.
func (f *Found) Leaf() (Leaf, bool) {
	if f.leaf == nil {
		return Leaf{}, false
	}
	return *f.leaf, true
}

// View returns the view that this was verified under.
func (f *Found) View() *View { return f.view }

// Shown returns what was found in the form in which it can be shown to anybody.
func (f *Found) Shown() *Shown { s := *f.shown; return &s }

// Entry returns the log's entry that made the newest version, nil where the name
// is absent.
func (f *Found) Entry() *Included {
	if f.leaf == nil {
		return nil
	}
	return &Included{Note: f.shown.Note, Position: f.leaf.Position, Entry: f.raw, Proof: f.proof}
}

// Head returns the account and the head of its ledger that the newest version
// claims to open to: the ledger to fetch. It is not verified before Standing; pin
// is what the device remembers, and gives the answer where nothing is newer.
func (f *Found) Head(pin *Pin) (protocol.AccountID, ledger.Head) {
	switch {
	case len(f.openings) > 0:
		last := f.openings[len(f.openings)-1]
		return last.Account, last.Ledger
	case pin != nil:
		return pin.Account, pin.Ledger
	}
	return protocol.AccountID{}, ledger.Head{}
}

// Look verifies an answer for the name, which must be in its canonical form: first
// the checkpoint against what the device remembers, then the name under it. Where
// only the second fails, the view is returned all the same, to be kept.
func (w *World) Look(old *View, name string, a *Answer) (*View, *Found, error) {
	v, err := w.Advance(old, &a.CheckpointPart)
	if err != nil {
		return nil, nil, err
	}
	f, err := w.VerifyName(v, name, a)
	return v, f, err
}

// VerifyName verifies what the answer says of the name under the view: that the
// index is the name's, what stands there, and that the leaf's newest entry is in
// the log and says what the leaf says. Errors are an *Alarm, or of
// protocol.KindUntrusted for what proves nothing.
func (w *World) VerifyName(v *View, name string, a *Answer) (*Found, error) {
	if name == "" || len(name) > MaxName {
		return nil, protocol.Errorf(protocol.KindUsage, "look up: a name has 1 to %d bytes", MaxName)
	}
	if v.log != w.Log().ID() {
		return nil, protocol.Errorf(protocol.KindInternal, "look up: the view is of another log")
	}
	key := w.VRF()
	out, err := key.Verify([]byte(name), &a.VRF)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "look up: the index is not the name's")
	}
	shown := *v.shown()
	shown.Index, shown.Path = Index(out), a.Path
	f := &Found{log: w.Log(), view: v, name: name, openings: a.Openings, shown: &shown}
	value, present, err := a.Path.Verify(v.Names(), shown.Index)
	switch {
	case err != nil:
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "look up")
	case !present && (len(a.Update) > 0 || len(a.Openings) > 0):
		return nil, protocol.Errorf(protocol.KindUntrusted, "look up: the name is absent, and something is said of it")
	case !present:
		return f, nil
	}
	if f.leaf, err = ParseLeaf(value); err != nil {
		return nil, err
	}
	if err := f.verifyEntry(a); err != nil {
		return nil, err
	}
	return f, nil
}

// verifyEntry demands that the entry at the leaf's position is in the log and says
// what the leaf says.
func (f *Found) verifyEntry(a *Answer) error {
	if f.leaf.Position >= f.view.c.Size {
		return f.alarmLeaf(a, "the directory names an entry that the log does not have")
	}
	if err := tlog.VerifyInclusion(f.view.c, f.leaf.Position, tlog.LeafHash(a.Update), a.UpdateProof); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "look up: the entry of the newest version")
	}
	e, err := ParseEntry(a.Update)
	if protocol.KindOf(err) == protocol.KindUnsupported {
		return err
	}
	if err != nil || !e.Makes(f.shown.Index, f.leaf) || e.VerifySignature(f.log.ID()) != nil {
		return f.alarmLeaf(a, "the log does not hold what its directory says of the name")
	}
	f.entry, f.raw, f.proof = e, a.Update, a.UpdateProof
	return nil
}

func (f *Found) alarmLeaf(a *Answer, text string) error {
	return &Alarm{Kind: AlarmLeaf, Text: text, New: f.shown, Entry: a.Update, EntryProof: a.UpdateProof}
}

// Makes reports whether the entry can be the one that made the leaf's version: an
// update that says the same, or a reassignment where the name changed hands. Chain
// and rights are not looked at: those need what was there before.
func (e *Entry) Makes(index protocol.Hash, leaf *Leaf) bool {
	switch {
	case e.Update != nil:
		u := e.Update
		return u.Index == index && u.Version == leaf.Version && u.Next == leaf.Next
	case e.Reassign != nil:
		return e.Reassign.Index == index && leaf.Identity > 0 && leaf.Version > 1 && e.Reassign.Notice < leaf.Position
	}
	return false
}
