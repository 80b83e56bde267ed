// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"sync/atomic"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// chunks stores what is not stored yet. It is safe for concurrent use.
type chunks struct {
	names  *tree.Names
	index  *tree.Index
	packer *tree.Packer // nil: nothing is stored

	reused atomic.Int64 // bytes that were stored already
	added  atomic.Int64 // bytes that were not
}

// put stores a chunk unless the vault holds it, and returns its name.
func (c *chunks) put(ctx context.Context, kind tree.Kind, plaintext []byte) (protocol.Hash, error) {
	name := c.names.Name(kind, plaintext)
	stored, err := c.has(name)
	if err != nil {
		return name, err
	}
	if stored {
		c.reused.Add(int64(len(plaintext)))
		return name, nil
	}
	c.added.Add(int64(len(plaintext)))
	if c.packer == nil {
		return name, nil
	}
	return name, c.packer.Add(ctx, kind, name, plaintext)
}

// has reports whether a chunk is stored, or on its way. The packer is asked
// first: it forgets a chunk only after the index knows it.
func (c *chunks) has(name protocol.Hash) (bool, error) {
	if c.packer != nil && c.packer.Has(name) {
		return true, nil
	}
	return c.index.Has(name)
}

// hasAll reports whether all pieces are stored. That a list is says nothing of what
// it lists: packs are retired one by one.
func (c *chunks) hasAll(pieces []tree.Piece) (bool, error) {
	for _, p := range pieces {
		if ok, err := c.has(p.Name); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
