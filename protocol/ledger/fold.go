// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// PendingDelay is how long, in the log's cosigned time, an entry that could take
// an account over waits before a Complete gives it effect.
const PendingDelay = protocol.Time(7 * 24 * time.Hour)

// Times maps the hash of an entry to the cosigned time at which the public log
// first held it. It never comes from a clock or from a server's word; nil means
// that nothing is proven, and then nothing that is pending completes.
type Times map[protocol.Hash]protocol.Time

// Fold verifies a history from entry 0 on, chain, signatures and rules, and
// returns what it amounts to. The account is certified by the history itself:
// compare State.Account with the account you mean.
func Fold(entries []*Entry, times Times) (*State, error) {
	if len(entries) == 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "fold ledger: it is empty")
	}
	s := &State{
		members:  map[protocol.MemberID]*Member{},
		vaults:   map[protocol.VaultID]*Vault{},
		levels:   map[protocol.Category]protocol.Level{},
		lastName: map[string]NameRef{},
		used:     map[protocol.Hash]bool{},
	}
	if err := s.open(entries[0]); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "fold ledger entry 0")
	}
	if err := s.extend(entries[1:], times); err != nil {
		return nil, err
	}
	return s, nil
}

// Extend verifies the entries that follow the state and returns the new state;
// the old one stays as it is.
func (s *State) Extend(entries []*Entry, times Times) (*State, error) {
	c := s.clone()
	if err := c.extend(entries, times); err != nil {
		return nil, err
	}
	return c, nil
}

// open takes the genesis entry.
func (s *State) open(e *Entry) error {
	g := e.f.Body.Genesis
	if g == nil || e.f.Seq != 0 || !e.f.Prev.IsZero() || !e.f.Account.IsZero() {
		return protocol.Errorf(protocol.KindUntrusted, "the first entry is no genesis")
	}
	if err := g.Device.Check(); err != nil {
		return err
	}
	if g.Device.ID() != e.f.Signer {
		return protocol.Errorf(protocol.KindUntrusted, "the genesis is not signed by its device")
	}
	if err := g.Device.Verify.Verify(keys.PurposeLedgerEntry, e.f.signed(), e.f.Signature); err != nil {
		return err
	}
	s.account = protocol.AccountID(e.hash)
	s.advance(e)
	return s.addMember(&Member{Kind: KindDevice, Role: protocol.RoleOwner, Keys: g.Device})
}

func (s *State) extend(entries []*Entry, times Times) error {
	for _, e := range entries {
		if err := s.step(e, times); err != nil {
			return protocol.Wrap(protocol.KindUntrusted, err, "fold ledger entry %d (%s)", e.f.Seq, e.f.Body.Kind())
		}
	}
	return nil
}

// step verifies one entry against the state and applies it.
func (s *State) step(e *Entry, times Times) error {
	signer, err := s.expects(e)
	if err != nil {
		return err
	}
	if err := signer.Verify(keys.PurposeLedgerEntry, e.f.signed(), e.f.Signature); err != nil {
		return err
	}
	if err := s.apply(e, times); err != nil {
		return err
	}
	s.advance(e)
	return nil
}

// expects holds an entry's place in the chain and its signer's right against the
// state, and returns the signer, whose signature is yet to be verified.
func (s *State) expects(e *Entry) (*Member, error) {
	if e.f.Account != s.account || e.f.Seq != s.head.Seq+1 || e.f.Prev != s.head.Hash {
		return nil, protocol.Errorf(protocol.KindUntrusted, "it does not follow entry %d of account %s", s.head.Seq, s.account)
	}
	if e.f.Seq >= MaxEntries {
		return nil, protocol.Errorf(protocol.KindUntrusted, "a ledger has at most %d entries", MaxEntries)
	}
	signer, ok := s.members[e.f.Signer]
	if !ok {
		return nil, refuse("its signer %s is not in the ledger", e.f.Signer)
	}
	return signer, s.allows(signer, &e.f.Body)
}

func (s *State) advance(e *Entry) {
	s.head = Head{Seq: e.f.Seq, Hash: e.hash}
	s.hashes = append(s.hashes, e.hash)
}

// allows decides who may say what. An owner device may do all; a recovery key
// may add devices, remove devices and younger recovery methods, rotate and veto,
// and what belongs to these; a writer nothing. What needs the account secret to be made comes only from
// who was given it: from anybody else it would be a wrap or box that opens to
// nothing, and everything before it would be lost.
func (s *State) allows(signer *Member, b *Body) error {
	switch {
	case s.closed:
		return protocol.Errorf(protocol.KindUntrusted, "the account is closed")
	case !signer.Present():
		return protocol.Errorf(protocol.KindUntrusted, "its signer %s was removed", signer.ID)
	case s.due && b.Rotate == nil && b.RemoveDevice == nil && b.Veto == nil && !s.outranks(signer, b):
		return protocol.Errorf(protocol.KindUntrusted, "a rotation of the account secret is due first")
	case b.needsSecret() && !s.opens(signer):
		return protocol.Errorf(protocol.KindUntrusted, "its signer %s was not given the account secret", signer.ID)
	case signer.Owner():
		return nil
	case signer.Kind == KindRecovery && b.byRecovery(), s.outranks(signer, b):
		return nil
	}
	return protocol.Errorf(protocol.KindUntrusted, "its signer %s may not do this", signer.ID)
}

// needsSecret reports whether the body names what only a holder of the account
// secret in force can make.
func (b *Body) needsSecret() bool {
	return b.Grant != nil || b.Rotate != nil || b.CreateVault != nil || b.RotateVault != nil || b.Name != nil
}

// opens reports whether the member was given the account secret in force; while
// there is none, everybody counts as having it.
func (s *State) opens(m *Member) bool {
	_, has := m.Wraps[s.epoch]
	return has || s.epoch == 0
}

// byRecovery reports whether a recovery key may sign the body, whatever it is
// about.
func (b *Body) byRecovery() bool {
	return b.AddDevice != nil || b.RemoveDevice != nil || b.Grant != nil || b.Rotate != nil ||
		b.RotateVault != nil || b.Veto != nil || b.Name != nil
}

// outranks reports whether the body removes a recovery method and its signer is
// one that was added before it. Such a removal works at once and cannot be
// vetoed: what a thief adds is younger than the kit of the account's holder, and
// who holds an older recovery key could take the account over anyway.
func (s *State) outranks(signer *Member, b *Body) bool {
	if b.RemoveRecovery == nil || signer.Kind != KindRecovery {
		return false
	}
	target, ok := s.members[b.RemoveRecovery.Member]
	return ok && target.Kind == KindRecovery && signer.Added < target.Added
}
