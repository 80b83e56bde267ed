// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"github.com/bytemare/opaque"
	"github.com/bytemare/opaque/message"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func sum(data []byte) protocol.Hash { return sha256.Sum256(data) }

func randomHash() protocol.Hash {
	var h protocol.Hash
	_, _ = rand.Read(h[:]) // crypto/rand.Read never fails
	return h
}

// Login answers the first message of a password login. The attempt is counted
// first. A name that is not known is answered alike, by a record that no
// password opens.
func (s *Service) Login(ctx context.Context, address string, r api.LoginRequest) (api.LoginResponse, error) {
	var none api.LoginResponse
	if err := s.limit(ctx, "guess-address", address, s.Limits.GuessesPerAddress); err != nil {
		return none, err
	}
	name, err := api.CanonicalName(r.Name)
	if err != nil {
		return none, err
	}
	if err := s.limit(ctx, "guess-name", name, s.Limits.GuessesPerName); err != nil {
		return none, err
	}
	ke1, err := s.opaque.Deserialize.KE1(r.KE1)
	if err != nil {
		return none, protocol.Errorf(protocol.KindUsage, "login: the first message is malformed")
	}
	account, record, err := s.credentials(ctx, name)
	if err != nil {
		return none, err
	}
	ke2, output, err := s.opaque.GenerateKE2(ke1, record)
	if err != nil {
		return none, protocol.Errorf(protocol.KindUsage, "login: the first message is malformed")
	}
	login := Login{ID: randomHash(), Account: account, Name: name, MAC: output.ClientMAC, Expires: s.in(s.Limits.LoginFor)}
	if err := s.Stores.Logins.PutLogin(ctx, login); err != nil {
		return none, err
	}
	return api.LoginResponse{Login: login.ID.String(), KE2: ke2.Serialize()}, nil
}

// credentials returns the record of a name, or one of nobody.
func (s *Service) credentials(ctx context.Context, name string) (protocol.AccountID, *opaque.ClientRecord, error) {
	info, err := s.Stores.Accounts.AccountByName(ctx, name)
	record := &opaque.ClientRecord{
		CredentialIdentifier: credential(name), RegistrationRecord: s.fake.RegistrationRecord,
	}
	if isKind(err, protocol.KindNotFound) {
		return protocol.AccountID{}, record, nil
	}
	if err != nil {
		return protocol.AccountID{}, nil, err
	}
	var known *message.RegistrationRecord
	if known, err = s.opaque.Deserialize.RegistrationRecord(info.Password); err != nil {
		return protocol.AccountID{}, nil, protocol.Wrap(protocol.KindInternal, err, "read password record of account %s", info.Account)
	}
	record.RegistrationRecord = known
	return info.Account, record, nil
}

// FinishLogin verifies the last message of a password login, and only then
// names the account and opens a session of scope enrol. A login has one attempt.
func (s *Service) FinishLogin(ctx context.Context, id protocol.Hash, r api.LoginFinish) (api.Session, error) {
	wrong := protocol.Errorf(protocol.KindWrongSecret, "the name or the password is wrong")
	login, err := s.Stores.Logins.TakeLogin(ctx, id)
	if isKind(err, protocol.KindNotFound) || err == nil && login.Expires < s.now() {
		return api.Session{}, protocol.Errorf(protocol.KindWrongSecret, "this login is over; begin again")
	}
	if err != nil {
		return api.Session{}, err
	}
	ke3, err := s.opaque.Deserialize.KE3(r.KE3)
	if err != nil {
		return api.Session{}, wrong
	}
	if err := s.opaque.LoginFinish(ke3, login.MAC); err != nil || login.Account.IsZero() {
		return api.Session{}, wrong
	}
	// A right password is no guess: what is counted are the wrong ones.
	if err := s.unlimit(ctx, "guess-name", login.Name); err != nil {
		return api.Session{}, err
	}
	session := Session{Account: login.Account, Scope: api.ScopeEnrol, Expires: s.in(s.Limits.EnrolSession)}
	return s.open(ctx, session, api.Nonce{})
}
