// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package blobtest is the contract every blob.Store passes, as a test suite:
// call Run from a test of the store. NewMemory is the plain store in memory
// that tests of other packages stand on; it passes the same suite.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

// Run holds a store to the contract; open returns an empty one for each case.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	cases := map[string]func(*testing.T, blob.Store){
		"put then get":            putThenGet,
		"put is idempotent":       putTwice,
		"put refuses a mismatch":  putMismatch,
		"put keeps no data":       putKeepsNoData,
		"ranges":                  ranges,
		"open":                    openReads,
		"absent":                  absent,
		"delete":                  deletes,
		"list":                    lists,
		"list ends on an error":   listEnds,
		"accounts are apart":      apart,
		"a cancelled context":     cancelled,
		"many at once":            concurrent,
		"the empty blob":          emptyBlob,
		"unknown kind is refused": unknownKind,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func account(n byte) protocol.AccountID { return protocol.AccountID{n} }

// put stores data for account 1 and returns its place.
func put(t *testing.T, s blob.Store, kind blob.Kind, data string) blob.Ref {
	t.Helper()
	ref := blob.NewRef(account(1), kind, []byte(data))
	if err := s.Put(context.Background(), ref, []byte(data)); err != nil {
		t.Fatalf("put %q: %v", data, err)
	}
	return ref
}

func wantGet(t *testing.T, s blob.Store, ref blob.Ref, want string) {
	t.Helper()
	got, err := s.Get(context.Background(), ref, 0, -1)
	if err != nil || string(got) != want {
		t.Fatalf("get %v: %q, %v; want %q", ref, got, err, want)
	}
}

func putThenGet(t *testing.T, s blob.Store) {
	for _, kind := range blob.Kinds() {
		ref := put(t, s, kind, "data of "+string(kind))
		wantGet(t, s, ref, "data of "+string(kind))
		if size, err := s.Stat(context.Background(), ref); err != nil || size != int64(len("data of "+kind)) {
			t.Fatalf("stat: %d, %v", size, err)
		}
	}
}

func putTwice(t *testing.T, s blob.Store) {
	put(t, s, blob.KindPack, "twice")
	wantGet(t, s, put(t, s, blob.KindPack, "twice"), "twice")
}

func putMismatch(t *testing.T, s blob.Store) {
	ref := blob.NewRef(account(1), blob.KindPack, []byte("right"))
	if err := s.Put(context.Background(), ref, []byte("wrong")); !errors.Is(err, blob.ErrMismatch) {
		t.Fatalf("put of other bytes: %v, want ErrMismatch", err)
	}
	wantAbsent(t, s, ref)
	put(t, s, blob.KindPack, "right")
	if err := s.Put(context.Background(), ref, []byte("wrong")); !errors.Is(err, blob.ErrMismatch) {
		t.Fatalf("put of other bytes over it: %v, want ErrMismatch", err)
	}
	wantGet(t, s, ref, "right")
}

func putKeepsNoData(t *testing.T, s blob.Store) {
	data := []byte("before")
	ref := blob.NewRef(account(1), blob.KindObject, data)
	if err := s.Put(context.Background(), ref, data); err != nil {
		t.Fatal(err)
	}
	copy(data, "after!")
	wantGet(t, s, ref, "before")
}

func ranges(t *testing.T, s blob.Store) {
	ref := put(t, s, blob.KindPack, "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, 10, "0123456789"},
		{0, 3, "012"},
		{3, 4, "3456"},
		{8, 5, "89"},
		{10, 1, ""},
		{11, -1, ""},
		{4, -1, "456789"},
		{2, 0, ""},
		{1 << 40, 1, ""},
		{9, 1 << 40, "9"},
	} {
		got, err := s.Get(context.Background(), ref, c.offset, c.length)
		if err != nil || string(got) != c.want {
			t.Errorf("get %d+%d: %q, %v; want %q", c.offset, c.length, got, err, c.want)
		}
	}
	if _, err := s.Get(context.Background(), ref, -1, 3); err == nil {
		t.Error("a negative offset was answered")
	}
}

func openReads(t *testing.T, s blob.Store) {
	ref := put(t, s, blob.KindPack, "0123456789")
	r, size, err := s.Open(context.Background(), ref)
	if err != nil || size != 10 {
		t.Fatalf("open: %d, %v", size, err)
	}
	if _, err := r.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "789" {
		t.Fatalf("read after seek: %q, %v", rest, err)
	}
	at := make([]byte, 2)
	if _, err := r.ReadAt(at, 4); err != nil || string(at) != "45" {
		t.Fatalf("read at 4: %q, %v", at, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantAbsent(t *testing.T, s blob.Store, ref blob.Ref) {
	t.Helper()
	if _, err := s.Get(context.Background(), ref, 0, -1); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("get: %v, want ErrNotFound", err)
	}
	if _, err := s.Stat(context.Background(), ref); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("stat: %v, want ErrNotFound", err)
	}
	if _, _, err := s.Open(context.Background(), ref); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("open: %v, want ErrNotFound", err)
	}
}

