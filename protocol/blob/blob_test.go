// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package blob_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/blob/blobtest"
)

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return blobtest.NewMemory() })
}

func TestNameIsSHA256(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := blob.Name(nil).String(); got != empty {
		t.Fatalf("name of nothing = %s, want %s", got, empty)
	}
}

func TestRef(t *testing.T) {
	ref := blob.NewRef(protocol.AccountID{0xab}, blob.KindPack, []byte("x"))
	want := "ab" + strings.Repeat("00", 31) + "/pack/" + blob.Name([]byte("x")).String()
	if ref.String() != want {
		t.Errorf("ref = %s, want %s", ref, want)
	}
	if err := ref.Check([]byte("x")); err != nil {
		t.Errorf("check of its own bytes: %v", err)
	}
	if err := ref.Check([]byte("y")); !errors.Is(err, blob.ErrMismatch) {
		t.Errorf("check of other bytes: %v, want ErrMismatch", err)
	}
	ref.Kind = "other"
	if err := ref.Check([]byte("x")); err == nil || errors.Is(err, blob.ErrMismatch) {
		t.Errorf("check of an unknown kind: %v", err)
	}
}

func TestKinds(t *testing.T) {
	seen := map[blob.Kind]bool{}
	for _, kind := range blob.Kinds() {
		if !kind.Known() || seen[kind] || strings.ContainsAny(string(kind), "/.\\ ") {
			t.Errorf("kind %q is unknown, double or no plain name", string(kind))
		}
		seen[kind] = true
	}
	if blob.Kind("PACK").Known() || blob.Kind("").Known() {
		t.Error("a kind that is none is known")
	}
}

// lying is a store whose bytes do not match their name.
type lying struct{ *blobtest.Memory }

func (lying) Get(context.Context, blob.Ref, int64, int64) ([]byte, error) {
	return []byte("something else"), nil
}

func TestReadAllChecks(t *testing.T) {
	store := blobtest.NewMemory()
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindObject, []byte("x"))
	if _, err := blob.ReadAll(context.Background(), store, ref); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("absent: %v, want ErrNotFound", err)
	}
	if err := store.Put(context.Background(), ref, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if data, err := blob.ReadAll(context.Background(), store, ref); err != nil || string(data) != "x" {
		t.Errorf("read: %q, %v", data, err)
	}
	if _, err := blob.ReadAll(context.Background(), lying{store}, ref); !errors.Is(err, blob.ErrMismatch) {
		t.Errorf("a store that lies: %v, want ErrMismatch", err)
	}
}
