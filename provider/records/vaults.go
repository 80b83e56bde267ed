// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"math"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/vaults"
)

// The stores that provider/vaults declares.
var (
	_ vaults.ChainStore = (*Store)(nil)
	_ vaults.Index      = (*Store)(nil)
	_ vaults.PackStore  = (*Store)(nil)
)

// Head returns where a vault stands.
func (s *Store) Head(ctx context.Context, place vaults.Place) (api.Head, error) {
	return vaultHead(ctx, s.read, place)
}

func vaultHead(ctx context.Context, q querier, place vaults.Place) (api.Head, error) {
	var h api.Head
	err := one(ctx, q, "vault", `SELECT seq, hash, generation, generation_hash FROM vaults WHERE account = $1 AND vault = $2`,
		[]any{place.Account[:], place.Vault[:]}, &h.Seq, id{h.Hash[:]}, &h.Generation, id{h.GenerationHash[:]})
	if isKind(err, protocol.KindNotFound) {
		return api.Head{}, nil
	}
	return h, err
}

// hold makes sure that the vault has a row, which the transaction then holds,
// and that the ledger still stands where the caller saw it.
func hold(ctx context.Context, tx *sql.Tx, place vaults.Place, seen ledger.Head) error {
	none := protocol.Hash{}
	if _, err := exec(ctx, tx, `INSERT INTO vaults (account, vault, seq, hash, generation, generation_hash, cursor_last)
		VALUES ($1, $2, 0, $3, 0, $4, 0) ON CONFLICT DO NOTHING`, place.Account[:], place.Vault[:], none[:], none[:]); err != nil {
		return err
	}
	head, err := ledgerHead(ctx, tx, place.Account)
	if err != nil {
		return err
	}
	if head != seen {
		return protocol.Errorf(protocol.KindConflict, "the ledger has grown meanwhile; ask again")
	}
	return nil
}

// Room returns how many bytes an account may still store.
func (s *Store) Room(ctx context.Context, account protocol.AccountID) (int64, error) {
	return room(ctx, s.read, account)
}

func room(ctx context.Context, q querier, account protocol.AccountID) (int64, error) {
	var quota, used int64
	var suspended bool
	err := one(ctx, q, "the account", `SELECT quota, used, suspended FROM accounts WHERE account = $1`,
		[]any{account[:]}, &quota, &used, &suspended)
	switch {
	case err != nil:
		return 0, err
	case suspended:
		return 0, protocol.Errorf(protocol.KindDenied, "the provider suspended this account: it can be read, not changed")
	case quota == 0:
		return math.MaxInt64 - used, nil
	}
	return max(0, quota-used), nil
}

// use counts bytes and packs of an account; a limited size has to find room.
func use(ctx context.Context, tx *sql.Tx, account protocol.AccountID, size, packs int64, limited bool) error {
	left, err := room(ctx, tx, account)
	if err != nil {
		return err
	}
	if limited && size > left {
		return protocol.Errorf(protocol.KindQuota, "the account's quota has room for %d bytes, this has %d", left, size)
	}
	return count(ctx, tx, account, size, packs)
}

func count(ctx context.Context, tx *sql.Tx, account protocol.AccountID, size, packs int64) error {
	_, err := exec(ctx, tx, `UPDATE accounts SET used = used + $1, packs = packs + $2 WHERE account = $3`, size, packs, account[:])
	return err
}

// CommitSnapshot takes in the next snapshot record; see vaults.ChainStore.
func (s *Store) CommitSnapshot(ctx context.Context, c vaults.Commit) error {
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		if err := hold(ctx, tx, c.Place, c.Ledger); err != nil {
			return err
		}
		head, err := vaultHead(ctx, tx, c.Place)
		if err != nil {
			return err
		}
		if c.Record.Seq != head.Seq+1 || c.Record.Prev != head.Hash || c.Record.Generation != head.Generation {
			return protocol.Errorf(protocol.KindConflict, "the vault has moved meanwhile; read its head and commit again")
		}
		if err := use(ctx, tx, c.Account, int64(len(c.Raw)), 0, c.Limited); err != nil {
			return err
		}
		data := canonical.MustMarshal(received{Version: journalVersion, At: c.At, Raw: c.Raw})
		name, err := w.journal(ctx, tx, c.Account, blob.KindSnapshot, data)
		if err != nil {
			return err
		}
		return insertSnapshot(ctx, tx, c, name)
	})
}

