// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import "github.com/solekey/solekey/protocol"

// AlarmKind says what a provider did.
type AlarmKind string

// The kinds of alarm. Those with a + can be proved to others: the alarm holds what
// evidence needs.
const (
	AlarmFork         AlarmKind = "fork"         // + two roots of the log at one size
	AlarmNoRoot       AlarmKind = "no-root"      // + a checkpoint that does not end with a root that covers it
	AlarmTime         AlarmKind = "time"         // + the log's time went back
	AlarmLeaf         AlarmKind = "leaf"         // + a leaf names an entry that does not say what the leaf says
	AlarmRegress      AlarmKind = "regress"      // + a name went back, changed without a new version, or is gone
	AlarmUpdate       AlarmKind = "update"       // + a name was moved on with another key than its leaf named
	AlarmRollback     AlarmKind = "rollback"     // an older checkpoint than was seen before
	AlarmInconsistent AlarmKind = "inconsistent" // it is not shown that the log extends what was seen before
	AlarmOrigin       AlarmKind = "origin"       // the log's first entry names other keys than the world
	AlarmChain        AlarmKind = "chain"        // the openings are not the ones that the log holds
	AlarmAccount      AlarmKind = "account"      // a version names another account
	AlarmForeign      AlarmKind = "foreign"      // a version names a head that the ledger does not hold: no device made it
	AlarmBehind       AlarmKind = "behind"       // the ledger ends before the head that the newest version names
	AlarmIdentity     AlarmKind = "identity"     // the name was given to another identity
)

// Alarm is the error for what an honest provider does not send. Nothing moves on
// it. Its kind is protocol.KindUntrusted.
type Alarm struct {
	Kind AlarmKind
	Text string // in words, for the holder of the account

	// What was shown before and now, as far as it was verified; what evidence is
	// made of. Old is nil where nothing is remembered.
	Old, New *Shown
	// Entry is, for AlarmLeaf and AlarmUpdate, the log's entry at the position that the leaf names.
	Entry      []byte
	EntryProof []protocol.Hash
}

// Error returns the words.
func (a *Alarm) Error() string { return a.Text }

// Unwrap returns the error of the kind that crosses the wire.
func (a *Alarm) Unwrap() error { return protocol.Errorf(protocol.KindUntrusted, "%s", a.Text) }

// Provable reports whether the alarm can be proved to somebody who does not
// believe the device.
func (a *Alarm) Provable() bool {
	switch a.Kind {
	case AlarmFork, AlarmTime, AlarmRegress, AlarmUpdate:
		return a.Old != nil && a.New != nil
	case AlarmNoRoot, AlarmLeaf:
		return a.New != nil
	}
	return false
}

// UnprovenKind says what is missing.
type UnprovenKind string

// The kinds of what is not proven.
const (
	UnprovenQuorum UnprovenKind = "quorum" // not enough witnesses cosigned the checkpoint
	UnprovenAge    UnprovenKind = "age"    // the newest cosigned checkpoint is too old
	UnprovenClock  UnprovenKind = "clock"  // the log's time is far ahead of the witnesses' or of this device's
	UnprovenLedger UnprovenKind = "ledger" // the ledger holds entries that the directory does not cover yet
	UnprovenKey    UnprovenKind = "key"    // a key that no proof covers, where no new one is accepted
)

// Unproven is the error for what may still come right without anybody having done
// wrong: ask again later. Until then there is no new recipient. Its kind is
// protocol.KindUnreachable.
type Unproven struct {
	Kind UnprovenKind
	Text string
	Err  error // the cause, or nil
}

// Error returns the words and, behind a colon, the cause.
func (u *Unproven) Error() string {
	if u.Err == nil {
		return u.Text
	}
	return u.Text + ": " + u.Err.Error()
}

// Unwrap returns the error of the kind that crosses the wire.
func (u *Unproven) Unwrap() error {
	return &protocol.Error{Kind: protocol.KindUnreachable, Message: u.Text, Err: u.Err}
}
