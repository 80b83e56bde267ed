// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/storage/sqlite"
)

//go:embed schema/*.sql
var schema embed.FS

// How much is remembered of a log.
const (
	maxAlarms = 100                 // of one log
	remember  = 40 * 24 * time.Hour // what was cosigned when
)

// Latest is the newest checkpoint of a log that was cosigned; the zero value says
// that none was.
type Latest struct {
	Size uint64
	Root protocol.Hash
	Time protocol.Time // of the cosignature, whole seconds
	Note []byte        // as the log signed it
}

// Alarm is something that a log signed and must not have.
type Alarm struct {
	Origin string
	Time   protocol.Time
	Text   string
	Note   []byte
}

// Store is what a witness remembers, in one database file. It must never be put
// back to an older state: a witness that forgot could cosign a fork.
type Store struct{ db *sqlite.DB }

// Open opens the database file, which it makes where it is missing.
func Open(ctx context.Context, path string) (*Store, error) {
	in, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	db, err := sqlite.Open(ctx, path, in)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Latest returns the newest checkpoint of a log that was cosigned.
func (s *Store) Latest(ctx context.Context, origin string) (Latest, error) {
	return latest(s.db.Read.QueryRowContext(ctx, "SELECT size, root, time, note FROM logs WHERE origin = $1", origin))
}

func latest(row *sql.Row) (Latest, error) {
	var l Latest
	var size, at int64
	var root []byte
	err := row.Scan(&size, &root, &at, &l.Note)
	if errors.Is(err, sql.ErrNoRows) {
		return Latest{}, nil
	}
	if err != nil {
		return Latest{}, fmt.Errorf("read what was cosigned: %w", err)
	}
	if len(root) != len(l.Root) || size < 0 {
		return Latest{}, protocol.Errorf(protocol.KindUntrusted, "read what was cosigned: the database is damaged")
	}
	l.Size, l.Root, l.Time = uint64(size), protocol.Hash(root), protocol.Time(at)
	return l, nil
}

// Advance makes to the newest, if from still is: otherwise its kind is
// KindConflict, and nothing changed. It is durable when it returns nil. After
// another error it may have happened or not; Latest tells.
func (s *Store) Advance(ctx context.Context, origin string, from, to Latest) error {
	if to.Size < from.Size || to.Time < from.Time || to.Size == from.Size && from.Time != 0 && to.Root != from.Root {
		panic("solekey: internal error: a witness would go back")
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep what is cosigned: %w", err)
	}
	if err := advance(ctx, tx, origin, from, to); err != nil {
		if protocol.KindOf(err) == protocol.KindConflict {
			return errors.Join(err, tx.Rollback())
		}
		return errors.Join(fmt.Errorf("keep what is cosigned: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("keep what is cosigned: %w", err)
	}
	return nil
}

func advance(ctx context.Context, tx *sql.Tx, origin string, from, to Latest) error {
	now, err := latest(tx.QueryRowContext(ctx, "SELECT size, root, time, note FROM logs WHERE origin = $1", origin))
	if err != nil {
		return err
	}
	if now.Size != from.Size || now.Root != from.Root || now.Time != from.Time {
		return protocol.Errorf(protocol.KindConflict, "another request was faster")
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO logs (origin, size, root, time, note) VALUES ($1, $2, $3, $4, $5) "+
		"ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note",
		origin, int64(to.Size), to.Root[:], int64(to.Time), to.Note)
	if err != nil {
		return err
	}
	hour := int64(to.Time) / int64(time.Hour)
	if _, err := tx.ExecContext(ctx, "INSERT INTO hours (origin, hour, size, time) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		origin, hour, int64(to.Size), int64(to.Time)); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM hours WHERE origin = $1 AND hour < $2", origin, hour-int64(remember/time.Hour))
	return err
}

// Smallest returns the smallest size of the log that was cosigned after a time;
// false where none was.
func (s *Store) Smallest(ctx context.Context, origin string, after protocol.Time) (uint64, bool, error) {
	var size sql.NullInt64
	err := s.db.Read.QueryRowContext(ctx, "SELECT min(size) FROM (SELECT size, time FROM hours WHERE origin = $1 UNION ALL SELECT size, time FROM logs WHERE origin = $1) WHERE time > $2",
		origin, int64(after)).Scan(&size)
	if err != nil {
		return 0, false, fmt.Errorf("read what was cosigned: %w", err)
	}
	return uint64(size.Int64), size.Valid, nil
}

// Raise keeps an alarm, unless the newest one of the log says the same. Of many,
// the oldest go.
func (s *Store) Raise(ctx context.Context, a Alarm) error {
	var text string
	err := s.db.Write.QueryRowContext(ctx, "SELECT text FROM alarms WHERE origin = $1 ORDER BY number DESC LIMIT 1", a.Origin).Scan(&text)
	if err == nil && text == a.Text {
		return nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("keep an alarm: %w", err)
	}
	if _, err := s.db.Write.ExecContext(ctx, "INSERT INTO alarms (origin, time, text, note) VALUES ($1, $2, $3, $4)", a.Origin, int64(a.Time), a.Text, a.Note); err != nil {
		return fmt.Errorf("keep an alarm: %w", err)
	}
	if _, err := s.db.Write.ExecContext(ctx, "DELETE FROM alarms WHERE origin = $1 AND number NOT IN (SELECT number FROM alarms WHERE origin = $1 ORDER BY number DESC LIMIT $2)", a.Origin, maxAlarms); err != nil {
		return fmt.Errorf("keep an alarm: %w", err)
	}
	return nil
}

// Alarms returns what is kept, oldest first.
func (s *Store) Alarms(ctx context.Context) ([]Alarm, error) {
	rows, err := s.db.Read.QueryContext(ctx, "SELECT origin, time, text, note FROM alarms ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("read alarms: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []Alarm
	for rows.Next() {
		var a Alarm
		if err := rows.Scan(&a.Origin, (*int64)(&a.Time), &a.Text, &a.Note); err != nil {
			return nil, fmt.Errorf("read alarms: %w", err)
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// Origins returns the logs of which anything was cosigned.
func (s *Store) Origins(ctx context.Context) ([]string, error) {
	rows, err := s.db.Read.QueryContext(ctx, "SELECT origin FROM logs ORDER BY origin")
	if err != nil {
		return nil, fmt.Errorf("read logs: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []string
	for rows.Next() {
		var origin string
		if err := rows.Scan(&origin); err != nil {
			return nil, fmt.Errorf("read logs: %w", err)
		}
		list = append(list, origin)
	}
	return list, rows.Err()
}
