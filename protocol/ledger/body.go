// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Body is what an entry says: exactly one of its fields is set.
type Body struct {
	Genesis        *Genesis        `cbor:"1,keyasint,omitempty"`
	AddDevice      *AddDevice      `cbor:"2,keyasint,omitempty"`
	RemoveDevice   *RemoveDevice   `cbor:"3,keyasint,omitempty"`
	Grant          *Grant          `cbor:"4,keyasint,omitempty"`
	Rotate         *Rotate         `cbor:"5,keyasint,omitempty"`
	CreateVault    *CreateVault    `cbor:"6,keyasint,omitempty"`
	RotateVault    *RotateVault    `cbor:"7,keyasint,omitempty"`
	SetProtection  *SetProtection  `cbor:"8,keyasint,omitempty"`
	AddRecovery    *AddRecovery    `cbor:"9,keyasint,omitempty"`
	RemoveRecovery *RemoveRecovery `cbor:"10,keyasint,omitempty"`
	Close          *Close          `cbor:"11,keyasint,omitempty"`
	Veto           *Veto           `cbor:"12,keyasint,omitempty"`
	Complete       *Complete       `cbor:"13,keyasint,omitempty"`
	Name           *Name           `cbor:"14,keyasint,omitempty"`
}

// Genesis opens a ledger with its first owner device, who signs it.
type Genesis struct {
	Device keys.MemberKeys `cbor:"1,keyasint"`
	Nonce  [32]byte        `cbor:"2,keyasint"` // random: two accounts of one device differ
}

// AddDevice adds a device. What opens things for it comes in a Grant.
type AddDevice struct {
	Device keys.MemberKeys `cbor:"1,keyasint"`
	Role   protocol.Role   `cbor:"2,keyasint"`
}

// RemoveDevice removes a device at once and for ever. Heads are the last heads
// that still count: what the device signed beyond them does not. They name every
// vault of the ledger, so that nothing becomes void by silence.
type RemoveDevice struct {
	Device protocol.MemberID `cbor:"1,keyasint"`
	Heads  []VaultHead       `cbor:"2,keyasint"` // ascending by vault
}

// VaultHead is a position in a vault's chain of snapshot records.
type VaultHead struct {
	Vault protocol.VaultID `cbor:"1,keyasint"`
	Seq   uint64           `cbor:"2,keyasint"` // 0: nothing yet, and the hash is zero
	Hash  protocol.Hash    `cbor:"3,keyasint"`
}

// Grant names the wrap by which a member gets a secret: an owner device or a
// recovery method the account secret of the epoch in force, a writer device its
// secrets for one vault.
type Grant struct {
	Member protocol.MemberID `cbor:"1,keyasint"`
	Vault  protocol.VaultID  `cbor:"2,keyasint,omitzero"` // writers only
	Epoch  uint64            `cbor:"3,keyasint,omitzero"` // of the account secret; owners and recovery methods only
	Wrap   protocol.Hash     `cbor:"4,keyasint"`
}

// Rotate puts a new account secret in force, wrapped to exactly the present
// members. Link is the box of the secret before it, under the new one, so that
// who holds the newest holds all; it is absent for epoch 1.
type Rotate struct {
	Epoch uint64        `cbor:"1,keyasint"`
	Wraps []MemberWrap  `cbor:"2,keyasint"` // ascending by member
	Link  protocol.Hash `cbor:"3,keyasint,omitzero"`
}

// MemberWrap names one member's wrap.
type MemberWrap struct {
	Member protocol.MemberID `cbor:"1,keyasint"`
	Wrap   protocol.Hash     `cbor:"2,keyasint"`
}

// CreateVault opens a vault at epoch 1. Secrets is the box of its secrets under
// the account secret in force.
type CreateVault struct {
	Vault    protocol.VaultID  `cbor:"1,keyasint"`
	Category protocol.Category `cbor:"2,keyasint"`
	Key      keys.WrapKey      `cbor:"3,keyasint"`
	Secrets  protocol.Hash     `cbor:"4,keyasint"`
}

// RotateVault puts a new key pair of a vault in force.
type RotateVault struct {
	Vault   protocol.VaultID `cbor:"1,keyasint"`
	Epoch   uint64           `cbor:"2,keyasint"`
	Key     keys.WrapKey     `cbor:"3,keyasint"`
	Secrets protocol.Hash    `cbor:"4,keyasint"`
}

// SetProtection sets the protection level of a category.
type SetProtection struct {
	Category protocol.Category `cbor:"1,keyasint"`
	Level    protocol.Level    `cbor:"2,keyasint"`
}

