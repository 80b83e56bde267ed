// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/provider/accounts"
)

// Found counts what Reconcile took into the tables.
type Found struct {
	Accounts    int `json:"accounts"`
	Entries     int `json:"entries"`
	Changes     int `json:"changes"` // of accounts: quota, suspension
	Snapshots   int `json:"snapshots"`
	Generations int `json:"generations"`
	Packs       int `json:"packs"`
	Batches     int `json:"batches"` // of the public log
	Submissions int `json:"submissions"`
}

// Any reports whether anything was found.
func (f Found) Any() bool { return f != Found{} }

// Reconcile takes into the tables what the blob store holds and they do not. It
// runs before anything is served. What does not continue a chain is the trace of
// a write that was refused or never acknowledged, and is passed over.
func (s *Store) Reconcile(ctx context.Context) (Found, error) {
	r := &reconciler{Store: s, batches: map[protocol.AccountID][]*foundBatch{}}
	steps := []func(context.Context) error{
		r.logBatches, r.ledgers, r.submissions, r.changes, r.snapshots, r.packStatements, r.generations, s.SweepDropped,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return r.found, fmt.Errorf("reconcile tables with blobs: %w", err)
		}
	}
	return r.found, nil
}

type reconciler struct {
	*Store
	found   Found
	batches map[protocol.AccountID][]*foundBatch

	integrated uint64 // size of the public log in the tables
}

// unknown visits the content of every blob of a kind that no table accounts for.
func (r *reconciler) unknown(ctx context.Context, kind blob.Kind, visit func(blob.Ref, []byte) error) error {
	return r.blobs.List(ctx, nil, kind, func(ref blob.Ref, _ int64) error {
		known, err := r.noted(ctx, ref)
		if known || err != nil {
			return err
		}
		data, err := blob.ReadAll(ctx, r.blobs, ref)
		if errors.Is(err, blob.ErrMismatch) {
			return nil // damaged; Check reports it
		}
		if err != nil {
			return err
		}
		return visit(ref, data)
	})
}

// foundBatch is a batch of the journal that no table accounts for.
type foundBatch struct {
	ref     blob.Ref
	batch   batch
	entries []*ledger.Entry
	update  *directory.Update // nil: none
}

