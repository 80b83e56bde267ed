// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
)

// Sessions remembers a session between runs. Session returns nil where there is
// none; both may be called concurrently.
type Sessions interface {
	Session() (*api.Session, error)
	SetSession(*api.Session) error
}

// memberSigner opens sessions by a member's signature.
type memberSigner struct {
	c       *Client
	account protocol.AccountID
	member  protocol.MemberID
	signing *keys.SigningSecret
	cache   Sessions // may be nil

	mu     sync.Mutex // guards what follows; held while a session is opened, so that one is
	loaded bool       // whether the cache was asked
	now    string     // the token in use
}

// token returns the token in use, or opens a session where there is none or the
// one in use was refused.
func (s *memberSigner) token(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded {
		s.loaded = true
		s.now = s.remembered()
	}
	if s.now != "" && s.now != refused {
		return s.now, nil
	}
	session, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	s.now = session.Token
	if s.cache != nil {
		_ = s.cache.SetSession(session) // without it the next run signs in again
	}
	return s.now, nil
}

// remembered returns a cached token of this member that may still be good.
func (s *memberSigner) remembered() string {
	if s.cache == nil {
		return ""
	}
	cached, err := s.cache.Session()
	if err != nil || cached == nil || cached.Account != s.account || checkToken(cached, api.ScopeMember) != nil ||
		cached.Expires < protocol.TimeOf(time.Now()) {
		return ""
	}
	return cached.Token
}

// open opens a session. A nonce is good once: where an answer is lost, all of it
// is done again.
func (s *memberSigner) open(ctx context.Context) (*api.Session, error) {
	for attempt := 1; ; attempt++ {
		session, err := s.prove(ctx)
		if protocol.KindOf(err) != protocol.KindUnreachable || attempt == triesUnreached {
			return session, err
		}
		if err := wait(ctx, s.c.pause(attempt)); err != nil {
			return nil, err
		}
	}
}

// prove signs the server's nonce together with the name of this very server, so
// that no other can use the signature here.
func (s *memberSigner) prove(ctx context.Context) (*api.Session, error) {
	var challenge api.Challenge
	ask := api.ChallengeRequest{Account: s.account, Member: s.member}
	err := s.c.ask(ctx, call{method: http.MethodPost, path: api.PathChallenges}, ask, &challenge, nil)
	if err != nil {
		return nil, err
	}
	claim := api.SessionClaim{Server: s.c.name, Account: s.account, Member: s.member, Nonce: challenge.Nonce}
	req := api.SessionRequest{Account: s.account, Member: s.member, Nonce: challenge.Nonce, Signature: claim.Sign(s.signing)}
	session := new(api.Session)
	err = s.c.ask(ctx, call{method: http.MethodPost, path: api.PathSessions, once: true}, req, session, func() error {
		if session.Account != s.account {
			return unexpected("a session of another account")
		}
		return checkToken(session, api.ScopeMember)
	})
	return session, err
}

// checkToken holds a session to its scope and its token to what a header holds.
func checkToken(session *api.Session, scope api.Scope) error {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
	if session.Scope != scope || session.Token == "" || len(session.Token) > 1024 || strings.Trim(session.Token, allowed) != "" {
		return unexpected("a session without a usable token of scope %s", scope)
	}
	for i := range len(session.Token) {
		if !strings.Contains(allowed, session.Token[i:i+1]) {
			return unexpected("a session without a usable token of scope %s", scope)
		}
	}
	return nil
}

// fixedSigner is a session that a password opened: it is not renewed.
type fixedSigner string

func (s fixedSigner) token(_ context.Context, refused string) (string, error) {
	if refused != "" {
		return "", protocol.Errorf(protocol.KindDenied, "the session that the password opened is over; sign in again")
	}
	return string(s), nil
}
