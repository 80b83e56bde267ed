// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

func (s *Server) account(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if session.Scope != api.ScopeMember {
		return protocol.Errorf(protocol.KindDenied, "this needs a session of a device, a password is not enough")
	}
	account, err := s.Accounts.Account(r.Context(), session.Account)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, account)
}

func (s *Server) ledger(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	from, err := number(r, "from", 0)
	if err != nil {
		return err
	}
	q, err := question(r)
	if err != nil {
		return err
	}
	page, err := s.Accounts.Ledger(r.Context(), session.Account, from, q)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, page)
}

func (s *Server) appendLedger(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.LedgerAppend
	if err := decode(w, r, api.MaxLedgerJSON, &body); err != nil {
		return err
	}
	answer, err := s.Accounts.Append(r.Context(), session, body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}
