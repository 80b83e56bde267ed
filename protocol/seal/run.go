// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/rand"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
)

// Run is one run of a device over a vault: a fresh key, wrapped to the vault,
// from which the keys of its packs come. The key is never written to a disk; a
// killed run goes on as a new one.
type Run struct {
	account protocol.AccountID
	vault   protocol.VaultID
	epoch   uint64
	id      protocol.RunID
	key     *keys.Secret
	wrap    []byte
}

// NewRun begins a run over the vault that the recipient is.
func NewRun(to directory.Recipient) (*Run, error) {
	if to.Vault().IsZero() {
		return nil, protocol.Errorf(protocol.KindInternal, "new run: the recipient is no vault")
	}
	r := &Run{account: to.Account(), vault: to.Vault(), epoch: to.Epoch(), key: keys.GenerateSecret()}
	_, _ = rand.Read(r.id[:]) // crypto/rand.Read never fails
	wrap, err := Wrap(to, runContext(r.account, r.vault, r.epoch, r.id), r.key)
	if err != nil {
		return nil, err
	}
	r.wrap = wrap
	return r, nil
}

// OpenRun opens the run whose wrap the header carries, with the vault's secret
// of the epoch. A snapshot record carries the same five values; a header that
// was filled from one serves here, and opens no pack.
func OpenRun(own *keys.WrapSecret, h *PackHeader) (*Run, error) {
	key, err := Unwrap(own, runContext(h.Account, h.Vault, h.Epoch, h.Run), h.Wrap)
	if err != nil {
		return nil, err
	}
	return &Run{account: h.Account, vault: h.Vault, epoch: h.Epoch, id: h.Run, key: key, wrap: h.Wrap}, nil
}

func runContext(account protocol.AccountID, vault protocol.VaultID, epoch uint64, id protocol.RunID) Context {
	return Context{Account: account, Vault: vault, Type: TypeRunKey, ID: RunID32(id), Epoch: epoch}
}

// Account returns the account.
func (r *Run) Account() protocol.AccountID { return r.account }

// Vault returns the vault.
func (r *Run) Vault() protocol.VaultID { return r.vault }

// Epoch returns the vault's epoch that the run is sealed to.
func (r *Run) Epoch() uint64 { return r.epoch }

// ID returns the run's identifier.
func (r *Run) ID() protocol.RunID { return r.id }

// Wrapped returns the run key, wrapped to the vault; WrapSize bytes, which the
// caller must not change.
func (r *Run) Wrapped() []byte { return r.wrap }

// Seal boxes the details of the run's snapshot record, which will follow the
// record prev.
func (r *Run) Seal(prev protocol.Hash, details []byte) []byte {
	return Box(r.key, r.detailsContext(prev), details)
}

// Open opens the details of a snapshot record that follows the record prev.
func (r *Run) Open(prev protocol.Hash, details []byte) ([]byte, error) {
	return OpenBox(r.key, r.detailsContext(prev), details)
}

func (r *Run) detailsContext(prev protocol.Hash) Context {
	return Context{Account: r.account, Vault: r.vault, Type: TypeDetails, ID: RunID32(r.id), Epoch: r.epoch, Parent: prev}
}
