// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// manyEntries returns that many entries in order.
func manyEntries(seed uint64, n int) []*Entry {
	r := dice(seed)
	names := map[string]bool{}
	for len(names) < n {
		h := randomHash(r)
		names[fmt.Sprintf("%x", h[:1+r.IntN(8)])] = true
	}
	var entries []*Entry
	for _, name := range slices.Sorted(maps.Keys(names)) {
		entries = append(entries, randomEntry(r, []byte(name)))
	}
	return entries
}

// writeFolder stores a folder and returns its root.
func writeFolder(t testing.TB, store Store, entries []*Entry) protocol.Hash {
	t.Helper()
	w := NewFolderWriter(NewCutter(testSecrets(1).Chunking), store)
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	root, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// readFolder returns what is left of a folder.
func readFolder(r *FolderReader) (entries []*Entry, err error) {
	for {
		e, err := r.Next(context.Background())
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}

// TestFolderChangesStayLocal changes one entry of a large folder and counts the nodes that become new.
func TestFolderChangesStayLocal(t *testing.T) {
	t.Parallel()
	entries := manyEntries(6, 20_000)
	s := newMemoryStore()
	writeFolder(t, s.store, entries)
	before := len(s.chunks)
	if before < 20_000/1024 || before > 20_000/64 {
		t.Errorf("20000 entries make %d nodes", before)
	}
	for i, change := range []func(es []*Entry) []*Entry{
		func(es []*Entry) []*Entry { return slices.Delete(es, 9000, 9001) },
		func(es []*Entry) []*Entry {
			return slices.Insert(es, 100, &Entry{Name: append(bytes.Clone(es[99].Name), '~'), Type: TypePipe})
		},
		func(es []*Entry) []*Entry {
			es[15_000] = &Entry{Name: es[15_000].Name, Type: TypeSocket, UID: 77}
			return es
		},
	} {
		s.chunks = maps.Clone(s.chunks)
		count := len(s.chunks)
		writeFolder(t, s.store, change(slices.Clone(entries)))
		if fresh := len(s.chunks) - count; fresh > 4 {
			t.Errorf("change %d of one entry makes %d of %d nodes new", i, fresh, before)
		}
	}
}

// TestFolderWriterRefuses sees that nothing is written which could not be read.
func TestFolderWriterRefuses(t *testing.T) {
	s := newMemoryStore()
	cutter := NewCutter(testSecrets(1).Chunking)
	pipe := func(name string) *Entry { return &Entry{Name: []byte(name), Type: TypePipe} }
	for _, names := range [][]string{{"b", "a"}, {"a", "a"}, {""}, {"a", "b/c"}} {
		w := NewFolderWriter(cutter, s.store)
		var err error
		for _, name := range names {
			err = w.Add(pipe(name))
		}
		if err == nil {
			t.Errorf("names %q were written", names)
		}
	}
	full := errors.New("full")
	w := NewFolderWriter(cutter, func(Kind, []byte) (protocol.Hash, error) { return protocol.Hash{}, full })
	if _, err := w.Finish(); !errors.Is(err, full) {
		t.Errorf("a store that fails gave %v", err)
	}
}

// TestFolderLargeEntries sees that nodes end before they are too long for a chunk.
func TestFolderLargeEntries(t *testing.T) {
	t.Parallel()
	s := newMemoryStore()
	var entries []*Entry
	for i := range 5 {
		e := &Entry{Name: fmt.Appendf(nil, "%d", i), Type: TypeFile, Size: MaxSize, Xattrs: []Xattr{{Name: []byte("a"), Value: make([]byte, MaxXattrBytes-1)}}}
		for h := range uint64(MaxHoles) {
			e.Holes = append(e.Holes, Extent{Offset: 1<<60 + h<<10, Length: 1 << 9})
		}
		e.Content.List = &Piece{Name: hash(1), Length: e.Data()}
		entries = append(entries, e)
	}
	root := writeFolder(t, s.store, entries)
	if got, err := readFolder(NewFolderReader(root, s.load)); err != nil || len(got) != 5 {
		t.Errorf("%d entries came back: %v", len(got), err)
	}
}

// TestParseNode breaks each rule of a node once.
func TestParseNode(t *testing.T) {
	pipe := Entry{Name: []byte("p"), Type: TypePipe}
	part := nodePart{First: []byte("p"), Name: hash(1), Entries: 1}
	other := nodePart{First: []byte("q"), Name: hash(1), Entries: 1}
	for want, n := range map[string]node{
		"version 2":           {Version: 2},
		"version 0":           {},
		"level 8":             {Version: 1, Level: 8},
		"level 0 has parts":   {Version: 1, Parts: []nodePart{part}},
		"level 1 has entries": {Version: 1, Level: 1, Entries: []Entry{pipe}},
		"or no parts":         {Version: 1, Level: 1},
		"out of order":        {Version: 1, Entries: []Entry{pipe, pipe}},
		"part \"p\" is out":   {Version: 1, Level: 1, Parts: []nodePart{other, part}},
		"is empty":            {Version: 1, Level: 1, Parts: []nodePart{{First: []byte("p"), Name: hash(1)}}},
		"or has no name":      {Version: 1, Level: 1, Parts: []nodePart{{First: []byte("p"), Entries: 1}}},
		"no name":             {Version: 1, Level: 1, Parts: []nodePart{{Name: hash(1), Entries: 1}}},
		"more than 1024":      {Version: 1, Level: 1, Parts: slices.Repeat([]nodePart{part}, 1025)},
		"type 9":              {Version: 1, Entries: []Entry{{Name: []byte("p"), Type: 9}}},
	} {
		b, err := canonical.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseNode(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseNode gave %v, want %q", err, want)
		}
	}
	newer := []byte{0xa2, 1, 2, 9, 0} // version 2, with a key that is unknown
	if _, err := parseNode(newer); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("a newer node gave %v", err)
	}
	if _, err := parseNode(nil); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("an empty node gave %v", err)
	}
}

