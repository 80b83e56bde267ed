// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

func TestTilePaths(t *testing.T) {
	for path, tile := range map[string]tlog.Tile{
		"tile/0/000":                     {Level: 0, N: 0, Width: 256},
		"tile/0/x001/x234/067":           {Level: 0, N: 1234067, Width: 256},
		"tile/5/x001/000.p/1":            {Level: 5, N: 1000, Width: 1},
		"tile/63/999.p/255":              {Level: 63, N: 999, Width: 255},
		"tile/entries/x001/234.p/5":      {Level: tlog.LevelEntries, N: 1234, Width: 5},
		"tile/entries/000":               {Level: tlog.LevelEntries, N: 0, Width: 256},
		"tile/0/x018/x014/x398/x509/480": {Level: 0, N: 18014398509480, Width: 256},
	} {
		if tile.Path() != path {
			t.Errorf("%+v is at %s, want %s", tile, tile.Path(), path)
		}
		if got, err := tlog.ParseTilePath(path); err != nil || got != tile {
			t.Errorf("%s is %+v, %v", path, got, err)
		}
		if tile.Full().Width != 256 || tile.Full().N != tile.N {
			t.Errorf("%s is full as %+v", path, tile.Full())
		}
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000",
		"tile/-1/000", "tile/x/000", "tile/data/000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001/x000", "tile/0/x001",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/000.p/1/2", "tile/0/../000",
		"tile/0/+01", "tile/0/xx01/000", "tile/0/000 ", "tile/0/000\n", "tile/entries/", "tile/entries", "tile/0/999/999/999",
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/x018/x014/x398/x509/x481/985", "tile/0/" + strings.Repeat("x999/", 40) + "999",
	} {
		if tile, err := tlog.ParseTilePath(path); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%q is %+v, %v", path, tile, err)
		}
	}
}

func TestBundles(t *testing.T) {
	entries := [][]byte{{}, []byte("one"), bytes.Repeat([]byte{7}, tlog.MaxEntrySize)}
	var data []byte
	for _, e := range entries {
		data = tlog.AppendBundle(data, e)
	}
	got, err := tlog.ParseBundle(data)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, e := range got {
		if !bytes.Equal(e, entries[i]) {
			t.Errorf("entry %d differs", i)
		}
		if cap(e) != len(e) {
			t.Errorf("appending to entry %d writes into the next", i)
		}
	}
	if none, err := tlog.ParseBundle(nil); err != nil || len(none) != 0 {
		t.Errorf("nothing: %v, %v", none, err)
	}
	many := bytes.Repeat([]byte{0, 0}, 256)
	if got, err := tlog.ParseBundle(many); err != nil || len(got) != 256 {
		t.Errorf("a full one: %d, %v", len(got), err)
	}
	for name, bad := range map[string][]byte{
		"one too many":   append(bytes.Clone(many), 0, 0),
		"half a length":  {0},
		"no entry":       {0, 1},
		"a cut entry":    {0, 3, 1, 2},
		"a byte behind":  append(tlog.AppendBundle(nil, []byte("x")), 9),
		"cut at the end": data[:len(data)-1],
	} {
		_, err := tlog.ParseBundle(bad)
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	defer func() {
		if recover() == nil {
			t.Error("an entry that is too long makes no panic")
		}
	}()
	tlog.AppendBundle(nil, make([]byte, tlog.MaxEntrySize+1))
}

func TestCut(t *testing.T) {
	bundle := tlog.AppendBundle(tlog.AppendBundle(nil, []byte("one")), []byte("two"))
	hashes := make([]byte, 256*32)
	for _, test := range []struct {
		tile tlog.Tile
		data []byte
		want int // bytes; -1: an error
	}{
		{tlog.Tile{Level: tlog.LevelEntries, Width: 1}, bundle, 5},
		{tlog.Tile{Level: tlog.LevelEntries, Width: 2}, bundle, 10},
		{tlog.Tile{Level: tlog.LevelEntries, Width: 3}, bundle, -1},
		{tlog.Tile{Level: 0, Width: 255}, hashes, 255 * 32},
		{tlog.Tile{Level: 0, Width: 256}, hashes, 256 * 32},
		{tlog.Tile{Level: 7, Width: 2}, hashes[:63], -1},
	} {
		got, err := test.tile.Cut(test.data)
		if (err != nil) != (test.want < 0) || err == nil && len(got) != test.want {
			t.Errorf("%s: %d bytes, %v", test.tile.Path(), len(got), err)
		}
	}
}
