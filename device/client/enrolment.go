// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Newcomer is a device that a password signed in: it may read the ledger and ask
// to be enrolled.
type Newcomer struct {
	account
}

// Enrol asks to be enrolled, with the commitment that the enrolment's protocol
// gives.
func (n *Newcomer) Enrol(ctx context.Context, commitment []byte) (*api.Enrolment, error) {
	body := api.EnrolmentRequest{RequestID: newRequestID(), Commitment: commitment}
	e := new(api.Enrolment)
	err := n.c.ask(ctx, call{method: http.MethodPost, path: api.PathEnrolments, signer: n.signer}, body, e, func() error {
		if e.Enrolment != body.RequestID || !bytes.Equal(e.Commitment, commitment) {
			return unexpected("another enrolment")
		}
		return checkEnrolment(e)
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Reveal answers the challenge, once.
func (n *Newcomer) Reveal(ctx context.Context, id protocol.RequestID, reveal []byte) error {
	return n.step(ctx, id, "/reveal", api.EnrolmentReveal{Reveal: reveal})
}

// Challenge takes an enrolment on, once.
func (m *Member) Challenge(ctx context.Context, id protocol.RequestID, challenge []byte) error {
	return m.step(ctx, id, "/challenge", api.EnrolmentChallenge{Challenge: challenge})
}

// Decide ends an enrolment; the confirmation is for the new device.
func (m *Member) Decide(ctx context.Context, id protocol.RequestID, approved bool, confirmation []byte) error {
	return m.step(ctx, id, "/outcome", api.EnrolmentOutcome{Approved: approved, Confirmation: confirmation})
}

func (a *account) step(ctx context.Context, id protocol.RequestID, step string, body any) error {
	k := call{method: http.MethodPut, path: api.PathEnrolment(id) + step, signer: a.signer}
	return a.c.ask(ctx, k, body, nil, nil)
}

// Enrolment asks how far an enrolment is. Where its state is still the one seen,
// the server waits with its answer, at most as long as given.
func (a *account) Enrolment(ctx context.Context, id protocol.RequestID, seen api.EnrolmentState, wait time.Duration) (*api.Enrolment, error) {
	seconds := min(int64(wait/time.Second), api.MaxWait)
	e := new(api.Enrolment)
	k := call{
		method: http.MethodGet, path: api.PathEnrolment(id), signer: a.signer, wait: time.Duration(seconds) * time.Second,
		query: func() url.Values {
			return url.Values{"wait": {strconv.FormatInt(seconds, 10)}, "seen": {string(seen)}}
		},
	}
	err := a.c.ask(ctx, k, nil, e, func() error {
		if e.Enrolment != id {
			return unexpected("another enrolment")
		}
		return checkEnrolment(e)
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Enrolments asks for those that are open.
func (m *Member) Enrolments(ctx context.Context) ([]api.Enrolment, error) {
	var list []api.Enrolment
	k := call{method: http.MethodGet, path: api.PathEnrolments, signer: m.signer, limit: maxListJSON}
	err := m.c.ask(ctx, k, nil, &list, func() error {
		for i := range list {
			if err := checkEnrolment(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// checkEnrolment holds an enrolment to its states and sizes; what its parts say
// is for the enrolment's protocol to verify.
func checkEnrolment(e *api.Enrolment) error {
	for _, part := range [][]byte{e.Commitment, e.Challenge, e.Reveal, e.Confirmation} {
		if len(part) > api.MaxEnrolmentPart {
			return unexpected("a part of an enrolment has %d bytes", len(part))
		}
	}
	switch e.State {
	case api.EnrolmentWaiting, api.EnrolmentDenied, api.EnrolmentExpired:
		return nil
	case api.EnrolmentChallenged, api.EnrolmentRevealed, api.EnrolmentApproved:
		if len(e.Challenge) == 0 || e.State != api.EnrolmentChallenged && len(e.Reveal) == 0 {
			return unexpected("an enrolment that is %s lacks a part", e.State)
		}
		return nil
	}
	return unexpected("an enrolment in a state that is not known here")
}