// TestFolderOfWrongParts gives a folder parts that are valid, and are not what it says.
func TestFolderOfWrongParts(t *testing.T) {
	s := newMemoryStore()
	put := func(n node) protocol.Hash {
		n.Version = nodeVersion
		name, err := s.store(KindNode, canonical.MustMarshal(n))
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	leaf := func(names ...string) (n node) {
		for _, name := range names {
			n.Entries = append(n.Entries, Entry{Name: []byte(name), Type: TypePipe})
		}
		return n
	}
	ab, cd, ac := put(leaf("a", "b")), put(leaf("c", "d")), put(leaf("a", "c"))
	deep := put(node{Level: 1, Parts: []nodePart{{First: []byte("a"), Name: ab, Entries: 2}}})
	for want, parts := range map[string][]nodePart{
		"":                      {{First: []byte("a"), Name: ab, Entries: 2}, {First: []byte("c"), Name: cd, Entries: 2}},
		`part "b" is not what`:  {{First: []byte("b"), Name: ab, Entries: 2}},
		`part "a" is not what`:  {{First: []byte("a"), Name: ab, Entries: 3}},
		`"c" comes behind "c"`:  {{First: []byte("a"), Name: ac, Entries: 2}, {First: []byte("c"), Name: cd, Entries: 2}},
		`part "a" is not what `: {{First: []byte("a"), Name: deep, Entries: 2}},
		"no chunk":              {{First: []byte("a"), Name: hash(7), Entries: 2}},
	} {
		_, err := readFolder(NewFolderReader(put(node{Level: 1, Parts: parts}), s.load))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("reading gave %v, want %q", err, want)
		}
	}
}

// FuzzParseNode holds the parser to its promise: what it accepts is spelled in one way only.
func FuzzParseNode(f *testing.F) {
	s := newMemoryStore()
	writeFolder(f, s.store, manyEntries(1, 600))
	for _, b := range s.chunks {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseNode(b)
		if err != nil {
			return
		}
		if again := canonical.MustMarshal(n); !bytes.Equal(again, b) {
			t.Errorf("%x was read, %x is printed", b, again)
		}
	})
}

// BenchmarkFolder writes and reads back a folder of 10,000 files.
func BenchmarkFolder(b *testing.B) {
	entries := manyEntries(3, 10_000)
	for _, e := range entries {
		*e = Entry{Name: e.Name, Type: TypeFile, Mode: 0o644, UID: 1000, GID: 1000, User: "ada", Group: "users", Modified: 1.7e18, Size: 5, Content: Content{Pieces: []Piece{{Name: hash(1), Length: 5}}}}
	}
	s := newMemoryStore()
	root := writeFolder(b, s.store, entries)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			writeFolder(b, s.store, entries)
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := readFolder(NewFolderReader(root, s.load)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
