// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

// foundLog is a batch, or a volume, of the log that no table accounts for.
type foundLog struct {
	ref  blob.Ref
	from uint64
	end  uint64
	prev protocol.Hash
	name protocol.Hash // by which the next one calls it

	volume bool
}

// logBatches finds the batches that continue the log and notes the places of
// their entries; the sequencer integrates them when it opens. It comes before
// ledgers: of two appends that continue one head, the log says which one counted.
//
// Batches are made one after the other, and at most one for each place. So
// whatever does not fit says that something was lost or that two servers wrote
// here, and there is nothing that could be signed: Reconcile fails. What says the
// same as is known already is left of joining batches into a volume, and goes.
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
	r.integrated = size
	var rest []foundLog
	for _, next := range found { // by their beginnings, the longest first
		switch {
		case next.volume && next.from < size && next.end > size:
			// The tables are from before it was made, and end within it.
			if err := r.standFor(ctx, next, size); err != nil {
				return err
			}
		case next.from != size:
			rest = append(rest, next)
			continue
		case next.prev != head:
			return protocol.Errorf(protocol.KindUntrusted, "the batch %s of the public log begins at %d and follows another batch than the one here", next.ref.Name, size)
		}
		if err := r.takeLog(ctx, next, size); err != nil {
			return err
		}
		size, head = next.end, next.name
	}
	for _, left := range rest {
		if left.end > size {
			return protocol.Errorf(protocol.KindUntrusted, "the public log ends at %d, and there is a batch %s that begins at %d: what lies between is lost", size, left.ref.Name, left.from)
		}
		if err := r.settleCopy(ctx, left); err != nil {
			return err
		}
	}
	return nil
}

// unknownLogs returns the batches that no table accounts for, in the order of
// where they begin, the longest first.
func (r *reconciler) unknownLogs(ctx context.Context) ([]foundLog, error) {
	var found []foundLog
	err := r.blobs.List(ctx, &nobody, blob.KindLog, func(ref blob.Ref, _ int64) error {
		known, err := r.noted(ctx, ref)
		if known || err != nil {
			return err
		}
		b, err := r.readLog(ctx, ref)
		if err != nil {
			return err
		}
		found = append(found, foundLog{ref, b.From, b.End(), b.Prev, b.Name(), !b.Last.IsZero()})
		return nil
	})
	slices.SortFunc(found, func(a, b foundLog) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.end, a.end)) })
	for n := 1; n < len(found); n++ {
		if a, b := found[n-1], found[n]; a.from == b.from && !a.volume && !b.volume {
			return nil, protocol.Errorf(protocol.KindUntrusted, "there are two batches of the public log at %d, %s and %s: two servers wrote here, and only one of them may go on", a.from, a.ref.Name, b.ref.Name)
		}
	}
	return found, err
}

// same returns an error where a batch says something else than the log, as far as
// that goes.
func (r *reconciler) same(ctx context.Context, f foundLog, size uint64) error {
	b, err := r.readLog(ctx, f.ref)
	if err != nil {
		return err
	}
	end := min(f.end, size)
	known, err := r.entries(ctx, f.from, end)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(known, b.Entries[:end-f.from], bytes.Equal) {
		return protocol.Errorf(protocol.KindUntrusted, "there are two batches of the public log at %d: two servers wrote here, and only one of them may go on; %s is not the one of this log", f.from, f.ref.Name)
	}
	return nil
}

// entries returns entries of the log: as they are integrated, and behind these as
// they were found.
func (r *reconciler) entries(ctx context.Context, from, end uint64) ([][]byte, error) {
	var list [][]byte
	for at := from; at < min(end, r.integrated); at = from + uint64(len(list)) {
		t := tlog.Tile{Level: tlog.LevelEntries, N: at / tlog.TileWidth}
		t.Width = int(min(r.integrated-t.N*tlog.TileWidth, tlog.TileWidth))
		data, err := r.ReadTile(ctx, t)
		if err != nil {
			return nil, err
		}
		bundle, err := tlog.ParseBundle(data)
		if err != nil {
			return nil, err
		}
		last := min(end-t.N*tlog.TileWidth, uint64(t.Width))
		list = append(list, bundle[at%tlog.TileWidth:last]...)
	}
	at := from + uint64(len(list))
	places, err := r.foundPlaces(ctx, at, end)
	if err != nil {
		return nil, err
	}
	for _, place := range places {
		b, err := r.readLog(ctx, logRef(place))
		if err != nil {
			return nil, err
		}
		if b.From <= at && at < b.End() {
			list = append(list, b.Entries[at-b.From:min(end, b.End())-b.From]...)
			at = from + uint64(len(list))
		}
	}
	return list, nil
}

