// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/protocol/statement"
)

// Signer signs what is newest. It calls look between two readings of a clock that
// never goes back; look names only what is stored durably. After is the time that
// the asker knows already.
type Signer interface {
	Sign(ctx context.Context, after protocol.Time, look func(context.Context) (statement.Statement, error)) ([]byte, error)
}

// Place names a vault.
type Place struct {
	Account protocol.AccountID
	Vault   protocol.VaultID
}

// Commit is a verified snapshot record that is to become a vault's head.
type Commit struct {
	Place
	Record *snapshot.Record
	Raw    []byte
	Hash   protocol.Hash
	Ledger ledger.Head // the ledger it was verified against, and that must still stand
	At     protocol.Time
	// Limited says that the record must find room in the quota.
	Limited bool
}

// Prune is a verified generation that is to be applied.
type Prune struct {
	Place
	Generation *snapshot.Generation
	Raw        []byte
	Hash       protocol.Hash
	Ledger     ledger.Head
	At         protocol.Time
	// DropBefore is the moment before which a pack must have been retired to be
	// dropped.
	DropBefore protocol.Time
}

// NewPack is a pack that is to be stored, with its verified statement.
type NewPack struct {
	Place
	Pack      protocol.PackID
	Device    protocol.MemberID
	Statement []byte
	Data      []byte
	Ledger    ledger.Head
	At        protocol.Time
}

// Pack is what is known of a pack.
type Pack struct {
	Place
	ID      protocol.PackID
	Device  protocol.MemberID
	Size    int64
	State   api.PackState
	Retired protocol.Time // 0 unless retired
}

// Ledgers gives the folded ledger of an account, as new as the database.
type Ledgers interface {
	State(ctx context.Context, account protocol.AccountID) (*ledger.State, error)
}

// ChainStore keeps a vault's snapshots and generations. What it acknowledges is
// durable, in the blob store as in the database. A change that finds another
// head, generation or ledger than it was made for returns protocol.KindConflict
// and changes nothing.
type ChainStore interface {
	// Head returns the zero head for a vault that holds nothing.
	Head(ctx context.Context, place Place) (api.Head, error)
	// CommitSnapshot also returns protocol.KindQuota, and protocol.KindDenied
	// for an account that is suspended.
	CommitSnapshot(ctx context.Context, commit Commit) error
	// CommitGeneration applies a generation to its packs, all or nothing.
	CommitGeneration(ctx context.Context, prune Prune) error
	// Snapshots visits up to limit records from the position.
	Snapshots(ctx context.Context, place Place, from uint64, limit int, visit func(raw []byte) error) error
	// Generations is Snapshots for generations.
	Generations(ctx context.Context, place Place, from uint64, limit int, visit func(raw []byte) error) error
}

// Index answers for single records of the chain of snapshots.
type Index interface {
	// SnapshotAt returns what is known of the record at a position: its hash and
	// the ledger entry that it saw; protocol.KindNotFound.
	SnapshotAt(ctx context.Context, place Place, seq uint64) (hash protocol.Hash, ledgerSeq uint64, err error)
	// IsRun reports whether a run record of the chain has the hash.
	IsRun(ctx context.Context, place Place, hash protocol.Hash) (bool, error)
}

// PackStore keeps packs. What it acknowledges is durable.
type PackStore interface {
	// AddPack stores a pack and counts it, or returns protocol.KindQuota, or
	// protocol.KindUntrusted for bytes that do not hash to its name. It reports
	// whether the pack is new. It does not keep Data.
	AddPack(ctx context.Context, pack NewPack) (created bool, err error)
	// Pack returns protocol.KindNotFound for a pack that was never stored.
	Pack(ctx context.Context, account protocol.AccountID, id protocol.PackID) (Pack, error)
	// Packs visits up to limit packs after the cursor, in order of receipt,
	// dropped ones left out.
	Packs(ctx context.Context, place Place, after uint64, limit int, visit func(api.PackRecord) error) error
	// OpenPack returns the bytes of a pack; the caller closes.
	OpenPack(ctx context.Context, account protocol.AccountID, id protocol.PackID) (blob.Reader, int64, error)
	// Room returns how many bytes the account may still store; the most there
	// is where it has no quota. protocol.KindDenied where it is suspended.
	Room(ctx context.Context, account protocol.AccountID) (int64, error)
}
