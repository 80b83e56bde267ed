// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// Recipient is a public key together with the proof that it may be sealed to: it
// stands in a folded ledger that a Standing shows to be the newest, or to be this
// device's own. Its zero value is no recipient. This is the one choke point
// through which every wrap passes: only a Standing makes one.
type Recipient struct{ r ledger.Recipient }

// Account returns the account that the recipient belongs to.
func (r *Recipient) Account() protocol.AccountID { return r.r.Account() }

// Member returns the member, zero where the recipient is a vault.
func (r *Recipient) Member() protocol.MemberID { return r.r.Member() }

// Vault returns the vault, zero where the recipient is a member.
func (r *Recipient) Vault() protocol.VaultID { return r.r.Vault() }

// Epoch returns a vault recipient's epoch, zero for a member.
func (r *Recipient) Epoch() uint64 { return r.r.Epoch() }

// Ledger returns the head of the ledger that the recipient comes from.
func (r *Recipient) Ledger() ledger.Head { return r.r.Ledger() }

// Key returns the public key, and false for the zero value.
func (r *Recipient) Key() (keys.WrapKey, bool) { return r.r.Key() }

// Holders returns exactly those who may hold the account secret now: a rotation
// wraps to all of them and to nobody else. Errors are as Member's.
func (s *Standing) Holders() ([]Recipient, error) {
	if err := s.admits(); err != nil {
		return nil, err
	}
	var list []Recipient
	for _, r := range s.state.Holders() {
		list = append(list, Recipient{r})
	}
	return list, nil
}

// Member returns the recipient of a grant: a present member. The error is an
// *Unproven where the standing is not fresh, and protocol.KindRemoved for a member
// that was removed.
func (s *Standing) Member(id protocol.MemberID) (Recipient, error) {
	if err := s.admits(); err != nil {
		return Recipient{}, err
	}
	r, err := s.state.MemberRecipient(id)
	if err != nil {
		return Recipient{}, err
	}
	return Recipient{r}, nil
}

// admits reports why no member is a recipient.
func (s *Standing) admits() error {
	if s.Closed() {
		return protocol.Errorf(protocol.KindDenied, "the name is closed for ever")
	}
	return s.unfresh
}

// Vault returns the recipient of a run over the vault, at the epoch in force. It is
// given also where the standing is not fresh, if the key was proven before or is
// this device's own. The error is protocol.KindBusy while new keys are due.
func (s *Standing) Vault(id protocol.VaultID) (Recipient, error) {
	if s.Closed() {
		return Recipient{}, protocol.Errorf(protocol.KindDenied, "the name is closed for ever")
	}
	v, err := s.state.Vault(id)
	if err != nil {
		return Recipient{}, err
	}
	r, err := s.state.VaultRecipient(id)
	if err != nil {
		return Recipient{}, err
	}
	if since := v.Epochs[len(v.Epochs)-1].Since; since > s.proven && since < s.mine {
		return Recipient{}, &Unproven{Kind: UnprovenKey, Text: "the newest key of the vault is not proven yet"}
	}
	return Recipient{r}, nil
}
