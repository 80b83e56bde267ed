// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/storage/sqlite"
)

//go:embed schema/*.sql
var schema embed.FS

// Store keeps how far logs were replayed, in one database file. It is safe for
// concurrent use, by one Follower a log.
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

// progress is how far a log was replayed.
type progress struct {
	state, frontier, memo []byte
}

// load returns the progress, or nil where there is none.
func (s *Store) load(ctx context.Context, log protocol.Hash) (*progress, error) {
	var p progress
	err := s.db.Read.QueryRowContext(ctx, "SELECT state, frontier, memo FROM replays WHERE log = $1", log[:]).Scan(&p.state, &p.frontier, &p.memo)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read how far the log was followed: %w", err)
	}
	return &p, nil
}

// commit stores the progress and what changed in the trees, all or nothing.
func (s *Store) commit(ctx context.Context, log protocol.Hash, p progress, c directory.Change) error {
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep how far the log was followed: %w", err)
	}
	if err := write(ctx, tx, log, p, c); err != nil {
		return errors.Join(fmt.Errorf("keep how far the log was followed: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("keep how far the log was followed: %w", err)
	}
	return nil
}

func write(ctx context.Context, tx *sql.Tx, log protocol.Hash, p progress, c directory.Change) error {
	for _, name := range c.Gone {
		if _, err := tx.ExecContext(ctx, "DELETE FROM tiles WHERE log = $1 AND name = $2", log[:], name[:]); err != nil {
			return err
		}
	}
	add, err := tx.PrepareContext(ctx, "INSERT INTO tiles (log, name, period, data) VALUES ($1, $2, $3, $4) ON CONFLICT (log, name) DO UPDATE SET period = excluded.period")
	if err != nil {
		return err
	}
	defer func() { _ = add.Close() }()
	for name, data := range c.New {
		if _, err := add.ExecContext(ctx, log[:], name[:], string(c.Periods[name]), data); err != nil {
			return err
		}
	}
	for _, period := range c.Closed {
		if _, err := tx.ExecContext(ctx, "DELETE FROM tiles WHERE log = $1 AND period = $2 AND period <> ''", log[:], string(period)); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO replays (log, state, frontier, memo) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (log) DO UPDATE SET state = excluded.state, frontier = excluded.frontier, memo = excluded.memo",
		log[:], p.state, p.frontier, append([]byte{}, p.memo...))
	return err
}

// nodes reads the tiles of one log's trees.
type nodes struct {
	s   *Store
	log protocol.Hash
}

// Tile returns a tile, or an error of protocol.KindNotFound.
func (n nodes) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	var data []byte
	err := n.s.db.Read.QueryRowContext(ctx, "SELECT data FROM tiles WHERE log = $1 AND name = $2", n.log[:], name[:]).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, protocol.Errorf(protocol.KindNotFound, "read tile %s: there is none", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read tile: %w", err)
	}
	return data, nil
}

// parseProgress reads what was stored.
func (p *progress) parse(key *tlog.LogKey, store directory.NodeStore) (*directory.Replay, *tlog.Frontier, error) {
	frontier, err := tlog.ParseFrontier(p.frontier)
	if err != nil {
		return nil, nil, err
	}
	replay, err := directory.ResumeReplay(key, store, p.state)
	if err != nil {
		return nil, nil, err
	}
	if replay.Size() != frontier.Size() {
		return nil, nil, protocol.Errorf(protocol.KindUntrusted, "what is kept of log %s does not fit together: delete the file, and it is made again", key.Origin())
	}
	return replay, frontier, nil
}
