// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

var _ sequencer.Store = (*Store)(nil)

// nobody is the account that the blobs of the log are kept under.
var nobody protocol.AccountID

// logRef is the place of a batch's blob.
func logRef(name protocol.Hash) blob.Ref {
	return blob.Ref{Account: nobody, Kind: blob.KindLog, Name: name}
}

// LogHead returns where the log stands; see sequencer.BatchStore.
func (s *Store) LogHead(ctx context.Context, log protocol.Hash) (sequencer.Head, error) {
	h, name, err := s.logHead(ctx)
	if isKind(err, protocol.KindNotFound) {
		if err := s.beginLog(ctx, log); err != nil {
			return sequencer.Head{}, err
		}
		h, name, err = s.logHead(ctx)
	}
	if err == nil && name != log {
		err = protocol.Errorf(protocol.KindDenied, "the database belongs to another log, whose key has the identifier %s", name)
	}
	if err == nil && h.Size > 0 {
		err = s.holdsNewest(ctx)
		err = protocol.Wrap(protocol.KindUntrusted, err, "the newest batch of the log is in the database and not among the blobs, which may be an older copy")
	}
	return h, err
}

func (s *Store) logHead(ctx context.Context) (h sequencer.Head, name protocol.Hash, err error) {
	err = one(ctx, s.read, "log", `SELECT name, size, root, batch, state FROM log`, nil,
		id{name[:]}, &h.Size, id{h.Root[:]}, id{h.Batch[:]}, &h.State)
	return h, name, err
}

// beginLog binds the tables to a log, which is empty.
func (s *Store) beginLog(ctx context.Context, log protocol.Hash) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		empty := new(tlog.Frontier).Root()
		_, err := exec(ctx, tx, `INSERT INTO log (log, name, size, root, batch, state, refusal) VALUES (1, $1, 0, $2, $3, x'', '')
			ON CONFLICT DO NOTHING`, log[:], empty[:], make([]byte, len(log)))
		return err
	})
}

// holdsNewest returns an error where the blob of the newest batch is missing.
func (s *Store) holdsNewest(ctx context.Context) error {
	var place protocol.Hash
	err := one(ctx, s.read, "batch", `SELECT place FROM log_batches ORDER BY start DESC LIMIT 1`, nil, id{place[:]})
	if err == nil {
		_, err = s.blobs.Stat(ctx, logRef(place))
	}
	return err
}

