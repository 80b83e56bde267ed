// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/sequencer"
)

// leaveAnchors takes anchors of an account, of any of its devices.
func (s *Server) leaveAnchors(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.AnchorsLeft
	if err := decode(w, r, api.MaxAnchorJSON, &body); err != nil {
		return err
	}
	if err := body.Check(); err != nil {
		return err
	}
	list, size := make([]sequencer.Anchor, 0, len(body.Anchors)), 0
	for _, one := range body.Anchors {
		list = append(list, sequencer.Anchor{Entry: one.Entry, Box: one.Box})
		size += len(one.Box)
	}
	if err := s.Accounts.MayAnchor(r.Context(), session, size); err != nil {
		return err
	}
	if err := s.Directory.AddAnchors(r.Context(), session.Account, list); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// anchors answers for anchors. The boxes are shown to the account that left them.
func (s *Server) anchors(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var body api.AnchorsWanted
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	if err := body.Check(); err != nil {
		return err
	}
	if err := s.askers.take(session.Account.String()); err != nil {
		return err
	}
	q := sequencer.AnchorsQuestion{World: body.World, Size: body.Size}
	for _, one := range body.Periods {
		q.Periods = append(q.Periods, sequencer.AnchorPeriod{Period: directory.Period(one.Period), Indexes: one.Indexes})
	}
	answer, err := s.Directory.Anchors(r.Context(), session.Account, q)
	if err != nil {
		return err
	}
	return sendBytes(w, api.TypeCBOR, answer.Bytes())
}
