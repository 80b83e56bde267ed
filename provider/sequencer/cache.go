// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// recent keeps what was asked for last, in two generations: when the young one is
// full it becomes the old one, and what nobody asked for since is forgotten.
type recent[K comparable, V any] struct {
	limit int // of the weight of one generation

	mu     sync.Mutex // guards what follows
	young  map[K]V
	old    map[K]V
	weight int // of the young
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, young: map[K]V{}}
}

// look returns what is kept for the key.
func (r *recent[K, V]) look(key K, weigh func(V) int) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.add(key, v, weigh(v))
	}
	return v, ok
}

// put keeps a value.
func (r *recent[K, V]) put(key K, value V, weight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(key, value, weight)
}

func (r *recent[K, V]) add(key K, value V, weight int) {
	if r.weight+weight > r.limit {
		r.old, r.young, r.weight = r.young, map[K]V{}, 0
	}
	r.young[key] = value
	r.weight += weight
}

// tileCache reads tiles of the log and keeps those of hashes, which never change:
// a partial one is known by its width.
type tileCache struct {
	store TileStore
	kept  *recent[tlog.Tile, []byte]
}

func newTileCache(store TileStore, bytes int) *tileCache {
	return &tileCache{store, newRecent[tlog.Tile, []byte](bytes / 2)}
}

func weighTile(data []byte) int { return len(data) + 100 }

// ReadTile returns a tile of the log.
func (c *tileCache) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if data, ok := c.kept.look(t, weighTile); ok {
		return data, nil
	}
	data, err := c.store.ReadTile(ctx, t)
	if err == nil && t.Level >= 0 {
		c.kept.put(t, data, weighTile(data))
	}
	return data, err
}

// maxNames is how many names' indexes are kept: each takes a quarter of a
// millisecond to compute.
const maxNames = 1 << 14

// nameCache computes the indexes of names.
type nameCache struct {
	secret *vrf.Secret
	names  *recent[string, indexed]
}

// indexed is what the function gives for a name.
type indexed struct {
	index protocol.Hash
	proof vrf.Proof
}

func newNameCache(secret *vrf.Secret, names int) *nameCache {
	return &nameCache{secret, newRecent[string, indexed](names / 2)}
}

func (c *nameCache) look(name string) indexed {
	if i, ok := c.names.look(name, func(indexed) int { return 1 }); ok {
		return i
	}
	proof, out := c.secret.Prove([]byte(name))
	i := indexed{directory.Index(out), proof}
	c.names.put(name, i, 1)
	return i
}
