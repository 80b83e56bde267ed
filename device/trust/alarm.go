// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/statement"
)

// Held is the error for everything that an alarm does not let through. Its kind is
// protocol.KindUntrusted.
type Held struct {
	Alarm    *state.Alarm
	Evidence string // the path of the file, "" where there is nothing that proves it to others
}

// Error says what happened, in what state things are, and what to do.
func (h *Held) Error() string {
	text := fmt.Sprintf("ALARM %d (%s): %s. Nothing that came with it was used, and this device writes nothing until you have taken note of it (solekey log alarms)",
		h.Alarm.Number, h.Alarm.Kind, h.Alarm.Text)
	if h.Evidence != "" {
		text += "; what proves it to others lies in " + h.Evidence
	}
	return text
}

// Unwrap returns the error of the kind that crosses the wire.
func (h *Held) Unwrap() error { return protocol.Errorf(protocol.KindUntrusted, "%s", h.Alarm.Text) }

// HeldBy returns the Held in err's chain, nil where an alarm has no part in it.
func HeldBy(err error) *Held {
	var h *Held
	if errors.As(err, &h) {
		return h
	}
	return nil
}

// held returns the error of an alarm that is remembered.
func (t *Trust) held(a *state.Alarm) *Held {
	return &Held{Alarm: a, Evidence: t.o.State.EvidencePath(a)}
}

// Clear returns nil where no alarm holds writes, else the Held.
func (t *Trust) Clear() error {
	a, err := t.o.State.StandingAlarm()
	if err != nil {
		return err
	}
	if a != nil {
		return t.held(a)
	}
	return nil
}

// raised is what an alarm is about.
type raised struct {
	kind     string
	text     string
	same     []byte // what tells two alarms of the kind apart
	evidence []byte // nil: it proves nothing to others
}

// raise remembers an alarm and returns its Held. An alarm of which the user took
// note already comes back as noted; what it is about is refused all the same.
func (t *Trust) raise(r raised) error {
	a, err := t.o.State.RaiseAlarm(&state.Alarm{
		Time: t.o.Now(), Kind: r.kind, Text: r.text, Same: sha256.Sum256(r.same),
	}, r.evidence)
	if err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "%s; and the alarm about it could not be remembered", r.text)
	}
	return t.held(a)
}

// Judge turns an error that accuses the provider, from whatever it answered, into
// an alarm; any other stays as it is.
func (t *Trust) Judge(err error) error { return t.alarmed(err) }

// alarmed turns an error that accuses the provider into an alarm; any other stays
// as it is.
func (t *Trust) alarmed(err error) error {
	var a *directory.Alarm
	if errors.As(err, &a) {
		r := raised{kind: string(a.Kind), text: a.Text, evidence: t.proof(a)}
		if a.Old != nil {
			r.same = slices.Clone(a.Old.Note)
		}
		if a.New != nil { // which name it is about
			r.same = append(r.same, a.New.Index[:]...)
		}
		return t.raise(r)
	}
	if c := client.ContradictionOf(err); c != nil {
		return t.raise(raised{kind: "statements", text: c.Why + means(c), same: c.Old.Bytes(), evidence: t.contradiction(c)})
	}
	return err
}

// means says in a word what two statements amount to.
func means(c *client.Contradiction) string {
	a, b := c.Old.Statement(), c.New.Statement()
	switch {
	case a.Kind == statement.KindReceipt:
		return ""
	case b.Seq < a.Seq || b.Generation < a.Generation:
		return ": it shows an older state than before (a rollback)"
	}
	return ": it shows two pasts (a fork)"
}
