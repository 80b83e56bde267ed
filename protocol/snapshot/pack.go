// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// MaxPackStatementSize is the limit of an encoded pack statement in bytes.
const MaxPackStatementSize = 8 << 10

// PackStatement says where a pack comes from.
//
// Growth: a field is only ever added with a new format version; a reader
// refuses a version or field it does not know.
type PackStatement struct {
	Version   uint64             `cbor:"1,keyasint"`
	Account   protocol.AccountID `cbor:"2,keyasint"`
	Vault     protocol.VaultID   `cbor:"3,keyasint"`
	Epoch     uint64             `cbor:"4,keyasint"`
	Run       protocol.RunID     `cbor:"5,keyasint"`
	Pack      protocol.PackID    `cbor:"6,keyasint"` // SHA-256 of the pack's bytes
	Size      uint64             `cbor:"7,keyasint"` // of the pack in bytes
	Ledger    ledger.Head        `cbor:"8,keyasint"` // the newest that the device knew
	Device    protocol.MemberID  `cbor:"9,keyasint"`
	Signature *keys.Signature    `cbor:"10,keyasint,omitempty"`
}

func (p PackStatement) signed() []byte {
	p.Signature = nil
	return canonical.MustMarshal(p)
}

// Sign sets version, device and signature and returns the encoding.
func (p *PackStatement) Sign(device *keys.MemberSecrets) []byte {
	p.Version, p.Device = protocol.FormatVersion, device.ID()
	signature := device.Signing.Sign(keys.PurposePack, p.signed())
	p.Signature = &signature
	return canonical.MustMarshal(p)
}

// ParsePackStatement reads syntax only.
func ParsePackStatement(raw []byte) (*PackStatement, error) {
	p := new(PackStatement)
	if err := canonical.Unmarshal(raw, MaxPackStatementSize, p); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse pack statement")
	}
	if err := checkEnvelope("pack statement", p.Version, p.Signature); err != nil {
		return nil, err
	}
	if p.Size == 0 || p.Epoch == 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack statement: a pack has a size and an epoch")
	}
	return p, nil
}

// Origin says how far a pack can be relied on.
type Origin uint8

const (
	// OriginPresent is a device that is in the account: its packs may be
	// deduplicated against.
	OriginPresent Origin = 1
	// OriginRemoved is a device that was removed since. It may have signed the
	// pack after its removal, with a colluding provider: what a counted snapshot
	// refers to can be read from it, checked by name, but nothing new relies on it.
	OriginRemoved Origin = 2
)

// Verify holds the statement against the ledger: signature, the device's right
// to add to the vault at the ledger head it saw, and the epoch in force there.
func (p *PackStatement) Verify(state *ledger.State) (Origin, error) {
	e := envelope{p.Account, p.Device, keys.PurposePack, p.Signature}
	member, err := e.verify(state, p.signed)
	if err == nil {
		err = state.Belongs(p.Device, p.Vault, p.Epoch, p.Ledger)
	}
	if err != nil {
		return 0, protocol.Wrap(protocol.KindUntrusted, err, "pack %s", p.Pack)
	}
	if !member.Present() {
		return OriginRemoved, nil
	}
	return OriginPresent, nil
}

// envelope is what every signed envelope has in common.
type envelope struct {
	account   protocol.AccountID
	device    protocol.MemberID
	purpose   keys.Purpose
	signature *keys.Signature
}

// verify holds account and signature against the ledger and returns the signer,
// present or removed.
func (e *envelope) verify(state *ledger.State, signed func() []byte) (*ledger.Member, error) {
	if e.account != state.Account() {
		return nil, protocol.Errorf(protocol.KindUntrusted, "it belongs to another account")
	}
	member, err := state.Member(e.device)
	if err != nil {
		return nil, err
	}
	if e.signature == nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "it has no signature")
	}
	return member, member.Keys.Verify.Verify(e.purpose, signed(), e.signature)
}

// checkEnvelope holds what every envelope has in common.
func checkEnvelope(what string, version uint64, signature *keys.Signature) error {
	if version != protocol.FormatVersion {
		return protocol.Errorf(protocol.KindUnsupported, "parse %s: version %d is not known here", what, version)
	}
	if signature == nil {
		return protocol.Errorf(protocol.KindUntrusted, "parse %s: no signature", what)
	}
	return nil
}
