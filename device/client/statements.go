// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/statement"
)

// Said remembers what the server signed, between runs: the newest statement of
// each subject. Both methods may be called concurrently.
type Said interface {
	// Said returns the newest statement of a subject, nil where there is none.
	Said(statement.Subject) (*statement.Signed, error)
	// KeepSaid keeps a statement, durably before it returns, unless a newer one of
	// its subject is kept.
	KeepSaid(*statement.Signed) error
}

// Signer says whose statements a client takes: of the log and by the key that a
// device joined with. Said may be nil; then nothing is remembered.
type Signer struct {
	Log  protocol.Hash
	Key  statement.Key
	Said Said
	// Floor is a time that is past for certain: no statement counts that speaks of
	// an earlier one.
	Floor protocol.Time
}

// Demand makes the client take no newest ledger entry, vault head or accepted
// update without the server's signature on it. It must be called before anything
// is asked.
func (c *Client) Demand(s Signer) { c.signer = &s }

// Contradiction is the cause of an error where the server signed two things that
// cannot both be true: evidence for everybody.
type Contradiction struct {
	Old, New *statement.Signed
	Why      string
}

// Error says what contradicts what.
func (c *Contradiction) Error() string { return c.Why }

// ContradictionOf returns the contradiction in err's chain, or nil.
func ContradictionOf(err error) *Contradiction {
	var c *Contradiction
	if errors.As(err, &c) {
		return c
	}
	return nil
}

// question is one question whose answer must be signed; nil where the client
// demands nothing.
type question struct {
	by    *Signer
	asked statement.Question
	old   *statement.Signed
}

// question prepares a question about a subject.
func (c *Client) question(kind statement.Kind, account protocol.AccountID, vault protocol.VaultID) (*question, error) {
	if c.signer == nil {
		return nil, nil
	}
	q := &question{by: c.signer, asked: statement.Question{Log: c.signer.Log, Kind: kind, Account: account, Vault: vault, After: c.signer.Floor}}
	_, _ = rand.Read(q.asked.Nonce[:]) // crypto/rand.Read never fails
	if c.signer.Said == nil {
		return q, nil
	}
	var err error
	q.old, err = c.signer.Said.Said(statement.Subject{Log: c.signer.Log, Kind: kind, Account: account, Vault: vault})
	if q.old != nil {
		q.asked.After = max(q.asked.After, q.old.Statement().Time)
	}
	return q, err
}

// values adds the question to the query of a request.
func (q *question) values(v url.Values) url.Values {
	if q == nil {
		return v
	}
	nonce, after, _ := strings.Cut(api.Question{Nonce: q.asked.Nonce, After: q.asked.After}.Query(), "&")
	v.Set(api.QueryNonce, strings.TrimPrefix(nonce, api.QueryNonce+"="))
	v.Set(api.QueryAfter, strings.TrimPrefix(after, api.QueryAfter+"="))
	return v
}

// answered verifies the answer, holds it against what was said before, and
// remembers it. It returns nil where nothing was asked. What is signed counts as
// said even where the rest of the answer turns out to be wrong.
func (q *question) answered(raw []byte) (*statement.Statement, error) {
	if q == nil {
		return nil, nil
	}
	if len(raw) == 0 {
		return nil, unexpected("no signed statement of what is newest")
	}
	signed, err := q.by.Key.Verify(raw)
	if err != nil {
		return nil, err
	}
	said := signed.Statement()
	about := statement.Subject{Log: q.asked.Log, Kind: q.asked.Kind, Account: q.asked.Account, Vault: q.asked.Vault}
	if said.Nonce == q.asked.Nonce && said.Subject() == about { // an old statement is no lie: it does not answer
		if err := q.by.keep(q.old, signed); err != nil {
			return nil, err
		}
	}
	return &said, signed.Answers(q.asked)
}

// keep holds a statement against an older one and remembers it.
func (s *Signer) keep(old, signed *statement.Signed) error {
	if old != nil {
		if why, yes := statement.Contradict(old, signed); yes {
			return protocol.Wrap(protocol.KindUntrusted, &Contradiction{Old: old, New: signed, Why: why},
				"the server contradicts what it signed before; nothing was used")
		}
	}
	if s.Said == nil {
		return nil
	}
	return s.Said.KeepSaid(signed)
}

// Promise is an update of a name that the server accepted, as the log will hold
// it.
type Promise struct {
	Account protocol.AccountID
	Index   protocol.Hash // of the name
	Version uint64        // of the name
	Leaf    protocol.Hash // of the update's entry
}

// receipt verifies the receipt of an update. It is nil where the client demands
// nothing.
func (c *Client) receipt(p Promise, raw []byte) (*statement.Signed, error) {
	if c.signer == nil {
		return nil, nil
	}
	if len(raw) == 0 {
		return nil, unexpected("no signed receipt of the update of the name")
	}
	signed, err := c.signer.Key.Verify(raw)
	if err != nil {
		return nil, err
	}
	s := signed.Statement()
	want := statement.Subject{Log: c.signer.Log, Kind: statement.KindReceipt, Index: p.Index, Version: p.Version}
	if s.Subject() != want || s.Hash != p.Leaf || s.Account != p.Account {
		return nil, unexpected("a receipt of something else")
	}
	return signed, nil
}

// String names a promise for people.
func (p Promise) String() string { return fmt.Sprintf("version %d of name %s", p.Version, p.Index) }
