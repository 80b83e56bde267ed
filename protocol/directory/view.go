// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/tlog"
)

// How old the newest cosigned checkpoint may be.
const (
	SoftAge = 24 * time.Hour // beyond it a device warns
	HardAge = 72 * time.Hour // beyond it a device accepts no new recipient
)

// ClockSkew is how far the log's time may be ahead of its witnesses'.
const ClockSkew = protocol.Time(10 * time.Minute)

// View is what a device remembers of the log: the newest checkpoint that it
// verified. Only a World makes one, and only forward from the one before. It is
// immutable and safe for concurrent use.
type View struct {
	f    viewFields
	log  protocol.Hash // the log's identifier
	c    tlog.Checkpoint
	root Root
}

// viewFields are a view as a device keeps it.
//
// Growth: a field is only ever added with a new format version.
type viewFields struct {
	Version   uint64        `cbor:"1,keyasint"`
	Shown     Shown         `cbor:"2,keyasint"`
	Time      protocol.Time `cbor:"3,keyasint"` // of the quorum's cosignatures; 0 where none is demanded
	Witnessed bool          `cbor:"4,keyasint"` // the policy demanded a quorum
	Origin    Included      `cbor:"5,keyasint"` // entry 0, as it was shown at the first look
}

// Size returns how many entries the log has.
func (v *View) Size() uint64 { return v.c.Size }

// Checkpoint returns the log's head.
func (v *View) Checkpoint() tlog.Checkpoint { return v.c }

// Note returns the checkpoint with its cosignatures; it must not be changed.
func (v *View) Note() []byte { return v.f.Shown.Note }

// Names returns the root of the tree over names.
func (v *View) Names() protocol.Hash { return v.root.Names }

// Anchors returns the root of the tree over periods of anchors.
func (v *View) Anchors() protocol.Hash { return v.root.Anchors }

// Time returns the time of the quorum's cosignatures, 0 where the world demands
// none.
func (v *View) Time() protocol.Time { return v.f.Time }

// LogTime returns the time that the log itself has.
func (v *View) LogTime() protocol.Time { return v.root.Time }

// Witnessed reports whether a quorum cosigned. Where not, that this is the newest
// rests on the provider's word.
func (v *View) Witnessed() bool { return v.f.Witnessed }

// AsOf returns the moment as of which the view is known to be the newest: the
// quorum's, or the log's own where that is older, because a log that stands still
// can be cosigned for ever.
func (v *View) AsOf() protocol.Time {
	if !v.f.Witnessed {
		return v.root.Time
	}
	return min(v.f.Time, v.root.Time)
}

// Age returns how long before now the view was known to be the newest, never less
// than 0. Now is the caller's best clock, and never below the AsOf of a view that it
// had. A cosigned time that is later than now counts as now.
func (v *View) Age(now protocol.Time) time.Duration {
	return time.Duration(max(max(now, v.f.Time)-v.AsOf(), 0))
}

// Fresh returns nil where new recipients may be accepted under the view, else an
// *Unproven.
func (v *View) Fresh(now protocol.Time) error {
	now = max(now, v.f.Time)
	if v.AsOf() > now && v.AsOf()-now > protocol.Time(SoftAge) {
		return &Unproven{Kind: UnprovenClock, Text: "the log's time, " + v.AsOf().String() + ", is far ahead of this device's clock, " + now.String()}
	}
	if v.Age(now) > HardAge {
		return &Unproven{Kind: UnprovenAge, Text: "what is newest is proven as of " + v.AsOf().String() + " only"}
	}
	return nil
}

// Origin returns the log's first entry as it was shown at the first look: the
// proof that the keys of the world are the log's.
func (v *View) Origin() *Included { o := v.f.Origin; return &o }

// Bytes returns the encoding, for the device's own state.
func (v *View) Bytes() []byte { return canonical.MustMarshal(&v.f) }

// ParseView reads what Bytes returned, from the device's own state. It verifies
// the log's signature and the last entry again, so that a view is never anything
// but what the log signed; the quorum may have been another's policy.
func (w *World) ParseView(raw []byte) (*View, error) {
	var f viewFields
	if err := canonical.Unmarshal(raw, MaxAnswerSize, &f); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse view")
	}
	if f.Version != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse view: version %d is not known here", f.Version)
	}
	c, root, err := f.Shown.Verify(w.Log())
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "parse view")
	}
	return &View{f: f, log: w.Log().ID(), c: c, root: *root}, nil
}

