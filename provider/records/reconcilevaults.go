// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/vaults"
)

// changes takes in the newest record of each account.
func (r *reconciler) changes(ctx context.Context) error {
	return r.unknown(ctx, blob.KindAccount, func(ref blob.Ref, data []byte) error {
		var record accounts.Record
		if err := canonical.Unmarshal(data, maxJournal, &record); err != nil {
			return fmt.Errorf("blob %s: %w", ref, err)
		}
		info, err := r.Account(ctx, ref.Account)
		if isKind(err, protocol.KindNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return r.transact(ctx, func(tx *sql.Tx) error {
			if record.Number > info.Number && record.Account == ref.Account {
				if err := updateAccount(ctx, tx, record); err != nil {
					return err
				}
				r.found.Changes++
			}
			return note(ctx, tx, ref)
		})
	})
}

// foundRecord is a signed record of the journal that no table accounts for.
type foundRecord struct {
	ref      blob.Ref
	received received
	place    vaults.Place
	seq      uint64
	prev     protocol.Hash
	hash     protocol.Hash
	snapshot *snapshot.Record
	prune    *snapshot.Generation
}

// collect reads the records of a kind that no table accounts for, by vault.
func (r *reconciler) collect(ctx context.Context, kind blob.Kind, parse func(*foundRecord) error) (map[vaults.Place][]*foundRecord, error) {
	found := map[vaults.Place][]*foundRecord{}
	err := r.unknown(ctx, kind, func(ref blob.Ref, data []byte) error {
		f := &foundRecord{ref: ref}
		if err := decodeJournal(data, &f.received, &f.received.Version); err != nil {
			return err
		}
		f.hash = snapshot.HashOf(f.received.Raw)
		if err := parse(f); err != nil {
			return fmt.Errorf("blob %s: %w", ref, err)
		}
		found[f.place] = append(found[f.place], f)
		return nil
	})
	return found, err
}

// link is what a record continues.
type link struct {
	seq  uint64
	prev protocol.Hash
}

// extend takes in, record by record, what continues a chain. Of several that
// continue the same head the one with the longer chain counts, then the newest.
func extend(found []*foundRecord, seq uint64, hash protocol.Hash, take func(*foundRecord) error) error {
	next := map[link][]*foundRecord{}
	for _, f := range found {
		at := link{f.seq, f.prev}
		next[at] = append(next[at], f)
	}
	for {
		candidates := next[link{seq + 1, hash}]
		if len(candidates) == 0 {
			return nil
		}
		best := candidates[0]
		if len(candidates) > 1 {
			best = slices.MaxFunc(candidates, func(a, b *foundRecord) int {
				return cmp.Or(cmp.Compare(depth(next, a), depth(next, b)), cmp.Compare(a.received.At, b.received.At))
			})
		}
		if err := take(best); err != nil {
			return err
		}
		seq, hash = best.seq, best.hash
	}
}

// depth follows the chain that begins with f; where several continue it, the first.
func depth(next map[link][]*foundRecord, f *foundRecord) int {
	n := 0
	for following := []*foundRecord{f}; len(following) > 0; n++ {
		f = following[0]
		following = next[link{f.seq + 1, f.hash}]
	}
	return n
}

// snapshots takes in what extends the vaults' chains of snapshots.
func (r *reconciler) snapshots(ctx context.Context) error {
	found, err := r.collect(ctx, blob.KindSnapshot, func(f *foundRecord) error {
		record, err := snapshot.Parse(f.received.Raw)
		if err != nil {
			return err
		}
		f.snapshot, f.seq, f.prev = record, record.Seq, record.Prev
		f.place = vaults.Place{Account: f.ref.Account, Vault: record.Vault}
		return nil
	})
	if err != nil {
		return err
	}
	return r.extendAll(ctx, found, func(h api.Head) (uint64, protocol.Hash) { return h.Seq, h.Hash }, r.takeSnapshot)
}

// extendAll extends one chain of each vault from where the database has it; at
// says which of the two.
func (r *reconciler) extendAll(ctx context.Context, found map[vaults.Place][]*foundRecord,
	at func(api.Head) (uint64, protocol.Hash), take func(context.Context, *foundRecord) error,
) error {
	for place, list := range found {
		head, err := r.Head(ctx, place)
		if err != nil {
			return err
		}
		seq, hash := at(head)
		if err := extend(list, seq, hash, func(f *foundRecord) error { return take(ctx, f) }); err != nil {
			return err
		}
	}
	return nil
}

// take writes rows of a vault whose account is there; of others nothing counts.
func (r *reconciler) take(ctx context.Context, f *foundRecord, write func(tx *sql.Tx) error) error {
	head, err := r.LedgerHead(ctx, f.place.Account)
	if isKind(err, protocol.KindNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.transact(ctx, func(tx *sql.Tx) error {
		if err := hold(ctx, tx, f.place, head); err != nil {
			return err
		}
		if err := write(tx); err != nil {
			return err
		}
		return note(ctx, tx, f.ref)
	})
}

func (r *reconciler) takeSnapshot(ctx context.Context, f *foundRecord) error {
	return r.take(ctx, f, func(tx *sql.Tx) error {
		r.found.Snapshots++
		if err := count(ctx, tx, f.place.Account, int64(len(f.received.Raw)), 0); err != nil {
			return err
		}
		return insertSnapshot(ctx, tx, vaults.Commit{Place: f.place, Record: f.snapshot, Raw: f.received.Raw, Hash: f.hash}, f.ref.Name)
	})
}

// packStatements takes in the packs whose bytes are there, in the order of
// their cursors.
func (r *reconciler) packStatements(ctx context.Context) error {
	found, err := r.collect(ctx, blob.KindPackStatement, func(f *foundRecord) error {
		st, err := snapshot.ParsePackStatement(f.received.Raw)
		if err != nil {
			return err
		}
		f.place = vaults.Place{Account: f.ref.Account, Vault: st.Vault}
		return nil
	})
	if err != nil {
		return err
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b *foundRecord) int { return cmp.Compare(a.received.Cursor, b.received.Cursor) })
		for _, f := range list {
			if err := r.takePack(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reconciler) takePack(ctx context.Context, f *foundRecord) error {
	st, err := snapshot.ParsePackStatement(f.received.Raw)
	if err != nil {
		return err
	}
	size, err := r.blobs.Stat(ctx, packRef(f.place.Account, st.Pack))
	if errors.Is(err, blob.ErrNotFound) || err == nil && size != int64(st.Size) {
		return nil // dropped, or never whole
	}
	if err != nil {
		return err
	}
	return r.take(ctx, f, func(tx *sql.Tx) error {
		_, err := onePack(ctx, tx, f.place.Account, st.Pack)
		if !isKind(err, protocol.KindNotFound) {
			return err // there already, by another statement
		}
		r.found.Packs++
		if err := count(ctx, tx, f.place.Account, size, 1); err != nil {
			return err
		}
		return insertPackRow(ctx, tx, packRow{Place: f.place, pack: st.Pack, device: st.Device, size: size, received: f.received, name: f.ref.Name})
	})
}

// generations takes in what extends the vaults' chains of generations, and does
// to the packs again what they say.
func (r *reconciler) generations(ctx context.Context) error {
	found, err := r.collect(ctx, blob.KindGeneration, func(f *foundRecord) error {
		g, err := snapshot.ParseGeneration(f.received.Raw)
		if err != nil {
			return err
		}
		f.prune, f.seq, f.prev = g, g.Number, g.Prev
		f.place = vaults.Place{Account: f.ref.Account, Vault: g.Vault}
		return nil
	})
	if err != nil {
		return err
	}
	return r.extendAll(ctx, found, func(h api.Head) (uint64, protocol.Hash) { return h.Generation, h.GenerationHash }, r.takeGeneration)
}

func (r *reconciler) takeGeneration(ctx context.Context, f *foundRecord) error {
	return r.take(ctx, f, func(tx *sql.Tx) error {
		r.found.Generations++
		prune := vaults.Prune{Place: f.place, Generation: f.prune, Raw: f.received.Raw, Hash: f.hash, At: f.received.At}
		return applyGeneration(ctx, tx, prune, f.ref.Name)
	})
}