// ledgers takes in accounts and what extends their ledgers.
func (r *reconciler) ledgers(ctx context.Context) error {
	err := r.unknown(ctx, blob.KindLedger, func(ref blob.Ref, data []byte) error {
		f := &foundBatch{ref: ref}
		if err := decodeJournal(data, &f.batch, &f.batch.Version); err != nil {
			return err
		}
		for _, raw := range f.batch.Entries {
			entry, err := ledger.Parse(raw)
			if err != nil {
				return fmt.Errorf("blob %s: %w", ref, err)
			}
			f.entries = append(f.entries, entry)
		}
		if len(f.batch.Update) > 0 {
			entry, err := directory.ParseEntry(f.batch.Update)
			if err != nil {
				return fmt.Errorf("blob %s: %w", ref, err)
			}
			f.update = entry.Update
		}
		if len(f.entries) > 0 {
			r.batches[ref.Account] = append(r.batches[ref.Account], f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, account := range r.newestFirst() {
		if err := r.ledger(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

// newestFirst orders the accounts by their newest batch: of two that claim one
// name, the older was refused.
func (r *reconciler) newestFirst() []protocol.AccountID {
	newest := map[protocol.AccountID]protocol.Time{}
	for account, batches := range r.batches {
		for _, f := range batches {
			if f.batch.Account != nil {
				newest[account] = max(newest[account], f.batch.At)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(r.batches), func(a, b protocol.AccountID) int {
		return cmp.Or(cmp.Compare(newest[b], newest[a]), bytes.Compare(a[:], b[:]))
	})
}

// ledger takes in what extends one account's ledger, as far as it goes.
func (r *reconciler) ledger(ctx context.Context, account protocol.AccountID) error {
	for {
		head, err := r.LedgerHead(ctx, account)
		fresh := isKind(err, protocol.KindNotFound)
		if err != nil && !fresh {
			return err
		}
		best := r.bestBatch(ctx, account, head, fresh)
		if best == nil {
			return nil
		}
		if err := r.takeBatch(ctx, best, head, fresh); err != nil {
			return err
		}
	}
}

// bestBatch returns the batch that extends the head, of several the one that
// more batches extend, and of those the newest: an older one was refused, for
// else the newer could not have been made.
func (r *reconciler) bestBatch(ctx context.Context, account protocol.AccountID, head ledger.Head, fresh bool) *foundBatch {
	var candidates []*foundBatch
	for _, f := range r.batches[account] {
		if f.extends(head, fresh) && r.whole(ctx, f) && !r.contradicted(ctx, f) {
			candidates = append(candidates, f)
		}
	}
	if len(candidates) < 2 {
		return slices.Concat(candidates, []*foundBatch{nil})[0]
	}
	return slices.MaxFunc(candidates, func(a, b *foundBatch) int {
		return cmp.Or(cmp.Compare(r.depth(account, a), r.depth(account, b)), cmp.Compare(a.batch.At, b.batch.At))
	})
}

func (f *foundBatch) extends(head ledger.Head, fresh bool) bool {
	first := f.entries[0]
	if fresh {
		return first.Seq() == 0 && f.batch.Account != nil && first.Account() == f.ref.Account
	}
	return first.Seq() == head.Seq+1 && first.Prev() == head.Hash
}

// depth counts the batches of the longest chain that begins with f.
func (r *reconciler) depth(account protocol.AccountID, f *foundBatch) int {
	last := f.entries[len(f.entries)-1]
	deepest := 0
	for _, next := range r.batches[account] {
		if next.extends(ledger.Head{Seq: last.Seq(), Hash: last.Hash()}, false) {
			deepest = max(deepest, r.depth(account, next))
		}
	}
	return deepest + 1
}

// whole reports whether every object that the batch names is there.
func (r *reconciler) whole(ctx context.Context, f *foundBatch) bool {
	for _, entry := range f.entries {
		for _, name := range entry.Body().Objects() {
			if _, err := r.blobs.Stat(ctx, blob.Ref{Account: f.ref.Account, Kind: blob.KindObject, Name: name}); err != nil {
				return false
			}
		}
	}
	return true
}

// takeBatch writes a batch's rows. A name or locator that another account holds
// is of a creation that was refused: the batch is passed over.
func (r *reconciler) takeBatch(ctx context.Context, f *foundBatch, head ledger.Head, fresh bool) error {
	b := accounts.Batch{
		Account: f.ref.Account, Request: f.batch.Request, Digest: f.batch.Digest, After: head,
		Entries: f.entries, Recovery: f.batch.Recovery, At: f.batch.At,
	}
	r.drop(f)
	var taken bool
	err := r.transact(ctx, func(tx *sql.Tx) error {
		var err error
		if taken, err = heldByOther(ctx, tx, f, fresh); taken || err != nil {
			return err
		}
		if taken, err = takeUpdate(ctx, tx, f); taken || err != nil {
			return err
		}
		if fresh {
			if err := insertAccount(ctx, tx, *f.batch.Account); err != nil {
				return err
			}
		}
		if err := insertBatch(ctx, tx, b); err != nil {
			return err
		}
		return note(ctx, tx, f.ref)
	})
	if err == nil && !taken {
		r.found.Entries += len(f.entries)
		r.found.Accounts += truth(fresh)
	}
	return err
}

func heldByOther(ctx context.Context, q querier, f *foundBatch, fresh bool) (bool, error) {
	var n int
	if fresh {
		err := one(ctx, q, "name", `SELECT count(*) FROM names WHERE name = $1`, []any{f.batch.Account.Name}, &n)
		if n > 0 || err != nil {
			return true, err
		}
	}
	for _, box := range f.batch.Recovery {
		err := one(ctx, q, "locator", `SELECT count(*) FROM locators WHERE locator = $1`, []any{box.Locator[:]}, &n)
		if n > 0 || err != nil {
			return true, err
		}
	}
	return false, nil
}

// drop forgets a batch, taken or passed over.
func (r *reconciler) drop(f *foundBatch) {
	var rest []*foundBatch
	for _, other := range r.batches[f.ref.Account] {
		if other != f {
			rest = append(rest, other)
		}
	}
	r.batches[f.ref.Account] = rest
}
