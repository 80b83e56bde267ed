// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/sequencer"
)

// submission is what came for the log without an append, as the journal keeps it.
//
// Growth: as received.
type submission struct {
	Version uint64        `cbor:"1,keyasint"`
	At      protocol.Time `cbor:"2,keyasint"`
	Entries []submitted   `cbor:"3,keyasint"`
}

type submitted struct {
	Entry []byte `cbor:"1,keyasint"`
	Box   []byte `cbor:"2,keyasint"`
}

// enqueue lets an entry wait for its place.
func enqueue(ctx context.Context, tx *sql.Tx, leaf protocol.Hash, sorted, entry []byte, at protocol.Time) error {
	_, err := exec(ctx, tx, `INSERT INTO log_queue (leaf, place, sorted, received, entry)
		VALUES ($1, (SELECT COALESCE(max(place), 0) + 1 FROM log_queue WHERE sorted = x''), $2, $3, $4) ON CONFLICT DO NOTHING`,
		leaf[:], orEmpty(sorted), int64(at), entry)
	return err
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// goesOn refuses writes while the log must not go on, and reports whether there
// is a log at all.
func goesOn(ctx context.Context, tx *sql.Tx) (bool, error) {
	var refusal string
	err := one(ctx, tx, "log", `SELECT refusal FROM log`, nil, &refusal)
	switch {
	case isKind(err, protocol.KindNotFound):
		return false, nil
	case err == nil && refusal != "":
		return true, protocol.Errorf(protocol.KindInternal, "nothing is taken while the public log cannot go on: %s", refusal)
	}
	return true, err
}

// queueUpdate holds a batch's update to the rule of its name, what waits
// included, keeps it and lets it wait.
func queueUpdate(ctx context.Context, tx *sql.Tx, b accounts.Batch) error {
	logged, err := goesOn(ctx, tx)
	if err != nil {
		return err
	}
	if len(b.Update) == 0 {
		if logged {
			return protocol.Errorf(protocol.KindUsage, "ledger: the entries came without an update of the directory")
		}
		return nil
	}
	entry, err := directory.ParseEntry(b.Update)
	if err != nil {
		return err
	}
	if entry.Update == nil {
		return protocol.Errorf(protocol.KindUsage, "ledger: with the entries came a %s instead of an update", entry.Kind())
	}
	if err := mayUpdate(ctx, tx, entry.Update); err != nil {
		return err
	}
	leaf := tlog.LeafHash(b.Update)
	if err := insertVersion(ctx, tx, b, entry.Update, leaf); err != nil {
		return err
	}
	return enqueue(ctx, tx, leaf, nil, b.Update, b.At)
}

func insertVersion(ctx context.Context, tx *sql.Tx, b accounts.Batch, u *directory.Update, leaf protocol.Hash) error {
	_, err := exec(ctx, tx, `INSERT INTO versions (name_index, version, leaf, position, next, entry, account, opening)
		VALUES ($1, $2, $3, -1, $4, $5, $6, $7)`,
		u.Index[:], u.Version, leaf[:], u.Next[:], b.Update, b.Account[:], b.Opening.Bytes())
	return err
}

// mayUpdate holds an update against the newest version of its name: one up, by
// the key that it named.
func mayUpdate(ctx context.Context, tx *sql.Tx, u *directory.Update) error {
	var version uint64
	var next protocol.Hash
	err := one(ctx, tx, "name", `SELECT version, next FROM versions WHERE name_index = $1 ORDER BY version DESC LIMIT 1`,
		[]any{u.Index[:]}, &version, id{next[:]})
	fresh := isKind(err, protocol.KindNotFound)
	if err != nil && !fresh {
		return err
	}
	switch {
	case u.Version <= version:
		return protocol.Errorf(protocol.KindConflict, "the name has version %d already", version)
	case u.Version != version+1:
		return protocol.Errorf(protocol.KindUntrusted, "an update to version %d does not follow version %d of the name", u.Version, version)
	case !fresh && next.IsZero():
		return protocol.Errorf(protocol.KindDenied, "the name is closed for ever")
	case !fresh && directory.KeyHash(u.Key) != next:
		return protocol.Errorf(protocol.KindUntrusted, "the update to version %d is not signed with the key that the version before named", u.Version)
	}
	return nil
}

// Waiting returns what waits, oldest first.
func (s *Store) Waiting(ctx context.Context, limit int) ([]sequencer.Waiting, error) {
	return s.waiting(ctx, `SELECT leaf, entry, received FROM log_queue WHERE sorted = x'' ORDER BY place LIMIT $1`, limit)
}

// WaitingAnchors returns anchors that wait, by their indexes.
func (s *Store) WaitingAnchors(ctx context.Context, until protocol.Time, limit int) ([]sequencer.Waiting, error) {
	return s.waiting(ctx, `SELECT leaf, entry, received FROM log_queue WHERE sorted <> x'' AND received <= $1 ORDER BY sorted LIMIT $2`,
		int64(until), limit)
}

func (s *Store) waiting(ctx context.Context, query string, args ...any) ([]sequencer.Waiting, error) {
	var list []sequencer.Waiting
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var w sequencer.Waiting
		err := scan(id{w.Leaf[:]}, &w.Entry, &w.Received)
		list = append(list, w)
		return err
	}, query, args...)
	return list, err
}

