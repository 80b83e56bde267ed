// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

const (
	maxGroup    = 64 // writes that share a transaction
	maxParallel = 32 // blobs that are put at the same time
)

// group lets writes that come at the same time share one transaction, since a
// disk flushes a few hundred times a second whoever asks. The rows of all are
// written first, each within a savepoint of its own; then the blobs of all, at
// the same time; then the transaction commits. So what is acknowledged is as
// durable as if it had been alone: its blob was there before its row was.
type group struct {
	turn chan struct{} // holds one token while somebody leads

	mu      sync.Mutex // guards waiting
	waiting []*write
}

func newGroup() *group { return &group{turn: make(chan struct{}, 1)} }

// write is a change that takes part in a group.
type write struct {
	rows  func(w *write, tx *sql.Tx) error
	blobs []namedBlob
	err   error // read after done is closed
	done  chan struct{}
}

type namedBlob struct {
	ref  blob.Ref
	data []byte
}

// journal notes a blob in the transaction, and has it put before the commit.
func (w *write) journal(ctx context.Context, tx *sql.Tx, account protocol.AccountID, kind blob.Kind, data []byte) (protocol.Hash, error) {
	ref := blob.NewRef(account, kind, data)
	w.blobs = append(w.blobs, namedBlob{ref, data})
	return ref.Name, note(ctx, tx, ref)
}

// change writes rows, and blobs that they name, durably when it returns nil;
// rows is called once or twice, the second time as if there had been no first. It
// shares its transaction with what comes at the same time. As with transact, a
// client that goes away does not break it off.
func (s *Store) change(ctx context.Context, rows func(w *write, tx *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	w := &write{rows: rows, done: make(chan struct{})}
	s.group.mu.Lock()
	s.group.waiting = append(s.group.waiting, w)
	s.group.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case s.group.turn <- struct{}{}:
	}
	defer func() { <-s.group.turn }()
	for {
		select {
		case <-w.done:
			return w.err
		default:
			s.lead(ctx, s.group.take())
		}
	}
}

func (g *group) take() []*write {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxGroup)
	taken := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return taken
}

// lead carries out the writes of a group and ends each. Where the transaction
// fails, each is tried alone, so that none fails for another's sake.
func (s *Store) lead(ctx context.Context, writes []*write) {
	err := s.transact(ctx, func(tx *sql.Tx) error { return s.rowsThenBlobs(ctx, tx, writes) })
	for _, w := range writes {
		if err != nil && len(writes) > 1 {
			s.lead(ctx, []*write{w})
			continue
		}
		if err != nil {
			w.err = err
		}
		close(w.done)
	}
}

func (s *Store) rowsThenBlobs(ctx context.Context, tx *sql.Tx, writes []*write) error {
	var blobs []namedBlob
	for _, w := range writes {
		w.blobs, w.err = nil, nil
		if len(writes) == 1 {
			if err := w.rows(w, tx); err != nil {
				return err
			}
		} else if err := w.within(ctx, tx); err != nil {
			return err
		}
		if w.err == nil {
			blobs = append(blobs, w.blobs...)
		}
	}
	return s.putAll(ctx, blobs)
}

// within writes the rows behind a savepoint: what the rules refuse leaves the
// others' rows as they are.
func (w *write) within(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT one`); err != nil {
		return err
	}
	if w.err = w.rows(w, tx); w.err != nil {
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT one`); err != nil {
			return errors.Join(w.err, err)
		}
	}
	_, err := tx.ExecContext(ctx, `RELEASE SAVEPOINT one`)
	return err
}

// putAll puts blobs, many at the same time, and returns when all are durable or
// one failed.
func (s *Store) putAll(ctx context.Context, blobs []namedBlob) error {
	errs := make([]error, len(blobs))
	slots := make(chan struct{}, maxParallel)
	var wg sync.WaitGroup
	for i, b := range blobs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.blobs.Put(ctx, b.ref, b.data)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