func absent(t *testing.T, s blob.Store) {
	wantAbsent(t, s, blob.NewRef(account(1), blob.KindPack, []byte("never put")))
	if got := list(t, s, nil, blob.KindPack); len(got) != 0 {
		t.Fatalf("an empty store lists %v", got)
	}
}

func deletes(t *testing.T, s blob.Store) {
	ref, other := put(t, s, blob.KindPack, "gone"), put(t, s, blob.KindPack, "kept")
	for range 2 {
		if err := s.Delete(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
	}
	wantAbsent(t, s, ref)
	wantGet(t, s, other, "kept")
	put(t, s, blob.KindPack, "gone")
	wantGet(t, s, ref, "gone")
}

func list(t *testing.T, s blob.Store, of *protocol.AccountID, kind blob.Kind) []blob.Ref {
	t.Helper()
	var refs []blob.Ref
	err := s.List(context.Background(), of, kind, func(ref blob.Ref, size int64) error {
		if stat, err := s.Stat(context.Background(), ref); err != nil || stat != size {
			t.Errorf("list says %v has %d bytes; stat says %d, %v", ref, size, stat, err)
		}
		refs = append(refs, ref)
		return nil
	})
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return refs
}

func compare(a, b blob.Ref) int {
	if c := bytes.Compare(a.Account[:], b.Account[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Name[:], b.Name[:])
}

func lists(t *testing.T, s blob.Store) {
	var want []blob.Ref
	for _, a := range []byte{3, 1, 2} {
		for _, data := range []string{"a", "bb", "ccc", "dddd", "eeeee"} {
			ref := blob.NewRef(account(a), blob.KindLedger, []byte(data))
			if err := s.Put(context.Background(), ref, []byte(data)); err != nil {
				t.Fatal(err)
			}
			want = append(want, ref)
		}
	}
	put(t, s, blob.KindSnapshot, "of another kind")
	slices.SortFunc(want, compare)
	if got := list(t, s, nil, blob.KindLedger); !slices.Equal(got, want) {
		t.Fatalf("list of all:\n%v\nwant\n%v", got, want)
	}
	one := account(2)
	if got := list(t, s, &one, blob.KindLedger); !slices.Equal(got, want[5:10]) {
		t.Fatalf("list of one account:\n%v\nwant\n%v", got, want[5:10])
	}
	none := account(9)
	if got := list(t, s, &none, blob.KindLedger); len(got) != 0 {
		t.Fatalf("list of an account without blobs: %v", got)
	}
}

func listEnds(t *testing.T, s blob.Store) {
	put(t, s, blob.KindPack, "one")
	put(t, s, blob.KindPack, "two")
	stop, visits := errors.New("stop"), 0
	err := s.List(context.Background(), nil, blob.KindPack, func(blob.Ref, int64) error {
		visits++
		return stop
	})
	if !errors.Is(err, stop) || visits != 1 {
		t.Fatalf("list: %v after %d visits, want stop after 1", err, visits)
	}
}

func apart(t *testing.T, s blob.Store) {
	ref := put(t, s, blob.KindPack, "shared bytes")
	other := ref
	other.Account = account(2)
	wantAbsent(t, s, other)
	if err := s.Put(context.Background(), other, []byte("shared bytes")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(context.Background(), ref); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, other, "shared bytes")
}

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ref := blob.NewRef(account(1), blob.KindPack, []byte("late"))
	if err := s.Put(ctx, ref, []byte("late")); !errors.Is(err, context.Canceled) {
		t.Fatalf("put: %v, want context.Canceled", err)
	}
	wantAbsent(t, s, ref)
}

func concurrent(t *testing.T, s blob.Store) {
	const writers, rounds = 4, 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				// Every two writers put the same bytes at the same time.
				data := bytes.Repeat([]byte{byte(w / 2), byte(r)}, 1000)
				ref := blob.NewRef(account(1), blob.KindPack, data)
				if err := s.Put(context.Background(), ref, data); err != nil {
					t.Errorf("put: %v", err)
				}
				if got, err := blob.ReadAll(context.Background(), s, ref); err != nil || !bytes.Equal(got, data) {
					t.Errorf("read back: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := list(t, s, nil, blob.KindPack); len(got) != writers/2*rounds {
		t.Fatalf("%d blobs, want %d", len(got), writers/2*rounds)
	}
}

func emptyBlob(t *testing.T, s blob.Store) {
	wantGet(t, s, put(t, s, blob.KindObject, ""), "")
}

func unknownKind(t *testing.T, s blob.Store) {
	for _, kind := range []blob.Kind{"", "..", "../pack", "packs", "pack/x"} {
		ref := blob.NewRef(account(1), kind, []byte("x"))
		if err := s.Put(context.Background(), ref, []byte("x")); err == nil {
			t.Errorf("a blob of kind %q was taken", string(kind))
		}
	}
}
