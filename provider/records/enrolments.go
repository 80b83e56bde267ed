// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

// AddEnrolment adds an enrolment.
func (s *Store) AddEnrolment(ctx context.Context, e accounts.Enrolment) error {
	taken := protocol.Errorf(protocol.KindExists, "enrolment: the request id was used for something else")
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		return must(ctx, tx, taken, `INSERT INTO enrolments (account, enrolment, token, state, commitment, created, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			e.Account[:], e.Enrolment.Enrolment[:], e.Token[:], string(e.State), e.Commitment, int64(e.Created), int64(e.Expires))
	})
}

const selectEnrolment = `SELECT enrolment, token, state, commitment, approver, challenge, reveal, confirmation, created, expires
	FROM enrolments WHERE account = $1`

func scanEnrolment(account protocol.AccountID, scan func(...any) error) (accounts.Enrolment, error) {
	e := accounts.Enrolment{Account: account}
	var approver protocol.MemberID
	err := scan(id{e.Enrolment.Enrolment[:]}, id{e.Token[:]}, &e.State, &e.Commitment, id{approver[:]},
		&e.Challenge, &e.Reveal, &e.Confirmation, &e.Created, &e.Expires)
	if !approver.IsZero() {
		e.Approver = &approver
	}
	return e, err
}

// Enrolment returns one enrolment.
func (s *Store) Enrolment(ctx context.Context, account protocol.AccountID, enrolment protocol.RequestID) (accounts.Enrolment, error) {
	list, err := s.enrolments(ctx, account, selectEnrolment+` AND enrolment = $2`, account[:], enrolment[:])
	if err == nil && len(list) == 0 {
		err = protocol.Errorf(protocol.KindNotFound, "enrolment %s is not there", enrolment)
	}
	if err != nil {
		return accounts.Enrolment{}, err
	}
	return list[0], nil
}

// Enrolments returns all enrolments of an account.
func (s *Store) Enrolments(ctx context.Context, account protocol.AccountID) ([]accounts.Enrolment, error) {
	return s.enrolments(ctx, account, selectEnrolment+` ORDER BY created, enrolment`, account[:])
}

func (s *Store) enrolments(ctx context.Context, account protocol.AccountID, query string, args ...any) ([]accounts.Enrolment, error) {
	var list []accounts.Enrolment
	err := each(ctx, s.read, func(scan func(...any) error) error {
		e, err := scanEnrolment(account, scan)
		list = append(list, e)
		return err
	}, query, args...)
	return list, err
}

// MoveEnrolment takes one step of an enrolment.
func (s *Store) MoveEnrolment(ctx context.Context, e accounts.Enrolment, from api.EnrolmentState) error {
	moved := protocol.Errorf(protocol.KindConflict, "the enrolment moved meanwhile")
	var approver []byte
	if e.Approver != nil {
		approver = e.Approver[:]
	}
	return s.change(ctx, func(_ *write, tx *sql.Tx) error {
		return must(ctx, tx, moved, `UPDATE enrolments SET state = $1, approver = $2, challenge = $3, reveal = $4, confirmation = $5
			WHERE account = $6 AND enrolment = $7 AND state = $8`,
			string(e.State), approver, e.Challenge, e.Reveal, e.Confirmation, e.Account[:], e.Enrolment.Enrolment[:], string(from))
	})
}
