// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"maps"
	"sync"

	"github.com/solekey/solekey/protocol"
)

// Cache is a NodeStore in front of another one. It keeps the tiles that were used
// last, checked and parsed, in memory of about a given size. It is safe for
// concurrent use.
type Cache struct {
	store NodeStore
	limit int

	mu       sync.Mutex // guards what follows
	young    map[protocol.Hash]cached
	old      map[protocol.Hash]cached
	youngUse int
}

// cached is a tile in the cache, with the depth it was checked for.
type cached struct {
	top   *node
	depth int
	use   int
}

// NewCache returns a cache of at most about limit bytes in front of the store.
func NewCache(store NodeStore, limit int) *Cache {
	return &Cache{store: store, limit: limit, young: map[protocol.Hash]cached{}}
}

// Tile returns the tile, from the store.
func (c *Cache) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	return c.store.Tile(ctx, name)
}

// load returns the top of a tile. A tile is checked for where it stands, so one
// that was read for another depth is read again; its name pins the rest.
func (c *Cache) load(ctx context.Context, name protocol.Hash, depth int, path protocol.Hash) (*node, error) {
	c.mu.Lock()
	t, ok := c.young[name]
	if !ok {
		if t, ok = c.old[name]; ok {
			c.keep(name, t)
		}
	}
	c.mu.Unlock()
	if ok && t.depth == depth {
		return t.top, nil
	}
	top, err := read(ctx, c.store, name, depth, path)
	if err != nil {
		return nil, err
	}
	c.add(name, top, depth)
	return top, nil
}

// add puts a tile in.
func (c *Cache) add(name protocol.Hash, top *node, depth int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(name, cached{top, depth, weight(top, 0)})
}

// keep puts a tile among the young ones. When these fill half the room they
// become the old ones, and the old ones that nobody asked for go. The caller
// holds the lock.
func (c *Cache) keep(name protocol.Hash, t cached) {
	if _, ok := c.young[name]; ok {
		return
	}
	c.young[name] = t
	if c.youngUse += t.use; c.youngUse > c.limit/2 {
		c.old, c.young, c.youngUse = c.young, map[protocol.Hash]cached{}, 0
	}
}

// weight is about what a tile takes in memory.
func weight(n *node, level int) int {
	const overhead = 144 // of a node, its item and its place in the map
	switch {
	case n == nil:
		return 0
	case n.kind == nodeLeaf:
		return overhead + len(n.leaf.Value)
	case n.kind == nodeLink || level == tileLevels:
		return overhead
	}
	return overhead + weight(n.left, level+1) + weight(n.right, level+1)
}

// MemoryStore is a NodeStore in memory, for tests and for small logs. It is safe
// for concurrent use.
type MemoryStore struct {
	mu    sync.RWMutex
	tiles map[protocol.Hash][]byte // guarded by mu
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{tiles: map[protocol.Hash][]byte{}} }

// Tile returns a tile, or protocol.KindNotFound.
func (m *MemoryStore) Tile(_ context.Context, name protocol.Hash) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.tiles[name]
	if !ok {
		return nil, protocol.Errorf(protocol.KindNotFound, "read tile %s: there is none", name)
	}
	return data, nil
}

// Apply stores what is new and deletes what is gone.
func (m *MemoryStore) Apply(c Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range c.Gone {
		delete(m.tiles, name)
	}
	for name, data := range c.New {
		m.tiles[name] = data
	}
}

// Clone returns a store with the same tiles, which goes its own way.
func (m *MemoryStore) Clone() *MemoryStore {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &MemoryStore{tiles: maps.Clone(m.tiles)}
}

// Len returns how many tiles there are.
func (m *MemoryStore) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.tiles)
}
