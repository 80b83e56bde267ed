// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

// A nonce is expiry (8 bytes), random bytes (8) and a MAC (16) over both, the
// account and the member: nothing is stored for whoever asks without proving
// anything, and it is used up when a session is opened with it.
const nonceRandom, nonceMAC = 8, 16

// Challenge returns a nonce that the member then signs.
func (s *Service) Challenge(_ context.Context, r api.ChallengeRequest) (api.Challenge, error) {
	var nonce api.Nonce
	binary.BigEndian.PutUint64(nonce[:], uint64(s.in(s.Limits.NonceFor)))
	_, _ = rand.Read(nonce[8:nonceMAC]) // crypto/rand.Read never fails
	mac := s.nonceMAC(nonce, r.Account, r.Member)
	copy(nonce[nonceMAC:], mac[:])
	return api.Challenge{Nonce: nonce}, nil
}

func (s *Service) nonceMAC(nonce api.Nonce, account protocol.AccountID, member protocol.MemberID) protocol.Hash {
	return s.mac("solekey/v1/nonce", string(nonce[:nonceMAC]), string(account[:]), string(member[:]))
}

func (s *Service) checkNonce(r api.SessionRequest) error {
	mac := s.nonceMAC(r.Nonce, r.Account, r.Member)
	expires := protocol.Time(binary.BigEndian.Uint64(r.Nonce[:]))
	if !hmac.Equal(mac[:nonceMAC], r.Nonce[nonceMAC:]) || expires < s.now() {
		return protocol.Errorf(protocol.KindDenied, "session: the challenge is over; ask for a new one")
	}
	return nil
}

// OpenSession opens a session of a member that signed the challenge.
func (s *Service) OpenSession(ctx context.Context, r api.SessionRequest) (api.Session, error) {
	if err := s.checkNonce(r); err != nil {
		return api.Session{}, err
	}
	member, err := s.member(ctx, r.Account, r.Member)
	if err != nil {
		return api.Session{}, err
	}
	claim := api.SessionClaim{Server: s.Server, Account: r.Account, Member: r.Member, Nonce: r.Nonce}
	if err := claim.Verify(&member.Keys.Verify, r.Signature); err != nil {
		return api.Session{}, err
	}
	session := Session{Account: r.Account, Member: r.Member, Scope: api.ScopeMember, Expires: s.in(s.Limits.Session)}
	return s.open(ctx, session, r.Nonce)
}

// member returns a present member; protocol.KindRemoved for a removed one.
func (s *Service) member(ctx context.Context, account protocol.AccountID, id protocol.MemberID) (*ledger.Member, error) {
	state, err := s.State(ctx, account)
	if err != nil {
		return nil, err
	}
	member, err := state.Member(id)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindDenied, "member %s is not in the account", id)
	}
	if !member.Present() {
		return nil, protocol.Errorf(protocol.KindRemoved, "member %s was removed from the account", id)
	}
	return member, nil
}

// open stores a session under the hash of a new token.
func (s *Service) open(ctx context.Context, session Session, nonce api.Nonce) (api.Session, error) {
	secret := randomHash()
	session.Token = sum(secret[:])
	if err := s.Stores.Sessions.PutSession(ctx, session, nonce); err != nil {
		return api.Session{}, err
	}
	return api.Session{
		Account: session.Account, Token: token(session.Account, secret),
		Scope: session.Scope, Expires: session.Expires,
	}, nil
}

// token is the text of account and secret: a look-up leads with the account.
func token(account protocol.AccountID, secret protocol.Hash) string {
	return base64.RawURLEncoding.EncodeToString(append(account[:], secret[:]...))
}

// Authenticate returns the session of a token, whose member is in the account
// at this moment.
func (s *Service) Authenticate(ctx context.Context, text string) (Session, error) {
	denied := protocol.Errorf(protocol.KindDenied, "the session is over; sign in again")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(protocol.AccountID{})+len(protocol.Hash{}) {
		return Session{}, denied
	}
	account := protocol.AccountID(raw[:len(protocol.AccountID{})])
	session, err := s.Stores.Sessions.Session(ctx, account, sum(raw[len(account):]))
	if isKind(err, protocol.KindNotFound) || err == nil && session.Expires < s.now() {
		return Session{}, denied
	}
	if err != nil {
		return Session{}, err
	}
	if session.Scope == api.ScopeMember {
		if _, err := s.member(ctx, account, session.Member); err != nil {
			return Session{}, err
		}
	}
	return session, nil
}

// CloseSession ends a session.
func (s *Service) CloseSession(ctx context.Context, session Session) error {
	return s.Stores.Sessions.DeleteSession(ctx, session.Account, session.Token)
}

// Manages refuses all but owner devices and recovery methods.
func (s *Service) Manages(ctx context.Context, session Session) error {
	if session.Scope != api.ScopeMember {
		return protocol.Errorf(protocol.KindDenied, "this needs a session of a device, a password is not enough")
	}
	member, err := s.member(ctx, session.Account, session.Member)
	if err != nil {
		return err
	}
	if !member.Owner() && member.Kind != ledger.KindRecovery {
		return protocol.Errorf(protocol.KindDenied, "a writer device may not do this")
	}
	return nil
}
