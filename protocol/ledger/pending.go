// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import "github.com/solekey/solekey/protocol"

// wait makes the entry pending.
func (s *State) wait(e *Entry) {
	s.pending = append(s.pending, Pending{Entry: e.hash, Seq: e.f.Seq, Body: e.f.Body})
}

func (s *State) askRemoveRecovery(e *Entry, b *RemoveRecovery) error {
	m, ok := s.members[b.Member]
	if !ok || m.Kind != KindRecovery || !m.Present() {
		return refuse("recovery method %s is not in the account", b.Member)
	}
	s.wait(e)
	return nil
}

// takePending ends the waiting of an entry and returns it.
func (s *State) takePending(entry protocol.Hash) (Pending, error) {
	for i, p := range s.pending {
		if p.Entry == entry {
			s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
			return p, nil
		}
	}
	return Pending{}, refuse("entry %s is not pending", entry)
}

// complete gives a pending entry its effect. Both moments are the log's, as it
// was cosigned, so that no clock and no server can shorten the delay.
func (s *State) complete(e *Entry, b *Complete, times Times) error {
	asked, ok := times[b.Entry]
	now, ok2 := times[e.hash]
	if !ok || !ok2 || now-asked < PendingDelay {
		return refuse("the log does not prove that entry %s waited for its delay", b.Entry)
	}
	p, err := s.takePending(b.Entry)
	if err != nil {
		return err
	}
	if p.Body.Close != nil {
		s.closed = true
		return nil
	}
	return s.removeRecovery(e.f.Seq, p.Body.RemoveRecovery.Member)
}

// removeRecovery removes a recovery method; it held the account secret, so a
// rotation is due.
func (s *State) removeRecovery(seq uint64, id protocol.MemberID) error {
	m := s.members[id]
	if !m.Present() {
		return refuse("recovery method %s was removed already", id)
	}
	if len(s.holders()) == 1 {
		return refuse("nobody could open the account any more")
	}
	m.Removed = seq
	s.rotationDue()
	return nil
}
