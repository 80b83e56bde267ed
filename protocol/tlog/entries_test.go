// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// entry is what tests put in a log at an index.
func entry(i int) []byte { return fmt.Appendf(nil, "entry %d", i) }

// grow appends entries up to a size.
func grow(t testing.TB, l *tlogtest.Log, size int) tlog.Checkpoint {
	t.Helper()
	var list [][]byte
	for i := int(l.Head().Size); i < size; i++ {
		list = append(list, entry(i))
	}
	return l.Append(t, list...)
}

// TestEntriesFollow reads a log that grows, step by step, to every end.
func TestEntriesFollow(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	var at tlog.Frontier
	seen := 0
	for _, size := range []int{0, 1, 2, 255, 256, 257, 300, 511, 512, 700, 66_000} {
		c := grow(t, l, size)
		err := tlog.Entries(context.Background(), l, at.Size(), c, &at, func(index uint64, e []byte) error {
			if int(index) != seen || string(e) != string(entry(seen)) {
				return fmt.Errorf("entry %d is %q at %d", seen, e, index)
			}
			seen++
			return nil
		})
		if err != nil || seen != size || at.Root() != c.Root {
			t.Fatalf("size %d: %d entries seen, %v", size, seen, err)
		}
	}
}

// TestEntriesStop goes on behind the entry whose visit failed.
func TestEntriesStop(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 600)
	var at tlog.Frontier
	for _, stop := range []uint64{0, 17, 300, 599} {
		err := tlog.Entries(context.Background(), l, at.Size(), c, &at, func(index uint64, _ []byte) error {
			if index == stop {
				return protocol.Errorf(protocol.KindInterrupted, "stop")
			}
			return nil
		})
		if protocol.KindOf(err) != protocol.KindInterrupted || at.Size() != stop || at.Root() != l.At(t, stop).Root {
			t.Fatalf("stopped at %d: size %d, %v", stop, at.Size(), err)
		}
	}
}

// lies are tiles of another log put into one, by what a follower must notice.
func lies(t *testing.T) map[string]func(l, other *tlogtest.Log) {
	t.Helper()
	take := func(l *tlogtest.Log, tile tlog.Tile, other *tlogtest.Log) {
		data, err := other.ReadTile(context.Background(), tile)
		if err != nil {
			t.Fatal(err)
		}
		l.Set(tile, data)
	}
	cut := func(tile tlog.Tile) func(l, _ *tlogtest.Log) {
		return func(l, _ *tlogtest.Log) {
			data, err := l.ReadTile(context.Background(), tile)
			if err != nil {
				t.Fatal(err)
			}
			l.Set(tile, data[:len(data)-1])
		}
	}
	of := func(tiles ...tlog.Tile) func(l, other *tlogtest.Log) {
		return func(l, other *tlogtest.Log) {
			for _, tile := range tiles {
				take(l, tile, other)
			}
		}
	}
	// The log has 66000 entries: 257 full bundles and one of 208; 257 = 256 + 1.
	first, middle, last := tlog.Tile{Level: tlog.LevelEntries, N: 0, Width: 256}, tlog.Tile{Level: tlog.LevelEntries, N: 100, Width: 256}, tlog.Tile{Level: tlog.LevelEntries, N: 257, Width: 208}
	one, edge0, edge1, edge2 := tlog.Tile{Level: 1, N: 0, Width: 256}, tlog.Tile{Level: 0, N: 257, Width: 208}, tlog.Tile{Level: 1, N: 1, Width: 1}, tlog.Tile{Level: 2, N: 0, Width: 1}
	return map[string]func(l, other *tlogtest.Log){
		"the first bundle":           of(first),
		"a bundle":                   of(middle),
		"the last bundle":            of(last),
		"a bundle and its hashes":    of(middle, tlog.Tile{Level: 0, N: 100, Width: 256}),
		"and those above":            of(middle, tlog.Tile{Level: 0, N: 100, Width: 256}, one),
		"the edge of level 0":        of(edge0),
		"the edge of level 1":        of(edge1),
		"the edge of level 2":        of(edge2),
		"everything":                 of(first, middle, last, one, edge0, edge1, edge2),
		"a bundle cut":               cut(middle),
		"the edge cut":               cut(edge1),
		"an entry less":              func(l, _ *tlogtest.Log) { l.Set(last, tlog.AppendBundle(nil, entry(257*256))) },
		"a bundle of another length": func(l, _ *tlogtest.Log) { l.Set(middle, tlog.AppendBundle(nil, entry(100*256))) },
	}
}

