// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/solekey/solekey/protocol"

// Clock is what this device remembers of time, so that a clock that was set back
// makes nothing look newer than it is.
type Clock struct {
	// High is the highest that the local clock showed.
	High protocol.Time `json:"high"`
	// Back is, while the local clock stands behind High, the highest time that
	// witnesses had attested when that was first seen; 0 while it does not.
	Back protocol.Time `json:"back,omitempty"`
}

// Clock returns what is remembered, zeros at first.
func (s *State) Clock() (Clock, error) {
	var c Clock
	err := readDocument(s.path(nameClock), "clock", &c)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return Clock{}, nil
	}
	return c, err
}

// ChangeClock lets change move what is remembered, and writes it if it moved.
func (s *State) ChangeClock(change func(*Clock)) (Clock, error) {
	var c Clock
	err := s.update(func() (err error) {
		if c, err = s.Clock(); err != nil {
			return err
		}
		old := c
		if change(&c); c == old {
			return nil
		}
		return writeDocument(s.path(nameClock), "clock", c)
	})
	return c, err
}
