// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

func (s *Server) beginEnrolment(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.EnrolmentRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	enrolment, err := s.Accounts.BeginEnrolment(r.Context(), session, body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, enrolment)
}

func (s *Server) enrolments(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	list, err := s.Accounts.Enrolments(r.Context(), session)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, list)
}

func (s *Server) enrolment(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var id protocol.RequestID
	if err := pathID(r, "id", &id); err != nil {
		return err
	}
	seconds, err := number(r, "wait", 0)
	if err != nil {
		return err
	}
	wait := time.Duration(min(seconds, api.MaxWait)) * time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + patience))
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stop, cancel)()
	seen := api.EnrolmentState(r.URL.Query().Get("seen"))
	enrolment, err := s.Accounts.Enrolment(ctx, session, id, seen, wait)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, enrolment)
}

func (s *Server) challengeEnrolment(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.EnrolmentChallenge
	return s.moveEnrolment(w, r, &body, func(id protocol.RequestID) error {
		return s.Accounts.ChallengeEnrolment(r.Context(), session, id, body)
	})
}

func (s *Server) revealEnrolment(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.EnrolmentReveal
	return s.moveEnrolment(w, r, &body, func(id protocol.RequestID) error {
		return s.Accounts.RevealEnrolment(r.Context(), session, id, body)
	})
}

func (s *Server) endEnrolment(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.EnrolmentOutcome
	return s.moveEnrolment(w, r, &body, func(id protocol.RequestID) error {
		return s.Accounts.EndEnrolment(r.Context(), session, id, body)
	})
}

// moveEnrolment reads the body of one step and takes it.
func (s *Server) moveEnrolment(w http.ResponseWriter, r *http.Request, body any, move func(protocol.RequestID) error) error {
	var id protocol.RequestID
	if err := pathID(r, "id", &id); err != nil {
		return err
	}
	if err := decode(w, r, api.MaxJSON, body); err != nil {
		return err
	}
	if err := move(id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
