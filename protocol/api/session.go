// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// Scope says what a token is good for.
type Scope string

// The scopes.
const (
	// ScopeEnrol is what a password gives: read the ledger, ask to be enrolled.
	ScopeEnrol Scope = "enrol"
	// ScopeMember is what a member's signature gives.
	ScopeMember Scope = "member"
)

// LoginRequest begins a password login (OPAQUE KE1).
type LoginRequest struct {
	Name string `json:"name"`
	KE1  []byte `json:"ke1"`
}

// LoginResponse answers it (KE2). Unknown names are answered alike.
type LoginResponse struct {
	Login string `json:"login"`
	KE2   []byte `json:"ke2"`
}

// LoginFinish proves the password (KE3).
type LoginFinish struct {
	KE3 []byte `json:"ke3"`
}

// Session is a token and until when it is good.
type Session struct {
	Account protocol.AccountID `json:"account"`
	Token   string             `json:"token"`
	Scope   Scope              `json:"scope"`
	Expires protocol.Time      `json:"expires"`
}

// Nonce is a challenge of the server; it is good once, for minutes.
type Nonce = protocol.Hash

// ChallengeRequest asks for a nonce that the member then signs.
type ChallengeRequest struct {
	Account protocol.AccountID `json:"account"`
	Member  protocol.MemberID  `json:"member"`
}

// Challenge answers it.
type Challenge struct {
	Nonce Nonce `json:"nonce"`
}

// SessionRequest opens a session of a member. Signature is the member's over
// SessionClaim.Bytes, under keys.PurposeSession.
type SessionRequest struct {
	Account   protocol.AccountID `json:"account"`
	Member    protocol.MemberID  `json:"member"`
	Nonce     Nonce              `json:"nonce"`
	Signature []byte             `json:"signature"`
}

// SessionClaim is what a member signs to open a session. Server is the name of
// the server (Invite.Server): what is signed for one server is of no use at
// another that relays it.
//
// Growth: a change gets a new purpose; a field is never added to this one.
type SessionClaim struct {
	Server  string             `cbor:"1,keyasint"`
	Account protocol.AccountID `cbor:"2,keyasint"`
	Member  protocol.MemberID  `cbor:"3,keyasint"`
	Nonce   Nonce              `cbor:"4,keyasint"`
}

// Bytes returns the canonical bytes that are signed.
func (c SessionClaim) Bytes() []byte { return canonical.MustMarshal(c) }

// Sign returns the member's signature over the claim, as SessionRequest has it.
func (c SessionClaim) Sign(secret *keys.SigningSecret) []byte {
	signature := secret.Sign(keys.PurposeSession, c.Bytes())
	return signature[:]
}

// Verify reports whether signature is not the key's over the claim.
func (c SessionClaim) Verify(key *keys.VerifyKey, signature []byte) error {
	if len(signature) != keys.SignatureSize {
		return protocol.Errorf(protocol.KindUntrusted, "session: a signature has %d bytes, want %d", len(signature), keys.SignatureSize)
	}
	return key.Verify(keys.PurposeSession, c.Bytes(), (*keys.Signature)(signature))
}

// EnrolmentState says how far an enrolment is. States only move forward.
type EnrolmentState string

// The states: a new device waits with its commitment; an owner device
// challenges; the new device reveals; the owner device approves or denies.
const (
	EnrolmentWaiting    EnrolmentState = "waiting"
	EnrolmentChallenged EnrolmentState = "challenged"
	EnrolmentRevealed   EnrolmentState = "revealed"
	EnrolmentApproved   EnrolmentState = "approved"
	EnrolmentDenied     EnrolmentState = "denied"
	EnrolmentExpired    EnrolmentState = "expired"
)

// EnrolmentRequest begins the enrolment of a new device.
type EnrolmentRequest struct {
	RequestID  protocol.RequestID `json:"request_id"`
	Commitment []byte             `json:"commitment"`
}

// Enrolment is one attempt to enrol a device, as both devices see it. The parts
// mean nothing to the server; each is set once.
type Enrolment struct {
	Enrolment    protocol.RequestID `json:"enrolment"`
	State        EnrolmentState     `json:"state"`
	Commitment   []byte             `json:"commitment,omitempty"`
	Approver     *protocol.MemberID `json:"approver,omitempty"`
	Challenge    []byte             `json:"challenge,omitempty"`
	Reveal       []byte             `json:"reveal,omitempty"`
	Confirmation []byte             `json:"confirmation,omitempty"`
	Created      protocol.Time      `json:"created"`
	Expires      protocol.Time      `json:"expires"`
}

// EnrolmentReveal is the new device's answer to the challenge.
type EnrolmentReveal struct {
	Reveal []byte `json:"reveal"`
}

// EnrolmentChallenge is the approving device's part.
type EnrolmentChallenge struct {
	Challenge []byte `json:"challenge"`
}

// EnrolmentOutcome ends an enrolment.
type EnrolmentOutcome struct {
	Approved     bool   `json:"approved"`
	Confirmation []byte `json:"confirmation,omitempty"`
}
