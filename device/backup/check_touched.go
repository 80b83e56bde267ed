// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"io"

	"github.com/solekey/solekey/device/tree"
)

// touched says which files and folders of which snapshots need what was lost.
func (c *Check) touched(ctx context.Context, list []*Snapshot) error {
	b, err := c.v.Browser()
	if err != nil {
		return err
	}
	for _, s := range list {
		lost := func(path []byte, err error) {
			c.found(Damage{What: DamageFile, Snapshot: s, Path: bytes.Clone(path), Err: err})
		}
		err := b.Walk(ctx, []byte("/"), s.root(), func(path []byte, e *tree.Entry) error {
			bad, err := c.needsLost(ctx, b, e)
			if bad {
				lost(path, err)
				return nil
			}
			return err
		}, lost)
		if err != nil {
			return err
		}
	}
	return nil
}

// needsLost reports whether a file needs something that was lost, and why where
// a list of its chunks cannot be read.
func (c *Check) needsLost(ctx context.Context, b *Browser, e *tree.Entry) (bool, error) {
	if e.Type != tree.TypeFile {
		return false, nil
	}
	pieces := tree.NewContentReader(e.Content, b.load)
	for {
		p, _, err := pieces.Next(ctx)
		switch {
		case err == io.EOF:
			return false, nil
		case isLoss(err):
			return true, err
		case err != nil:
			return false, err
		case c.lost[p.Name]:
			return true, nil
		}
	}
}
