// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// Record is what a provider keeps of an account beside its ledger. It is a
// journal: each change is written whole under the next Number, and the highest
// counts, so that accounts are rebuilt from the blob store alone.
//
// Growth: a field is only ever added with a new Version.
type Record struct {
	Version   uint64             `cbor:"1,keyasint"`
	Account   protocol.AccountID `cbor:"2,keyasint"`
	Number    uint64             `cbor:"3,keyasint"` // from 1
	Name      string             `cbor:"4,keyasint"` // canonical
	Password  []byte             `cbor:"5,keyasint"` // the OPAQUE record
	Created   protocol.Time      `cbor:"6,keyasint"`
	Invite    protocol.Hash      `cbor:"7,keyasint"` // hash of the invite it used up
	Quota     int64              `cbor:"8,keyasint"` // bytes; 0: none
	Suspended bool               `cbor:"9,keyasint"`
}

// Box is a recovery box and the locator it is found by.
type Box struct {
	Locator protocol.Hash `cbor:"1,keyasint"`
	Box     []byte        `cbor:"2,keyasint"`
}

// Info is an account as it is listed.
type Info struct {
	Record
	Used  int64 // bytes
	Packs int64
	Head  ledger.Head
}

// Batch is a run of entries that is appended to a ledger in one step, or not.
type Batch struct {
	Account  protocol.AccountID
	Request  protocol.RequestID
	Digest   protocol.Hash // of the request: the same request id with another digest is refused
	After    ledger.Head   // the head that it extends; ignored for a new account
	Entries  []*ledger.Entry
	Objects  [][]byte
	Recovery []Box
	At       protocol.Time
	// Update is the entry of the public log that goes with the batch, Opening what
	// its commitment opens to: the ledger's head after the batch. The store takes
	// both in with the batch, or nothing: it refuses, as protocol.KindConflict, an
	// update that is not one version up from the newest that it took in for the
	// name, and as protocol.KindUntrusted one that another key signed than that
	// version named.
	Update  []byte
	Opening directory.Opening
}

// NewAccount is an account to be opened; its batch starts with the genesis.
type NewAccount struct {
	Record Record
	Batch  Batch
}

// Invite is what is remembered of an invite.
type Invite struct {
	Created protocol.Time
	UsedBy  protocol.AccountID // zero while it is good
}

// InviteStore keeps invites by the hash of their secret.
type InviteStore interface {
	AddInvite(ctx context.Context, hash protocol.Hash, at protocol.Time) error
	// Invite returns protocol.KindNotFound for one that is not known.
	Invite(ctx context.Context, hash protocol.Hash) (Invite, error)
}

// AccountStore keeps accounts. What it acknowledges is durable, in the blob
// store as in the database.
type AccountStore interface {
	// CreateAccount opens the account and uses the invite up, in one step. It
	// returns nil where the same request opened it before; protocol.KindExists
	// where the name or the account is taken, protocol.KindDenied where the
	// invite is used up.
	CreateAccount(ctx context.Context, account NewAccount) error
	// Account returns protocol.KindNotFound for one that is not there.
	Account(ctx context.Context, id protocol.AccountID) (Info, error)
	// AccountByName is Account by the canonical name.
	AccountByName(ctx context.Context, name string) (Info, error)
	// Accounts visits all, in the order of their names.
	Accounts(ctx context.Context, visit func(Info) error) error
	// ChangeAccount applies change to the newest record and writes it as the next.
	ChangeAccount(ctx context.Context, id protocol.AccountID, change func(*Record)) error
}

// LedgerStore keeps ledgers.
type LedgerStore interface {
	// LedgerHead returns protocol.KindNotFound for an account that is not there.
	LedgerHead(ctx context.Context, account protocol.AccountID) (ledger.Head, error)
	// Entries returns up to limit encoded entries from the position.
	Entries(ctx context.Context, account protocol.AccountID, from uint64, limit int) ([][]byte, error)
	// Object returns an object that an entry names; protocol.KindNotFound.
	Object(ctx context.Context, account protocol.AccountID, name protocol.Hash) ([]byte, error)
	// AppendLedger appends the batch where the head still is batch.After, and
	// returns protocol.KindConflict where it is not. The same request again is
	// nil; its identifier with another digest is protocol.KindExists.
	AppendLedger(ctx context.Context, batch Batch) error
	// HoldsHead reports whether the head is a position of the vault's chain of
	// snapshots, the newest or an older one.
	HoldsHead(ctx context.Context, account protocol.AccountID, head ledger.VaultHead) (bool, error)
	// RecoveryBox returns protocol.KindNotFound for an unknown locator.
	RecoveryBox(ctx context.Context, locator protocol.Hash) ([]byte, error)
}

// Login is a password login between its two messages.
type Login struct {
	ID      protocol.Hash
	Account protocol.AccountID // zero for a name that is not known
	Name    string
	MAC     []byte // what the client has to send
	Expires protocol.Time
}

// LoginStore keeps half-done logins and counts attempts.
type LoginStore interface {
	PutLogin(ctx context.Context, login Login) error
	// TakeLogin returns and forgets a login; protocol.KindNotFound.
	TakeLogin(ctx context.Context, id protocol.Hash) (Login, error)
	// Count adds n, which may be negative, to the counter of a key in a window
	// and returns it. It is durable when it returns.
	Count(ctx context.Context, key protocol.Hash, window protocol.Time, n int64) (int64, error)
	// Purge forgets logins, sessions, nonces and enrolments that expired before
	// the moment, and counters of windows before it.
	Purge(ctx context.Context, before, windows protocol.Time) error
}

// Session is an open session. Token is the hash of its secret.
type Session struct {
	Account protocol.AccountID
	Token   protocol.Hash
	Scope   api.Scope
	Member  protocol.MemberID // zero for scope enrol
	Expires protocol.Time
}

// SessionStore keeps sessions.
type SessionStore interface {
	// PutSession opens a session. A nonce that is not zero is used up in the
	// same step; one that was used before is protocol.KindDenied.
	PutSession(ctx context.Context, session Session, nonce api.Nonce) error
	// Session returns protocol.KindNotFound for one that is not there.
	Session(ctx context.Context, account protocol.AccountID, token protocol.Hash) (Session, error)
	DeleteSession(ctx context.Context, account protocol.AccountID, token protocol.Hash) error
}

// Enrolment is an enrolment and the session that began it.
type Enrolment struct {
	api.Enrolment
	Account protocol.AccountID
	Token   protocol.Hash
}

// EnrolmentStore keeps enrolments. They live for minutes and are not rebuilt.
type EnrolmentStore interface {
	// AddEnrolment returns protocol.KindExists where the identifier is taken.
	AddEnrolment(ctx context.Context, enrolment Enrolment) error
	// Enrolment returns protocol.KindNotFound for one that is not there.
	Enrolment(ctx context.Context, account protocol.AccountID, id protocol.RequestID) (Enrolment, error)
	// Enrolments returns all of an account, oldest first.
	Enrolments(ctx context.Context, account protocol.AccountID) ([]Enrolment, error)
	// MoveEnrolment writes the enrolment where its state still is from, and
	// returns protocol.KindConflict where it is not.
	MoveEnrolment(ctx context.Context, enrolment Enrolment, from api.EnrolmentState) error
}

// Stores are all stores that a Service needs.
type Stores struct {
	Invites    InviteStore
	Accounts   AccountStore
	Ledgers    LedgerStore
	Logins     LoginStore
	Sessions   SessionStore
	Enrolments EnrolmentStore
}
