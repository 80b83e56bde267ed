// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"context"
	"errors"

	"github.com/solekey/solekey/protocol"
)

// ErrAnotherPast is what Entries wraps where the log of the checkpoint does not
// begin with what the frontier stands for. That is proven: not the tiles are wrong,
// but the log is not the one that was known.
var ErrAnotherPast = errors.New("the log has another past")

// Entries reads the entries from..to.Size-1 of a log and visits them in order. at
// is the frontier of the log before from; it advances behind each entry whose
// visit returned nil, so that after an error it says where to go on.
//
// No entry is visited that the checkpoint does not hold, and none if the log of the
// checkpoint does not begin with what at stands for (ErrAnotherPast). Memory stays bounded by one
// bundle and a tile per level: the right edge of the tree is read first and must
// give to.Root; each full bundle is hashed whole and its root held against level 1,
// and each tile of hashes against the level above it, up to the edge.
func Entries(ctx context.Context, r TileReader, from uint64, to Checkpoint, at *Frontier, visit func(index uint64, entry []byte) error) error {
	if from != at.Size() || from > to.Size || to.Size > MaxSize {
		return protocol.Errorf(protocol.KindInternal, "entries %d to %d of a log are asked for behind a frontier of size %d", from, to.Size, at.Size())
	}
	v, err := newVerifiedReader(ctx, r, to)
	if err != nil {
		return err
	}
	begin, err := RootAt(ctx, v, from)
	if err != nil {
		return err
	}
	if begin != at.Root() {
		return protocol.Errorf(protocol.KindUntrusted, "%w: at size %d it does not begin with the %d entries that are known", ErrAnotherPast, to.Size, from)
	}
	for from < to.Size {
		entries, leaves, err := v.bundle(ctx, from/TileWidth)
		if err != nil {
			return err
		}
		for i := from % TileWidth; i < uint64(len(entries)); i++ {
			if err := visit(from, entries[i]); err != nil {
				return err
			}
			at.Append(leaves[i])
			from++
		}
	}
	if at.Root() != to.Root {
		panic("solekey: internal error: verified entries do not give the root they were verified by")
	}
	return nil
}

// verifiedReader reads tiles of a log of one size and returns only what belongs
// to the root it was made for. It keeps the last full tile of each level.
type verifiedReader struct {
	r    TileReader
	size uint64
	edge [][]protocol.Hash
	last map[int]keptTile
}

type keptTile struct {
	n      uint64
	hashes []protocol.Hash
}

func newVerifiedReader(ctx context.Context, r TileReader, c Checkpoint) (*verifiedReader, error) {
	edge, err := readEdge(ctx, r, c.Size)
	if err != nil {
		return nil, err
	}
	if edgeRoot(edge) != c.Root {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the tiles of the log do not give the root of its checkpoint of size %d", c.Size)
	}
	return &verifiedReader{r: r, size: c.Size, edge: edge, last: map[int]keptTile{}}, nil
}

// ReadTile returns a tile of hashes; one that was not full at some smaller size is
// cut from what is there at this one.
func (v *verifiedReader) ReadTile(ctx context.Context, t Tile) ([]byte, error) {
	hashes, err := v.hashes(ctx, t.Level, t.N)
	if err != nil {
		return nil, err
	}
	if t.Width > len(hashes) {
		return nil, protocol.Errorf(protocol.KindInternal, "tile %s is not in a log of size %d", t.Path(), v.size)
	}
	return newTileData(t.Level, t.N, hashes[:t.Width]).Data, nil
}

// hashes returns the hashes of a tile as wide as it is at this size.
func (v *verifiedReader) hashes(ctx context.Context, level int, n uint64) ([]protocol.Hash, error) {
	t := Tile{level, n, widthAt(v.size, level, n)}
	if t.Width == 0 || level >= len(v.edge) {
		return nil, protocol.Errorf(protocol.KindInternal, "tile %d of level %d is not in a log of size %d", n, level, v.size)
	}
	if t.Width < TileWidth {
		return v.edge[level], nil
	}
	if kept, ok := v.last[level]; ok && kept.n == n {
		return kept.hashes, nil
	}
	hashes, err := tileHashes(ctx, v.r, t)
	if err != nil {
		return nil, err
	}
	if err := v.check(ctx, t, perfectRoot(hashes)); err != nil {
		return nil, err
	}
	v.last[level] = keptTile{n, hashes}
	return hashes, nil
}

// check holds the root of a full tile against the level above it. The highest level
// of a tree has no full tile: the level above would begin with its root.
func (v *verifiedReader) check(ctx context.Context, t Tile, root protocol.Hash) error {
	above, err := v.hashes(ctx, t.Level+1, t.N/TileWidth)
	if err != nil {
		return err
	}
	if above[t.N%TileWidth] != root {
		return protocol.Errorf(protocol.KindUntrusted, "tile %s is not of the log of size %d", t.Path(), v.size)
	}
	return nil
}

// bundle returns the entries of a bundle and their hashes.
func (v *verifiedReader) bundle(ctx context.Context, n uint64) ([][]byte, []protocol.Hash, error) {
	t := Tile{LevelEntries, n, widthAt(v.size, 0, n)}
	data, err := v.r.ReadTile(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	entries, err := ParseBundle(data)
	if err != nil {
		return nil, nil, err
	}
	if len(entries) != t.Width {
		return nil, nil, protocol.Errorf(protocol.KindUntrusted, "bundle %s has %d entries, want %d", t.Path(), len(entries), t.Width)
	}
	leaves := make([]protocol.Hash, len(entries))
	for i, e := range entries {
		leaves[i] = LeafHash(e)
	}
	if t.Width == TileWidth {
		return entries, leaves, v.check(ctx, Tile{0, n, TileWidth}, perfectRoot(leaves))
	}
	for i, h := range v.edge[0] {
		if leaves[i] != h {
			return nil, nil, protocol.Errorf(protocol.KindUntrusted, "entry %d is not of the log of size %d", n*TileWidth+uint64(i), v.size)
		}
	}
	return entries, leaves, nil
}
