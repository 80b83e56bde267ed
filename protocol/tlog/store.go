// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"context"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/solekey/solekey/protocol"
)

// widthAt returns how many hashes of a level a tree of this size has in tile n of
// the level, at most TileWidth.
func widthAt(size uint64, level int, n uint64) int {
	if 8*level >= 64 {
		return 0
	}
	all := size >> (8 * level)
	if all/TileWidth < n {
		return 0
	}
	return int(min(all-n*TileWidth, TileWidth))
}

// levels returns the number of levels of tiles that a tree of this size has.
func levels(size uint64) int { return (bits.Len64(size) + 7) / 8 }

// edgeTile returns the tile at the right edge of a level that is not full, and
// whether there is one.
func edgeTile(size uint64, level int) (Tile, bool) {
	all := size >> (8 * level)
	return Tile{level, all / TileWidth, int(all % TileWidth)}, all%TileWidth != 0
}

// perfectRoot returns the root over hashes, whose number is a power of two.
func perfectRoot(hashes []protocol.Hash) protocol.Hash {
	row := slices.Clone(hashes)
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = nodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// edgeRoot returns the root of a tree from its right edge: the hashes of the tile
// of each level that is not full, from level 0.
func edgeRoot(edge [][]protocol.Hash) protocol.Hash {
	root, begun := emptyRoot, false
	for _, hashes := range edge {
		end := len(hashes)
		for end > 0 { // from the right: the smallest subtree, then larger ones
			n := 1 << bits.TrailingZeros(uint(end))
			h := perfectRoot(hashes[end-n : end])
			if begun {
				h = nodeHash(h, root)
			}
			root, begun, end = h, true, end-n
		}
	}
	return root
}

// readEdge reads the right edge of the tree.
func readEdge(ctx context.Context, r TileReader, size uint64) ([][]protocol.Hash, error) {
	edge := make([][]protocol.Hash, levels(size))
	for level := range edge {
		t, ok := edgeTile(size, level)
		if !ok {
			continue
		}
		var err error
		if edge[level], err = tileHashes(ctx, r, t); err != nil {
			return nil, err
		}
	}
	return edge, nil
}

// TileData is a tile with what it holds.
type TileData struct {
	Tile Tile
	Data []byte
}

// AppendLeaves returns the tiles of hashes that a log of this size, as r holds it,
// needs besides when leaves are appended, and its root then. They are the new full
// tiles and, of each level that changed, the one at the right edge. Tiles that r
// returns are believed: it is the log's own store. r is asked for the right edge only.
func AppendLeaves(ctx context.Context, r TileReader, size uint64, leaves []protocol.Hash) ([]TileData, protocol.Hash, error) {
	if size > MaxSize || uint64(len(leaves)) > MaxSize-size {
		return nil, protocol.Hash{}, protocol.Errorf(protocol.KindInternal, "append %d leaves to a log of size %d", len(leaves), size)
	}
	after := size + uint64(len(leaves))
	edge := make([][]protocol.Hash, levels(after))
	old, err := readEdge(ctx, r, size)
	if err != nil {
		return nil, protocol.Hash{}, err
	}
	copy(edge, old)
	var tiles []TileData
	for level, added := 0, leaves; len(added) > 0; level++ {
		n := size >> (8 * level) / TileWidth
		row := append(slices.Clone(edge[level]), added...)
		added = nil
		for ; len(row) >= TileWidth; n++ {
			tiles = append(tiles, newTileData(level, n, row[:TileWidth]))
			added = append(added, perfectRoot(row[:TileWidth]))
			row = row[TileWidth:]
		}
		if len(row) > 0 {
			tiles = append(tiles, newTileData(level, n, row))
		}
		edge[level] = row
	}
	return tiles, edgeRoot(edge), nil
}

func newTileData(level int, n uint64, hashes []protocol.Hash) TileData {
	data := make([]byte, 0, len(hashes)*hashSize)
	for _, h := range hashes {
		data = append(data, h[:]...)
	}
	return TileData{Tile{level, n, len(hashes)}, data}
}

// RootAt returns the root over the first size entries, from the tiles of the right
// edge of that size. Tiles are believed.
func RootAt(ctx context.Context, r TileReader, size uint64) (protocol.Hash, error) {
	edge, err := readEdge(ctx, r, size)
	if err != nil {
		return protocol.Hash{}, err
	}
	return edgeRoot(edge), nil
}

// FrontierAt returns the frontier of the first size entries, from tiles of that
// size. Tiles are believed.
func FrontierAt(ctx context.Context, r TileReader, size uint64) (*Frontier, error) {
	if size > MaxSize {
		return nil, protocol.Errorf(protocol.KindNotFound, "a log has no %d entries", size)
	}
	f, reader := &Frontier{size: size}, &nodeReader{ctx: ctx, r: r, size: size}
	for level := bits.Len64(size) - 1; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := reader.node(level, size>>(level+1)<<1)
		if err != nil {
			return nil, err
		}
		f.nodes = append(f.nodes, h)
	}
	return f, nil
}

// ProveInclusion returns the proof that the tree of this size holds the entry at
// the index, for VerifyInclusion. Tiles are believed; a proof from wrong ones does
// not verify.
func ProveInclusion(ctx context.Context, r TileReader, size, index uint64) ([]protocol.Hash, error) {
	if size > MaxSize || index >= size {
		return nil, protocol.Errorf(protocol.KindNotFound, "index %d is not in a log of size %d", index, size)
	}
	proof, err := tlog.ProveRecord(int64(size), int64(index), &nodeReader{ctx: ctx, r: r, size: size})
	if err != nil {
		return nil, err
	}
	return ours(proof), nil
}

// ProveConsistency returns the proof that the log of size newer extends that of
// size older, for VerifyConsistency.
func ProveConsistency(ctx context.Context, r TileReader, older, newer uint64) ([]protocol.Hash, error) {
	if older > newer || newer > MaxSize {
		return nil, protocol.Errorf(protocol.KindNotFound, "a log of size %d does not extend one of size %d", newer, older)
	}
	if older == 0 {
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(newer), int64(older), &nodeReader{ctx: ctx, r: r, size: newer})
	if err != nil {
		return nil, err
	}
	return ours(proof), nil
}

// nodeReader gives the library any node of a tree of one size, out of tiles. It
// serves one proof: the tiles it read are few, and it keeps them.
type nodeReader struct {
	ctx  context.Context
	r    TileReader
	size uint64
	read map[Tile][]protocol.Hash
}

// ReadHashes returns the nodes with these numbers, in the library's order of nodes.
func (r *nodeReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		h, err := r.node(level, uint64(n))
		if err != nil {
			return nil, err
		}
		out[i] = tlog.Hash(h)
	}
	return out, nil
}

// node returns the root of the n-th perfect subtree of 2^level leaves.
func (r *nodeReader) node(level int, n uint64) (protocol.Hash, error) {
	first, count := n<<(level%8), uint64(1)<<(level%8) // in hashes of the tile's level
	t := Tile{Level: level / 8, N: first / TileWidth}
	t.Width = widthAt(r.size, t.Level, t.N)
	hashes, ok := r.read[t]
	if !ok {
		var err error
		if hashes, err = tileHashes(r.ctx, r.r, t); err != nil {
			return protocol.Hash{}, err
		}
		if r.read == nil {
			r.read = map[Tile][]protocol.Hash{}
		}
		r.read[t] = hashes
	}
	from := first % TileWidth
	if from+count > uint64(len(hashes)) {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInternal, "a log of size %d has no node %d of level %d", r.size, n, level)
	}
	return perfectRoot(hashes[from : from+count]), nil
}
