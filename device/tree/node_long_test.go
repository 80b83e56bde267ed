// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tree

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestFolderRoundTrip writes folders of many sizes and reads them back.
func TestFolderRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 23, 24, 255, 256, 1000, 3000, 70_000} {
		s := newMemoryStore()
		want := manyEntries(uint64(n), n)
		root := writeFolder(t, s.store, want)
		r := NewFolderReader(root, s.load)
		got, err := readFolder(r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d entries came back as %d: %v", n, len(got), err)
		}
		if _, err := r.Next(context.Background()); err != io.EOF {
			t.Errorf("behind the end comes %v", err)
		}
		for name, plaintext := range s.chunks {
			if len(plaintext) > MaxChunkLength {
				t.Errorf("node %v has %d bytes", name, len(plaintext))
			}
		}
	}
}

// TestFolderSeek goes to each name, before it and behind it.
func TestFolderSeek(t *testing.T) {
	t.Parallel()
	s, ctx := newMemoryStore(), context.Background()
	entries := manyEntries(5, 5000)
	root := writeFolder(t, s.store, entries)
	r := NewFolderReader(root, s.load)
	for i := 0; i < len(entries); i += 7 {
		for _, name := range [][]byte{entries[i].Name, append(bytes.Clone(entries[i].Name), 0), {entries[i].Name[0]}} {
			want := slices.IndexFunc(entries, func(e *Entry) bool { return bytes.Compare(e.Name, name) >= 0 })
			if err := r.Seek(ctx, name); err != nil {
				t.Fatal(err)
			}
			for j := want; j < min(want+3, len(entries)) && want >= 0; j++ {
				if e, err := r.Next(ctx); err != nil || !bytes.Equal(e.Name, entries[j].Name) {
					t.Fatalf("behind Seek(%q) comes %v, %v, want %q", name, e, err, entries[j].Name)
				}
			}
		}
	}
	if err := r.Seek(ctx, []byte("\xff")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(ctx); err != io.EOF {
		t.Errorf("behind the last name comes %v", err)
	}
	s.loads = 0
	if e, err := FindEntry(ctx, root, entries[777].Name, s.load); err != nil || !reflect.DeepEqual(e, entries[777]) || s.loads > 4 {
		t.Errorf("FindEntry = %v, %v with %d loads", e, err, s.loads)
	}
	for _, name := range []string{"absent", "\xff", ""} {
		if _, err := FindEntry(ctx, root, []byte(name), s.load); protocol.KindOf(err) != protocol.KindNotFound {
			t.Errorf("FindEntry(%q) gave %v", name, err)
		}
	}
}
