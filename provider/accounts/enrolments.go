// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"bytes"
	"context"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// BeginEnrolment lets a new device, signed in by password, ask to be enrolled.
func (s *Service) BeginEnrolment(ctx context.Context, session Session, r api.EnrolmentRequest) (api.Enrolment, error) {
	if session.Scope != api.ScopeEnrol {
		return api.Enrolment{}, protocol.Errorf(protocol.KindDenied, "this device is enrolled already")
	}
	if err := checkPart(r.Commitment); err != nil || r.RequestID.IsZero() {
		return api.Enrolment{}, protocol.Errorf(protocol.KindUsage, "enrolment: no request id, or the commitment is empty or too large")
	}
	if old, err := s.Stores.Enrolments.Enrolment(ctx, session.Account, r.RequestID); err == nil {
		return s.sameEnrolment(old, session, r)
	}
	if err := s.limit(ctx, "enrol", string(session.Account[:]), s.Limits.EnrolmentsPerHour); err != nil {
		return api.Enrolment{}, err
	}
	enrolment := Enrolment{Account: session.Account, Token: session.Token, Enrolment: api.Enrolment{
		Enrolment: r.RequestID, State: api.EnrolmentWaiting, Commitment: r.Commitment,
		Created: s.now(), Expires: s.in(s.Limits.EnrolFor),
	}}
	if err := s.Stores.Enrolments.AddEnrolment(ctx, enrolment); err != nil {
		return api.Enrolment{}, err
	}
	s.changed(session.Account)
	return enrolment.Enrolment, nil
}

func (s *Service) sameEnrolment(old Enrolment, session Session, r api.EnrolmentRequest) (api.Enrolment, error) {
	if old.Token != session.Token || !bytes.Equal(old.Commitment, r.Commitment) {
		return api.Enrolment{}, protocol.Errorf(protocol.KindExists, "enrolment: the request id was used for something else")
	}
	return s.expired(old).Enrolment, nil
}

func checkPart(part []byte) error {
	if len(part) == 0 || len(part) > api.MaxEnrolmentPart {
		return protocol.Errorf(protocol.KindUsage, "enrolment: a part has 1 to %d bytes", api.MaxEnrolmentPart)
	}
	return nil
}

// expired shows an enrolment that nobody ended in time as what it is.
func (s *Service) expired(e Enrolment) Enrolment {
	if !ended(e.State) && e.Expires < s.now() {
		e.State = api.EnrolmentExpired
	}
	return e
}

func ended(state api.EnrolmentState) bool {
	return state == api.EnrolmentApproved || state == api.EnrolmentDenied || state == api.EnrolmentExpired
}

// find returns an enrolment that the session may see: its own, or any for who
// manages the account.
func (s *Service) find(ctx context.Context, session Session, id protocol.RequestID) (Enrolment, error) {
	e, err := s.Stores.Enrolments.Enrolment(ctx, session.Account, id)
	if err != nil {
		return Enrolment{}, err
	}
	if session.Scope == api.ScopeEnrol && e.Token == session.Token {
		return s.expired(e), nil
	}
	if session.Scope == api.ScopeEnrol {
		return Enrolment{}, protocol.Errorf(protocol.KindNotFound, "enrolment %s is not there", id)
	}
	return s.expired(e), s.Manages(ctx, session)
}

// Enrolment returns an enrolment, at once where its state is not the one seen,
// else when it changes or after the wait.
func (s *Service) Enrolment(ctx context.Context, session Session, id protocol.RequestID, seen api.EnrolmentState, wait time.Duration) (api.Enrolment, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		change := s.change(session.Account)
		e, err := s.find(context.WithoutCancel(ctx), session, id)
		if err != nil || e.State != seen || ended(e.State) {
			return e.Enrolment, err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return e.Enrolment, nil
		}
	}
}

// Enrolments returns those of the account that are open.
func (s *Service) Enrolments(ctx context.Context, session Session) ([]api.Enrolment, error) {
	if err := s.Manages(ctx, session); err != nil {
		return nil, err
	}
	all, err := s.Stores.Enrolments.Enrolments(ctx, session.Account)
	if err != nil {
		return nil, err
	}
	open := []api.Enrolment{}
	for _, e := range all {
		if e = s.expired(e); !ended(e.State) {
			open = append(open, e.Enrolment)
		}
	}
	return open, nil
}

// move takes one step of an enrolment, once. The same step again with the same
// bytes is answered alike, so that a lost answer costs nothing.
func (s *Service) move(ctx context.Context, e Enrolment, from api.EnrolmentState) error {
	err := s.Stores.Enrolments.MoveEnrolment(ctx, e, from)
	if isKind(err, protocol.KindConflict) {
		return outOfTurn()
	}
	if err == nil {
		s.changed(e.Account)
	}
	return err
}

func outOfTurn() error {
	return protocol.Errorf(protocol.KindConflict, "enrolment: this step was taken already, or it is not its turn; begin a new enrolment")
}

// ChallengeEnrolment records the approving device's challenge.
func (s *Service) ChallengeEnrolment(ctx context.Context, session Session, id protocol.RequestID, r api.EnrolmentChallenge) error {
	if err := s.Manages(ctx, session); err != nil {
		return err
	}
	if err := checkPart(r.Challenge); err != nil {
		return err
	}
	e, err := s.find(ctx, session, id)
	if err != nil {
		return err
	}
	if e.State == api.EnrolmentWaiting {
		approver := session.Member
		e.State, e.Approver, e.Challenge = api.EnrolmentChallenged, &approver, r.Challenge
		return s.move(ctx, e, api.EnrolmentWaiting)
	}
	if e.Approver != nil && *e.Approver == session.Member && bytes.Equal(e.Challenge, r.Challenge) {
		return nil
	}
	return outOfTurn()
}

// RevealEnrolment records the new device's answer to the challenge.
func (s *Service) RevealEnrolment(ctx context.Context, session Session, id protocol.RequestID, r api.EnrolmentReveal) error {
	if session.Scope != api.ScopeEnrol {
		return protocol.Errorf(protocol.KindDenied, "only the device that asked to be enrolled may do this")
	}
	if err := checkPart(r.Reveal); err != nil {
		return err
	}
	e, err := s.find(ctx, session, id)
	if err != nil {
		return err
	}
	if e.State == api.EnrolmentChallenged {
		e.State, e.Reveal = api.EnrolmentRevealed, r.Reveal
		return s.move(ctx, e, api.EnrolmentChallenged)
	}
	if e.State != api.EnrolmentWaiting && bytes.Equal(e.Reveal, r.Reveal) {
		return nil
	}
	return outOfTurn()
}

// EndEnrolment records the outcome. Only the device that challenged approves,
// and only what was revealed; any managing member denies.
func (s *Service) EndEnrolment(ctx context.Context, session Session, id protocol.RequestID, r api.EnrolmentOutcome) error {
	if err := s.Manages(ctx, session); err != nil {
		return err
	}
	if len(r.Confirmation) > api.MaxEnrolmentPart {
		return checkPart(r.Confirmation)
	}
	e, err := s.find(ctx, session, id)
	if err != nil {
		return err
	}
	to := api.EnrolmentDenied
	if r.Approved {
		to = api.EnrolmentApproved
	}
	from := e.State
	switch {
	case e.State == to && bytes.Equal(e.Confirmation, r.Confirmation):
		return nil
	case ended(e.State):
		return outOfTurn()
	case r.Approved && (e.State != api.EnrolmentRevealed || *e.Approver != session.Member):
		return outOfTurn()
	}
	e.State, e.Confirmation = to, r.Confirmation
	return s.move(ctx, e, from)
}
