// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// manyPieces returns that many random pieces.
func manyPieces(r *rand.Rand, n int) []Piece {
	pieces := make([]Piece, n)
	for i := range pieces {
		pieces[i] = Piece{Name: randomHash(r), Length: 1 + r.Uint64N(MaxChunkLength)}
	}
	return pieces
}

func writeContent(t testing.TB, w *ContentWriter, pieces []Piece) Content {
	t.Helper()
	for _, p := range pieces {
		if err := w.Add(p.Name, int(p.Length)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readContent returns what is left of a content, and holds places to the lengths before them.
func readContent(r *ContentReader, at uint64) (pieces []Piece, err error) {
	for {
		p, begin, err := r.Next(context.Background())
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return pieces, err
		}
		if begin != at {
			return pieces, io.ErrUnexpectedEOF
		}
		pieces = append(pieces, p)
		at += p.Length
	}
}

// TestContentRoundTrip writes contents of many lengths and reads them back, with one writer for all.
func TestContentRoundTrip(t *testing.T) {
	t.Parallel()
	s, r := newMemoryStore(), dice(1)
	w := NewContentWriter(s.store)
	for _, n := range []int{0, 1, 32, 33, 34, 1000, 4096, 4097, 9000, 50_000, 7} {
		want := manyPieces(r, n)
		c := writeContent(t, w, want)
		if inline := c.List == nil; inline != (n <= MaxInline) {
			t.Errorf("content of %d pieces inline: %v", n, inline)
		}
		e := &Entry{Name: []byte("f"), Type: TypeFile, Size: c.Bytes(), Content: c}
		if err := e.Check(); err != nil {
			t.Error(err)
		}
		got, err := readContent(NewContentReader(c, s.load), 0)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d pieces came back as %d: %v", n, len(got), err)
		}
	}
}

// TestContentLongRun sees lists of the greatest length, where no name chooses an end.
func TestContentLongRun(t *testing.T) {
	s := newMemoryStore()
	want := slices.Repeat([]Piece{{Name: protocol.Hash{31: 1}, Length: 3}}, 20_000)
	c := writeContent(t, NewContentWriter(s.store), want)
	got, err := readContent(NewContentReader(c, s.load), 0)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d pieces came back as %d: %v", len(want), len(got), err)
	}
	if len(s.chunks) != 3 { // four equal lists, the rest, and the one above
		t.Errorf("%d lists, want 3", len(s.chunks))
	}
}

// TestContentEveryEnd has a list end behind every piece, on all levels but the highest.
func TestContentEveryEnd(t *testing.T) {
	s := newMemoryStore()
	want := slices.Repeat([]Piece{{Name: protocol.Hash{0: 1}, Length: 3}}, 100)
	c := writeContent(t, NewContentWriter(s.store), want)
	got, err := readContent(NewContentReader(c, s.load), 0)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d pieces came back as %d: %v", len(want), len(got), err)
	}
}

// TestContentSeek goes to places within, at the edges of, and behind pieces.
func TestContentSeek(t *testing.T) {
	t.Parallel()
	s, ctx, rnd := newMemoryStore(), context.Background(), dice(2)
	for _, n := range []int{0, 5, 9000} {
		pieces := manyPieces(rnd, n)
		c := writeContent(t, NewContentWriter(s.store), pieces)
		r := NewContentReader(c, s.load)
		var begin uint64
		for i, p := range pieces {
			for _, offset := range []uint64{begin, begin + p.Length/2, begin + p.Length - 1} {
				if i%97 != 0 && i > 3 {
					continue
				}
				if err := r.Seek(ctx, offset); err != nil {
					t.Fatal(err)
				}
				if got, at, err := r.Next(ctx); got != p || at != begin || err != nil {
					t.Fatalf("behind Seek(%d) comes %v at %d, %v; want %v at %d", offset, got, at, err, p, begin)
				}
			}
			begin += p.Length
		}
		if err := r.Seek(ctx, begin); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Next(ctx); err != io.EOF {
			t.Errorf("behind the end comes %v", err)
		}
	}
}

// TestContentChangesStayLocal puts a piece into a long content and counts the lists that become new.
func TestContentChangesStayLocal(t *testing.T) {
	s, r := newMemoryStore(), dice(3)
	pieces := manyPieces(r, 40_000)
	writeContent(t, NewContentWriter(s.store), pieces)
	before := len(s.chunks)
	s.chunks = maps.Clone(s.chunks)
	writeContent(t, NewContentWriter(s.store), slices.Insert(pieces, 11, manyPieces(r, 1)...))
	if fresh := len(s.chunks) - before; fresh > 3 {
		t.Errorf("one new piece makes %d of %d lists new", fresh, before)
	}
}

// TestParseList breaks each rule of a list once.
func TestParseList(t *testing.T) {
	piece := Piece{Name: hash(1), Length: 1}
	for want, l := range map[string]list{
		"version 2":       {Version: 2, Pieces: []Piece{piece}},
		"level 6":         {Version: 1, Level: 6, Pieces: []Piece{piece}},
		"empty":           {Version: 1},
		"4097 pieces":     {Version: 1, Pieces: slices.Repeat([]Piece{piece}, 4097)},
		"piece 0 has":     {Version: 1, Pieces: []Piece{{Name: hash(1), Length: MaxChunkLength + 1}}},
		"longer than any": {Version: 1, Level: 1, Pieces: []Piece{{Name: hash(1), Length: MaxSize}, piece}},
	} {
		if _, err := parseList(canonical.MustMarshal(l)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseList gave %v, want %q", err, want)
		}
	}
}

// TestContentOfWrongLists gives a content lists that are valid, and are not what it says.
func TestContentOfWrongLists(t *testing.T) {
	s := newMemoryStore()
	put := func(level uint8, pieces ...Piece) protocol.Hash {
		name, err := s.store(KindList, canonical.MustMarshal(list{Version: listVersion, Level: level, Pieces: pieces}))
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	low := put(0, Piece{Name: hash(1), Length: 9})
	mid := put(1, Piece{Name: low, Length: 9})
	for want, root := range map[string]Piece{
		"":             {Name: put(2, Piece{Name: mid, Length: 9}), Length: 9},
		"it is not":    {Name: low, Length: 8},
		"it is not w":  {Name: put(2, Piece{Name: low, Length: 9}), Length: 9},
		"it is not wh": {Name: put(1, Piece{Name: low, Length: 10}), Length: 10},
		"no chunk":     {Name: hash(5), Length: 9},
	} {
		_, err := readContent(NewContentReader(Content{List: &root}, s.load), 0)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("reading gave %v, want %q", err, want)
		}
	}
}

// FuzzParseList holds the parser to its promise: what it accepts is spelled in one way only.
func FuzzParseList(f *testing.F) {
	s := newMemoryStore()
	writeContent(f, NewContentWriter(s.store), manyPieces(dice(1), 34))
	for _, b := range s.chunks {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseList(b)
		if err != nil {
			return
		}
		again, err := canonical.Marshal(l)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x was read, %x is printed: %v", b, again, err)
		}
		if back, err := parseList(again); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%v came back as %v: %v", l, back, err)
		}
	})
}
