// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// ContentSecret is what the secrets that name, cut and pad a device's content in
// a vault are derived from: the vault's own, or one writer's. It opens nothing,
// and lives as long as the vault, since what is stored is found by its names.
type ContentSecret struct {
	// Namer is the writer whose secret it is; zero for the vault's own.
	Namer protocol.MemberID
	Root  *keys.Secret
}

// VaultSecrets are all secrets of one vault, as an owner device holds them.
type VaultSecrets struct {
	ID      protocol.VaultID
	content *keys.Secret
	wraps   []*keys.WrapSecret // by epoch, from 1
}

// vaultBox is what the box of a vault epoch's secrets holds.
//
// Growth: a field is only ever added with a new format version.
type vaultBox struct {
	Content [keys.SecretSize]byte   `cbor:"1,keyasint"`
	Wrap    [keys.WrapSeedSize]byte `cbor:"2,keyasint"`
}

const maxVaultBox = 256

// Vault opens the secrets of a vault, of every epoch.
func (r *Ring) Vault(id protocol.VaultID) (*VaultSecrets, error) {
	v, err := r.state.Vault(id)
	if err != nil {
		return nil, err
	}
	s := &VaultSecrets{ID: id}
	for i, e := range v.Epochs {
		if err := r.openVaultEpoch(s, uint64(i+1), &e); err != nil {
			return nil, protocol.Wrap(protocol.KindUntrusted, err, "secrets of vault %s, epoch %d", id, i+1)
		}
	}
	return s, nil
}

func (r *Ring) openVaultEpoch(s *VaultSecrets, epoch uint64, e *ledger.VaultEpoch) error {
	secret, err := r.secret(e.AccountEpoch)
	if err != nil {
		return err
	}
	sealed, err := r.objects(e.Secrets)
	if err != nil {
		return err
	}
	plain, err := seal.OpenBox(secret, vaultContext(r.state.Account(), s.ID, epoch), sealed)
	if err != nil {
		return err
	}
	var box vaultBox
	if err := canonical.Unmarshal(plain, maxVaultBox, &box); err != nil {
		return err
	}
	return s.add(&box, e.Key)
}

// add takes in one epoch's secrets; they must fit the public key that the
// ledger holds, and name content as every epoch before did.
func (s *VaultSecrets) add(box *vaultBox, public keys.WrapKey) error {
	wrap, err := keys.NewWrapSecret(box.Wrap[:])
	if err != nil {
		return err
	}
	content, err := keys.NewSecret(box.Content[:])
	if err != nil {
		return err
	}
	if wrap.Public() != public || s.content != nil && !s.content.Equal(content) {
		return protocol.Errorf(protocol.KindUntrusted, "they do not belong to this vault")
	}
	s.content, s.wraps = content, append(s.wraps, wrap)
	return nil
}

// Wrap returns what opens runs that were sealed to the vault at the epoch.
func (s *VaultSecrets) Wrap(epoch uint64) (*keys.WrapSecret, error) {
	if epoch == 0 || epoch > uint64(len(s.wraps)) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "vault %s has no epoch %d", s.ID, epoch)
	}
	return s.wraps[epoch-1], nil
}

// Content returns the vault's own content secret, which owners use.
func (s *VaultSecrets) Content() ContentSecret { return ContentSecret{Root: s.content} }

// Writer returns the content secret of one writer device.
func (s *VaultSecrets) Writer(member protocol.MemberID) ContentSecret {
	return ContentSecret{Namer: member, Root: s.content.Derive("vault/writer", member[:])}
}

func vaultContext(account protocol.AccountID, vault protocol.VaultID, epoch uint64) seal.Context {
	return seal.Context{Account: account, Vault: vault, Type: seal.TypeVaultSecrets, Epoch: epoch}
}

// OpenWriter opens a writer device's own content secret for a vault it was
// granted. It opens nothing that is stored.
func OpenWriter(state *ledger.State, objects Objects, self *keys.MemberSecrets, vault protocol.VaultID) (ContentSecret, error) {
	member, err := state.Member(self.ID())
	if err != nil {
		return ContentSecret{}, err
	}
	name, granted := member.Granted[vault]
	if !granted {
		return ContentSecret{}, protocol.Errorf(protocol.KindDenied, "this device was not granted vault %s", vault)
	}
	wrap, err := objects(name)
	if err != nil {
		return ContentSecret{}, err
	}
	secret, err := seal.Unwrap(self.Wrap, writerContext(state.Account(), vault, member.ID), wrap)
	if err != nil {
		return ContentSecret{}, protocol.Wrap(protocol.KindUntrusted, err, "writer secrets of vault %s", vault)
	}
	return ContentSecret{Namer: member.ID, Root: secret}, nil
}

func writerContext(account protocol.AccountID, vault protocol.VaultID, member protocol.MemberID) seal.Context {
	return seal.Context{Account: account, Vault: vault, Type: seal.TypeWriterSecrets, ID: protocol.Hash(member)}
}
