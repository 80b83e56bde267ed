// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accountstest

import (
	"context"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// Directory is the public log as accounts see it, without a log: indexes and
// promises, for tests of whoever needs no more. Its zero value is of no use.
type Directory struct {
	Key   *tlog.LogKey
	vrf   *vrf.Secret
	until protocol.Time
}

// NewDirectory returns a directory with new keys.
func NewDirectory(t testing.TB) *Directory {
	t.Helper()
	secret, err := tlog.GenerateLogSecret("log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	return &Directory{Key: secret.Public(), vrf: vrf.Generate(), until: 1 << 62}
}

// Log returns the log's identifier.
func (d *Directory) Log() protocol.Hash { return d.Key.ID() }

// Index returns where a canonical name stands.
func (d *Directory) Index(name string) (protocol.Hash, error) {
	_, out := d.vrf.Prove([]byte(name))
	return directory.Index(out), nil
}

// Create lets the holder enter the log under the name, and returns the request
// that opens the account.
func (d *Directory) Create(h *Holder, invite, name string) api.CreateAccount {
	h.t.Helper()
	canonical, err := api.CanonicalName(name)
	if err != nil {
		canonical = name // the server is to refuse it
	}
	index, err := d.Index(canonical)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Enter(d.Key, index)
	return h.Create(invite, name)
}

// Promise returns a time that never comes.
func (d *Directory) Promise() protocol.Time { return d.until }

// Signer signs statements at times that only grow.
type Signer struct {
	Secret *statement.Secret
	Log    protocol.Hash
	now    chan protocol.Time // holds the newest time
}

// NewSigner returns a signer with a new key.
func NewSigner(log protocol.Hash) *Signer {
	s := &Signer{Secret: statement.Generate(), Log: log, now: make(chan protocol.Time, 1)}
	s.now <- 1_000_000_000_000_000_000
	return s
}

// Sign signs what look finds.
func (s *Signer) Sign(ctx context.Context, after protocol.Time, look func(context.Context) (statement.Statement, error)) ([]byte, error) {
	since := s.past(after)
	said, err := look(ctx)
	if err != nil {
		return nil, err
	}
	said.Log, said.Since, said.Time = s.Log, since, s.past(since)
	signed, err := s.Secret.Sign(said)
	if err != nil {
		return nil, err
	}
	return signed.Bytes(), nil
}

func (s *Signer) past(after protocol.Time) protocol.Time {
	next := max(<-s.now, after) + 1
	s.now <- next
	return next
}

// Enter says which log the holder's name is in, and where: from now on what the
// holder appends carries updates.
func (h *Holder) Enter(log *tlog.LogKey, index protocol.Hash) {
	h.log, h.index, h.secret = log, index, keys.GenerateSecret()
}

// update returns the next update of the name and its opening, for the ledger as
// it is; nothing where the holder is in no log.
func (h *Holder) update() (update, opening []byte) {
	h.t.Helper()
	if h.log == nil {
		return nil, nil
	}
	h.version++
	o := directory.GenerateOpening(h.Account(), h.State.Head())
	u := directory.NewUpdate(h.log, h.index, h.version, o, h.UpdateSecret(h.version), h.UpdateSecret(h.version+1))
	return (&directory.Entry{Update: u}).Bytes(), o.Bytes()
}

// Secret returns what the holder derives keys for the log from.
func (h *Holder) Secret() *keys.Secret { return h.secret }

// UpdateSecret returns what signs a version of the holder's name.
func (h *Holder) UpdateSecret(version uint64) *directory.UpdateSecret {
	return directory.DeriveUpdateSecret(h.secret, h.Account(), version)
}

// Resign replaces the update of a request by another one that a change makes of
// it, signed again with the right key.
func (h *Holder) Resign(r *api.LedgerAppend, change func(*directory.Update, *directory.Opening)) {
	h.t.Helper()
	entry, err := directory.ParseEntry(r.Update)
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := directory.ParseOpening(r.Opening)
	if err != nil {
		h.t.Fatal(err)
	}
	u := entry.Update
	version := u.Version
	change(u, &o)
	signed := directory.NewUpdate(h.log, u.Index, u.Version, o, h.UpdateSecret(version), h.UpdateSecret(version+1))
	r.Update, r.Opening = (&directory.Entry{Update: signed}).Bytes(), o.Bytes()
}
