// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	modtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// TestFrontier grows a tree leaf by leaf, through its text at every step, and has
// the roots that golang.org/x/mod computes.
func TestFrontier(t *testing.T) {
	f := new(tlog.Frontier)
	var stored []modtlog.Hash
	reader := modtlog.HashReaderFunc(func(indexes []int64) ([]modtlog.Hash, error) {
		var out []modtlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i := range 600 {
		hashes, err := modtlog.StoredHashes(int64(i), entry(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		before := f.Clone()
		f.Append(tlog.LeafHash(entry(i)))
		want, err := modtlog.TreeHash(int64(i+1), reader)
		if err != nil || f.Root() != protocol.Hash(want) || f.Size() != uint64(i+1) {
			t.Fatalf("size %d: root %s, want %s, %v", f.Size(), f.Root(), protocol.Hash(want), err)
		}
		if before.Size() != uint64(i) {
			t.Fatal("a clone grew along")
		}
		if f, err = tlog.ParseFrontier(f.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range map[string][]byte{
		"nothing":        nil,
		"a cut size":     make([]byte, 7),
		"a hash less":    f.Marshal()[:len(f.Marshal())-32],
		"a hash more":    append(f.Marshal(), make([]byte, 32)...),
		"a byte more":    append(f.Marshal(), 0),
		"beyond MaxSize": append([]byte{0x40, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 64)...),
	} {
		_, err := tlog.ParseFrontier(raw)
		wantKind(t, name, err, protocol.KindUntrusted)
	}
}

// TestFullFrontier: a log that is full is our own bug.
func TestFullFrontier(t *testing.T) {
	f, err := tlog.ParseFrontier(append([]byte{0x40, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 32)...))
	if err != nil || f.Size() != tlog.MaxSize {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f.Append(protocol.Hash{})
}

// TestProofsRefused changes every part of good proofs.
func TestProofsRefused(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	older, ctx := grow(t, l, 77), context.Background()
	newer := grow(t, l, 300)
	leaf := tlog.LeafHash(entry(50))
	in, err := tlog.ProveInclusion(ctx, l, 300, 50)
	if err != nil {
		t.Fatal(err)
	}
	con, err := tlog.ProveConsistency(ctx, l, 77, 300)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(p []protocol.Hash, i int) []protocol.Hash {
		p = slices.Clone(p)
		p[i][0] ^= 1
		return p
	}
	refused := func(what string, err error) { wantKind(t, what, err, protocol.KindUntrusted) }
	for i := range in {
		refused("a changed hash", tlog.VerifyInclusion(newer, 50, leaf, changed(in, i)))
	}
	for i := range con {
		refused("a changed hash", tlog.VerifyConsistency(older, newer, changed(con, i)))
	}
	refused("another index", tlog.VerifyInclusion(newer, 51, leaf, in))
	refused("another leaf", tlog.VerifyInclusion(newer, 50, tlog.LeafHash(entry(51)), in))
	refused("another size", tlog.VerifyInclusion(tlog.Checkpoint{Size: 600, Root: newer.Root}, 50, leaf, in))
	refused("beyond the end", tlog.VerifyInclusion(newer, 300, leaf, in))
	refused("no proof", tlog.VerifyInclusion(newer, 50, leaf, nil))
	refused("cut", tlog.VerifyInclusion(newer, 50, leaf, in[1:]))
	refused("more", tlog.VerifyInclusion(newer, 50, leaf, append(slices.Clone(in), leaf)))
	refused("beyond MaxSize", tlog.VerifyInclusion(tlog.Checkpoint{Size: 1 << 63}, 50, leaf, in))
	refused("an empty log", tlog.VerifyInclusion(tlog.Checkpoint{}, 0, leaf, nil))

	empty := tlogtest.New(t, "log.example").Head()
	other := older
	other.Root[0] ^= 1
	stranger := newer
	stranger.Origin = "other.example"
	badEmpty := empty
	badEmpty.Root[0] ^= 1
	refused("cut", tlog.VerifyConsistency(older, newer, con[1:]))
	refused("no proof", tlog.VerifyConsistency(older, newer, nil))
	refused("backwards", tlog.VerifyConsistency(newer, older, con))
	refused("another past", tlog.VerifyConsistency(other, newer, con))
	refused("another log", tlog.VerifyConsistency(older, stranger, con))
	refused("two roots at one size", tlog.VerifyConsistency(older, other, nil))
	refused("a proof from nothing", tlog.VerifyConsistency(empty, newer, con))
	refused("nothing with a root", tlog.VerifyConsistency(badEmpty, newer, nil))
	refused("to nothing with a root", tlog.VerifyConsistency(empty, badEmpty, nil))
	refused("beyond MaxSize", tlog.VerifyConsistency(older, tlog.Checkpoint{Origin: older.Origin, Size: 1 << 63}, con))
	for what, err := range map[string]error{
		"from nothing":       tlog.VerifyConsistency(empty, newer, nil),
		"nothing to nothing": tlog.VerifyConsistency(empty, empty, nil),
		"the same":           tlog.VerifyConsistency(newer, newer, nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestProofsOfNothing: what cannot be proven is not found.
func TestProofsOfNothing(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	grow(t, l, 10)
	ctx := context.Background()
	_, err := tlog.ProveInclusion(ctx, l, 10, 10)
	wantKind(t, "an index beyond", err, protocol.KindNotFound)
	_, err = tlog.ProveConsistency(ctx, l, 11, 10)
	wantKind(t, "backwards", err, protocol.KindNotFound)
	_, err = tlog.ProveInclusion(ctx, l, 300, 10)
	wantKind(t, "a size beyond the log", err, protocol.KindNotFound)
	_, err = tlog.ProveConsistency(ctx, l, 10, 300)
	wantKind(t, "to a size beyond the log", err, protocol.KindNotFound)
	if p, err := tlog.ProveConsistency(ctx, l, 0, 10); err != nil || len(p) != 0 {
		t.Errorf("from nothing: %v, %v", p, err)
	}
	l.Set(tlog.Tile{Level: 0, N: 0, Width: 10}, []byte("short"))
	_, err = tlog.ProveInclusion(ctx, l, 10, 3)
	wantKind(t, "a short tile", err, protocol.KindUntrusted)
	_, _, err = tlog.AppendLeaves(ctx, l, 10, []protocol.Hash{{}})
	wantKind(t, "append to a short tile", err, protocol.KindUntrusted)
	_, _, err = tlog.AppendLeaves(ctx, l, tlog.MaxSize, []protocol.Hash{{}})
	wantKind(t, "append to a full log", err, protocol.KindInternal)
}

// TestAppendLeaves: appended in any portions a log has the same tiles, those at the
// edge aside, and only such as changed are given out.
func TestAppendLeaves(t *testing.T) {
	const size = 70_000
	whole, parts := tlogtest.New(t, "log.example"), tlogtest.New(t, "log.example")
	want := grow(t, whole, size)
	for at := 0; at < size; at = min(size, at*2+97) {
		grow(t, parts, min(size, at*2+97))
	}
	if parts.Head() != want {
		t.Fatalf("%+v, want %+v", parts.Head(), want)
	}
	ctx := context.Background()
	for level := 0; level < 3; level++ {
		for n := range uint64(size>>(8*level)/256 + 1) {
			tile := tlog.Tile{Level: level, N: n, Width: int(min(256, uint64(size>>(8*level))-256*n))}
			if tile.Width == 0 {
				continue
			}
			a, err := whole.ReadTile(ctx, tile)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := parts.ReadTile(ctx, tile); err != nil || !bytes.Equal(a, b) {
				t.Errorf("tile %s differs: %v", tile.Path(), err)
			}
		}
	}
	if root, err := tlog.RootAt(ctx, whole, 65_536); err != nil || root != whole.At(t, 65_536).Root {
		t.Errorf("root at 65536: %v", err)
	}
	for _, at := range []uint64{0, 1, 255, 256, 300, 65_536, size} {
		f, err := tlog.FrontierAt(ctx, whole, at)
		if err != nil || f.Size() != at || f.Root() != whole.At(t, at).Root {
			t.Errorf("frontier at %d: %v", at, err)
		}
	}
	tiles, root, err := tlog.AppendLeaves(ctx, whole, size, nil)
	if err != nil || len(tiles) != 0 || root != want.Root {
		t.Errorf("nothing appended: %d tiles, %v", len(tiles), err)
	}
	tiles, _, err = tlog.AppendLeaves(ctx, whole, size, []protocol.Hash{{1}})
	if err != nil || len(tiles) != 1 || tiles[0].Tile.Path() != "tile/0/273.p/113" {
		t.Errorf("one appended: %v, %v", tiles, err)
	}
}
