// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package records is the provider's tables, on SQL, and the journal in the blob
// store that they are rebuilt from. Store implements the small stores that
// provider/accounts and provider/vaults declare, one file for each service.
//
// Whatever is acknowledged is in the blob store before the row that shows it is
// committed; the blob is written inside the transaction that holds the row's
// compare-and-swap, so that no two blobs of a journal continue the same head
// unless a commit failed between. Writes that come at the same time share a
// transaction (see group). Reconcile takes in what the blob store holds
// and the tables do not: after a crash, and after the tables were lost or
// restored from an older copy.
package records

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

//go:embed schema/*.sql
var schema embed.FS

// Schema returns the migrations, for whoever opens the database.
func Schema() fs.FS {
	sub, err := fs.Sub(schema, "schema")
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return sub
}

// Store is the provider's tables and journal. It is safe for concurrent use.
type Store struct {
	write *sql.DB
	read  *sql.DB
	blobs blob.Store

	group   *group
	volumes volumes
	joined  joined

	// packs keep puts and deletes of one pack apart, by a byte of its name.
	packs [64]sync.Mutex

	// testingOnlyBeforeCommit, where set, may fail a transaction at its end.
	testingOnlyBeforeCommit func() error
}

// New returns a store over a database that Schema was applied to; write and
// read may be the same.
func New(write, read *sql.DB, blobs blob.Store) *Store {
	return &Store{write: write, read: read, blobs: blobs, group: newGroup(), volumes: defaultVolumes()}
}

// transact runs f in a transaction of its own, which it commits when f returns
// nil. A client that goes away does not break it off: that would only leave blobs
// of writes that nobody knows the end of.
func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if s.testingOnlyBeforeCommit != nil {
		if err := s.testingOnlyBeforeCommit(); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// exec runs a statement that changes rows, and returns how many it changed.
func exec(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("write row: %w", err)
	}
	return result.RowsAffected()
}

// must runs a statement that changes exactly one row, or gives the conflict.
func must(ctx context.Context, tx *sql.Tx, conflict error, statement string, args ...any) error {
	n, err := exec(ctx, tx, statement, args...)
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict
	}
	return nil
}

// each visits the rows of a query.
func each(ctx context.Context, q querier, visit func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := visit(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads one row; where there is none, it returns protocol.KindNotFound.
func one(ctx context.Context, q querier, what string, query string, args []any, into ...any) error {
	err := q.QueryRowContext(ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return protocol.Errorf(protocol.KindNotFound, "%s is not there", what)
	}
	if err != nil {
		return fmt.Errorf("read row: %w", err)
	}
	return nil
}

// id scans a column of bytes into an identifier.
type id struct{ into []byte }

// Scan copies exactly as many bytes as the identifier has; NULL leaves it zero.
func (i id) Scan(value any) error {
	if value == nil {
		return nil
	}
	raw, ok := value.([]byte)
	if !ok || len(raw) != len(i.into) {
		return fmt.Errorf("column holds no identifier of %d bytes", len(i.into))
	}
	copy(i.into, raw)
	return nil
}

func isKind(err error, kind protocol.Kind) bool {
	var e *protocol.Error
	return errors.As(err, &e) && e.Kind == kind
}