// Reject takes what breaks a rule out of the queue, and keeps it aside.
func (s *Store) Reject(ctx context.Context, after sequencer.Head, w sequencer.Waiting, reason string) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var stands int
		err := one(ctx, tx, "log", `SELECT count(*) FROM log WHERE size = $1 AND batch = $2`, []any{after.Size, after.Batch[:]}, &stands)
		if err != nil {
			return err
		}
		if stands == 0 {
			return protocol.Errorf(protocol.KindConflict, "the log has grown meanwhile")
		}
		if _, err := exec(ctx, tx, `DELETE FROM log_queue WHERE leaf = $1`, w.Leaf[:]); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM versions WHERE leaf = $1 AND position < 0`, w.Leaf[:]); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO log_rejected (leaf, received, entry, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			w.Leaf[:], int64(w.Received), w.Entry, reason)
		return err
	})
}

// QueueLength counts what waits and what was rejected.
func (s *Store) QueueLength(ctx context.Context) (waiting, anchors, rejected int64, err error) {
	err = one(ctx, s.read, "queue", `SELECT (SELECT count(*) FROM log_queue WHERE sorted = x''), (SELECT count(*) FROM log_queue WHERE sorted <> x''),
		(SELECT count(*) FROM log_rejected)`, nil, &waiting, &anchors, &rejected)
	return waiting, anchors, rejected, err
}

// AddAnchors puts anchors into the queue; see sequencer.QueueStore.
func (s *Store) AddAnchors(ctx context.Context, account protocol.AccountID, anchors []sequencer.Anchor, at protocol.Time) error {
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		if _, err := goesOn(ctx, tx); err != nil {
			return err
		}
		sub := submission{Version: journalVersion, At: at}
		for _, a := range anchors {
			added, err := insertAnchor(ctx, tx, account, a, at)
			if err != nil {
				return err
			}
			if added {
				sub.Entries = append(sub.Entries, submitted{a.Entry, a.Box})
			}
		}
		if len(sub.Entries) == 0 {
			return nil
		}
		_, err := w.journal(ctx, tx, account, blob.KindSubmission, canonical.MustMarshal(sub))
		return err
	})
}

// insertAnchor writes an anchor's rows, and reports whether they are new.
func insertAnchor(ctx context.Context, tx *sql.Tx, account protocol.AccountID, a sequencer.Anchor, at protocol.Time) (bool, error) {
	entry, err := directory.ParseEntry(a.Entry)
	if err != nil {
		return false, err
	}
	if entry.Anchor == nil {
		return false, protocol.Errorf(protocol.KindUsage, "a %s is no anchor", entry.Kind())
	}
	leaf, period, index := tlog.LeafHash(a.Entry), string(entry.Anchor.Period), entry.Anchor.Index
	var known, owner protocol.Hash
	var position int64
	err = one(ctx, tx, "anchor", `SELECT leaf, account, position FROM anchors WHERE period = $1 AND anchor_index = $2`,
		[]any{period, index[:]}, id{known[:]}, id{owner[:]}, &position)
	switch {
	case err == nil && known != leaf:
		return false, protocol.Errorf(protocol.KindExists, "another anchor has this index in %s", period)
	case err == nil && !owner.IsZero():
		return false, nil
	case err == nil: // of the log alone, whose box was lost or is being found again
		_, err = exec(ctx, tx, `UPDATE anchors SET account = $1, box = $2 WHERE period = $3 AND anchor_index = $4`, account[:], orEmpty(a.Box), period, index[:])
		return true, err
	case !isKind(err, protocol.KindNotFound):
		return false, err
	}
	_, err = exec(ctx, tx, `INSERT INTO anchors (period, anchor_index, leaf, position, account, box) VALUES ($1, $2, $3, -1, $4, $5)`,
		period, index[:], leaf[:], account[:], orEmpty(a.Box))
	if err != nil {
		return false, err
	}
	return true, enqueue(ctx, tx, leaf, index[:], a.Entry, at)
}

// Submit puts another entry into the queue; see sequencer.QueueStore.
func (s *Store) Submit(ctx context.Context, entry, opening []byte, at protocol.Time) error {
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		if _, err := goesOn(ctx, tx); err != nil {
			return err
		}
		added, err := insertSubmission(ctx, tx, entry, opening, at)
		if err != nil || !added {
			return err
		}
		sub := submission{Version: journalVersion, At: at, Entries: []submitted{{entry, opening}}}
		_, err = w.journal(ctx, tx, nobody, blob.KindSubmission, canonical.MustMarshal(sub))
		return err
	})
}

// insertSubmission writes the rows of an entry that is no anchor, and reports
// whether they are new. One that the log holds already only gets its box.
func insertSubmission(ctx context.Context, tx *sql.Tx, entry, box []byte, at protocol.Time) (bool, error) {
	leaf := tlog.LeafHash(entry)
	n, err := exec(ctx, tx, `INSERT INTO submissions (leaf, position, entry, box) VALUES ($1, -1, $2, $3) ON CONFLICT DO NOTHING`,
		leaf[:], entry, orEmpty(box))
	if err != nil {
		return false, err
	}
	if n == 1 {
		if err := holdName(ctx, tx, leaf, entry); err != nil {
			return false, err
		}
		return true, enqueue(ctx, tx, leaf, nil, entry, at)
	}
	n, err = exec(ctx, tx, `UPDATE submissions SET box = $1 WHERE leaf = $2 AND box IS NULL`, orEmpty(box), leaf[:])
	return n == 1, err
}

// holdName lets a reassignment that waits take its version of the name, so that
// no update is acknowledged which could not follow it.
func holdName(ctx context.Context, tx *sql.Tx, leaf protocol.Hash, raw []byte) error {
	entry, err := directory.ParseEntry(raw)
	if err != nil || entry.Reassign == nil {
		return err
	}
	n, opening, err := noticeAt(ctx, tx, entry.Reassign.Notice)
	if err != nil {
		return err
	}
	var version uint64
	err = one(ctx, tx, "name", `SELECT max(version) FROM versions WHERE name_index = $1`, []any{n.Index[:]}, &version)
	if err != nil {
		return err
	}
	if version != n.Version {
		return protocol.Errorf(protocol.KindConflict, "the name was updated since the notice")
	}
	_, err = exec(ctx, tx, upsertVersion, n.Index[:], n.Version+1, leaf[:], -1, n.Next[:], raw)
	if err == nil && len(opening) > 0 {
		_, err = exec(ctx, tx, `UPDATE versions SET opening = $1 WHERE name_index = $2 AND version = $3`, opening, n.Index[:], n.Version+1)
	}
	return err
}
