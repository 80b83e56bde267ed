// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"encoding/json"
	"fmt"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// Met is a contact whose code was compared by a way that no server controls. It
// stays when everything else about the log is learned anew: what a person has
// checked is worth more than what a log says.
type Met struct {
	Name    string             `json:"name"`
	Account protocol.AccountID `json:"account"`
	Time    protocol.Time      `json:"time"` // by this device's clock
}

// noteMet is where contacts are remembered that were met.
const noteMet = "met"

// MetContacts returns the contacts that were met, by their names.
func MetContacts(s *state.State) (map[string]Met, error) {
	met := map[string]Met{}
	data, err := s.Note(noteMet)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return met, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &met); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "the contacts that were compared are damaged")
	}
	return met, nil
}

// Meet remembers that the contact's code was compared, and is that of the account.
func Meet(s *state.State, m Met) error {
	met, err := MetContacts(s)
	if err != nil {
		return err
	}
	met[m.Name] = m
	return keepMet(s, met)
}

func keepMet(s *state.State, met map[string]Met) error {
	data, err := json.Marshal(met)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "remember a contact")
	}
	return s.SetNote(noteMet, data)
}

// NewIdentity puts a candidate, whose code the user has compared, in the place of who
// the name was. Until then nothing is forgotten; and where this is cut off between
// its two steps the name goes on to be an alarm.
func (t *Trust) NewIdentity(candidate *directory.Standing, m Met) error {
	if err := t.Clear(); err != nil {
		return err
	}
	pin := candidate.Pin()
	if pin.Name != m.Name || pin.Account != m.Account {
		return protocol.Errorf(protocol.KindUsage, "%q was compared as another identity than the one that was looked up", m.Name)
	}
	if err := Meet(t.o.State, m); err != nil {
		return err
	}
	return t.o.State.ReplacePin(pin)
}

// stillMet raises the alarm where a name that was compared leads to another account
// now. The pin says so too, while there is one.
func (t *Trust) stillMet(name string, account protocol.AccountID) error {
	met, err := MetContacts(t.o.State)
	if err != nil {
		return err
	}
	m, known := met[name]
	if !known || m.Account == account {
		return nil
	}
	return t.raise(raised{
		kind: "identity", same: fmt.Append(nil, name, account),
		text: fmt.Sprintf("the name %q leads to another identity than the one whose code you compared on %s. Nothing is sealed to it. If it is a new account of the same person, compare its code anew (solekey key verify --new-identity %s)",
			name, m.Time, name),
	})
}
