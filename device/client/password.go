// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto"
	"net/http"

	"github.com/bytemare/ksf"
	"github.com/bytemare/opaque"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// suite is the one suite of the password login; see api.LoginContext. Nothing of
// it is taken from the server.
func suite() *opaque.Configuration {
	return &opaque.Configuration{
		OPRF: opaque.RistrettoSha512, AKE: opaque.RistrettoSha512, KSF: ksf.Argon2id,
		KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512, Context: []byte(api.LoginContext),
	}
}

// stretching fixes Argon2id's passes, memory in KiB and lanes, whatever the
// library's own choice may become: another one would lock every account out.
func stretching() *opaque.ClientOptions {
	return &opaque.ClientOptions{KSFParameters: []uint64{3, 64 << 10, 4}}
}

// Register registers a password for a new account's name and returns the record
// that CreateAccount carries. The server learns nothing from which it could
// recognise the password without guessing.
func (c *Client) Register(ctx context.Context, invite, name string, password []byte) ([]byte, error) {
	name, err := api.CanonicalName(name)
	if err != nil {
		return nil, err
	}
	client, err := suite().Client()
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "register")
	}
	defer client.ClearState()
	request, err := client.RegistrationInit(password)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "register")
	}
	var answer api.RegistrationResponse
	body := api.RegistrationRequest{Invite: invite, Name: name, Request: request.Serialize()}
	err = c.ask(ctx, call{method: http.MethodPost, path: api.PathRegistrations}, body, &answer, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Deserialize.RegistrationResponse(answer.Response)
	if err != nil {
		return nil, malformed(err)
	}
	record, _, err := client.RegistrationFinalize(response, nil, []byte(api.LoginServer), stretching())
	if err != nil {
		return nil, malformed(err)
	}
	return record.Serialize(), nil
}

// Login signs in by password and returns what a device may do that is not
// enrolled yet. A wrong name or password is KindWrongSecret, whether this device
// or the server found out. Where the last answer is lost nothing is repeated, for
// each attempt counts as a guess: the error is KindUnreachable.
func (c *Client) Login(ctx context.Context, name string, password []byte) (*Newcomer, error) {
	name, err := api.CanonicalName(name)
	if err != nil {
		return nil, err
	}
	client, err := suite().Client()
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "sign in")
	}
	defer client.ClearState()
	ke1, err := client.GenerateKE1(password)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "sign in")
	}
	var answer api.LoginResponse
	err = c.ask(ctx, call{method: http.MethodPost, path: api.PathLogins}, api.LoginRequest{Name: name, KE1: ke1.Serialize()}, &answer, nil)
	if err != nil {
		return nil, err
	}
	ke3, err := answerLogin(client, answer.KE2)
	if err != nil {
		return nil, err
	}
	return c.finishLogin(ctx, answer.Login, ke3)
}

// answerLogin verifies the server's message and answers it. The server proves
// first that it knows the record: a wrong password ends here, and so does a
// server that is not the one that the account was opened at.
func answerLogin(client *opaque.Client, message []byte) ([]byte, error) {
	ke2, err := client.Deserialize.KE2(message)
	if err != nil {
		return nil, malformed(err)
	}
	ke3, _, _, err := client.GenerateKE3(ke2, nil, []byte(api.LoginServer), stretching())
	if err != nil {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "the name or the password is wrong")
	}
	return ke3.Serialize(), nil
}

func (c *Client) finishLogin(ctx context.Context, login string, ke3 []byte) (*Newcomer, error) {
	if _, err := protocol.ParseHash(login); err != nil {
		return nil, malformed(err)
	}
	var session api.Session
	err := c.ask(ctx, call{method: http.MethodPost, path: api.PathLogin(login), once: true}, api.LoginFinish{KE3: ke3}, &session, func() error {
		if session.Account.IsZero() {
			return unexpected("a session of no account")
		}
		return checkToken(&session, api.ScopeEnrol)
	})
	if err != nil {
		return nil, err
	}
	return &Newcomer{account{c: c, id: session.Account, signer: fixedSigner(session.Token)}}, nil
}
