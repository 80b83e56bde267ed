// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package tlogtest is a whole log in memory for tests of what reads one: it
// appends, proves, signs and serves tiles. It is a log that does what the test
// says, honest or not: Fork gives a second one with the same key and past.
package tlogtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// Log is a log in memory; its methods are safe for concurrent use.
type Log struct {
	Secret *tlog.LogSecret

	mu     sync.Mutex // guards what is below
	size   uint64
	root   protocol.Hash
	leaves []protocol.Hash
	tiles  map[tlog.Tile][]byte
}

// New returns an empty log of the origin.
func New(t testing.TB, origin string) *Log {
	t.Helper()
	secret, err := tlog.GenerateLogSecret(origin)
	if err != nil {
		t.Fatal(err)
	}
	return Of(secret)
}

// Of returns an empty log with this key.
func Of(secret *tlog.LogSecret) *Log {
	return &Log{Secret: secret, root: new(tlog.Frontier).Root(), tiles: map[tlog.Tile][]byte{}}
}

// Fork returns a log with the same key and the same entries so far.
func (l *Log) Fork() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Log{Secret: l.Secret, size: l.size, root: l.root, leaves: slices.Clone(l.leaves), tiles: maps.Clone(l.tiles)}
}

// Append adds entries and returns the checkpoint then.
func (l *Log) Append(t testing.TB, entries ...[]byte) tlog.Checkpoint {
	t.Helper()
	leaves := make([]protocol.Hash, len(entries))
	for i, e := range entries {
		leaves[i] = tlog.LeafHash(e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tiles, root, err := tlog.AppendLeaves(context.Background(), store(l.tiles), l.size, leaves)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tiles {
		l.tiles[d.Tile] = d.Data
	}
	l.addEntries(entries)
	l.leaves = append(l.leaves, leaves...)
	l.size += uint64(len(entries))
	l.root = root
	return l.checkpoint()
}

// addEntries keeps the bundles as they are then, beside what they were before.
func (l *Log) addEntries(entries [][]byte) {
	for at := l.size; len(entries) > 0; {
		n, width := at/tlog.TileWidth, int(at%tlog.TileWidth)
		bundle := slices.Clone(l.tiles[tlog.Tile{Level: tlog.LevelEntries, N: n, Width: width}])
		for ; len(entries) > 0 && width < tlog.TileWidth; width++ {
			bundle = tlog.AppendBundle(bundle, entries[0])
			entries = entries[1:]
			at++
		}
		l.tiles[tlog.Tile{Level: tlog.LevelEntries, N: n, Width: width}] = bundle
	}
}

// Head returns the newest checkpoint, unsigned.
func (l *Log) Head() tlog.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpoint()
}

func (l *Log) checkpoint() tlog.Checkpoint {
	return tlog.Checkpoint{Origin: l.Secret.Public().Origin(), Size: l.size, Root: l.root}
}

// At returns the checkpoint at an earlier size.
func (l *Log) At(t testing.TB, size uint64) tlog.Checkpoint {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var f tlog.Frontier
	for _, leaf := range l.leaves[:size] {
		f.Append(leaf)
	}
	return tlog.Checkpoint{Origin: l.Secret.Public().Origin(), Size: size, Root: f.Root()}
}

// Note returns the newest checkpoint, signed, and cosigned by the witnesses at a
// time of the test's choice.
func (l *Log) Note(t testing.TB, at protocol.Time, witnesses ...*tlog.WitnessSecret) []byte {
	t.Helper()
	return l.NoteOf(t, l.Head(), at, witnesses...)
}

// NoteOf is Note for any checkpoint.
func (l *Log) NoteOf(t testing.TB, c tlog.Checkpoint, at protocol.Time, witnesses ...*tlog.WitnessSecret) []byte {
	t.Helper()
	note := l.Secret.Sign(c)
	for _, w := range witnesses {
		var err error
		if note, err = tlog.Attach(note, w.Cosign(note, c, at)); err != nil {
			t.Fatal(err)
		}
	}
	return note
}

// Checkpoint returns the newest note, signed by the log alone.
func (l *Log) Checkpoint(context.Context) ([]byte, error) { return l.Secret.Sign(l.Head()), nil }

// ReadTile returns a tile of the log as it was at any size.
func (l *Log) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return store(l.tiles).ReadTile(ctx, t)
}

// Tile returns exactly this tile, if the log has it.
func (l *Log) Tile(t tlog.Tile) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	data, ok := l.tiles[t]
	return data, ok
}

// Set replaces a tile, or takes it away with nil.
func (l *Log) Set(tile tlog.Tile, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if data == nil {
		delete(l.tiles, tile)
		return
	}
	l.tiles[tile] = data
}

// store reads what is in a map.
type store map[tlog.Tile][]byte

// ReadTile returns the tile, or its beginning out of a wider one.
func (s store) ReadTile(_ context.Context, t tlog.Tile) ([]byte, error) {
	for wider := t; wider.Width <= tlog.TileWidth; wider.Width++ {
		if data, ok := s[wider]; ok {
			return t.Cut(data)
		}
	}
	return nil, protocol.Errorf(protocol.KindNotFound, "the log has no tile %s", t.Path())
}
