// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Session returns what Resume goes on with in another process; it holds the
// token and is good for minutes.
func (n *Newcomer) Session() *api.Session {
	token, _ := n.signer.(fixedSigner)
	return &api.Session{Account: n.id, Token: string(token), Scope: api.ScopeEnrol}
}

// Resume returns the newcomer that Session came from.
func (c *Client) Resume(session *api.Session) (*Newcomer, error) {
	if session.Account.IsZero() || checkToken(session, api.ScopeEnrol) != nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "resume: this is no session that a password opened")
	}
	return &Newcomer{account{c: c, id: session.Account, signer: fixedSigner(session.Token)}}, nil
}
