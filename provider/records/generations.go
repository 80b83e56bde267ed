// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/vaults"
)

// CommitGeneration applies a generation; see vaults.ChainStore. The blobs of
// dropped packs are deleted after the commit: a crash between leaves them to
// SweepDropped.
func (s *Store) CommitGeneration(ctx context.Context, p vaults.Prune) error {
	err := s.change(ctx, func(w *write, tx *sql.Tx) error {
		if err := hold(ctx, tx, p.Place, p.Ledger); err != nil {
			return err
		}
		if err := checkGeneration(ctx, tx, p); err != nil {
			return err
		}
		for _, pack := range p.Generation.Packs {
			if err := mayApply(ctx, tx, p, pack); err != nil {
				return err
			}
		}
		data := canonical.MustMarshal(received{Version: journalVersion, At: p.At, Raw: p.Raw})
		name, err := w.journal(ctx, tx, p.Account, blob.KindGeneration, data)
		if err != nil {
			return err
		}
		return applyGeneration(ctx, tx, p, name)
	})
	if err != nil || p.Generation.Act != snapshot.PruneDrop {
		return err
	}
	return s.SweepDropped(context.WithoutCancel(ctx))
}

func checkGeneration(ctx context.Context, tx *sql.Tx, p vaults.Prune) error {
	if _, err := room(ctx, tx, p.Account); err != nil {
		return err // suspended
	}
	head, err := vaultHead(ctx, tx, p.Place)
	if err != nil {
		return err
	}
	g := p.Generation
	if g.Number != head.Generation+1 || g.Prev != head.GenerationHash || g.Head.Seq != head.Seq || g.Head.Hash != head.Hash {
		return protocol.Errorf(protocol.KindConflict, "the vault has moved meanwhile; read its head and compute again")
	}
	return nil
}

// mayApply refuses a step that a pack's state does not allow: then nothing of
// the generation is applied.
func mayApply(ctx context.Context, tx *sql.Tx, p vaults.Prune, id protocol.PackID) error {
	pack, err := onePack(ctx, tx, p.Account, id)
	if err != nil {
		return err
	}
	if pack.Vault != p.Vault {
		return protocol.Errorf(protocol.KindNotFound, "pack %s is not in the vault", id)
	}
	want := api.PackRetired
	if p.Generation.Act == snapshot.PruneRetire {
		want = api.PackStored
	}
	if pack.State != want {
		return protocol.Errorf(protocol.KindUsage, "pack %s is %s, not %s: nothing was changed", id, pack.State, want)
	}
	if p.Generation.Act == snapshot.PruneDrop && pack.Retired >= p.DropBefore {
		return protocol.Errorf(protocol.KindDenied, "pack %s was retired at %s and is kept for the retention time: nothing was changed", id, pack.Retired)
	}
	return nil
}

// applyGeneration writes the generation and what it does to its packs. It is
// also how a generation of the journal is applied again.
func applyGeneration(ctx context.Context, tx *sql.Tx, p vaults.Prune, place protocol.Hash) error {
	g := p.Generation
	if _, err := exec(ctx, tx, `INSERT INTO generations (account, vault, number, hash, size, place) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.Account[:], p.Vault[:], g.Number, p.Hash[:], len(p.Raw), place[:]); err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `UPDATE vaults SET generation = $1, generation_hash = $2 WHERE account = $3 AND vault = $4`,
		g.Number, p.Hash[:], p.Account[:], p.Vault[:]); err != nil {
		return err
	}
	for _, pack := range g.Packs {
		if err := applyToPack(ctx, tx, p, pack); err != nil {
			return err
		}
	}
	return nil
}

func applyToPack(ctx context.Context, tx *sql.Tx, p vaults.Prune, pack protocol.PackID) error {
	mark := func(row int, at protocol.Time) error {
		_, err := exec(ctx, tx, `UPDATE packs SET state = $1, retired = $2 WHERE account = $3 AND pack = $4 AND vault = $5 AND state <> $6`,
			row, int64(at), p.Account[:], pack[:], p.Vault[:], rowDropped)
		return err
	}
	switch p.Generation.Act {
	case snapshot.PruneRetire:
		return mark(rowRetired, p.At)
	case snapshot.PruneRevive:
		return mark(rowStored, 0)
	}
	var size int64
	err := one(ctx, tx, "pack", `SELECT size FROM packs WHERE account = $1 AND pack = $2 AND state <> $3`,
		[]any{p.Account[:], pack[:], rowDropped}, &size)
	if isKind(err, protocol.KindNotFound) {
		return bury(ctx, tx, p, pack)
	}
	if err != nil {
		return err
	}
	if err := mark(rowDropped, 0); err != nil {
		return err
	}
	return count(ctx, tx, p.Account, -size, -1)
}

// bury remembers a dropped pack of which nothing else is left.
func bury(ctx context.Context, tx *sql.Tx, p vaults.Prune, pack protocol.PackID) error {
	var nobody protocol.MemberID
	var none protocol.Hash
	_, err := exec(ctx, tx, `INSERT INTO packs
		(account, pack, vault, device, size, position, received, state, retired, gone, place, statement)
		VALUES ($1, $2, $3, $4, 0, 0, 0, $5, 0, 0, $6, $7) ON CONFLICT DO NOTHING`,
		p.Account[:], pack[:], p.Vault[:], nobody[:], rowDropped, none[:], []byte{})
	return err
}

// SweepDropped deletes the blobs of packs that were dropped.
func (s *Store) SweepDropped(ctx context.Context) error {
	type dead struct {
		account protocol.AccountID
		pack    protocol.PackID
		place   protocol.Hash
	}
	var list []dead
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var d dead
		err := scan(id{d.account[:]}, id{d.pack[:]}, id{d.place[:]})
		list = append(list, d)
		return err
	}, `SELECT account, pack, place FROM packs WHERE state = 3 AND gone = 0`)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := s.sweepPack(ctx, d.account, d.pack, d.place); err != nil {
			return fmt.Errorf("delete dropped pack %s: %w", d.pack, err)
		}
	}
	return nil
}

// sweepPack deletes the statement last: while it is there, the pack is known.
func (s *Store) sweepPack(ctx context.Context, account protocol.AccountID, pack protocol.PackID, place protocol.Hash) error {
	lock := &s.packs[int(pack[0])%len(s.packs)]
	lock.Lock()
	defer lock.Unlock()
	if err := s.blobs.Delete(ctx, packRef(account, pack)); err != nil {
		return err
	}
	if err := s.blobs.Delete(ctx, blob.Ref{Account: account, Kind: blob.KindPackStatement, Name: place}); err != nil {
		return err
	}
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		if _, err := exec(ctx, tx, `DELETE FROM journal WHERE account = $1 AND kind = $2 AND name = $3`,
			account[:], string(blob.KindPackStatement), place[:]); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE packs SET gone = 1 WHERE account = $1 AND pack = $2`, account[:], pack[:])
		return err
	})
}