func insertSnapshot(ctx context.Context, tx *sql.Tx, c vaults.Commit, place protocol.Hash) error {
	r := c.Record
	if _, err := exec(ctx, tx, `INSERT INTO snapshots (account, vault, seq, hash, run, ledger_seq, size, place)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, c.Account[:], c.Vault[:], r.Seq, c.Hash[:],
		truth(r.Act == snapshot.ActRun), r.Ledger.Seq, len(c.Raw), place[:]); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `UPDATE vaults SET seq = $1, hash = $2 WHERE account = $3 AND vault = $4`,
		r.Seq, c.Hash[:], c.Account[:], c.Vault[:])
	return err
}

// Snapshots visits records of the chain of snapshots.
func (s *Store) Snapshots(ctx context.Context, place vaults.Place, from uint64, limit int, visit func([]byte) error) error {
	return s.visitRecords(ctx, place, blob.KindSnapshot, visit,
		`SELECT place FROM snapshots WHERE account = $1 AND vault = $2 AND seq >= $3 ORDER BY seq LIMIT $4`,
		place.Account[:], place.Vault[:], position(from), limit)
}

// Generations visits records of the chain of generations.
func (s *Store) Generations(ctx context.Context, place vaults.Place, from uint64, limit int, visit func([]byte) error) error {
	return s.visitRecords(ctx, place, blob.KindGeneration, visit,
		`SELECT place FROM generations WHERE account = $1 AND vault = $2 AND number >= $3 ORDER BY number LIMIT $4`,
		place.Account[:], place.Vault[:], position(from), limit)
}

// position keeps a number from a client within what a column holds.
func position(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// visitRecords reads the names first, so that no slow reader holds a connection.
func (s *Store) visitRecords(ctx context.Context, place vaults.Place, kind blob.Kind, visit func([]byte) error, query string, args ...any) error {
	var names []protocol.Hash
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var name protocol.Hash
		err := scan(id{name[:]})
		names = append(names, name)
		return err
	}, query, args...)
	if err != nil {
		return err
	}
	for _, name := range names {
		r, err := s.unwrap(ctx, place.Account, kind, name)
		if err != nil {
			return protocol.Wrap(protocol.KindInternal, err, "read the chain of vault %s", place.Vault)
		}
		if err := visit(r.Raw); err != nil {
			return err
		}
	}
	return nil
}

// SnapshotAt returns what is known of one record.
func (s *Store) SnapshotAt(ctx context.Context, place vaults.Place, seq uint64) (protocol.Hash, uint64, error) {
	var hash protocol.Hash
	var seen uint64
	err := one(ctx, s.read, "snapshot record", `SELECT hash, ledger_seq FROM snapshots WHERE account = $1 AND vault = $2 AND seq = $3`,
		[]any{place.Account[:], place.Vault[:], position(seq)}, id{hash[:]}, &seen)
	return hash, seen, err
}

// HoldsHead reports whether the vault's chain has the record at the position.
func (s *Store) HoldsHead(ctx context.Context, account protocol.AccountID, head ledger.VaultHead) (bool, error) {
	hash, _, err := s.SnapshotAt(ctx, vaults.Place{Account: account, Vault: head.Vault}, head.Seq)
	if isKind(err, protocol.KindNotFound) {
		return false, nil
	}
	return err == nil && hash == head.Hash, err
}

// IsRun reports whether a run record has the hash.
func (s *Store) IsRun(ctx context.Context, place vaults.Place, hash protocol.Hash) (bool, error) {
	var n int
	err := one(ctx, s.read, "snapshot record", `SELECT count(*) FROM snapshots WHERE account = $1 AND vault = $2 AND hash = $3 AND run = 1`,
		[]any{place.Account[:], place.Vault[:], hash[:]}, &n)
	return n > 0, err
}
