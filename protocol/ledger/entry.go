// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// Limits of a ledger. What exceeds them is refused.
const (
	MaxEntrySize = 64 << 10 // bytes of one encoded entry
	MaxEntries   = 1 << 16
	MaxDevices   = 256 // present ones: what a thief filled up can be emptied again
	MaxRecovery  = 32  // recovery methods that are present
	MaxVaults    = 256
	MaxLabelSize = 1024 // bytes of a boxed label
)

// fields are an entry's fields as they travel.
//
// Growth: a body is only ever added under a new number, together with a new
// format version; a reader refuses a version, field or body it does not know,
// because an entry it cannot understand may be one that removes a device.
type fields struct {
	Version   uint64             `cbor:"1,keyasint"`
	Account   protocol.AccountID `cbor:"2,keyasint,omitzero"` // absent in entry 0, whose hash it is
	Seq       uint64             `cbor:"3,keyasint"`
	Prev      protocol.Hash      `cbor:"4,keyasint,omitzero"` // absent in entry 0
	Time      protocol.Time      `cbor:"5,keyasint"`
	Body      Body               `cbor:"6,keyasint"`
	Signer    protocol.MemberID  `cbor:"7,keyasint"`
	Signature *keys.Signature    `cbor:"8,keyasint,omitempty"`
}

// Entry is one entry as it was parsed or signed. It is not verified: only a
// State that folded it says that it counts.
type Entry struct {
	f    fields
	raw  []byte
	hash protocol.Hash
}

// Parse reads one entry: syntax and limits only.
func Parse(raw []byte) (*Entry, error) {
	var f fields
	if v, ok := canonical.Version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse ledger entry: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxEntrySize, &f); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse ledger entry")
	}
	if f.Signature == nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse ledger entry: no signature")
	}
	if err := f.Body.check(); err != nil {
		return nil, err
	}
	return &Entry{f: f, raw: append([]byte(nil), raw...), hash: sha256.Sum256(raw)}, nil
}

// Bytes returns the encoding, which must not be changed.
func (e *Entry) Bytes() []byte { return e.raw }

// Hash returns the SHA-256 of the encoding.
func (e *Entry) Hash() protocol.Hash { return e.hash }

// Seq returns the position in the chain, from 0.
func (e *Entry) Seq() uint64 { return e.f.Seq }

// Prev returns the hash of the entry before, zero for entry 0.
func (e *Entry) Prev() protocol.Hash { return e.f.Prev }

// Time returns what the signer's clock said: for people, never for a rule.
func (e *Entry) Time() protocol.Time { return e.f.Time }

// Signer returns who claims to have signed.
func (e *Entry) Signer() protocol.MemberID { return e.f.Signer }

// Body returns what the entry says; the caller must not change it.
func (e *Entry) Body() *Body { return &e.f.Body }

// Account returns the account whose ledger the entry claims to be in.
func (e *Entry) Account() protocol.AccountID {
	if e.f.Seq == 0 {
		return protocol.AccountID(e.hash)
	}
	return e.f.Account
}

// signed returns what the signature covers: the encoding without it.
func (f fields) signed() []byte {
	f.Signature = nil
	return canonical.MustMarshal(f)
}

// Sign makes the next entry after prev, or entry 0 where prev is nil. What it
// returns was parsed from its own bytes, so that it is within all limits. It
// checks no rule: fold the result before you send it.
func Sign(prev *State, at protocol.Time, body Body, signer *keys.MemberSecrets) (*Entry, error) {
	f := fields{Version: protocol.FormatVersion, Time: at, Body: body, Signer: signer.ID()}
	if prev != nil {
		f.Account, f.Seq, f.Prev = prev.account, prev.head.Seq+1, prev.head.Hash
	}
	signature := signer.Signing.Sign(keys.PurposeLedgerEntry, f.signed())
	f.Signature = &signature
	raw, err := canonical.Marshal(f)
	if err != nil {
		return nil, err
	}
	return Parse(raw)
}
