// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"errors"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/provider/vaults"
)

// The states of a pack's row.
const (
	rowStored  = 1
	rowRetired = 2
	rowDropped = 3
)

func packState(row int) api.PackState {
	switch row {
	case rowStored:
		return api.PackStored
	case rowRetired:
		return api.PackRetired
	}
	return api.PackDropped
}

func packRef(account protocol.AccountID, pack protocol.PackID) blob.Ref {
	return blob.Ref{Account: account, Kind: blob.KindPack, Name: protocol.Hash(pack)}
}

// AddPack stores a pack; see vaults.PackStore. The bytes are durable before the
// row is, and go again where the row is refused.
func (s *Store) AddPack(ctx context.Context, p vaults.NewPack) (bool, error) {
	lock := &s.packs[int(p.Pack[0])%len(s.packs)]
	lock.Lock()
	defer lock.Unlock()
	if _, err := s.Pack(ctx, p.Account, p.Pack); !isKind(err, protocol.KindNotFound) {
		return false, s.repeatedPack(ctx, p, err)
	}
	if err := s.blobs.Put(ctx, packRef(p.Account, p.Pack), p.Data); err != nil {
		return false, notFound(err, "pack %s", p.Pack)
	}
	err := s.change(ctx, func(w *write, tx *sql.Tx) error {
		if err := hold(ctx, tx, p.Place, p.Ledger); err != nil {
			return err
		}
		if err := use(ctx, tx, p.Account, int64(len(p.Data)), 1, true); err != nil {
			return err
		}
		return insertPack(ctx, w, tx, p)
	})
	if refused(err) {
		return false, errors.Join(err, s.blobs.Delete(context.WithoutCancel(ctx), packRef(p.Account, p.Pack)))
	}
	return err == nil, err
}

// refused reports whether the rules refused the row for good, so that none was
// written. After other errors nobody knows, and the bytes stay: whoever sends
// the pack again needs them, and else Orphans finds them.
func refused(err error) bool {
	return isKind(err, protocol.KindQuota) || isKind(err, protocol.KindDenied)
}

// repeatedPack answers a pack that another request stored meanwhile.
func (s *Store) repeatedPack(ctx context.Context, p vaults.NewPack, err error) error {
	if err != nil {
		return err
	}
	old, err := s.Pack(ctx, p.Account, p.Pack)
	switch {
	case err != nil:
		return err
	case old.State == api.PackDropped && old.Place == p.Place:
		return protocol.Errorf(protocol.KindConflict, "%s", old.State)
	case old.Place != p.Place || old.Device != p.Device:
		return protocol.Errorf(protocol.KindExists, "pack %s is here already, of another vault or device", p.Pack)
	case old.State != api.PackStored:
		return protocol.Errorf(protocol.KindConflict, "%s", old.State)
	}
	return nil
}

// insertPack gives the pack the vault's next cursor and writes statement and row.
// Cursors follow the clock, so that they also grow across a rebuild.
func insertPack(ctx context.Context, w *write, tx *sql.Tx, p vaults.NewPack) error {
	var last int64
	err := one(ctx, tx, "vault", `SELECT cursor_last FROM vaults WHERE account = $1 AND vault = $2`,
		[]any{p.Account[:], p.Vault[:]}, &last)
	if err != nil {
		return err
	}
	cursor := max(last+1, int64(p.At))
	r := received{Version: journalVersion, At: p.At, Cursor: uint64(cursor), Raw: p.Statement}
	name, err := w.journal(ctx, tx, p.Account, blob.KindPackStatement, canonical.MustMarshal(r))
	if err != nil {
		return err
	}
	return insertPackRow(ctx, tx, packRow{Place: p.Place, pack: p.Pack, device: p.Device, size: int64(len(p.Data)), received: r, name: name})
}

// packRow is a stored pack as its row is written.
type packRow struct {
	vaults.Place
	pack     protocol.PackID
	device   protocol.MemberID
	size     int64
	received received
	name     protocol.Hash
}

func insertPackRow(ctx context.Context, tx *sql.Tx, p packRow) error {
	_, err := exec(ctx, tx, `INSERT INTO packs
		(account, pack, vault, device, size, position, received, state, retired, gone, place, statement)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10)`,
		p.Account[:], p.pack[:], p.Vault[:], p.device[:], p.size, int64(p.received.Cursor), int64(p.received.At), rowStored, p.name[:], p.received.Raw)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE vaults SET cursor_last = $1 WHERE account = $2 AND vault = $3 AND cursor_last < $4`,
		int64(p.received.Cursor), p.Account[:], p.Vault[:], int64(p.received.Cursor))
	return err
}

// Pack returns what is known of a pack.
func (s *Store) Pack(ctx context.Context, account protocol.AccountID, pack protocol.PackID) (vaults.Pack, error) {
	return onePack(ctx, s.read, account, pack)
}

func onePack(ctx context.Context, q querier, account protocol.AccountID, pack protocol.PackID) (vaults.Pack, error) {
	p := vaults.Pack{ID: pack}
	p.Account = account
	var row int
	err := one(ctx, q, "pack", `SELECT vault, device, size, state, retired FROM packs WHERE account = $1 AND pack = $2`,
		[]any{account[:], pack[:]}, id{p.Vault[:]}, id{p.Device[:]}, &p.Size, &row, &p.Retired)
	p.State = packState(row)
	return p, err
}

// Packs visits stored and retired packs.
func (s *Store) Packs(ctx context.Context, place vaults.Place, after uint64, limit int, visit func(api.PackRecord) error) error {
	var page []api.PackRecord
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var r api.PackRecord
		err := scan(&r.Cursor, &r.Statement, &r.Received, &r.Retired)
		page = append(page, r)
		return err
	}, `SELECT position, statement, received, retired FROM packs
		WHERE account = $1 AND vault = $2 AND position > $3 AND state <> $4 ORDER BY position LIMIT $5`,
		place.Account[:], place.Vault[:], position(after), rowDropped, limit)
	if err != nil {
		return err
	}
	for _, r := range page {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// OpenPack opens a pack's bytes.
func (s *Store) OpenPack(ctx context.Context, account protocol.AccountID, pack protocol.PackID) (blob.Reader, int64, error) {
	r, size, err := s.blobs.Open(ctx, packRef(account, pack))
	return r, size, notFound(err, "pack %s", pack)
}
