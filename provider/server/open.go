// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func (s *Server) info(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, s.Info)
}

// invitePage is what a browser shows for an invite. It repeats nothing of the
// request, and runs nothing.
const invitePage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Solekey invite</title>
<h1>You are invited to Solekey</h1>
<p>This address is a single-use invite: whoever has it can open one account here. Keep it to yourself.</p>
<p>Install the program <code>solekey</code>, then type, with the whole address of this page between the quotes:</p>
<pre>solekey join 'https://...'</pre>
<p>Nothing is typed into this page, ever: keys are made on your device and stay there.</p>
</html>
`

func (s *Server) invitePage(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, err := w.Write([]byte(invitePage))
	return err
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	var body api.RegistrationRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	if len(body.Request) > api.MaxMessage {
		return protocol.Errorf(protocol.KindUsage, "registration: the request is too large")
	}
	answer, err := s.Accounts.Register(r.Context(), address(r), body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

func (s *Server) createAccount(w http.ResponseWriter, r *http.Request) error {
	var body api.CreateAccount
	if err := decode(w, r, api.MaxLedgerJSON, &body); err != nil {
		return err
	}
	created, err := s.Accounts.Create(r.Context(), address(r), body)
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, created)
}

func (s *Server) recoveryBox(w http.ResponseWriter, r *http.Request) error {
	var locator protocol.Hash
	if err := pathID(r, "locator", &locator); err != nil {
		return err
	}
	box, err := s.Accounts.RecoveryBox(r.Context(), address(r), locator)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", api.TypeBytes)
	_, err = w.Write(box)
	return err
}
