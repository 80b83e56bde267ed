// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/provider/accounts"
)

// The stores that provider/accounts declares.
var (
	_ accounts.InviteStore    = (*Store)(nil)
	_ accounts.AccountStore   = (*Store)(nil)
	_ accounts.LedgerStore    = (*Store)(nil)
	_ accounts.LoginStore     = (*Store)(nil)
	_ accounts.SessionStore   = (*Store)(nil)
	_ accounts.EnrolmentStore = (*Store)(nil)
)

// AddInvite remembers an invite.
func (s *Store) AddInvite(ctx context.Context, hash protocol.Hash, at protocol.Time) error {
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		var nobody protocol.AccountID
		_, err := exec(ctx, tx, `INSERT INTO invites (invite, created, account) VALUES ($1, $2, $3)`, hash[:], int64(at), nobody[:])
		return err
	})
}

// Invite returns what is remembered of an invite.
func (s *Store) Invite(ctx context.Context, hash protocol.Hash) (accounts.Invite, error) {
	return invite(ctx, s.read, hash)
}

func invite(ctx context.Context, q querier, hash protocol.Hash) (accounts.Invite, error) {
	var i accounts.Invite
	err := one(ctx, q, "invite", `SELECT created, account FROM invites WHERE invite = $1`, []any{hash[:]}, &i.Created, id{i.UsedBy[:]})
	return i, err
}

// CreateAccount opens an account; see accounts.AccountStore.
func (s *Store) CreateAccount(ctx context.Context, a accounts.NewAccount) error {
	if err := s.putObjects(ctx, a.Batch.Account, a.Batch.Objects); err != nil {
		return err
	}
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		done, err := repeated(ctx, tx, a.Batch)
		if done || err != nil {
			return err
		}
		if err := mayCreate(ctx, tx, a.Record); err != nil {
			return err
		}
		b := encodeBatch(a.Batch)
		b.Account = &a.Record
		if err := insertAccount(ctx, tx, a.Record); err != nil {
			return err
		}
		return appendBatch(ctx, w, tx, a.Batch, b)
	})
}

// mayCreate refuses an invite that is used up, and a name or an account that is taken.
func mayCreate(ctx context.Context, tx *sql.Tx, r accounts.Record) error {
	i, err := invite(ctx, tx, r.Invite)
	if err != nil {
		return err
	}
	if !i.UsedBy.IsZero() {
		return protocol.Errorf(protocol.KindDenied, "this invite was used already; each is good for one account")
	}
	var taken int
	err = one(ctx, tx, "name", `SELECT (SELECT count(*) FROM names WHERE name = $1) + (SELECT count(*) FROM accounts WHERE account = $2)`,
		[]any{r.Name, r.Account[:]}, &taken)
	if err == nil && taken > 0 {
		return protocol.Errorf(protocol.KindExists, "the name %q is taken here", r.Name)
	}
	return err
}

// insertAccount writes the rows of a new account, without its ledger.
func insertAccount(ctx context.Context, tx *sql.Tx, r accounts.Record) error {
	none := protocol.Hash{}
	_, err := exec(ctx, tx, `INSERT INTO accounts
		(account, number, name, password, created, invite, quota, suspended, used, packs, ledger_seq, ledger_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, -1, $9)`,
		r.Account[:], r.Number, r.Name, r.Password, int64(r.Created), r.Invite[:], r.Quota, truth(r.Suspended), none[:])
	if err != nil {
		return err
	}
	if _, err := exec(ctx, tx, `INSERT INTO names (name, account) VALUES ($1, $2)`, r.Name, r.Account[:]); err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO invites (invite, created, account) VALUES ($1, $2, $3)
		ON CONFLICT (invite) DO UPDATE SET account = excluded.account`, r.Invite[:], int64(r.Created), r.Account[:])
	return err
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

const selectAccount = `SELECT account, number, name, password, created, invite, quota, suspended, used, packs, ledger_seq, ledger_hash
	FROM accounts `

func scanAccount(scan func(...any) error) (accounts.Info, error) {
	i := accounts.Info{Record: accounts.Record{Version: journalVersion}}
	err := scan(id{i.Account[:]}, &i.Number, &i.Name, &i.Password, &i.Created, id{i.Invite[:]}, &i.Quota, &i.Suspended,
		&i.Used, &i.Packs, &i.Head.Seq, id{i.Head.Hash[:]})
	return i, err
}

func (s *Store) account(ctx context.Context, q querier, where string, arg any) (accounts.Info, error) {
	var found *accounts.Info
	err := each(ctx, q, func(scan func(...any) error) error {
		i, err := scanAccount(scan)
		found = &i
		return err
	}, selectAccount+where, arg)
	if err != nil {
		return accounts.Info{}, err
	}
	if found == nil {
		return accounts.Info{}, protocol.Errorf(protocol.KindNotFound, "the account is not there")
	}
	return *found, nil
}

// Account returns an account by its identifier.
func (s *Store) Account(ctx context.Context, account protocol.AccountID) (accounts.Info, error) {
	return s.account(ctx, s.read, `WHERE account = $1`, account[:])
}

// AccountByName returns an account by its canonical name.
func (s *Store) AccountByName(ctx context.Context, name string) (accounts.Info, error) {
	return s.account(ctx, s.read, `WHERE account = (SELECT account FROM names WHERE name = $1)`, name)
}

// Accounts visits all accounts.
func (s *Store) Accounts(ctx context.Context, visit func(accounts.Info) error) error {
	return each(ctx, s.read, func(scan func(...any) error) error {
		i, err := scanAccount(scan)
		if err != nil {
			return err
		}
		return visit(i)
	}, selectAccount+`ORDER BY name`)
}

// ChangeAccount writes the next record of an account.
func (s *Store) ChangeAccount(ctx context.Context, account protocol.AccountID, change func(*accounts.Record)) error {
	return s.change(ctx, func(w *write, tx *sql.Tx) error {
		i, err := s.account(ctx, tx, `WHERE account = $1`, account[:])
		if err != nil {
			return err
		}
		r := i.Record
		change(&r)
		r.Number++
		if _, err := w.journal(ctx, tx, account, blob.KindAccount, canonical.MustMarshal(r)); err != nil {
			return err
		}
		return updateAccount(ctx, tx, r)
	})
}

func updateAccount(ctx context.Context, tx *sql.Tx, r accounts.Record) error {
	gone := protocol.Errorf(protocol.KindNotFound, "the account is not there")
	return must(ctx, tx, gone, `UPDATE accounts SET number = $1, password = $2, quota = $3, suspended = $4 WHERE account = $5`,
		r.Number, r.Password, r.Quota, truth(r.Suspended), r.Account[:])
}