// NextBatch returns what was claimed, or found in the blob store.
func (s *Store) NextBatch(ctx context.Context, after sequencer.Head) ([]byte, error) {
	var claimed []byte
	if err := one(ctx, s.read, "log", `SELECT claimed FROM log`, nil, &claimed); err != nil || claimed != nil {
		return claimed, err
	}
	var name protocol.Hash
	err := one(ctx, s.read, "batch", `SELECT place FROM log_found WHERE start = $1`, []any{after.Size}, id{name[:]})
	if isKind(err, protocol.KindNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := blob.ReadAll(ctx, s.blobs, logRef(name))
	return data, protocol.Wrap(protocol.KindInternal, err, "read batch of the log at %d", after.Size)
}

// ClaimBatch decides which batch comes next. Rows first, the blob later: so that no
// two blobs ever continue one head, however many processes run and whenever they
// die.
func (s *Store) ClaimBatch(ctx context.Context, after sequencer.Head, raw []byte) error {
	moved := protocol.Errorf(protocol.KindConflict, "the log has grown meanwhile")
	return s.transact(ctx, func(tx *sql.Tx) error {
		var found int
		if err := one(ctx, tx, "log", `SELECT count(*) FROM log_found WHERE start >= $1`, []any{after.Size}, &found); err != nil {
			return err
		}
		if found > 0 {
			return moved
		}
		return must(ctx, tx, moved, `UPDATE log SET claimed = $1 WHERE size = $2 AND batch = $3 AND claimed IS NULL`,
			raw, after.Size, after.Batch[:])
	})
}

// CommitBatch makes a batch durable; see sequencer.BatchStore.
func (s *Store) CommitBatch(ctx context.Context, i sequencer.Integration) error {
	place := blob.NewRef(nobody, blob.KindLog, i.Batch)
	blobs := []namedBlob{{place, i.Batch}}
	for _, t := range i.Tiles {
		if t.Width == tlog.TileWidth {
			blobs = append(blobs, namedBlob{blob.NewRef(nobody, blob.KindTile, t.Data), t.Data})
		}
	}
	// The batch first and alone: a tile without its batch would say nothing.
	if err := s.putAll(ctx, blobs[:1]); err != nil {
		return err
	}
	if err := s.putAll(ctx, blobs[1:]); err != nil {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		moved := protocol.Errorf(protocol.KindConflict, "the log has grown meanwhile")
		err := must(ctx, tx, moved, `UPDATE log SET size = $1, root = $2, batch = $3, state = $4, claimed = NULL
			WHERE size = $5 AND batch = $6 AND (claimed IS NULL OR claimed = $7)`,
			i.Head.Size, i.Head.Root[:], i.Head.Batch[:], i.Head.State, i.After.Size, i.After.Batch[:], i.Batch)
		if err != nil {
			return err
		}
		if err := commitPlace(ctx, tx, i, place); err != nil {
			return err
		}
		steps := []func(context.Context, *sql.Tx, sequencer.Integration) error{commitTiles, commitEntries, commitPlaces, commitDirectory}
		for _, step := range steps {
			if err := step(ctx, tx, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// commitPlace notes where the batch is.
func commitPlace(ctx context.Context, tx *sql.Tx, i sequencer.Integration, place blob.Ref) error {
	if err := note(ctx, tx, place); err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `DELETE FROM log_found WHERE start < $1`, i.Head.Size); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO log_batches (start, ends, place, volume) VALUES ($1, $2, $3, $4)`,
		i.After.Size, i.Head.Size, place.Name[:], truth(place.Name != i.Head.Batch))
	return err
}

// batched prepares a statement for many rows and hands it to f.
func batched(ctx context.Context, tx *sql.Tx, statement string, f func(run func(args ...any) error) error) error {
	prepared, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { _ = prepared.Close() }()
	return f(func(args ...any) error {
		_, err := prepared.ExecContext(ctx, args...)
		return err
	})
}

// commitTiles writes the log's tiles: a full one by the name of its blob.
func commitTiles(ctx context.Context, tx *sql.Tx, i sequencer.Integration) error {
	return batched(ctx, tx, `INSERT INTO log_tiles (level, n, width, place, data) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (level, n) DO UPDATE SET width = excluded.width, place = excluded.place, data = excluded.data`,
		func(run func(...any) error) error {
			for _, t := range i.Tiles {
				data := t.Data
				var place []byte
				if t.Width == tlog.TileWidth {
					name := blob.Name(data)
					place, data = name[:], nil
				}
				if err := run(t.Level, t.N, t.Width, place, data); err != nil {
					return err
				}
			}
			return nil
		})
}

// commitEntries keeps the entries after the last full bundle.
func commitEntries(ctx context.Context, tx *sql.Tx, i sequencer.Integration) error {
	edge := i.Head.Size / tlog.TileWidth * tlog.TileWidth
	if _, err := exec(ctx, tx, `DELETE FROM log_entries WHERE position < $1`, edge); err != nil {
		return err
	}
	return batched(ctx, tx, `INSERT INTO log_entries (position, entry) VALUES ($1, $2)`, func(run func(...any) error) error {
		for _, p := range i.Placed {
			if p.Position < edge {
				continue
			}
			if err := run(p.Position, p.Raw); err != nil {
				return err
			}
		}
		return nil
	})
}

// commitPlaces takes the entries out of the queue and notes their places.
func commitPlaces(ctx context.Context, tx *sql.Tx, i sequencer.Integration) error {
	err := batched(ctx, tx, `DELETE FROM log_queue WHERE leaf = $1`, func(run func(...any) error) error {
		for _, p := range i.Placed {
			if p.Entry.Root != nil {
				continue
			}
			if err := run(p.Leaf[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return batched(ctx, tx, upsertVersion, func(run func(...any) error) error {
		for _, p := range i.Placed {
			var err error
			switch {
			case p.Entry.Update != nil:
				u := p.Entry.Update
				err = run(u.Index[:], u.Version, p.Leaf[:], p.Position, u.Next[:], p.Raw)
			case p.Entry.Anchor != nil:
				err = placeAnchor(ctx, tx, p)
			case p.Entry.Reassign != nil:
				err = placeReassign(ctx, tx, p)
			case p.Entry.Root == nil:
				err = placeOther(ctx, tx, p)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// upsertVersion notes a version's place. Where the row holds another entry under
// that number, which waits, the log decides: that one will be rejected.
const upsertVersion = `INSERT INTO versions (name_index, version, leaf, position, next, entry) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (name_index, version) DO UPDATE SET position = excluded.position, next = excluded.next, entry = excluded.entry,
		account = CASE WHEN versions.leaf = excluded.leaf THEN versions.account END,
		opening = CASE WHEN versions.leaf = excluded.leaf THEN versions.opening END,
		leaf = excluded.leaf`

func placeAnchor(ctx context.Context, tx *sql.Tx, p sequencer.Placed) error {
	a := p.Entry.Anchor
	_, err := exec(ctx, tx, `INSERT INTO anchors (period, anchor_index, leaf, position) VALUES ($1, $2, $3, $4)
		ON CONFLICT (period, anchor_index) DO UPDATE SET position = excluded.position, leaf = excluded.leaf`,
		string(a.Period), a.Index[:], p.Leaf[:], p.Position)
	return err
}

func placeOther(ctx context.Context, tx *sql.Tx, p sequencer.Placed) error {
	_, err := exec(ctx, tx, `INSERT INTO submissions (leaf, position, entry) VALUES ($1, $2, $3)
		ON CONFLICT (leaf) DO UPDATE SET position = excluded.position`, p.Leaf[:], p.Position, p.Raw)
	return err
}

// placeReassign makes the version that the notice announced: its key and its
// opening were the notice's.
func placeReassign(ctx context.Context, tx *sql.Tx, p sequencer.Placed) error {
	if err := placeOther(ctx, tx, p); err != nil {
		return err
	}
	n, opening, err := noticeAt(ctx, tx, p.Entry.Reassign.Notice)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, upsertVersion, n.Index[:], n.Version+1, p.Leaf[:], p.Position, n.Next[:], p.Raw)
	if err != nil || len(opening) == 0 {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE versions SET opening = $1 WHERE name_index = $2 AND version = $3`, opening, n.Index[:], n.Version+1)
	return err
}

// noticeAt returns the notice at a place in the log, and what it opens to.
func noticeAt(ctx context.Context, tx *sql.Tx, position uint64) (*directory.Notice, []byte, error) {
	var raw, opening []byte
	err := one(ctx, tx, "notice", `SELECT entry, box FROM submissions WHERE position = $1`, []any{position}, &raw, &opening)
	if err != nil {
		return nil, nil, err
	}
	entry, err := directory.ParseEntry(raw)
	if err == nil && entry.Notice == nil {
		err = protocol.Errorf(protocol.KindInternal, "entry %d is no notice", position)
	}
	if err != nil {
		return nil, nil, err
	}
	return entry.Notice, opening, nil
}

// commitDirectory writes the directory's tiles. One that comes back counts again.
func commitDirectory(ctx context.Context, tx *sql.Tx, i sequencer.Integration) error {
	err := batched(ctx, tx, `UPDATE directory_tiles SET gone = $1, gone_at = $2 WHERE name = $3`, func(run func(...any) error) error {
		for _, name := range i.Change.Gone {
			if err := run(i.Head.Size, int64(i.Time), name[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = batched(ctx, tx, `INSERT INTO periods_left (period, gone, gone_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, func(run func(...any) error) error {
		for _, period := range i.Change.Left {
			if err := run(string(period), i.Head.Size, int64(i.Time)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return batched(ctx, tx, `INSERT INTO directory_tiles (name, data, period, gone, gone_at) VALUES ($1, $2, $3, 0, 0)
		ON CONFLICT (name) DO UPDATE SET gone = 0, gone_at = 0`, func(run func(...any) error) error {
		for name, data := range i.Change.New {
			if err := run(name[:], data, string(i.Change.Periods[name])); err != nil {
				return err
			}
		}
		return nil
	})
}

// Refusal returns why the log must not go on.
func (s *Store) Refusal(ctx context.Context) (string, error) {
	var reason string
	err := one(ctx, s.read, "log", `SELECT refusal FROM log`, nil, &reason)
	if isKind(err, protocol.KindNotFound) {
		return "", nil
	}
	return reason, err
}

// Refuse keeps the first reason why the log must not go on.
func (s *Store) Refuse(ctx context.Context, reason string) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE log SET refusal = $1 WHERE refusal = ''`, reason)
		return err
	})
}

// Reconsider forgets why the log must not go on.
func (s *Store) Reconsider(ctx context.Context) error {
	reason, err := s.Refusal(ctx)
	if err != nil || reason == "" {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE log SET refusal = ''`)
		return err
	})
}

// Note returns the checkpoint that was kept last.
func (s *Store) Note(ctx context.Context, world protocol.Hash) (sequencer.Note, error) {
	var n sequencer.Note
	err := one(ctx, s.read, "checkpoint", `SELECT size, note, root FROM log_notes WHERE world = $1`, []any{world[:]}, &n.Size, &n.Note, &n.Root)
	if isKind(err, protocol.KindNotFound) {
		return sequencer.Note{}, nil
	}
	return n, err
}

// PutNote keeps a checkpoint, unless a greater one is kept.
func (s *Store) PutNote(ctx context.Context, world protocol.Hash, n sequencer.Note) error {
	kept, err := s.Note(ctx, world)
	if err != nil || kept.Size > n.Size || bytes.Equal(kept.Note, n.Note) {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO log_notes (world, size, note, root) VALUES ($1, $2, $3, $4)
			ON CONFLICT (world) DO UPDATE SET size = excluded.size, note = excluded.note, root = excluded.root
			WHERE log_notes.size <= excluded.size`, world[:], n.Size, n.Note, n.Root)
		return err
	})
}