// foundPlaces returns the blobs of found batches that hold some of these positions.
func (r *reconciler) foundPlaces(ctx context.Context, from, end uint64) ([]protocol.Hash, error) {
	var places []protocol.Hash
	err := each(ctx, r.read, func(scan func(...any) error) error {
		var place protocol.Hash
		err := scan(id{place[:]})
		places = append(places, place)
		return err
	}, `SELECT place FROM log_found WHERE start < $1 AND ends > $2 ORDER BY start`, end, from)
	return places, err
}

// settleCopy ends what a crash, or a backup made meanwhile, left of joining
// batches into a volume: a volume takes the place of its batches, a batch that a
// volume stands for goes. What says something else is of a fork.
func (r *reconciler) settleCopy(ctx context.Context, f foundLog) error {
	if f.volume && f.end <= r.integrated {
		return r.standFor(ctx, f, f.end)
	}
	if err := r.same(ctx, f, f.end); err != nil {
		return err
	}
	places, err := r.foundPlaces(ctx, f.from, f.end)
	if err != nil {
		return err
	}
	list, err := r.placed(ctx, f.from, f.end)
	if err != nil {
		return err
	}
	for _, p := range list {
		places = append(places, p.place)
	}
	for _, place := range places {
		stands, err := r.readLog(ctx, logRef(place))
		if err != nil {
			return err
		}
		if !f.volume && stands.Last.IsZero() {
			return protocol.Errorf(protocol.KindUntrusted, "there are two batches of the public log at %d, and no volume stands for %s", f.from, f.ref.Name)
		}
	}
	return r.blobs.Delete(ctx, f.ref)
}

// standFor lets a found volume take the place of the batches that the tables
// name, up to a size.
func (r *reconciler) standFor(ctx context.Context, f foundLog, size uint64) error {
	if err := r.same(ctx, f, size); err != nil {
		return err
	}
	list, err := r.placed(ctx, f.from, min(size, r.integrated))
	if err != nil || len(list) == 0 {
		return err
	}
	switch aligned := list[0].start == f.from && list[len(list)-1].ends <= f.end; {
	case !aligned && f.end > size:
		return nil // it holds what nothing else does
	case !aligned:
		return r.blobs.Delete(ctx, f.ref) // another volume stands for more
	}
	if err := r.transact(ctx, func(tx *sql.Tx) error { return replaceBatches(ctx, tx, list, f.ref) }); err != nil {
		return err
	}
	return r.deleteBatches(ctx, list)
}

// placed returns what the tables name for some of these positions.
func (r *reconciler) placed(ctx context.Context, from, end uint64) ([]placedBatch, error) {
	var list []placedBatch
	err := each(ctx, r.read, func(scan func(...any) error) error {
		var p placedBatch
		err := scan(&p.start, &p.ends, id{p.place[:]})
		list = append(list, p)
		return err
	}, `SELECT start, ends, place FROM log_batches WHERE start < $1 AND ends > $2 ORDER BY start`, end, from)
	return list, err
}

func (r *reconciler) readLog(ctx context.Context, ref blob.Ref) (*sequencer.Batch, error) {
	b, err := readBatch(ctx, r.blobs, ref)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", ref, err)
	}
	return b, nil
}

func readBatch(ctx context.Context, blobs blob.Store, ref blob.Ref) (*sequencer.Batch, error) {
	data, err := blob.ReadAll(ctx, blobs, ref)
	if err != nil {
		return nil, notFound(err, "batch of the public log")
	}
	return sequencer.ParseBatch(data)
}

// takeLog notes the places of a batch's entries from a size on, and that it is to
// be integrated.
func (r *reconciler) takeLog(ctx context.Context, f foundLog, size uint64) error {
	b, err := r.readLog(ctx, f.ref)
	if err != nil {
		return err
	}
	var i sequencer.Integration
	for n, raw := range b.Entries {
		if b.From+uint64(n) < size {
			continue
		}
		entry, err := directory.ParseEntry(raw)
		if err != nil {
			return fmt.Errorf("blob %s: %w", f.ref, err)
		}
		i.Placed = append(i.Placed, sequencer.Placed{Position: b.From + uint64(n), Leaf: tlog.LeafHash(raw), Raw: raw, Entry: entry})
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `INSERT INTO log_found (start, ends, place) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, size, f.end, f.ref.Name[:])
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
