// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

// PutLogin remembers a half-done login.
func (s *Store) PutLogin(ctx context.Context, l accounts.Login) error {
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO logins (login, account, name, mac, expires) VALUES ($1, $2, $3, $4, $5)`,
			l.ID[:], l.Account[:], l.Name, l.MAC, int64(l.Expires))
		return err
	})
}

// TakeLogin returns and forgets a half-done login.
func (s *Store) TakeLogin(ctx context.Context, login protocol.Hash) (accounts.Login, error) {
	l := accounts.Login{ID: login}
	err := s.change(ctx, func(_ *write, tx *sql.Tx) error {
		err := one(ctx, tx, "login", `SELECT account, name, mac, expires FROM logins WHERE login = $1`,
			[]any{login[:]}, id{l.Account[:]}, &l.Name, &l.MAC, &l.Expires)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `DELETE FROM logins WHERE login = $1`, login[:])
		return err
	})
	return l, err
}

// Count adds to a counter and returns it.
func (s *Store) Count(ctx context.Context, key protocol.Hash, window protocol.Time, n int64) (int64, error) {
	var count int64
	err := s.change(ctx, func(_ *write, tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO counters (counter, since, uses) VALUES ($1, $2, $3)
			ON CONFLICT (counter, since) DO UPDATE SET uses = counters.uses + excluded.uses`, key[:], int64(window), n)
		if err != nil {
			return err
		}
		return one(ctx, tx, "counter", `SELECT uses FROM counters WHERE counter = $1 AND since = $2`,
			[]any{key[:], int64(window)}, &count)
	})
	return count, err
}

// Purge forgets what expired.
func (s *Store) Purge(ctx context.Context, before, windows protocol.Time) error {
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		for _, table := range []string{"logins", "sessions", "nonces", "enrolments"} {
			if _, err := exec(ctx, tx, fmt.Sprintf(`DELETE FROM %s WHERE expires < $1`, table), int64(before)); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, `DELETE FROM counters WHERE since < $1`, int64(windows))
		return err
	})
}

// PutSession opens a session and uses its nonce up.
func (s *Store) PutSession(ctx context.Context, session accounts.Session, nonce api.Nonce) error {
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		if !nonce.IsZero() {
			used := protocol.Errorf(protocol.KindDenied, "session: the challenge was used already; ask for a new one")
			err := must(ctx, tx, used, `INSERT INTO nonces (account, nonce, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				session.Account[:], nonce[:], int64(session.Expires))
			if err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, `INSERT INTO sessions (account, token, scope, member, expires) VALUES ($1, $2, $3, $4, $5)`,
			session.Account[:], session.Token[:], string(session.Scope), session.Member[:], int64(session.Expires))
		return err
	})
}

// Session returns an open session.
func (s *Store) Session(ctx context.Context, account protocol.AccountID, token protocol.Hash) (accounts.Session, error) {
	session := accounts.Session{Account: account, Token: token}
	err := one(ctx, s.read, "session", `SELECT scope, member, expires FROM sessions WHERE account = $1 AND token = $2`,
		[]any{account[:], token[:]}, &session.Scope, id{session.Member[:]}, &session.Expires)
	return session, err
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, account protocol.AccountID, token protocol.Hash) error {
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		_, err := exec(ctx, tx, `DELETE FROM sessions WHERE account = $1 AND token = $2`, account[:], token[:])
		return err
	})
}
