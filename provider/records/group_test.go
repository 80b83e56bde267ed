// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

// shared runs writes of which the first begins alone; the others share a
// transaction, since they come while it is under way.
func (w *world) shared(writes ...func(w *write, tx *sql.Tx) error) []error {
	w.t.Helper()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := w.store.change(ctx, func(*write, *sql.Tx) error {
			close(begun)
			<-goOn
			return nil
		})
		if err != nil {
			w.t.Error(err)
		}
	})
	<-begun
	errs := make([]error, len(writes))
	for i, rows := range writes {
		wg.Go(func() { errs[i] = w.store.change(ctx, rows) })
	}
	for waiting := 0; waiting < len(writes); {
		w.store.group.mu.Lock()
		waiting = len(w.store.group.waiting)
		w.store.group.mu.Unlock()
	}
	close(goOn)
	wg.Wait()
	return errs
}

// counter writes a row and a blob under a name.
func counter(name string) func(w *write, tx *sql.Tx) error {
	return func(w *write, tx *sql.Tx) error {
		key := blob.Name([]byte(name))
		if _, err := exec(ctx, tx, `INSERT INTO counters (counter, since, uses) VALUES ($1, 0, 1)`, key[:]); err != nil {
			return err
		}
		_, err := w.journal(ctx, tx, protocol.AccountID{1}, blob.KindSubmission, []byte(name))
		return err
	}
}

// counted reports whether row and blob of a name are there; they are both, or not.
func (w *world) counted(name string) bool {
	w.t.Helper()
	key := blob.Name([]byte(name))
	var n int
	if err := one(ctx, w.store.read, "counter", `SELECT count(*) FROM counters WHERE counter = $1`, []any{key[:]}, &n); err != nil {
		w.t.Fatal(err)
	}
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindSubmission, []byte(name))
	_, err := w.store.blobs.Stat(ctx, ref)
	noted, err2 := w.store.noted(ctx, ref)
	if err2 != nil || noted != (n == 1) || n == 1 && err != nil {
		w.t.Fatalf("%s: %d rows, noted %v, blob: %v", name, n, noted, errors.Join(err, err2))
	}
	return n == 1
}

// TestRefusedBesideOthers: what the rules refuse leaves no row, and no other write
// fails for its sake.
func TestRefusedBesideOthers(t *testing.T) {
	w := newWorld(t)
	refused := errors.New("refused")
	errs := w.shared(counter("a"), func(x *write, tx *sql.Tx) error {
		return errors.Join(counter("b")(x, tx), refused)
	}, counter("c"))
	if errs[0] != nil || !errors.Is(errs[1], refused) || errs[2] != nil {
		t.Errorf("errors %v", errs)
	}
	if !w.counted("a") || w.counted("b") || !w.counted("c") {
		t.Error("the wrong ones are there")
	}
}

// failing is a store that cannot put one blob.
type failing struct {
	blob.Store
	name protocol.Hash
}

func (f failing) Put(ctx context.Context, ref blob.Ref, data []byte) error {
	if ref.Name == f.name {
		return errors.New("no room for this one")
	}
	return f.Store.Put(ctx, ref, data)
}

// TestBlobFailsBesideOthers: a blob that cannot be put fails its own write alone.
func TestBlobFailsBesideOthers(t *testing.T) {
	w := newWorld(t)
	w.store.blobs = failing{w.store.blobs, blob.Name([]byte("b"))}
	errs := w.shared(counter("a"), counter("b"), counter("c"))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("errors %v", errs)
	}
	if !w.counted("a") || w.counted("b") || !w.counted("c") {
		t.Error("the wrong ones are there")
	}
}

// TestCommitFailsForMany: a transaction that fails is tried for each alone.
func TestCommitFailsForMany(t *testing.T) {
	w := newWorld(t)
	commits := 0
	w.store.testingOnlyBeforeCommit = func() error {
		if commits++; commits == 2 || commits == 4 { // the shared one, and that of the second
			return errors.New("the database is full")
		}
		return nil
	}
	errs := w.shared(counter("a"), counter("b"), counter("c"))
	failed := 0
	for i, err := range errs {
		if w.counted(string(rune('a'+i))) != (err == nil) {
			t.Errorf("write %d: %v, and the rows say otherwise", i, err)
		}
		failed += truth(err != nil)
	}
	if commits != 5 || failed != 1 {
		t.Errorf("%d commits, %d failed", commits, failed)
	}
}

// TestManyWriters writes from many sides: each is acknowledged once it is there.
func TestManyWriters(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for side := range 20 {
		wg.Go(func() {
			for n := range 10 {
				name := fmt.Sprintf("%d of %d", n, side)
				if err := w.store.change(ctx, counter(name)); err != nil || !w.counted(name) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}
