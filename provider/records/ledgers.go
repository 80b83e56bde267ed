// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/provider/accounts"
)

// LedgerHead returns the last entry's position.
func (s *Store) LedgerHead(ctx context.Context, account protocol.AccountID) (ledger.Head, error) {
	return ledgerHead(ctx, s.read, account)
}

func ledgerHead(ctx context.Context, q querier, account protocol.AccountID) (ledger.Head, error) {
	var h ledger.Head
	err := one(ctx, q, "the account", `SELECT ledger_seq, ledger_hash FROM accounts WHERE account = $1`,
		[]any{account[:]}, &h.Seq, id{h.Hash[:]})
	return h, err
}

// Entries returns encoded entries.
func (s *Store) Entries(ctx context.Context, account protocol.AccountID, from uint64, limit int) ([][]byte, error) {
	var list [][]byte
	if from > ledger.MaxEntries {
		return nil, nil
	}
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var body []byte
		err := scan(&body)
		list = append(list, body)
		return err
	}, `SELECT body FROM entries WHERE account = $1 AND seq >= $2 ORDER BY seq LIMIT $3`, account[:], from, limit)
	return list, err
}

// Object returns an object that an entry names.
func (s *Store) Object(ctx context.Context, account protocol.AccountID, name protocol.Hash) ([]byte, error) {
	var n int
	if err := one(ctx, s.read, "object", `SELECT 1 FROM objects WHERE account = $1 AND name = $2`, []any{account[:], name[:]}, &n); err != nil {
		return nil, err
	}
	data, err := blob.ReadAll(ctx, s.blobs, blob.Ref{Account: account, Kind: blob.KindObject, Name: name})
	// An object that an entry names was durable before the entry was: that it is
	// missing is a fault here, not a wrong question.
	return data, protocol.Wrap(protocol.KindInternal, err, "read object %s", name)
}

func (s *Store) putObjects(ctx context.Context, account protocol.AccountID, objects [][]byte) error {
	blobs := make([]namedBlob, 0, len(objects))
	for _, object := range objects {
		blobs = append(blobs, namedBlob{blob.NewRef(account, blob.KindObject, object), object})
	}
	return s.putAll(ctx, blobs)
}

// repeated reports whether the request was answered before; with other content
// it is protocol.KindExists.
func repeated(ctx context.Context, q querier, b accounts.Batch) (bool, error) {
	var digest protocol.Hash
	err := one(ctx, q, "request", `SELECT digest FROM requests WHERE account = $1 AND request = $2`,
		[]any{b.Account[:], b.Request[:]}, id{digest[:]})
	switch {
	case isKind(err, protocol.KindNotFound):
		return false, nil
	case err == nil && digest != b.Digest:
		return false, protocol.Errorf(protocol.KindExists, "the request id %s was used for something else", b.Request)
	}
	return err == nil, err
}

func encodeBatch(b accounts.Batch) batch {
	encoded := batch{Version: journalVersion, At: b.At, Request: b.Request, Digest: b.Digest, Recovery: b.Recovery, Update: b.Update}
	if len(b.Update) > 0 {
		encoded.Opening = b.Opening.Bytes()
	}
	for _, entry := range b.Entries {
		encoded.Entries = append(encoded.Entries, entry.Bytes())
	}
	return encoded
}

// AppendLedger appends a batch; see accounts.LedgerStore.
func (s *Store) AppendLedger(ctx context.Context, b accounts.Batch) error {
	if err := s.putObjects(ctx, b.Account, b.Objects); err != nil {
		return err
	}
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		done, err := repeated(ctx, tx, b)
		if done || err != nil {
			return err
		}
		head, err := ledgerHead(ctx, tx, b.Account)
		if err != nil {
			return err
		}
		if head != b.After {
			return protocol.Errorf(protocol.KindConflict, "the ledger has grown meanwhile")
		}
		return appendBatch(ctx, w, tx, b, encodeBatch(b))
	})
}

// appendBatch writes a batch's rows and those of its update, and has its blob put.
func appendBatch(ctx context.Context, w *write, tx *sql.Tx, b accounts.Batch, encoded batch) error {
	if err := insertBatch(ctx, tx, b); err != nil {
		return err
	}
	if err := queueUpdate(ctx, tx, b); err != nil {
		return err
	}
	_, err := w.journal(ctx, tx, b.Account, blob.KindLedger, canonical.MustMarshal(encoded))
	return err
}

func insertBatch(ctx context.Context, tx *sql.Tx, b accounts.Batch) error {
	for _, entry := range b.Entries {
		if err := insertEntry(ctx, tx, b.Account, entry); err != nil {
			return err
		}
	}
	for _, box := range b.Recovery {
		if err := insertBox(ctx, tx, b.Account, box); err != nil {
			return err
		}
	}
	last := b.Entries[len(b.Entries)-1]
	gone := protocol.Errorf(protocol.KindNotFound, "the account is not there")
	hash := last.Hash()
	if err := must(ctx, tx, gone, `UPDATE accounts SET ledger_seq = $1, ledger_hash = $2 WHERE account = $3`,
		last.Seq(), hash[:], b.Account[:]); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO requests (account, request, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		b.Account[:], b.Request[:], b.Digest[:])
	return err
}

func insertEntry(ctx context.Context, tx *sql.Tx, account protocol.AccountID, entry *ledger.Entry) error {
	hash := entry.Hash()
	if _, err := exec(ctx, tx, `INSERT INTO entries (account, seq, hash, body) VALUES ($1, $2, $3, $4)`,
		account[:], entry.Seq(), hash[:], entry.Bytes()); err != nil {
		return err
	}
	for _, name := range entry.Body().Objects() {
		if _, err := exec(ctx, tx, `INSERT INTO objects (account, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, account[:], name[:]); err != nil {
			return err
		}
	}
	return nil
}

// insertBox adds a recovery box. A locator is taken once and for all: who holds
// the recovery secret has to find the box that was put there first.
func insertBox(ctx context.Context, tx *sql.Tx, account protocol.AccountID, box accounts.Box) error {
	taken := protocol.Errorf(protocol.KindExists, "a recovery locator is taken already")
	err := must(ctx, tx, taken, `INSERT INTO locators (locator, account) VALUES ($1, $2) ON CONFLICT DO NOTHING`, box.Locator[:], account[:])
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO boxes (account, locator, box) VALUES ($1, $2, $3)`, account[:], box.Locator[:], box.Box)
	return err
}

// RecoveryBox returns the box of a locator.
func (s *Store) RecoveryBox(ctx context.Context, locator protocol.Hash) ([]byte, error) {
	var box []byte
	err := one(ctx, s.read, "recovery box", `SELECT box FROM boxes
		WHERE account = (SELECT account FROM locators WHERE locator = $1) AND locator = $2`, []any{locator[:], locator[:]}, &box)
	return box, err
}
