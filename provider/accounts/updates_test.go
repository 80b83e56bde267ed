// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

func (w *world) verify(raw []byte) statement.Statement {
	w.t.Helper()
	signed, err := w.signer.Secret.Public().Verify(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed.Statement()
}

func owner(h *accountstest.Holder) accounts.Session {
	return accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: h.Owner.ID()}
}

// TestUpdatesAreHeldToTheirBatch changes what comes with an append in every wrong
// way; the update is signed with the right key each time.
func TestUpdatesAreHeldToTheirBatch(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	otherLog := accountstest.NewDirectory(t)
	type change = func(*directory.Update, *directory.Opening)
	resigned := map[string]change{
		"another name":          func(u *directory.Update, _ *directory.Opening) { u.Index[0]++ },
		"the first version":     func(u *directory.Update, _ *directory.Opening) { u.Version = 1 },
		"another account":       func(_ *directory.Update, o *directory.Opening) { o.Account[0]++ },
		"another head":          func(_ *directory.Update, o *directory.Opening) { o.Ledger.Hash[0]++ },
		"another place":         func(_ *directory.Update, o *directory.Opening) { o.Ledger.Seq++ },
		"the head before these": func(_ *directory.Update, o *directory.Opening) { o.Ledger = h.State.Head() },
	}
	raw := map[string]struct {
		change func(*api.LedgerAppend)
		kind   protocol.Kind
	}{
		"no update":         {func(r *api.LedgerAppend) { r.Update = nil }, protocol.KindUntrusted},
		"no opening":        {func(r *api.LedgerAppend) { r.Opening = nil }, protocol.KindUntrusted},
		"noise":             {func(r *api.LedgerAppend) { r.Update = accountstest.Random(200) }, protocol.KindUntrusted},
		"a huge update":     {func(r *api.LedgerAppend) { r.Update = make([]byte, api.MaxUpdate+1) }, protocol.KindUsage},
		"a huge opening":    {func(r *api.LedgerAppend) { r.Opening = make([]byte, api.MaxOpening+1) }, protocol.KindUsage},
		"a signature's bit": {func(r *api.LedgerAppend) { r.Update[len(r.Update)-1] ^= 1 }, protocol.KindUntrusted},
		"another kind of entry": {func(r *api.LedgerAppend) {
			r.Update = (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes()
		}, protocol.KindUntrusted},
		"another blind": {func(r *api.LedgerAppend) {
			o := directory.GenerateOpening(h.Account(), ledgerHead(t, r))
			r.Opening = o.Bytes()
		}, protocol.KindUntrusted},
		"closing the name": {func(r *api.LedgerAppend) { r.Update = closing(t, w, h, r) }, protocol.KindDenied},
		"of another log": {func(r *api.LedgerAppend) {
			c := h.Copy()
			index, _ := w.dir.Index("anna")
			c.Enter(otherLog.Key, index)
			_, *r = c.AddWriter()
		}, protocol.KindUntrusted},
	}
	attempt := func(name string, kind protocol.Kind, change func(*accountstest.Holder, *api.LedgerAppend)) {
		c := h.Copy()
		_, request := c.AddWriter()
		change(c, &request)
		_, err := w.Append(ctx, owner(h), request)
		wantKind(t, name, err, kind)
	}
	for name, change := range resigned {
		attempt(name, protocol.KindUntrusted, func(c *accountstest.Holder, r *api.LedgerAppend) { c.Resign(r, change) })
	}
	for name, c := range raw {
		attempt(name, c.kind, func(_ *accountstest.Holder, r *api.LedgerAppend) { c.change(r) })
	}
	if state, err := w.State(ctx, h.Account()); err != nil || state.Head() != h.State.Head() {
		t.Errorf("the ledger moved: %v", err)
	}
	attempt("as it is", "", func(*accountstest.Holder, *api.LedgerAppend) {})
}

// ledgerHead is the head that a request's opening names.
func ledgerHead(t *testing.T, r *api.LedgerAppend) ledger.Head {
	t.Helper()
	o, err := directory.ParseOpening(r.Opening)
	if err != nil {
		t.Fatal(err)
	}
	return o.Ledger
}

// closing is the request's update, made to close the name.
func closing(t *testing.T, w *world, h *accountstest.Holder, r *api.LedgerAppend) []byte {
	t.Helper()
	o, err := directory.ParseOpening(r.Opening)
	if err != nil {
		t.Fatal(err)
	}
	index, err := w.dir.Index("anna")
	if err != nil {
		t.Fatal(err)
	}
	u := directory.NewUpdate(w.dir.Key, index, 2, o, h.UpdateSecret(2), nil)
	return (&directory.Entry{Update: u}).Bytes()
}

func TestAccountsComeWithTheirName(t *testing.T) {
	w := newWorld(t)
	invite, err := w.Invite(ctx, "localhost", api.Pin{1}, protocol.Hash{2})
	if err != nil {
		t.Fatal(err)
	}
	h := accountstest.NewHolder(t)
	wrong := w.dir.Create(h, invite.Code(), "bert")
	wrong.Name = "anna"
	_, err = w.Create(ctx, "192.0.2.9", wrong)
	wantKind(t, "an update of another name", err, protocol.KindUntrusted)
	h = accountstest.NewHolder(t)
	h.Enter(w.dir.Key, protocol.Hash{})
	h.Create(invite.Code(), "anna")
	second := w.dir.Create(h, invite.Code(), "anna") // its version is 2
	_, err = w.Create(ctx, "192.0.2.9", second)
	wantKind(t, "a second version", err, protocol.KindUntrusted)
	h = accountstest.NewHolder(t)
	right := w.dir.Create(h, invite.Code(), "Anna")
	first, err := w.Create(ctx, "192.0.2.9", right)
	if err != nil {
		t.Fatal(err)
	}
	said := w.verify(first.Receipt)
	index, _ := w.dir.Index("anna")
	if said.Kind != statement.KindReceipt || said.Account != h.Account() || said.Index != index || said.NameVersion != 1 || said.Hash != tlog.LeafHash(right.Update) || said.By != w.dir.Promise() {
		t.Errorf("receipt %+v", said)
	}
	again, err := w.Create(ctx, "192.0.2.9", right)
	if err != nil || w.verify(again.Receipt).Hash != said.Hash {
		t.Errorf("the same again: %v", err)
	}
	right.Update = bytes.Clone(wrong.Update)
	_, err = w.Create(ctx, "192.0.2.9", right)
	wantKind(t, "the request id with another update", err, protocol.KindUntrusted)
}

// TestReceiptsOnlyForWhatIsInTheLog: an append that is repeated after a lost answer
// gets its receipt, also after others; the same entries with another update get none.
func TestReceiptsOnlyForWhatIsInTheLog(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	before := h.Copy()
	_, request := h.AddWriter()
	appendIt := func(r api.LedgerAppend) api.Appended {
		t.Helper()
		answer, err := w.Append(ctx, owner(h), r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	first := appendIt(request)
	said := w.verify(first.Receipt)
	if said.NameVersion != 2 || said.Hash != tlog.LeafHash(request.Update) || first.Hash != h.State.Head().Hash {
		t.Errorf("receipt %+v", said)
	}
	_, next := h.AddWriter()
	appendIt(next)
	w.open()
	if again := appendIt(request); w.verify(again.Receipt).Hash != said.Hash || again.LedgerHead != first.LedgerHead {
		t.Errorf("again: %+v", again)
	}
	twin := request
	twin.RequestID = accountstest.RequestID()
	o := directory.GenerateOpening(h.Account(), ledgerHead(t, &request))
	before.Resign(&twin, func(_ *directory.Update, opening *directory.Opening) { opening.Blind = o.Blind })
	if answer := appendIt(twin); answer.Receipt != nil || answer.LedgerHead != first.LedgerHead {
		t.Errorf("the same entries with an update that the log does not hold: %+v", answer)
	}
	twin.RequestID = request.RequestID
	_, err := w.Append(ctx, owner(h), twin)
	wantKind(t, "the request id with another update", err, protocol.KindExists)
}

// TestStatementsOfLedgers: what is newest is signed where somebody asks.
func TestStatementsOfLedgers(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	page, err := w.Ledger(ctx, h.Account(), 0, api.Question{})
	if err != nil || page.Statement != nil {
		t.Errorf("unasked: %x, %v", page.Statement, err)
	}
	q := api.Question{Nonce: [16]byte{3}, After: 1 << 61}
	page, err = w.Ledger(ctx, h.Account(), 99, q)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := w.signer.Secret.Public().Verify(page.Statement)
	if err != nil {
		t.Fatal(err)
	}
	head := h.State.Head()
	if err := signed.Answers(statement.Question{Log: w.dir.Log(), Kind: statement.KindLedger, Account: h.Account(), Nonce: q.Nonce, After: q.After}); err != nil {
		t.Error(err)
	}
	if said := signed.Statement(); said.Seq != head.Seq || said.Hash != head.Hash {
		t.Errorf("%+v, want %+v", said, head)
	}
	_, err = w.Ledger(ctx, protocol.AccountID{9}, 0, q)
	wantKind(t, "an unknown account", err, protocol.KindNotFound)
}

// TestWithoutDirectory: whoever looks after accounts beside the server opens none
// and appends nothing.
func TestWithoutDirectory(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	w.Directory = nil
	_, request := h.AddWriter()
	_, err := w.Append(ctx, owner(h), request)
	wantKind(t, "an append", err, protocol.KindInternal)
}
