// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var body api.LoginRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	answer, err := s.Accounts.Login(r.Context(), address(r), body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

func (s *Server) finishLogin(w http.ResponseWriter, r *http.Request) error {
	var login protocol.Hash
	if err := pathID(r, "login", &login); err != nil {
		return err
	}
	var body api.LoginFinish
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	session, err := s.Accounts.FinishLogin(r.Context(), login, body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, session)
}

func (s *Server) challenge(w http.ResponseWriter, r *http.Request) error {
	var body api.ChallengeRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	answer, err := s.Accounts.Challenge(r.Context(), body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

func (s *Server) openSession(w http.ResponseWriter, r *http.Request) error {
	var body api.SessionRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	session, err := s.Accounts.OpenSession(r.Context(), body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, session)
}

func (s *Server) closeSession(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if err := s.Accounts.CloseSession(r.Context(), session); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
