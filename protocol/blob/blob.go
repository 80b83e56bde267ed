// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package blob names ciphertext by its hash and says what a place that keeps it
// must promise: the Store. Most callers need only Name and a Store; package
// blobtest holds the contract that every Store passes. See spec/blob.md.
//
// A store holds bytes without meaning. What it returns is believed by no device:
// each one hashes, verifies and opens for itself.
package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/solekey/solekey/protocol"
)

// Kind is a class of object; it is part of the place an object is kept at.
type Kind string

// The kinds. All but pack, object and tile are a journal: each of their blobs
// describes itself, so that a lost database is rebuilt from them. Log and tile
// belong to no account: they are kept under the one whose identifier is zero.
const (
	KindPack          Kind = "pack"
	KindPackStatement Kind = "pack-statement"
	KindLedger        Kind = "ledger"
	KindObject        Kind = "object"
	KindSnapshot      Kind = "snapshot"
	KindGeneration    Kind = "generation"
	KindAccount       Kind = "account"
	KindSubmission    Kind = "submission"
	KindLog           Kind = "log"
	KindTile          Kind = "tile"
)

// Kinds returns every kind, in a fixed order.
func Kinds() []Kind {
	return []Kind{
		KindPack, KindPackStatement, KindLedger, KindObject, KindSnapshot, KindGeneration, KindAccount,
		KindSubmission, KindLog, KindTile,
	}
}

// Known reports whether k is one of Kinds.
func (k Kind) Known() bool {
	for _, known := range Kinds() {
		if k == known {
			return true
		}
	}
	return false
}

var (
	// ErrNotFound is returned for what is not in the store.
	ErrNotFound = errors.New("blob not found")
	// ErrMismatch is returned by Put for bytes that do not hash to their name.
	ErrMismatch = errors.New("bytes do not hash to the blob's name")
)

// Ref is the place of a blob. Name is the SHA-256 of its bytes, for every kind.
type Ref struct {
	Account protocol.AccountID
	Kind    Kind
	Name    protocol.Hash
}

// String returns the place as account/kind/name.
func (r Ref) String() string {
	return r.Account.String() + "/" + string(r.Kind) + "/" + r.Name.String()
}

// Check returns ErrMismatch when data does not hash to the name, and an error
// when the kind is none of Kinds.
func (r Ref) Check(data []byte) error {
	if !r.Kind.Known() {
		return fmt.Errorf("blob %s: unknown kind %q", r.Name, string(r.Kind))
	}
	if Name(data) != r.Name {
		return fmt.Errorf("blob %s: %w", r, ErrMismatch)
	}
	return nil
}

// Name returns the name of a blob of these bytes: their SHA-256.
func Name(data []byte) protocol.Hash { return sha256.Sum256(data) }

// NewRef returns the place of data under an account and kind.
func NewRef(account protocol.AccountID, kind Kind, data []byte) Ref {
	return Ref{Account: account, Kind: kind, Name: Name(data)}
}

// Reader reads one blob; whoever opened it closes it.
type Reader interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Store keeps blobs. All methods are safe for concurrent use.
type Store interface {
	// Put stores data at ref and returns nil only when it is durable. It is
	// idempotent, and refuses bytes that do not hash to the name (ErrMismatch);
	// after any error nothing is visible at ref that was not before. It does
	// not keep data.
	Put(ctx context.Context, ref Ref, data []byte) error
	// Get returns up to length bytes from offset, to the end for a length of
	// -1; fewer, or none, when the blob ends before. ErrNotFound.
	Get(ctx context.Context, ref Ref, offset, length int64) ([]byte, error)
	// Open returns a reader and the size; the caller closes. ErrNotFound.
	Open(ctx context.Context, ref Ref) (Reader, int64, error)
	// Stat returns the size. ErrNotFound.
	Stat(ctx context.Context, ref Ref) (int64, error)
	// Delete removes the blob durably. What is not there is no error.
	Delete(ctx context.Context, ref Ref) error
	// List visits every blob of a kind, of one account or (nil) of all, in the
	// order of account and name. An error of visit ends the listing and is
	// returned as it is. Blobs put or deleted meanwhile may be visited or not.
	List(ctx context.Context, account *protocol.AccountID, kind Kind, visit func(ref Ref, size int64) error) error
}

// ReadAll returns a blob whole and checked: the bytes hash to the name, or the
// error is ErrMismatch. It is how everything that is believed is read.
func ReadAll(ctx context.Context, store Store, ref Ref) ([]byte, error) {
	data, err := store.Get(ctx, ref, 0, -1)
	if err != nil {
		return nil, err
	}
	if err := ref.Check(data); err != nil {
		return nil, err
	}
	return data, nil
}
