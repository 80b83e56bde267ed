// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bytemare/opaque"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// passwords is a server of passwords for one account.
type passwords struct {
	t      *testing.T
	server *opaque.Server
	record *opaque.ClientRecord
	mac    []byte
	change func(ke2 []byte)
}

func newPasswords(t *testing.T) *passwords {
	t.Helper()
	server, err := suite().Server()
	must(t, err)
	private, public := suite().KeyGen()
	must(t, server.SetKeyMaterial(&opaque.ServerKeyMaterial{
		Identity: []byte(api.LoginServer), PrivateKey: private, PublicKeyBytes: public.Encode(), OPRFGlobalSeed: suite().GenerateOPRFSeed(),
	}))
	return &passwords{t: t, server: server, change: func([]byte) {}}
}

func (p *passwords) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	login := protocol.Hash{8}.String()
	switch r.URL.Path {
	case api.PathRegistrations:
		req, err := p.server.Deserialize.RegistrationRequest(hear[api.RegistrationRequest](r).Request)
		must(p.t, err)
		answer, err := p.server.RegistrationResponse(req, []byte("ada"), nil)
		must(p.t, err)
		say(w, 200, api.RegistrationResponse{Response: answer.Serialize()})
	case api.PathLogins:
		ke1, err := p.server.Deserialize.KE1(hear[api.LoginRequest](r).KE1)
		must(p.t, err)
		ke2, output, err := p.server.GenerateKE2(ke1, p.record)
		must(p.t, err)
		p.mac = output.ClientMAC
		raw := ke2.Serialize()
		p.change(raw)
		say(w, 200, api.LoginResponse{Login: login, KE2: raw})
	case api.PathLogin(login):
		ke3, err := p.server.Deserialize.KE3(hear[api.LoginFinish](r).KE3)
		if err != nil || p.server.LoginFinish(ke3, p.mac) != nil {
			say(w, 401, api.Error{Kind: protocol.KindWrongSecret})
			return
		}
		say(w, 200, api.Session{Account: someAccount, Token: "enrol", Scope: api.ScopeEnrol})
	}
}

// take enters a registered record under the name.
func (p *passwords) take(record []byte, name string) {
	p.t.Helper()
	known, err := p.server.Deserialize.RegistrationRecord(record)
	must(p.t, err)
	p.record = &opaque.ClientRecord{CredentialIdentifier: []byte(name), RegistrationRecord: known}
}

func TestPassword(t *testing.T) {
	p := newPasswords(t)
	w := newWorld(t, p.ServeHTTP)
	record, err := w.client.Register(bg, "invite", "Ada", []byte("lovelace"))
	must(t, err)
	p.take(record, "ada")
	newcomer, err := w.client.Login(bg, "ADA", []byte("lovelace"))
	must(t, err)
	if newcomer.Account() != someAccount {
		t.Fatal("another account")
	}
	_, err = w.client.Login(bg, "ada", []byte("byron"))
	wantKind(t, err, protocol.KindWrongSecret)

	t.Run("a record of another name", func(t *testing.T) {
		p.take(record, "eve")
		_, err := w.client.Login(bg, "ada", []byte("lovelace"))
		wantKind(t, err, protocol.KindWrongSecret)
		p.take(record, "ada")
	})
	t.Run("a server without the keys", func(t *testing.T) {
		other := newPasswords(t)
		fake, err := suite().GetFakeRecord([]byte("ada"))
		must(t, err)
		other.record = fake
		_, err = newWorld(t, other.ServeHTTP).client.Login(bg, "ada", []byte("lovelace"))
		wantKind(t, err, protocol.KindWrongSecret)
	})
	t.Run("a changed answer", func(t *testing.T) {
		p.change = func(ke2 []byte) { ke2[len(ke2)-1] ^= 1 }
		_, err := w.client.Login(bg, "ada", []byte("lovelace"))
		wantKind(t, err, protocol.KindWrongSecret)
	})
}

func TestPasswordGarbage(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing": func(w http.ResponseWriter, _ *http.Request) { say(w, 200, struct{}{}) },
		"short": func(w http.ResponseWriter, _ *http.Request) {
			say(w, 200, api.LoginResponse{Login: "x", KE2: []byte{1}})
		},
		"zeros": func(w http.ResponseWriter, _ *http.Request) { say(w, 200, api.LoginResponse{KE2: make([]byte, 320)}) },
		"registration": func(w http.ResponseWriter, _ *http.Request) {
			say(w, 200, api.RegistrationResponse{Response: make([]byte, 64)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, answer)
			_, err := w.client.Login(bg, "ada", []byte("x"))
			wantKind(t, err, protocol.KindUntrusted)
			_, err = w.client.Register(bg, "invite", "ada", []byte("x"))
			wantKind(t, err, protocol.KindUntrusted)
		})
	}
}

func TestNewcomerIsNotSignedInAgain(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		say(w, 403, api.Error{Kind: protocol.KindDenied})
	})
	n := &Newcomer{account{c: w.client, id: someAccount, signer: fixedSigner("old")}}
	_, _, err := n.Ledger(bg, 0)
	wantKind(t, err, protocol.KindDenied)
}

func TestCanonicalName(t *testing.T) {
	for in, want := range map[string]string{"Ada": "ada", "ADA.Lovelace": "ada.lovelace", "ＡＤＡ": "ada", "jürgen": "jürgen"} {
		got, err := api.CanonicalName(in)
		if got != want || err != nil {
			t.Errorf("%q gives %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "a b", "a\x00", strings.Repeat("a", 65), strings.Repeat("a", 1000), "\xff"} {
		_, err := api.CanonicalName(bad)
		wantKind(t, err, protocol.KindUsage)
	}
}
