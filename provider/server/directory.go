// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/sequencer"
)

// lookup answers for a name. Before there is an account it is asked without a
// session, and counted by the address: who tries names learns which ones are taken.
func (s *Server) lookup(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Authorization") != "" {
		return s.signedIn(s.lookupFor)(w, r)
	}
	if err := s.strangers.take(address(r)); err != nil {
		return err
	}
	return s.sendLookup(w, r)
}

func (s *Server) lookupFor(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if err := s.askers.take(session.Account.String()); err != nil {
		return err
	}
	return s.sendLookup(w, r)
}

func (s *Server) sendLookup(w http.ResponseWriter, r *http.Request) error {
	q, err := s.lookupQuestion(r)
	if err != nil {
		return err
	}
	answer, err := s.Directory.Lookup(r.Context(), q)
	if err != nil {
		return err
	}
	return sendBytes(w, api.TypeCBOR, answer.Bytes())
}

func (s *Server) lookupQuestion(r *http.Request) (sequencer.Question, error) {
	var q sequencer.Question
	var err error
	if q.Name, err = api.CanonicalName(r.URL.Query().Get(api.QueryName)); err != nil {
		return q, err
	}
	if q.Since, err = number(r, api.QuerySince, 0); err != nil {
		return q, err
	}
	if q.Size, err = number(r, api.QuerySize, 0); err != nil {
		return q, err
	}
	if text := r.URL.Query().Get(api.QueryWorld); text != "" {
		if err := q.World.UnmarshalText([]byte(text)); err != nil {
			return q, protocol.Errorf(protocol.KindUsage, "%s wants a hash", api.QueryWorld)
		}
	}
	return q, nil
}

// contact shows the ledger of a name to whoever seals to it: entries only, since
// their objects are the account's own.
func (s *Server) contact(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if err := s.askers.take(session.Account.String()); err != nil {
		return err
	}
	from, err := number(r, api.QueryFrom, 0)
	if err != nil {
		return err
	}
	page, err := s.Accounts.Contact(r.Context(), session, r.URL.Query().Get(api.QueryName), from)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, page)
}
