// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Heads takes in what is new in the chains of all vaults of the account,
// verifies it against the ledger, and returns the newest record of each: what a
// removal names as the last that counts. It is for owner devices. o.Vault is not
// used.
func Heads(ctx context.Context, o Options, of *ledger.State) ([]ledger.VaultHead, error) {
	var heads []ledger.VaultHead
	for _, vault := range of.Vaults() {
		v := &Vault{o: o, kept: o.State.Vault(vault.ID), remote: o.Member.Vault(vault.ID), ledger: of}
		v.o.Vault = vault.ID
		head, err := v.lastThatCounts(ctx)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindOf(err), err, "chain of vault %s", vault.ID)
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// lastThatCounts returns the newest record of the vault. What the log proves beyond
// it, the removal would make void for ever.
func (v *Vault) lastThatCounts(ctx context.Context) (ledger.VaultHead, error) {
	said, err := v.remote.Head(ctx)
	if err == nil {
		err = v.syncRecords(ctx)
	}
	if err == nil {
		err = v.holdSaidRecord(said)
	}
	if err == nil {
		_, err = v.meetAnchored(true)
	}
	return v.head, err
}
