// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// TileWidth is the number of hashes in a full tile, and of entries in a full
// bundle.
const TileWidth = 256

// LevelEntries is the level of tiles that hold entries instead of hashes.
const LevelEntries = -1

// MaxEntrySize is the length of the longest entry.
const MaxEntrySize = 65535

// Limits of what a tile holds in bytes.
const (
	MaxHashTile   = TileWidth * hashSize
	MaxBundle     = TileWidth * (2 + MaxEntrySize)
	hashSize      = 32
	maxTileLevel  = 63
	maxTileNumber = MaxSize / TileWidth
)

// Tile names a piece of the tree or of the entries: the hashes, or entries,
// N*256 to N*256+Width-1 of a level. A tile that is not full stands at the right
// edge of a tree of some size. The hashes of level 0 are those of the leaves, each
// one of a level above is the root of a full tile of the level below.
type Tile struct {
	Level int
	N     uint64
	Width int
}

// Path returns where the tile is served below a log's prefix.
func (t Tile) Path() string {
	var b strings.Builder
	b.WriteString("tile/")
	if t.Level == LevelEntries {
		b.WriteString("entries/")
	} else {
		b.WriteString(strconv.Itoa(t.Level) + "/")
	}
	number := fmt.Sprintf("%03d", t.N%1000)
	for n := t.N / 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/", n%1000) + number
	}
	b.WriteString(number)
	if t.Width != TileWidth {
		b.WriteString(".p/" + strconv.Itoa(t.Width))
	}
	return b.String()
}

// ParseTilePath accepts only what Path returns for a tile that there can be.
func ParseTilePath(path string) (Tile, error) {
	bad := protocol.Errorf(protocol.KindUntrusted, "%.80q is no path of a tile", path)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, parted := strings.Cut(rest, "/")
	if !ok || !parted || len(path) > 80 {
		return Tile{}, bad
	}
	t := Tile{Level: LevelEntries, Width: TileWidth}
	if level != "entries" {
		n, err := parseNumber(level, maxTileLevel)
		if err != nil {
			return Tile{}, bad
		}
		t.Level = int(n)
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		n, err := parseNumber(width, TileWidth-1)
		if err != nil || n == 0 {
			return Tile{}, bad
		}
		t.Width = int(n)
	}
	for _, part := range strings.Split(number, "/") {
		n, err := strconv.ParseUint(strings.TrimPrefix(part, "x"), 10, 16)
		if err != nil || t.N > (maxTileNumber-n)/1000 {
			return Tile{}, bad
		}
		t.N = t.N*1000 + n
	}
	if t.Path() != path {
		return Tile{}, bad
	}
	return t, nil
}

// Full returns the tile as it is when it is full. A reader that finds a partial
// tile gone asks for the full one, and cuts it.
func (t Tile) Full() Tile {
	t.Width = TileWidth
	return t
}

// Cut returns the first Width hashes, or entries, of data, which holds at least as
// many; it fails where it does not.
func (t Tile) Cut(data []byte) ([]byte, error) {
	end := 0
	switch {
	case t.Level == LevelEntries:
		for range t.Width {
			_, next, err := nextEntry(data, end)
			if err != nil {
				return nil, err
			}
			end = next
		}
	default:
		end = t.Width * hashSize
	}
	if end > len(data) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "tile %s has %d bytes", t.Path(), len(data))
	}
	return data[:end], nil
}

// TileReader reads tiles of one log: exactly the Width asked for, full or not. It
// may fail with KindNotFound for a tile that no published size of the log needs. What it
// returns is not believed, save where a function says so, and not changed. It must
// be safe for concurrent use where its caller is.
type TileReader interface {
	ReadTile(ctx context.Context, t Tile) ([]byte, error)
}

// Source reads a log as a follower does.
type Source interface {
	TileReader
	// Checkpoint returns the newest note.
	Checkpoint(ctx context.Context) ([]byte, error)
}

// tileHashes reads a tile of hashes and parses it.
func tileHashes(ctx context.Context, r TileReader, t Tile) ([]protocol.Hash, error) {
	data, err := r.ReadTile(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(data) != t.Width*hashSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "tile %s has %d bytes, want %d", t.Path(), len(data), t.Width*hashSize)
	}
	hashes := make([]protocol.Hash, t.Width)
	for i := range hashes {
		hashes[i] = protocol.Hash(data[i*hashSize:])
	}
	return hashes, nil
}

// AppendBundle appends an entry, of at most MaxEntrySize bytes, to a bundle.
func AppendBundle(data, entry []byte) []byte {
	if len(entry) > MaxEntrySize {
		panic("solekey: internal error: an entry is longer than a bundle can say")
	}
	return append(binary.BigEndian.AppendUint16(data, uint16(len(entry))), entry...)
}

// ParseBundle returns the entries of a bundle, which share its memory.
func ParseBundle(data []byte) ([][]byte, error) {
	var entries [][]byte
	for at := 0; at < len(data); {
		if len(entries) == TileWidth {
			return nil, protocol.Errorf(protocol.KindUntrusted, "bundle has more than %d entries", TileWidth)
		}
		entry, next, err := nextEntry(data, at)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
		at = next
	}
	return entries, nil
}

// nextEntry returns the entry at an offset and the offset behind it.
func nextEntry(data []byte, at int) ([]byte, int, error) {
	if len(data)-at < 2 {
		return nil, 0, protocol.Errorf(protocol.KindUntrusted, "bundle ends within an entry")
	}
	from := at + 2
	end := from + int(binary.BigEndian.Uint16(data[at:]))
	if end > len(data) {
		return nil, 0, protocol.Errorf(protocol.KindUntrusted, "bundle ends within an entry")
	}
	return data[from:end:end], end, nil
}
