// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// Anchorage is from whose secret anchors come: the account's, of an epoch, which
// all its holders know; or a writer's own in one vault, which the account's
// holders can derive.
type Anchorage struct {
	Epoch  uint64            // of the account secret; 0 for a writer
	Writer protocol.MemberID // zero for the account
	Vault  protocol.VaultID  // of a writer

	account protocol.AccountID
	secret  *keys.Secret
}

// Anchorage returns the account's, of an epoch.
func (r *Ring) Anchorage(epoch uint64) (*Anchorage, error) {
	secret, err := r.secret(epoch)
	if err != nil {
		return nil, err
	}
	return &Anchorage{Epoch: epoch, account: r.state.Account(), secret: secret.Derive("anchor/account")}, nil
}

// Anchorage returns a writer's, out of its own content secret for the vault.
func (c ContentSecret) Anchorage(account protocol.AccountID, vault protocol.VaultID) *Anchorage {
	return &Anchorage{Writer: c.Namer, Vault: vault, account: account, secret: c.Root.Derive("anchor/writer", vault[:])}
}

// Anchored is what an anchor's box holds: the newest heads that a device knew.
//
// Growth: a changed box gets a new version; a reader passes over one that it does
// not know, and says so.
type Anchored struct {
	Version uint64             `cbor:"1,keyasint"`
	Time    protocol.Time      `cbor:"2,keyasint"` // by the device's clock: for people
	Ledger  ledger.Head        `cbor:"3,keyasint"`
	Heads   []ledger.VaultHead `cbor:"4,keyasint"` // ascending by vault, none of number 0
}

// maxAnchored bounds what is in a box: a head for each vault there can be.
const maxAnchored = ledger.MaxVaults*80 + 256

// boxStep is the smallest box's content; each larger one has twice as much, so
// that its length says nearly nothing about how many vaults there are.
const boxStep = 512

// Key returns the one-time key of a slot in a period.
func (a *Anchorage) Key(period directory.Period, slot uint64) *directory.AnchorKey {
	return directory.DeriveAnchorKey(a.secret, period, slot)
}

// Seal boxes what is anchored at an index. The anchor's commitment is the SHA-256
// of the box.
func (a *Anchorage) Seal(index protocol.Hash, what *Anchored) []byte {
	said := *what
	said.Version = protocol.FormatVersion
	content := canonical.MustMarshal(said)
	size := boxStep
	for size < 4+len(content) {
		size *= 2
	}
	padded := make([]byte, size)
	binary.BigEndian.PutUint32(padded, uint32(len(content)))
	copy(padded[4:], content)
	return seal.Box(a.secret.Derive("anchor/box"), a.context(index), padded)
}

// Open opens a box that was sealed for the index.
func (a *Anchorage) Open(index protocol.Hash, box []byte) (*Anchored, error) {
	padded, err := seal.OpenBox(a.secret.Derive("anchor/box"), a.context(index), box)
	if err != nil {
		return nil, err
	}
	if len(padded) < 4 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "open anchor: it holds nothing")
	}
	size := binary.BigEndian.Uint32(padded)
	if uint64(size) > uint64(len(padded)-4) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "open anchor: it is cut off")
	}
	for _, b := range padded[4+size:] {
		if b != 0 {
			return nil, protocol.Errorf(protocol.KindUntrusted, "open anchor: something stands behind it")
		}
	}
	content := padded[4 : 4+size]
	if v, ok := canonical.Version(content); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "open anchor: version %d is not known here", v)
	}
	what := new(Anchored)
	if err := canonical.Unmarshal(content, maxAnchored, what); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "open anchor")
	}
	return what, what.check()
}

// check holds the heads to their order.
func (a *Anchored) check() error {
	for i, h := range a.Heads {
		if h.Seq == 0 || h.Hash.IsZero() || i > 0 && string(a.Heads[i-1].Vault[:]) >= string(h.Vault[:]) {
			return protocol.Errorf(protocol.KindUntrusted, "open anchor: its heads are out of order")
		}
	}
	return nil
}

func (a *Anchorage) context(index protocol.Hash) seal.Context {
	c := seal.Context{Account: a.account, Vault: a.Vault, Type: seal.TypeAnchor, ID: index, Epoch: a.Epoch}
	copy(c.Parent[:], a.Writer[:])
	return c
}
