// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"errors"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/provider/accounts"
)

// journalVersion is the version of every envelope below.
const journalVersion = 1

// maxJournal bounds one blob of a journal.
const maxJournal = 40 << 20

// received is a signed record as the journal keeps it: with the time of its
// receipt by the server's clock, which retention and cursors count by.
//
// Growth: a field is only ever added with a new Version.
type received struct {
	Version uint64        `cbor:"1,keyasint"`
	At      protocol.Time `cbor:"2,keyasint"`
	Cursor  uint64        `cbor:"3,keyasint,omitzero"` // packs only
	Raw     []byte        `cbor:"4,keyasint"`
}

// batch is one append to a ledger, as the journal keeps it: whole in one blob,
// so that it counts whole or not.
//
// Growth: as received.
type batch struct {
	Version  uint64             `cbor:"1,keyasint"`
	At       protocol.Time      `cbor:"2,keyasint"`
	Request  protocol.RequestID `cbor:"3,keyasint"`
	Digest   protocol.Hash      `cbor:"4,keyasint"`
	Entries  [][]byte           `cbor:"5,keyasint"`
	Recovery []accounts.Box     `cbor:"6,keyasint,omitempty"`
	Account  *accounts.Record   `cbor:"7,keyasint,omitempty"` // with the genesis: the account itself
	Update   []byte             `cbor:"8,keyasint,omitempty"` // of the directory, as it waits for the log
	Opening  []byte             `cbor:"9,keyasint,omitempty"` // of the update's commitment
}

// note says that a blob of a journal is accounted for.
func note(ctx context.Context, tx *sql.Tx, ref blob.Ref) error {
	_, err := exec(ctx, tx, `INSERT INTO journal (account, kind, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		ref.Account[:], string(ref.Kind), ref.Name[:])
	return err
}

func (s *Store) noted(ctx context.Context, ref blob.Ref) (bool, error) {
	var n int
	err := one(ctx, s.read, "blob", `SELECT count(*) FROM journal WHERE account = $1 AND kind = $2 AND name = $3`,
		[]any{ref.Account[:], string(ref.Kind), ref.Name[:]}, &n)
	return n > 0, err
}

// unwrap reads the signed record that an envelope of the journal holds.
func (s *Store) unwrap(ctx context.Context, account protocol.AccountID, kind blob.Kind, name protocol.Hash) (received, error) {
	var r received
	data, err := blob.ReadAll(ctx, s.blobs, blob.Ref{Account: account, Kind: kind, Name: name})
	if err != nil {
		return r, notFound(err, "record %s", name)
	}
	return r, decodeJournal(data, &r, &r.Version)
}

func decodeJournal(data []byte, into any, version *uint64) error {
	if err := canonical.Unmarshal(data, maxJournal, into); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "read journal")
	}
	if *version != journalVersion {
		return protocol.Errorf(protocol.KindUnsupported, "read journal: version %d is not known here", *version)
	}
	return nil
}

// notFound gives errors of a blob store the kind they have for whoever asked.
func notFound(err error, format string, args ...any) error {
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return protocol.Wrap(protocol.KindNotFound, err, format, args...)
	case errors.Is(err, blob.ErrMismatch):
		return protocol.Wrap(protocol.KindUntrusted, err, format, args...)
	}
	return err
}
