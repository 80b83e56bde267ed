// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// Objects returns the wrap or box that an entry names by its hash. What it
// returns is checked by being opened.
type Objects func(protocol.Hash) ([]byte, error)

// Ring holds what a member can open. It is safe for concurrent use once made.
type Ring struct {
	state   *ledger.State
	objects Objects
	self    *keys.MemberSecrets
	secrets map[uint64]*keys.Secret // account secret by epoch
}

// Open opens every epoch's account secret for an owner device or a recovery
// method. It fails with protocol.KindRemoved where the member was removed, and
// with protocol.KindUntrusted where a wrap or link does not open.
func Open(state *ledger.State, objects Objects, self *keys.MemberSecrets) (*Ring, error) {
	r := &Ring{state: state, objects: objects, self: self, secrets: map[uint64]*keys.Secret{}}
	member, err := state.Member(self.ID())
	if err != nil {
		return nil, err
	}
	if !member.Present() {
		return nil, protocol.Errorf(protocol.KindRemoved, "this device was removed from the account")
	}
	newest, wrap := newestWrap(member)
	if newest == 0 {
		return nil, protocol.Errorf(protocol.KindDenied, "this device was given no account secret: it can add, not read")
	}
	if err := r.unwrap(newest, wrap); err != nil {
		return nil, err
	}
	return r, r.follow(newest)
}

func newestWrap(m *ledger.Member) (epoch uint64, wrap protocol.Hash) {
	for e, w := range m.Wraps {
		if e > epoch {
			epoch, wrap = e, w
		}
	}
	return epoch, wrap
}

func (r *Ring) unwrap(epoch uint64, name protocol.Hash) error {
	wrap, err := r.objects(name)
	if err != nil {
		return err
	}
	secret, err := seal.Unwrap(r.self.Wrap, secretContext(r.state.Account(), r.self.ID(), epoch), wrap)
	if err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "account secret of epoch %d", epoch)
	}
	r.secrets[epoch] = secret
	return nil
}

// follow opens the links from an epoch down to the first.
func (r *Ring) follow(from uint64) error {
	for epoch := from; epoch > 1; epoch-- {
		link, err := r.objects(r.state.Link(epoch))
		if err != nil {
			return err
		}
		older, err := seal.OpenBox(r.secrets[epoch], linkContext(r.state.Account(), epoch), link)
		if err != nil {
			return protocol.Wrap(protocol.KindUntrusted, err, "account secret of epoch %d", epoch-1)
		}
		if r.secrets[epoch-1], err = keys.NewSecret(older); err != nil {
			return err
		}
	}
	return nil
}

// State returns the ledger's state that the ring was opened from.
func (r *Ring) State() *ledger.State { return r.state }

// Self returns the member's own secrets.
func (r *Ring) Self() *keys.MemberSecrets { return r.self }

// secret returns the account secret of an epoch.
func (r *Ring) secret(epoch uint64) (*keys.Secret, error) {
	s, ok := r.secrets[epoch]
	if !ok {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the account secret of epoch %d is not known here", epoch)
	}
	return s, nil
}

func secretContext(account protocol.AccountID, member protocol.MemberID, epoch uint64) seal.Context {
	return seal.Context{Account: account, Type: seal.TypeAccountSecret, ID: protocol.Hash(member), Epoch: epoch}
}

func linkContext(account protocol.AccountID, epoch uint64) seal.Context {
	return seal.Context{Account: account, Type: seal.TypeAccountLink, Epoch: epoch}
}