// Advance verifies a checkpoint and returns the view of it; old is what the device
// remembers, nil at its first look. Errors are an *Alarm, an *Unproven, or of
// protocol.KindUntrusted for what proves nothing.
func (w *World) Advance(old *View, part *CheckpointPart) (*View, error) {
	v, err := w.follow(old, part)
	if err != nil {
		return nil, err
	}
	return w.witnessed(old, v)
}

// follow verifies all but the quorum.
func (w *World) follow(old *View, part *CheckpointPart) (*View, error) {
	c, err := w.Log().Verify(part.Note)
	if err != nil {
		return nil, err
	}
	shown := Shown{Note: part.Note, Root: part.Root, RootProof: part.RootProof}
	if old != nil {
		if err := w.extends(old, c, part); err != nil {
			return nil, err
		}
	}
	root, err := w.ends(c, &shown)
	if err != nil {
		return nil, err
	}
	v := &View{f: viewFields{Version: protocol.FormatVersion, Shown: shown}, log: w.Log().ID(), c: c, root: *root}
	if old == nil {
		v.f.Origin = Included{Note: part.Note, Entry: part.Origin, Proof: part.OriginProof}
		return v, w.begins(v)
	}
	v.f.Origin = old.f.Origin
	if root.Time < old.root.Time {
		return nil, &Alarm{Kind: AlarmTime, Text: "the log's time went back, from " + old.LogTime().String() + " to " + root.Time.String(), Old: old.shown(), New: &shown}
	}
	return v, nil
}

func (v *View) shown() *Shown { s := v.f.Shown; return &s }

// extends holds a checkpoint that the log signed against what was seen before,
// whoever cosigned it: a fork is one with and without witnesses.
func (w *World) extends(old *View, c tlog.Checkpoint, part *CheckpointPart) error {
	alarm := func(kind AlarmKind, text string) error {
		return &Alarm{Kind: kind, Text: text, Old: old.shown(), New: &Shown{Note: part.Note}}
	}
	switch {
	case old.log != w.Log().ID():
		return protocol.Errorf(protocol.KindInternal, "a view of another log is remembered")
	case c.Size < old.c.Size:
		return alarm(AlarmRollback, "the server shows an older state of its log than this device has seen")
	case c.Size == old.c.Size && c.Root != old.c.Root:
		return alarm(AlarmFork, "the server shows this device another log than before: two different logs of one size are signed")
	case c.Size > old.c.Size && tlog.VerifyConsistency(old.c, c, part.Consistency) != nil:
		return alarm(AlarmInconsistent, "the server does not show that its log extends what this device has seen")
	}
	return nil
}

// ends demands that the last entry is a Root that covers all before it.
func (w *World) ends(c tlog.Checkpoint, shown *Shown) (*Root, error) {
	if c.Size == 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the log is empty")
	}
	if err := tlog.VerifyInclusion(c, c.Size-1, tlog.LeafHash(shown.Root), shown.RootProof); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "the log's last entry")
	}
	_, root, err := shown.Verify(w.Log())
	if protocol.KindOf(err) == protocol.KindUntrusted {
		err = &Alarm{Kind: AlarmNoRoot, Text: "the log's last entry is no root that covers it", New: shown}
	}
	return root, err
}

// begins demands, at the first look, that entry 0 names the world's keys: with two
// pairs of them one log could hold two directories.
func (w *World) begins(v *View) error {
	if _, err := v.f.Origin.Verify(w.Log()); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "the log's first entry")
	}
	e, err := ParseEntry(v.f.Origin.Entry)
	if err != nil {
		return err
	}
	if e.Origin == nil || *e.Origin != w.origin() {
		return &Alarm{Kind: AlarmOrigin, Text: "the log's first entry names other keys than this device was told", New: v.shown()}
	}
	return nil
}

// witnessed demands the quorum for a view, and returns it with the quorum's time.
func (w *World) witnessed(old, v *View) (*View, error) {
	by, err := w.policy.Verify(v.Note())
	if quorum := (*tlog.QuorumError)(nil); errors.As(err, &quorum) {
		return nil, &Unproven{Kind: UnprovenQuorum, Text: "the newest state of the log is not cosigned by enough witnesses", Err: quorum}
	}
	if err != nil {
		return nil, err
	}
	v.f.Time, v.f.Witnessed = by.Time, w.policy.NeedsWitness()
	if v.f.Witnessed && v.LogTime() > by.Time && v.LogTime()-by.Time > ClockSkew {
		return nil, &Unproven{Kind: UnprovenClock, Text: "the log's time, " + v.LogTime().String() + ", is far ahead of its witnesses', " + by.Time.String()}
	}
	if old != nil && v.Size() == old.Size() && by.Time < old.f.Time {
		return old, nil // the same, with older cosignatures
	}
	return v, nil
}
