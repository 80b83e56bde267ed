// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

// foundLog is a batch of the log that no table accounts for.
type foundLog struct {
	name protocol.Hash
	from uint64
	end  uint64
	prev protocol.Hash
}

// logBatches finds the batches that continue the log and notes the places of
// their entries; the sequencer integrates them when it opens. It comes before
// ledgers: of two appends that continue one head, the log says which one counted.
//
// Batches are made one after the other, and at most one for each place. So
// whatever does not fit says that something was lost or that two servers wrote
// here, and there is nothing that could be signed: Reconcile fails.
func (r *reconciler) logBatches(ctx context.Context) error {
	var size uint64
	var head protocol.Hash
	err := one(ctx, r.read, "log", `SELECT size, batch FROM log`, nil, &size, id{head[:]})
	if err != nil && !isKind(err, protocol.KindNotFound) {
		return err
	}
	found, err := r.unknownLogs(ctx)
	if err != nil {
		return err
	}
	for len(found) > 0 {
		next, ok := found[size]
		if !ok {
			break
		}
		if next.prev != head {
			return protocol.Errorf(protocol.KindUntrusted, "the batch %s of the public log begins at %d and follows another batch than the one here", next.name, size)
		}
		if err := r.takeLog(ctx, next); err != nil {
			return err
		}
		delete(found, size)
		size, head = next.end, next.name
	}
	for _, rest := range found {
		if rest.from < size {
			return protocol.Errorf(protocol.KindUntrusted, "there are two batches of the public log at %d: two servers wrote here, and only one of them may go on; %s is not the one of this database", rest.from, rest.name)
		}
		return protocol.Errorf(protocol.KindUntrusted, "the public log ends at %d, and there is a batch %s that begins at %d: what lies between is lost", size, rest.name, rest.from)
	}
	return nil
}

// unknownLogs returns the batches that no table accounts for, by where they begin.
func (r *reconciler) unknownLogs(ctx context.Context) (map[uint64]foundLog, error) {
	found := map[uint64]foundLog{}
	err := r.blobs.List(ctx, &nobody, blob.KindLog, func(ref blob.Ref, _ int64) error {
		known, err := r.noted(ctx, ref)
		if known || err != nil {
			return err
		}
		b, err := r.readLog(ctx, ref)
		if err != nil {
			return err
		}
		if other, ok := found[b.From]; ok {
			return protocol.Errorf(protocol.KindUntrusted, "there are two batches of the public log at %d: %s and %s", b.From, other.name, ref.Name)
		}
		found[b.From] = foundLog{ref.Name, b.From, b.End(), b.Prev}
		return nil
	})
	return found, err
}

func (r *reconciler) readLog(ctx context.Context, ref blob.Ref) (*sequencer.Batch, error) {
	data, err := blob.ReadAll(ctx, r.blobs, ref)
	if err != nil {
		return nil, notFound(err, "batch of the public log")
	}
	b, err := sequencer.ParseBatch(data)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", ref, err)
	}
	return b, nil
}

// takeLog notes the places of a batch's entries, and that it is to be integrated.
func (r *reconciler) takeLog(ctx context.Context, f foundLog) error {
	b, err := r.readLog(ctx, logRef(f.name))
	if err != nil {
		return err
	}
	var i sequencer.Integration
	for n, raw := range b.Entries {
		entry, err := directory.ParseEntry(raw)
		if err != nil {
			return fmt.Errorf("blob %s: %w", logRef(f.name), err)
		}
		i.Placed = append(i.Placed, sequencer.Placed{Position: b.From + uint64(n), Leaf: tlog.LeafHash(raw), Raw: raw, Entry: entry})
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `INSERT INTO log_found (start, batch) VALUES ($1, $2) ON CONFLICT DO NOTHING`, f.from, f.name[:])
		if n == 0 || err != nil {
			return err // of a start before that did not get further
		}
		r.found.Batches++
		return commitPlaces(ctx, tx, i)
	})
	return err
}

// contradicted reports whether the log, or what waits for it, holds another
// entry in the place of the batch's update: then the batch was refused.
func (r *reconciler) contradicted(ctx context.Context, f *foundBatch) bool {
	if f.update == nil {
		return false
	}
	var known protocol.Hash
	err := one(ctx, r.read, "version", `SELECT leaf FROM versions WHERE name_index = $1 AND version = $2`,
		[]any{f.update.Index[:], f.update.Version}, id{known[:]})
	return err == nil && known != tlog.LeafHash(f.batch.Update)
}

// takeUpdate takes in a batch's update, into the queue where the log does not
// hold it, and reports whether the rules refuse it.
func takeUpdate(ctx context.Context, tx *sql.Tx, f *foundBatch) (refused bool, err error) {
	if f.update == nil {
		return false, nil
	}
	u, leaf := f.update, tlog.LeafHash(f.batch.Update)
	n, err := exec(ctx, tx, `UPDATE versions SET account = $1, opening = $2 WHERE name_index = $3 AND version = $4 AND leaf = $5`,
		f.ref.Account[:], f.batch.Opening, u.Index[:], u.Version, leaf[:])
	if n == 1 || err != nil {
		return false, err
	}
	err = mayUpdate(ctx, tx, u)
	if isKind(err, protocol.KindConflict) || isKind(err, protocol.KindUntrusted) || isKind(err, protocol.KindDenied) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	_, err = exec(ctx, tx, `INSERT INTO versions (name_index, version, leaf, position, next, entry, account, opening)
		VALUES ($1, $2, $3, -1, $4, $5, $6, $7)`, u.Index[:], u.Version, leaf[:], u.Next[:], f.batch.Update, f.ref.Account[:], f.batch.Opening)
	if err != nil {
		return false, err
	}
	return false, enqueue(ctx, tx, leaf, nil, f.batch.Update, f.batch.At)
}

// submissions takes in what came for the log without an append.
func (r *reconciler) submissions(ctx context.Context) error {
	return r.unknown(ctx, blob.KindSubmission, func(ref blob.Ref, data []byte) error {
		var sub submission
		if err := decodeJournal(data, &sub, &sub.Version); err != nil {
			return err
		}
		return r.transact(ctx, func(tx *sql.Tx) error {
			for _, e := range sub.Entries {
				if err := takeSubmitted(ctx, tx, ref.Account, e, sub.At); err != nil {
					return fmt.Errorf("blob %s: %w", ref, err)
				}
			}
			r.found.Submissions++
			return note(ctx, tx, ref)
		})
	})
}

// takeSubmitted takes in one entry. An anchor whose index another one has, and a
// reassignment of a name that moved, are of writes that were refused.
func takeSubmitted(ctx context.Context, tx *sql.Tx, account protocol.AccountID, e submitted, at protocol.Time) error {
	entry, err := directory.ParseEntry(e.Entry)
	if err != nil {
		return err
	}
	if entry.Anchor == nil {
		_, err = insertSubmission(ctx, tx, e.Entry, e.Box, at)
	} else {
		_, err = insertAnchor(ctx, tx, account, sequencer.Anchor{Entry: e.Entry, Box: e.Box}, at)
	}
	if isKind(err, protocol.KindExists) || isKind(err, protocol.KindConflict) {
		return nil
	}
	return err
}