// TestEntriesLied replaces tiles by those of a log with other entries: nothing false
// is ever visited, and what was visited before is what the frontier says.
func TestEntriesLied(t *testing.T) {
	honest, other := tlogtest.New(t, "log.example"), tlogtest.New(t, "log.example")
	c := grow(t, honest, 66_000)
	var changed [][]byte
	for i := range 66_000 {
		changed = append(changed, fmt.Appendf(nil, "Entry %d", i))
	}
	other.Append(t, changed...)
	for name, lie := range lies(t) {
		l := honest.Fork()
		lie(l, other)
		var at tlog.Frontier
		err := tlog.Entries(context.Background(), l, 0, c, &at, func(index uint64, e []byte) error {
			if string(e) != string(entry(int(index))) {
				t.Fatalf("%s: entry %d is visited as %q", name, index, e)
			}
			return nil
		})
		if kind := protocol.KindOf(err); kind != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
		if at.Root() != honest.At(t, at.Size()).Root {
			t.Errorf("%s: the frontier of size %d is another's", name, at.Size())
		}
	}
}

// TestEntriesOfAnotherPast: who knows other entries than the log begins with gets none.
func TestEntriesOfAnotherPast(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 600)
	for _, size := range []int{1, 100, 256, 300, 600} {
		var at tlog.Frontier
		for i := range size {
			at.Append(tlog.LeafHash(entry(i + 1)))
		}
		err := tlog.Entries(context.Background(), l, at.Size(), c, &at, func(uint64, []byte) error {
			t.Fatal("an entry is visited")
			return nil
		})
		wantKind(t, fmt.Sprint("another past of size ", size), err, protocol.KindUntrusted)
		if !errors.Is(err, tlog.ErrAnotherPast) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	nothing := func(uint64, []byte) error { return nil }
	var at tlog.Frontier
	wantKind(t, "another start", tlog.Entries(context.Background(), l, 1, c, &at, nothing), protocol.KindInternal)
	for range 601 {
		at.Append(protocol.Hash{})
	}
	wantKind(t, "backwards", tlog.Entries(context.Background(), l, 601, c, &at, nothing), protocol.KindInternal)
}

// TestEntriesWithhold passes a reader's own failure through.
func TestEntriesWithhold(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 600)
	for _, tile := range []tlog.Tile{{Level: tlog.LevelEntries, N: 1, Width: 256}, {Level: 0, N: 2, Width: 88}, {Level: 1, N: 0, Width: 2}} {
		fork := l.Fork()
		fork.Set(tile, nil)
		var at tlog.Frontier
		err := tlog.Entries(context.Background(), fork, 0, c, &at, func(uint64, []byte) error { return nil })
		wantKind(t, "without "+tile.Path(), err, protocol.KindNotFound)
	}
}

// counting counts reads, and checks that none repeats but those of the edge.
type counting struct {
	*tlogtest.Log
	reads map[tlog.Tile]int
}

func (c counting) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	c.reads[t]++
	return c.Log.ReadTile(ctx, t)
}

// TestEntriesReadOnce: a follower reads each bundle once and hardly any hashes.
func TestEntriesReadOnce(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 70_000)
	count := counting{l, map[tlog.Tile]int{}}
	var at tlog.Frontier
	if err := tlog.Entries(context.Background(), count, 0, c, &at, func(uint64, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	hashes := 0
	for tile, n := range count.reads {
		if n > 1 {
			t.Errorf("%s is read %d times", tile.Path(), n)
		}
		if tile.Level != tlog.LevelEntries {
			hashes++
		}
	}
	if len(count.reads)-hashes != 274 || hashes > 4 {
		t.Errorf("%d bundles and %d tiles of hashes are read", len(count.reads)-hashes, hashes)
	}
}
