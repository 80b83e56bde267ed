// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Anchor is one commitment to vault heads that this device sent to the public
// log.
type Anchor struct {
	Period     string        `json:"period"`
	Slot       uint64        `json:"slot"`
	Index      protocol.Hash `json:"index"`
	Commitment protocol.Hash `json:"commitment"`
	Sent       protocol.Time `json:"sent"` // by this device's best clock
}

// Anchors are what this device remembers of the anchors that it made.
type Anchors struct {
	// Epoch is that of the account secret that they were made under; 0 for a
	// writer.
	Epoch uint64 `json:"epoch,omitempty"`
	// Last is when the newest one was made, by the device's best clock, and
	// Heads what it commits to.
	Last  protocol.Time      `json:"last"`
	Heads []ledger.VaultHead `json:"heads,omitempty"`
	// Day and Slot are where the next one goes, unless it is taken there.
	Day  string `json:"day,omitempty"`
	Slot uint64 `json:"slot,omitempty"`
	// Pending were sent and not yet seen in the log.
	Pending []Anchor `json:"pending,omitempty"`
	// Proven is when one was last seen in the log, 0 for never.
	Proven protocol.Time `json:"proven,omitempty"`
	// Behind is since when heads are there that no anchor in the log holds; 0 for
	// none.
	Behind protocol.Time `json:"behind,omitempty"`
}

// maxPending bounds how many anchors are waited for; the oldest go first.
const maxPending = 64

// Anchors returns what is remembered.
func (s *State) Anchors() (*Anchors, error) {
	a := new(Anchors)
	err := readDocument(s.path(nameAnchors), "anchors", a)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return new(Anchors), nil
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// ChangeAnchors lets change move what is remembered, durably before it returns.
func (s *State) ChangeAnchors(change func(*Anchors)) error {
	return s.update(func() error {
		a, err := s.Anchors()
		if err != nil {
			return err
		}
		change(a)
		if over := len(a.Pending) - maxPending; over > 0 {
			a.Pending = slices.Delete(a.Pending, 0, over)
		}
		return writeDocument(s.path(nameAnchors), "anchors", a)
	})
}
