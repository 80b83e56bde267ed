// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Limits of a statement.
const (
	// MaxSize bounds the encoding of a signed statement in bytes.
	MaxSize = 1024
	// MaxSpan bounds how long a provider may have looked, from Since to Time:
	// a statement about a longer time would contradict nothing.
	MaxSpan = protocol.Time(time.Minute)
)

// Kind says what a statement is about.
type Kind uint8

// The kinds.
const (
	KindLedger  Kind = 1 // the last entry of an account's ledger
	KindVault   Kind = 2 // the newest record and the newest generation of a vault
	KindReceipt Kind = 3 // an update of a name that was accepted
)

// String returns the word for the kind.
func (k Kind) String() string {
	switch k {
	case KindLedger:
		return "ledger"
	case KindVault:
		return "vault"
	case KindReceipt:
		return "receipt"
	}
	return "unknown"
}

// Statement is what is signed. About a ledger or a vault it says: at some moment
// from Since to Time, this was the newest. An honest provider takes Since before it
// looks and Time after, from one clock that never goes back, and says only what it
// stored durably; then no two of its statements contradict each other, whatever
// happens at the same time.
//
// A receipt says: the log holds the update, and the directory this version of the
// name or a later one, in every root whose time is after By.
//
// Growth: a field or kind is only ever added with a new format version; a reader
// refuses a version, field or kind that it does not know.
type Statement struct {
	Version        uint64             `cbor:"1,keyasint"`
	Log            protocol.Hash      `cbor:"2,keyasint"` // the log's identifier
	Kind           Kind               `cbor:"3,keyasint"`
	Nonce          [16]byte           `cbor:"4,keyasint"` // who asked, chose it; zero in a receipt
	Since          protocol.Time      `cbor:"5,keyasint"` // before the provider looked
	Time           protocol.Time      `cbor:"6,keyasint"` // after it had looked
	Account        protocol.AccountID `cbor:"7,keyasint"`
	Vault          protocol.VaultID   `cbor:"8,keyasint,omitzero"`  // vaults
	Seq            uint64             `cbor:"9,keyasint,omitzero"`  // ledgers and vaults
	Hash           protocol.Hash      `cbor:"10,keyasint,omitzero"` // of the entry or record; in a receipt, of the log's leaf
	Generation     uint64             `cbor:"11,keyasint,omitzero"` // vaults: number of the prune chain
	GenerationHash protocol.Hash      `cbor:"12,keyasint,omitzero"`
	Index          protocol.Hash      `cbor:"13,keyasint,omitzero"` // receipts: of the name
	NameVersion    uint64             `cbor:"14,keyasint,omitzero"` // receipts: of the name, from 1
	By             protocol.Time      `cbor:"15,keyasint,omitzero"` // receipts: of the log
}

// check holds a statement to what its syntax alone demands.
func (s *Statement) check() error {
	bad := func(why string) error {
		return protocol.Errorf(protocol.KindUntrusted, "parse statement: %s", why)
	}
	switch {
	case s.Log.IsZero() || s.Account.IsZero():
		return bad("it names no log or no account")
	case s.Since < 0 || s.Time < s.Since || s.Time-s.Since > MaxSpan:
		return bad("its times are out of order, or too far apart")
	}
	switch s.Kind {
	case KindLedger:
		return s.checkLedger(bad)
	case KindVault:
		return s.checkVault(bad)
	case KindReceipt:
		return s.checkReceipt(bad)
	}
	return protocol.Errorf(protocol.KindUnsupported, "parse statement: kind %d is not known here", s.Kind)
}

func (s *Statement) checkLedger(bad func(string) error) error {
	switch {
	case s.Hash.IsZero():
		return bad("about a ledger, without a hash")
	case !s.Vault.IsZero() || s.Generation != 0 || !s.GenerationHash.IsZero() || s.receipt():
		return bad("about a ledger, with what belongs to another kind")
	}
	return nil
}

func (s *Statement) checkVault(bad func(string) error) error {
	switch {
	case s.Vault.IsZero():
		return bad("about a vault that it does not name")
	case (s.Seq == 0) != s.Hash.IsZero() || (s.Generation == 0) != s.GenerationHash.IsZero():
		return bad("a number and its hash do not agree")
	case s.receipt():
		return bad("about a vault, with what belongs to another kind")
	}
	return nil
}

func (s *Statement) checkReceipt(bad func(string) error) error {
	switch {
	case s.Hash.IsZero() || s.Index.IsZero() || s.NameVersion == 0 || s.By <= s.Time:
		return bad("a receipt that promises nothing")
	case !s.Vault.IsZero() || s.Seq != 0 || s.Generation != 0 || !s.GenerationHash.IsZero() || s.Nonce != [16]byte{}:
		return bad("a receipt with what belongs to another kind")
	}
	return nil
}

// receipt reports whether anything is set that only receipts have.
func (s *Statement) receipt() bool { return !s.Index.IsZero() || s.NameVersion != 0 || s.By != 0 }

// Subject is what a statement is about. Statements of one subject can be held
// against each other, and a client keeps the newest of each.
type Subject struct {
	Log     protocol.Hash
	Kind    Kind
	Account protocol.AccountID
	Vault   protocol.VaultID // vaults
	Index   protocol.Hash    // receipts
	Version uint64           // receipts
}

// Subject returns what the statement is about. It is comparable.
func (s *Statement) Subject() Subject {
	subject := Subject{Log: s.Log, Kind: s.Kind, Account: s.Account, Vault: s.Vault, Index: s.Index, Version: s.NameVersion}
	if s.Kind == KindReceipt {
		subject.Account = protocol.AccountID{} // a version of a name is promised once, to whomever
	}
	return subject
}

// signed returns what the signature covers.
func (s *Statement) signed() []byte {
	return append([]byte("solekey/v1/statement\x00"), canonical.MustMarshal(s)...)
}
