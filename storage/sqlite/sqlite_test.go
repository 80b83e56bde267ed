// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sqlite_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/solekey/solekey/storage/sqlite"
)

var ctx = context.Background()

const first = "-- +goose Up\nCREATE TABLE words (account BLOB NOT NULL, word TEXT NOT NULL, PRIMARY KEY (account, word));\n"

func schema(files ...string) fs.FS {
	m := fstest.MapFS{}
	for i, text := range files {
		m["0000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func open(t *testing.T, path string, schema fs.FS) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(ctx, path, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func add(t *testing.T, db *sqlite.DB, word string) {
	t.Helper()
	if _, err := db.Write.Exec("INSERT INTO words (account, word) VALUES ($1, $2)", []byte{1}, word); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *sqlite.DB) int {
	t.Helper()
	var n int
	if err := db.Read.QueryRow("SELECT count(*) FROM words").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenAgainKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space ?&#.db")
	db := open(t, path, schema(first))
	add(t, db, "one")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, schema(first, "-- +goose Up\nALTER TABLE words ADD COLUMN note TEXT;\n"))
	if n := count(t, db); n != 1 {
		t.Fatalf("%d rows, want 1", n)
	}
	if _, err := db.Write.Exec("UPDATE words SET note = $1", "new column"); err != nil {
		t.Fatalf("the second migration was not applied: %v", err)
	}
}

func TestSettings(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"), schema(first))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000", "foreign_keys": "1"} {
		var got string
		if err := db.Write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := db.Read.Exec("INSERT INTO words (account, word) VALUES ($1, $2)", []byte{1}, "x"); err == nil {
		t.Error("a reader could write")
	}
}

// TestArgumentsOutOfOrder holds the driver to binding $n by its number: the same
// text has to serve PostgreSQL.
func TestArgumentsOutOfOrder(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"), schema(first))
	var got string
	err := db.Read.QueryRow("SELECT $3 || $1 || $2 || $1", "a", "b", "c").Scan(&got)
	if err != nil || got != "caba" {
		t.Fatalf("%q, %v; want caba", got, err)
	}
}

func TestPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path, schema(first))
	add(t, db, "x")
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
		}
	}
}

func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"), schema(first))
	add(t, db, "before")
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 50 {
			add(t, db, strings.Repeat("x", i+1))
		}
	})
	copied := filepath.Join(dir, "copy's.db")
	if err := db.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := db.Backup(ctx, copied); err == nil {
		t.Error("a backup was written over")
	}
	other := open(t, copied, schema(first))
	if err := other.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, other); n < 1 || n > 51 {
		t.Fatalf("the copy has %d rows", n)
	}
}

func TestDamageIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path, schema(first))
	if err := db.Check(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		add(t, db, strings.Repeat("y", i+1))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 2; i < len(data); i++ {
		data[i] ^= 0xa5
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err = sqlite.Open(ctx, path, schema(first))
	if err != nil {
		return // found while opening
	}
	defer func() { _ = db.Close() }()
	if err := db.Check(ctx); err == nil {
		t.Fatal("a damaged file passed the check")
	}
}

func TestWrongMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if db, err := sqlite.Open(ctx, path, schema(first, "-- +goose Up\nCREATE NONSENSE;\n")); err == nil {
		_ = db.Close()
		t.Fatal("a wrong migration was taken")
	}
	db := open(t, path, schema(first))
	add(t, db, "still works")
}
