// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	ordered "container/list"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// recent keeps the values used last, up to a sum of sizes.
type recent[K comparable, V any] struct {
	room int // for the sizes of all values

	mu    sync.Mutex // guards what follows
	used  int
	order ordered.List // of *kept, the one used last in front
	byKey map[K]*ordered.Element
}

type kept[K comparable, V any] struct {
	key   K
	value V
	size  int
}

// find returns a value and makes it the one used last.
func (c *recent[K, V]) find(key K) (value V, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, found := c.byKey[key]
	if !found {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*kept[K, V]).value, true
}

// add takes a value in and lets those go that were not used for longest. A value beyond the whole room is not kept.
func (c *recent[K, V]) add(key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, found := c.byKey[key]; found || size > c.room {
		return
	}
	if c.byKey == nil {
		c.byKey = make(map[K]*ordered.Element)
	}
	for c.used+size > c.room {
		e := c.order.Back()
		old := c.order.Remove(e).(*kept[K, V])
		delete(c.byKey, old.key)
		c.used -= old.size
	}
	c.byKey[key] = c.order.PushFront(&kept[K, V]{key, value, size})
	c.used += size
}

type frameKey struct {
	pack  protocol.PackID
	frame int
}

// openedPack is a pack that can be read, with the names of its chunks.
type openedPack struct {
	*seal.Pack
	names *Names
}

// openedFrame is what is in a frame, with the names of its chunks.
type openedFrame struct {
	raw   []byte
	names *Names
}

type (
	frameCache = recent[frameKey, openedFrame]
	packCache  = recent[protocol.PackID, *openedPack]
)

// readerPacks is how many opened packs are kept, of some 1 KiB each.
const readerPacks = 1024