// AddRecovery adds a recovery key. What opens things for it comes in a Grant.
type AddRecovery struct {
	Keys keys.MemberKeys `cbor:"1,keyasint"`
}

// RemoveRecovery asks for a recovery method to be removed. It is pending until
// a Complete that the log's time allows, or a Veto; signed by a recovery method
// that was added before the target, it works at once.
type RemoveRecovery struct {
	Member protocol.MemberID `cbor:"1,keyasint"`
}

// Close asks for the account to be closed. It is pending like RemoveRecovery.
// A request ends when its signer is removed.
type Close struct{}

// Veto ends a pending entry without effect.
type Veto struct {
	Entry protocol.Hash `cbor:"1,keyasint"`
}

// Complete gives a pending entry its effect after its delay.
type Complete struct {
	Entry protocol.Hash `cbor:"1,keyasint"`
}

// Name gives a member or a vault the word people know it by, boxed under the
// account secret of the epoch: who fetches a ledger learns keys, not labels.
type Name struct {
	Member protocol.MemberID `cbor:"1,keyasint,omitzero"`
	Vault  protocol.VaultID  `cbor:"2,keyasint,omitzero"`
	Epoch  uint64            `cbor:"3,keyasint"`
	Box    []byte            `cbor:"4,keyasint"`
}

// kinds lists, in the order of their numbers, which fields are set.
func (b *Body) kinds() []string {
	var set []string
	add := func(is bool, name string) {
		if is {
			set = append(set, name)
		}
	}
	add(b.Genesis != nil, "genesis")
	add(b.AddDevice != nil, "add device")
	add(b.RemoveDevice != nil, "remove device")
	add(b.Grant != nil, "grant")
	add(b.Rotate != nil, "rotate")
	add(b.CreateVault != nil, "create vault")
	add(b.RotateVault != nil, "rotate vault")
	add(b.SetProtection != nil, "set protection")
	add(b.AddRecovery != nil, "add recovery")
	add(b.RemoveRecovery != nil, "remove recovery")
	add(b.Close != nil, "close")
	add(b.Veto != nil, "veto")
	add(b.Complete != nil, "complete")
	add(b.Name != nil, "name")
	return set
}

// Kind returns what the body says in two words.
func (b *Body) Kind() string {
	if set := b.kinds(); len(set) == 1 {
		return set[0]
	}
	return "nothing"
}

// check holds a body to what its syntax alone demands.
func (b *Body) check() error {
	if n := len(b.kinds()); n != 1 {
		return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: %d bodies, want exactly one", n)
	}
	for _, object := range b.Objects() {
		if object.IsZero() {
			return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: it names no wrap or box")
		}
	}
	switch {
	case b.RemoveDevice != nil:
		return checkHeads(b.RemoveDevice.Heads)
	case b.Rotate != nil:
		return checkWraps(b.Rotate.Wraps)
	case b.Name != nil && (len(b.Name.Box) == 0 || len(b.Name.Box) > MaxLabelSize):
		return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: label of %d bytes, 1 to %d allowed", len(b.Name.Box), MaxLabelSize)
	}
	return nil
}

func checkHeads(heads []VaultHead) error {
	for i, h := range heads {
		if i > 0 && bytes.Compare(heads[i-1].Vault[:], h.Vault[:]) >= 0 {
			return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: heads are not in ascending order")
		}
		if (h.Seq == 0) != h.Hash.IsZero() {
			return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: head %d of vault %s has the wrong hash", h.Seq, h.Vault)
		}
	}
	return nil
}

func checkWraps(wraps []MemberWrap) error {
	for i := 1; i < len(wraps); i++ {
		if bytes.Compare(wraps[i-1].Member[:], wraps[i].Member[:]) >= 0 {
			return protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: wraps are not in ascending order")
		}
	}
	return nil
}

// Objects returns the hashes of the wraps and boxes that the body names; they
// travel beside the entry.
func (b *Body) Objects() []protocol.Hash {
	switch {
	case b.Grant != nil:
		return []protocol.Hash{b.Grant.Wrap}
	case b.Rotate != nil:
		return b.Rotate.objects()
	case b.CreateVault != nil:
		return []protocol.Hash{b.CreateVault.Secrets}
	case b.RotateVault != nil:
		return []protocol.Hash{b.RotateVault.Secrets}
	}
	return nil
}

func (r *Rotate) objects() []protocol.Hash {
	var named []protocol.Hash
	for _, w := range r.Wraps {
		named = append(named, w.Wrap)
	}
	if !r.Link.IsZero() {
		named = append(named, r.Link)
	}
	return named
}
