// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

// ReadTile returns a tile of the log, or as much of it as was asked for.
func (s *Store) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	var width int
	var place, data []byte
	err := one(ctx, s.read, "tile", `SELECT width, place, data FROM log_tiles WHERE level = $1 AND n = $2`, []any{t.Level, t.N}, &width, &place, &data)
	if t.Level == tlog.LevelEntries && isKind(err, protocol.KindNotFound) {
		return s.partialBundle(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	if width < t.Width {
		return nil, protocol.Errorf(protocol.KindNotFound, "tile %s is not there", t.Path())
	}
	if place != nil {
		data, err = blob.ReadAll(ctx, s.blobs, blob.Ref{Account: nobody, Kind: blob.KindTile, Name: protocol.Hash(place)})
		if err != nil {
			return nil, protocol.Wrap(protocol.KindInternal, err, "read tile %s", t.Path())
		}
	}
	return t.Cut(data)
}

// partialBundle returns the first entries after the last full bundle.
func (s *Store) partialBundle(ctx context.Context, t tlog.Tile) ([]byte, error) {
	var data []byte
	n := 0
	first := t.N * tlog.TileWidth
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var entry []byte
		err := scan(&entry)
		data = tlog.AppendBundle(data, entry)
		n++
		return err
	}, `SELECT entry FROM log_entries WHERE position >= $1 AND position < $2 ORDER BY position`, first, first+uint64(t.Width))
	if err == nil && n < t.Width {
		err = protocol.Errorf(protocol.KindNotFound, "bundle %s is not there", t.Path())
	}
	return data, err
}

// DirectoryTile returns a tile of the directory's trees.
func (s *Store) DirectoryTile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	var data []byte
	err := one(ctx, s.read, "tile of the directory", `SELECT data FROM directory_tiles WHERE name = $1`, []any{name[:]}, &data)
	return data, err
}

// PruneTiles forgets tiles that no published root needs, and what belongs to
// periods that left the directory.
func (s *Store) PruneTiles(ctx context.Context, before protocol.Time, size uint64, limit int) (int64, error) {
	const left = `(SELECT period FROM periods_left WHERE gone_at < $1 AND gone <= $2)`
	var total int64
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`DELETE FROM directory_tiles WHERE name IN
				(SELECT name FROM directory_tiles WHERE gone > 0 AND gone_at < $1 AND gone <= $2 LIMIT $3)`,
			`DELETE FROM directory_tiles WHERE name IN (SELECT name FROM directory_tiles WHERE period <> '' AND period IN ` + left + ` LIMIT $3)`,
			`DELETE FROM anchors WHERE (period, anchor_index) IN (SELECT period, anchor_index FROM anchors WHERE period IN ` + left + ` LIMIT $3)`,
		} {
			n, err := exec(ctx, tx, statement, int64(before), size, limit)
			if err != nil {
				return err
			}
			total += n
		}
		if total > 0 {
			return nil
		}
		_, err := exec(ctx, tx, `DELETE FROM periods_left WHERE gone_at < $1 AND gone <= $2`, int64(before), size)
		return err
	})
	return total, err
}

// Versions returns versions of a name.
func (s *Store) Versions(ctx context.Context, index protocol.Hash, from, to uint64) ([]sequencer.Version, error) {
	var list []sequencer.Version
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var v sequencer.Version
		err := scan(&v.Number, &v.Position, &v.Entry, &v.Opening)
		list = append(list, v)
		return err
	}, `SELECT version, position, entry, opening FROM versions WHERE name_index = $1 AND version >= $2 AND version <= $3 ORDER BY version`,
		index[:], from, to)
	return list, err
}

// Newest returns the number of a name's newest version.
func (s *Store) Newest(ctx context.Context, index protocol.Hash) (uint64, error) {
	var n uint64
	err := one(ctx, s.read, "name", `SELECT COALESCE(max(version), 0) FROM versions WHERE name_index = $1`, []any{index[:]}, &n)
	return n, err
}

// AnchorBox returns the box of an anchor to the account that left it.
func (s *Store) AnchorBox(ctx context.Context, account protocol.AccountID, period directory.Period, index protocol.Hash) ([]byte, error) {
	var box []byte
	err := one(ctx, s.read, "anchor", `SELECT box FROM anchors WHERE period = $1 AND anchor_index = $2 AND account = $3`,
		[]any{string(period), index[:], account[:]}, &box)
	if isKind(err, protocol.KindNotFound) {
		return nil, nil
	}
	return box, err
}
