// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import "github.com/solekey/solekey/protocol"

// wait makes the entry pending. What waits already is not asked for twice, so
// that one veto ends it.
func (s *State) wait(e *Entry) error {
	for _, p := range s.pending {
		if p.target() == e.f.Body.target() {
			return refuse("this is pending already, since entry %d", p.Seq)
		}
	}
	s.pending = append(s.pending, Pending{Entry: e.hash, Seq: e.f.Seq, Signer: e.f.Signer, Body: e.f.Body})
	return nil
}

// target returns what a request is about: a recovery method, or zero for the
// account itself.
func (b *Body) target() protocol.MemberID {
	if b.RemoveRecovery != nil {
		return b.RemoveRecovery.Member
	}
	return protocol.MemberID{}
}

func (p *Pending) target() protocol.MemberID { return p.Body.target() }

// dropPendingOf ends what a removed member asked for: a thief that was thrown
// out leaves no request behind that somebody would have to remember to veto.
func (s *State) dropPendingOf(signer protocol.MemberID) {
	s.dropPending(func(p *Pending) bool { return p.Signer == signer })
}

func (s *State) dropPending(ends func(*Pending) bool) {
	var kept []Pending
	for _, p := range s.pending {
		if !ends(&p) {
			kept = append(kept, p)
		}
	}
	s.pending = kept
}

// askRemoveRecovery makes the removal pending, or carries it out where an older
// recovery method signed it; what anybody asked for about the target is then
// answered.
func (s *State) askRemoveRecovery(e *Entry, b *RemoveRecovery) error {
	m, ok := s.members[b.Member]
	if !ok || m.Kind != KindRecovery || !m.Present() {
		return refuse("recovery method %s is not in the account", b.Member)
	}
	if !s.outranks(s.members[e.f.Signer], &e.f.Body) {
		return s.wait(e)
	}
	s.dropPending(func(p *Pending) bool { return p.target() == b.Member })
	return s.removeRecovery(e.f.Seq, b.Member)
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
	if !ok || !ok2 || !waited(asked, now) {
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

// waited reports whether the delay lies between the two moments; the difference
// of two moments may not fit a Time, and is then taken as far as it fits.
func waited(asked, now protocol.Time) bool {
	if now < asked {
		return false
	}
	return uint64(now)-uint64(asked) >= uint64(PendingDelay)
}

// removeRecovery removes a recovery method; it held the account secret, so a
// rotation is due.
func (s *State) removeRecovery(seq uint64, id protocol.MemberID) error {
	m := s.members[id]
	if !s.opensWithout(m) {
		return refuse("nobody could open the account any more")
	}
	m.Removed = seq
	s.rotationDue()
	return nil
}
