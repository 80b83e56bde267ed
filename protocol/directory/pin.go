// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Pin is what a device remembers of a name, its own or a contact's. It comes out
// of a Standing and only moves forward: nothing that a provider sends makes a
// device forget it.
type Pin struct {
	Log      protocol.Hash      `json:"log"` // the log's identifier
	Name     string             `json:"name"`
	Index    protocol.Hash      `json:"index"`
	Version  uint64             `json:"version"`
	Chain    protocol.Hash      `json:"chain"`
	Next     protocol.Hash      `json:"next"`
	Identity uint64             `json:"identity"`
	Position uint64             `json:"position"`
	Account  protocol.AccountID `json:"account"`
	Ledger   ledger.Head        `json:"ledger"`
	Shown    *Shown             `json:"shown"` // what proved it
}

// follows holds what was found against the pin. A nil pin demands nothing.
func (f *Found) follows(pin *Pin) error {
	if pin == nil {
		return nil
	}
	if pin.Log != f.log.ID() || pin.Name != f.name || pin.Index != f.shown.Index {
		return protocol.Errorf(protocol.KindInternal, "look up %s: the pin is of another name or log", f.name)
	}
	if pin.Position >= f.view.c.Size {
		return f.alarm(AlarmRollback, pin, "the server shows an older state of its log than the one that this device knows the name %q from", f.name)
	}
	leaf := f.leaf
	switch {
	case leaf == nil:
		return f.alarm(AlarmRegress, pin, "the directory does not know the name %q any more", f.name)
	case leaf.Version < pin.Version || leaf.Identity < pin.Identity:
		return f.alarm(AlarmRegress, pin, "the directory shows version %d of the name %q, and showed version %d before", leaf.Version, f.name, pin.Version)
	case leaf.Version == pin.Version && (leaf.Chain != pin.Chain || leaf.Next != pin.Next || leaf.Identity != pin.Identity || leaf.Position != pin.Position):
		return f.alarm(AlarmRegress, pin, "the directory shows another version %d of the name %q than before", leaf.Version, f.name)
	case leaf.Version > pin.Version && (pin.Next.IsZero() || leaf.Position <= pin.Position):
		return f.alarm(AlarmRegress, pin, "the name %q has a new version, where it was closed for ever, or one from before the last", f.name)
	case leaf.Identity > pin.Identity:
		return f.alarm(AlarmIdentity, pin, "the name %q was given to another identity: it is not who it was", f.name)
	case leaf.Version == pin.Version+1 && (f.entry.Update == nil || KeyHash(f.entry.Update.Key) != pin.Next):
		a := f.alarm(AlarmUpdate, pin, "the name %q was moved on without the key that its account has for it", f.name)
		a.Entry, a.EntryProof = f.raw, f.proof
		return a
	}
	return nil
}

func (f *Found) alarm(kind AlarmKind, pin *Pin, format string, args ...any) *Alarm {
	a := &Alarm{Kind: kind, Text: fmt.Sprintf(format, args...), New: f.shown}
	if pin != nil {
		a.Old = pin.Shown
	}
	return a
}
