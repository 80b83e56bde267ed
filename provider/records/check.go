// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

// Checked counts what Check looked at.
type Checked struct {
	Accounts int64
	Blobs    int64
	Bytes    int64
	Orphans  int64 // blobs that nothing refers to: left by crashes, or just being written
}

// Totals returns how many accounts and packs there are, and the bytes that count
// towards quotas.
func (s *Store) Totals(ctx context.Context) (accounts, packs, bytes int64, err error) {
	err = one(ctx, s.read, "totals", `SELECT count(*), COALESCE(sum(packs), 0), COALESCE(sum(used), 0) FROM accounts`, nil,
		&accounts, &packs, &bytes)
	return accounts, packs, bytes, err
}

// Empty reports whether there is neither account nor invite: a first start.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var n int
	err := one(ctx, s.read, "totals", `SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM invites)`, nil, &n)
	return n == 0, err
}

// referredBlob is a blob that a row refers to, and the size it must have; -1: any.
type referredBlob struct {
	ref  blob.Ref
	size int64
}

// Check holds every row against the blob it refers to, and with readData every
// blob against its name. It reports each problem and goes on.
func (s *Store) Check(ctx context.Context, readData bool, report func(protocol.Kind, string)) (Checked, error) {
	var c Checked
	var err error
	if c.Accounts, _, _, err = s.Totals(ctx); err != nil {
		return c, err
	}
	err = s.places(ctx, func(p referredBlob) error {
		size, err := s.blobs.Stat(ctx, p.ref)
		switch {
		case errors.Is(err, blob.ErrNotFound):
			report(protocol.KindUntrusted, fmt.Sprintf("blob %s is missing", p.ref))
		case err != nil:
			return err
		case p.size >= 0 && size != p.size:
			report(protocol.KindUntrusted, fmt.Sprintf("blob %s has %d bytes instead of %d", p.ref, size, p.size))
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	for _, kind := range blob.Kinds() {
		if err := s.checkBlobs(ctx, kind, readData, &c, report); err != nil {
			return c, err
		}
	}
	return c, nil
}

// places visits every blob that a row refers to.
func (s *Store) places(ctx context.Context, visit func(referredBlob) error) error {
	queries := []string{
		`SELECT account, kind, name, -1 FROM journal`,
		`SELECT account, 'object', name, -1 FROM objects`,
		`SELECT account, 'pack', pack, size FROM packs WHERE state <> 3`,
		`SELECT NULL, 'tile', place, -1 FROM log_tiles WHERE place IS NOT NULL`,
		`SELECT NULL, 'log', place, -1 FROM log_found`,
	}
	for _, query := range queries {
		err := each(ctx, s.read, func(scan func(...any) error) error {
			var p referredBlob
			if err := scan(id{p.ref.Account[:]}, &p.ref.Kind, id{p.ref.Name[:]}, &p.size); err != nil {
				return err
			}
			return visit(p)
		}, query)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkBlobs(ctx context.Context, kind blob.Kind, readData bool, c *Checked, report func(protocol.Kind, string)) error {
	return s.blobs.List(ctx, nil, kind, func(ref blob.Ref, size int64) error {
		c.Blobs++
		c.Bytes += size
		referred, err := s.referred(ctx, ref)
		if err != nil {
			return err
		}
		if !referred {
			c.Orphans++
		}
		if !readData {
			return nil
		}
		_, err = blob.ReadAll(ctx, s.blobs, ref)
		if errors.Is(err, blob.ErrNotFound) {
			return nil // deleted meanwhile
		}
		if err != nil && ctx.Err() == nil {
			report(protocol.KindUntrusted, fmt.Sprintf("blob %s is damaged: %v", ref, err))
		}
		return ctx.Err()
	})
}

// referred reports whether a row refers to the blob.
func (s *Store) referred(ctx context.Context, ref blob.Ref) (bool, error) {
	query := `SELECT count(*) FROM journal WHERE account = $1 AND name = $2 AND kind = $3`
	switch ref.Kind {
	case blob.KindObject:
		query = `SELECT count(*) FROM objects WHERE account = $1 AND name = $2 AND $3 <> ''`
	case blob.KindPack:
		query = `SELECT count(*) FROM packs WHERE account = $1 AND pack = $2 AND state <> 3 AND $3 <> ''`
	case blob.KindTile:
		query = `SELECT count(*) FROM log_tiles WHERE place = $2 AND $1 IS NOT NULL AND $3 <> ''`
	}
	var n int
	err := one(ctx, s.read, "blob", query, []any{ref.Account[:], ref.Name[:], string(ref.Kind)}, &n)
	return n > 0, err
}

// SweepOrphans deletes blobs that nothing refers to and returns their number.
// Nothing may be writing meanwhile, and Reconcile must have run before.
func (s *Store) SweepOrphans(ctx context.Context) (int, error) {
	n := 0
	for _, kind := range blob.Kinds() {
		if kind == blob.KindLog {
			continue // a batch that is decided on is the log's, before any row says so
		}
		err := s.blobs.List(ctx, nil, kind, func(ref blob.Ref, _ int64) error {
			referred, err := s.referred(ctx, ref)
			if referred || err != nil {
				return err
			}
			n++
			return s.blobs.Delete(ctx, ref)
		})
		if err != nil {
			return n, fmt.Errorf("sweep blobs: %w", err)
		}
	}
	return n, nil
}
