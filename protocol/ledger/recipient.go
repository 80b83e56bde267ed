// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Recipient is a public key that comes out of a folded ledger. Its zero value is
// none. Nothing is sealed to it before protocol/directory has held the ledger
// against the public log.
type Recipient struct {
	account protocol.AccountID
	member  protocol.MemberID
	vault   protocol.VaultID
	epoch   uint64
	key     keys.WrapKey
	head    Head
}

// Account returns the account that the recipient belongs to.
func (r *Recipient) Account() protocol.AccountID { return r.account }

// Member returns the member, zero where the recipient is a vault.
func (r *Recipient) Member() protocol.MemberID { return r.member }

// Vault returns the vault, zero where the recipient is a member.
func (r *Recipient) Vault() protocol.VaultID { return r.vault }

// Epoch returns a vault recipient's epoch, zero for a member.
func (r *Recipient) Epoch() uint64 { return r.epoch }

// Ledger returns the head of the ledger that the recipient comes from.
func (r *Recipient) Ledger() Head { return r.head }

// Key returns the public key, and false for the zero value.
func (r *Recipient) Key() (keys.WrapKey, bool) { return r.key, !r.account.IsZero() }

// Holders returns exactly those who may hold the account secret now: the owner
// devices and recovery methods present. A rotation wraps to all of them and to
// nobody else.
func (s *State) Holders() []Recipient {
	var list []Recipient
	for _, m := range s.holders() {
		list = append(list, s.recipient(m))
	}
	return list
}

// MemberRecipient returns the recipient of a grant: a present member.
func (s *State) MemberRecipient(id protocol.MemberID) (Recipient, error) {
	m, err := s.Member(id)
	if err != nil {
		return Recipient{}, err
	}
	if !m.Present() {
		return Recipient{}, protocol.Errorf(protocol.KindRemoved, "member %s was removed", id)
	}
	return s.recipient(m), nil
}

// VaultRecipient returns the recipient of a run over the vault, at the epoch in
// force. While a rotation is due there is none: the old epoch's secret may be
// known to who was removed.
func (s *State) VaultRecipient(id protocol.VaultID) (Recipient, error) {
	v, err := s.Vault(id)
	if err != nil {
		return Recipient{}, err
	}
	if s.closed || s.due || v.due {
		return Recipient{}, protocol.Errorf(protocol.KindBusy, "vault %s waits for new keys", id)
	}
	r := Recipient{account: s.account, vault: id, epoch: v.Epoch(), head: s.head}
	r.key = v.Epochs[len(v.Epochs)-1].Key
	return r, nil
}

func (s *State) recipient(m *Member) Recipient {
	return Recipient{account: s.account, member: m.ID, key: m.Keys.Wrap, head: s.head}
}
