// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlite opens an SQLite database as a provider needs it: a write-ahead
// log, flushed at every commit, one connection that writes and a few that read.
// Open brings the schema that the caller hands it up to date. It knows no table.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const readers = 4

// pragmas apply to every connection. synchronous(FULL) makes a commit durable
// when it returns; the cache is kept small, the operating system has one.
const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=foreign_keys(ON)&_pragma=cache_size(-4000)"

// DB is an open database. Write has one connection, so that writers wait in the
// program instead of failing in the database; Read has a few that cannot write.
type DB struct {
	Write *sql.DB
	Read  *sql.DB
	path  string
}

// Open opens the database file, which it makes where it is missing, and applies
// the migrations (*.sql at the top of schema) that it has not seen.
func Open(ctx context.Context, path string, schema fs.FS) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{path: path}
	if db.Write, err = connect(path, "_txlock=immediate&"+pragmas, 1); err != nil {
		return nil, err
	}
	if db.Read, err = connect(path, pragmas+"&_pragma=query_only(ON)", readers); err != nil {
		return nil, errors.Join(err, db.Write.Close())
	}
	if err := migrate(ctx, db.Write, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// create makes an empty file that only its owner may read; the write-ahead log
// takes its permissions.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func connect(path, query string, most int) (*sql.DB, error) {
	source := url.URL{Scheme: "file", Path: path, RawQuery: query}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, schema fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, schema)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// Close closes every connection.
func (db *DB) Close() error { return errors.Join(db.Read.Close(), db.Write.Close()) }

// Backup writes a consistent copy of the whole database to a file that must not
// exist, while others read and write, and makes it durable.
func (db *DB) Backup(ctx context.Context, to string) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("back up database: %s is there already", to)
	}
	own, err := connect(db.path, pragmas, 1)
	if err != nil {
		return err
	}
	_, err = own.ExecContext(ctx, "VACUUM INTO ?", to)
	if err := errors.Join(err, own.Close()); err != nil {
		return fmt.Errorf("back up database: %w", err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("back up database: %w", err)
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("back up database: %w", err), f.Close())
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// Check returns an error when the file is damaged.
func (db *DB) Check(ctx context.Context) error {
	var result string
	if err := db.Read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	if result != "ok" {
		return fmt.Errorf("check database: %s", result)
	}
	return nil
}
