// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// directoryMethods are the methods that ask the log and the directory.
func directoryMethods(t *testing.T, s *sample) []method {
	p := directorytest.New(t)
	p.Move("bob", s.state)
	p.Publish()
	key := directory.DeriveAnchorKey(keys.GenerateSecret(), "2026-11-21", 0)
	asked := []directory.AnchorQuestion{{Period: "2026-11-21", Index: key.Index()}}
	tile := tlog.Tile{Level: 0, Width: 2}
	lookup := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(p.Lookup(r.URL.Query().Get(api.QueryName), 0, 0).Bytes())
	}
	q := Question{Name: "bob", World: p.World.Hash()}
	return []method{
		{
			name: "World", honest: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(p.World.Bytes()) },
			call: func(w *world) error { _, err := w.client.World(bg, p.World.Hash()); return err },
		},
		{name: "Client.Lookup", honest: lookup, call: func(w *world) error { _, err := w.client.Lookup(bg, q); return err }},
		{name: "Member.Lookup", honest: lookup, call: func(w *world) error { _, err := w.member().Lookup(bg, q); return err }},
		{
			name: "ContactLedger", honest: func(w http.ResponseWriter, _ *http.Request) {
				page := s.page(0, false)
				page.Objects = nil
				say(w, 200, page)
			},
			call: func(w *world) error { _, err := w.member().ContactLedger(bg, "bob", 0); return err },
		},
		{
			name: "AddAnchors", ignores: true, honest: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
			call: func(w *world) error {
				return w.member().AddAnchors(bg, []api.Anchor{{Entry: []byte("e"), Box: []byte("b")}})
			},
		},
		{
			name: "Anchors", honest: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(p.Anchors(asked, 0).Bytes()) },
			call: func(w *world) error { _, err := w.member().Anchors(bg, p.World.Hash(), 0, asked); return err },
		},
		{
			name: "ReadTile", raw: true, honest: func(w http.ResponseWriter, r *http.Request) {
				data, err := p.ReadTile(bg, tile)
				if err != nil || r.URL.Path != api.PathLog+"/"+tile.Path() {
					w.WriteHeader(http.StatusNotFound)
				}
				_, _ = w.Write(data)
			},
			call: func(w *world) error { _, err := w.client.ReadTile(bg, tile); return err },
		},
	}
}

// TestWorldIsTheOneMeant: a world that does not hash to what was told is no world.
func TestWorldIsTheOneMeant(t *testing.T) {
	meant, other := directorytest.New(t).World, directorytest.New(t).World
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case api.PathWorld, api.PathWorldOf(meant.Hash()):
			_, _ = w.Write(other.Bytes())
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	got, err := w.client.World(bg, protocol.Hash{})
	must(t, err)
	if got.Hash() != other.Hash() {
		t.Error("another world than the one served")
	}
	_, err = w.client.World(bg, meant.Hash())
	wantKind(t, err, protocol.KindUntrusted)
	_, err = w.client.World(bg, protocol.Hash{1})
	wantKind(t, err, protocol.KindNotFound)
}

// TestAnchorsHaveLimits refuses, before it is sent, what no server takes.
func TestAnchorsHaveLimits(t *testing.T) {
	w := newWorld(t, signsIn(http.NotFound))
	wantKind(t, w.member().AddAnchors(bg, nil), protocol.KindInternal)
	many := make([]directory.AnchorQuestion, directory.MaxAnchorIndexes+1)
	for i := range many {
		many[i].Period = "2026-11"
	}
	_, err := w.member().Anchors(bg, protocol.Hash{}, 0, many)
	wantKind(t, err, protocol.KindInternal)
}

// heard is a Said in memory.
type heard map[statement.Subject]*statement.Signed

func (m heard) Said(of statement.Subject) (*statement.Signed, error) { return m[of], nil }

func (m heard) KeepSaid(s *statement.Signed) error {
	said := s.Statement()
	m[said.Subject()] = s
	return nil
}

// speaker is a server that signs what it says is newest, as the test wants it.
type speaker struct {
	*world
	p    *directorytest.Provider
	s    *sample
	said heard
	// Lies: what is signed, and with which question.
	twist func(*statement.Question, *statement.Statement)
	mute  bool
	head  api.Head
	cut   int // entries that are not served
}

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	sp := &speaker{p: directorytest.New(t), s: newSample(t), said: heard{}, head: api.Head{Seq: 3, Hash: protocol.Hash{3}}}
	sp.world = newWorld(t, signsIn(sp.answer))
	sp.client.Demand(Signer{Log: sp.p.World.Log().ID(), Key: sp.p.World.Statements(), Said: sp.said, Floor: sp.p.Now() - protocol.Time(time.Hour)})
	return sp
}

func (sp *speaker) answer(w http.ResponseWriter, r *http.Request) {
	q := statement.Question{Log: sp.p.World.Log().ID(), Kind: statement.KindLedger, Account: someAccount}
	query := r.URL.Query()
	nonce, err := hex.DecodeString(query.Get(api.QueryNonce))
	after, wrong := strconv.ParseInt(query.Get(api.QueryAfter), 10, 64)
	if err != nil || wrong != nil || len(nonce) != 16 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	q.Nonce, q.After = [16]byte(nonce), protocol.Time(after)
	s := statement.Statement{Seq: sp.s.state.Head().Seq, Hash: sp.s.state.Head().Hash}
	vault := under(r, api.BelowHead)
	if vault {
		q.Kind, q.Vault = statement.KindVault, someVault
		s = statement.Statement{Seq: sp.head.Seq, Hash: sp.head.Hash, Generation: sp.head.Generation, GenerationHash: sp.head.GenerationHash}
	}
	if sp.twist != nil {
		sp.twist(&q, &s)
	}
	raw := sp.p.Say(q, s)
	if sp.mute {
		raw = nil
	}
	if vault {
		say(w, 200, api.HeadAnswer{Head: sp.head, Statement: raw})
		return
	}
	page := sp.s.page(0, false)
	page.Statement = raw
	page.Entries = page.Entries[:len(page.Entries)-sp.cut]
	if sp.cut > 0 {
		page.Objects = nil
	}
	say(w, 200, page)
}

// TestNewestIsSigned takes no newest ledger or head without the server's signature
// on the answer to this very question.
func TestNewestIsSigned(t *testing.T) {
	sp := newSpeaker(t)
	ask := map[string]func() error{
		"ledger": func() error { _, _, err := sp.member().Ledger(bg, 0); return err },
		"head":   func() error { _, err := sp.vault().Head(bg); return err },
	}
	for what, f := range ask {
		must(t, f())
		must(t, f())
		lies := map[string]func(*statement.Question, *statement.Statement){
			"another nonce":   func(q *statement.Question, _ *statement.Statement) { q.Nonce[3]++ },
			"another account": func(q *statement.Question, _ *statement.Statement) { q.Account[3]++ },
			"another log":     func(q *statement.Question, _ *statement.Statement) { q.Log[3]++ },
		}
		for name, lie := range lies {
			sp.twist = lie
			if err := f(); protocol.KindOf(err) != protocol.KindUntrusted || ContradictionOf(err) != nil {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
		sp.twist = nil
		sp.mute = true
		if err := f(); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s, nothing signed: %v", what, err)
		}
		sp.mute = false
		own := sp.p.Statements
		sp.p.Statements = statement.Generate()
		if err := f(); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s, another key: %v", what, err)
		}
		sp.p.Statements = own
		must(t, f())
	}
	if len(sp.said) != 2 {
		t.Errorf("%d subjects are remembered", len(sp.said))
	}
}

// TestOldAnswersAreNoAnswers replays a statement of the past: the server began to
// look before what is known.
func TestOldAnswersAreNoAnswers(t *testing.T) {
	sp := newSpeaker(t)
	_, err := sp.vault().Head(bg)
	must(t, err)
	sp.twist = func(q *statement.Question, _ *statement.Statement) {
		q.After = 0
		sp.p.Set(sp.p.Now() - protocol.Time(2*time.Hour))
	}
	_, err = sp.vault().Head(bg)
	wantKind(t, err, protocol.KindUntrusted)
}

// TestContradictions: a lower number later, or another hash, is evidence.
func TestContradictions(t *testing.T) {
	for name, c := range map[string]api.Head{
		"rollback":            {Seq: 2, Hash: protocol.Hash{2}, Generation: 5, GenerationHash: protocol.Hash{5}},
		"fork":                {Seq: 3, Hash: protocol.Hash{9}, Generation: 5, GenerationHash: protocol.Hash{5}},
		"prunes taken back":   {Seq: 3, Hash: protocol.Hash{3}, Generation: 4, GenerationHash: protocol.Hash{4}},
		"another prune chain": {Seq: 3, Hash: protocol.Hash{3}, Generation: 5, GenerationHash: protocol.Hash{9}},
	} {
		sp := newSpeaker(t)
		sp.head.Generation, sp.head.GenerationHash = 5, protocol.Hash{5}
		_, err := sp.vault().Head(bg)
		must(t, err)
		sp.head = c
		_, err = sp.vault().Head(bg)
		wantKind(t, err, protocol.KindUntrusted)
		found := ContradictionOf(err)
		if found == nil {
			t.Fatalf("%s: no contradiction: %v", name, err)
		}
		if _, yes := statement.Contradict(found.Old, found.New); !yes {
			t.Errorf("%s: what it found is none", name)
		}
	}
}

// TestAnswerMustFitItsStatement: what is served must be what was signed.
func TestAnswerMustFitItsStatement(t *testing.T) {
	sp := newSpeaker(t)
	sp.cut = 1
	_, _, err := sp.member().Ledger(bg, 0)
	wantKind(t, err, protocol.KindUntrusted)
	sp.cut = 0
	sp.twist = func(_ *statement.Question, s *statement.Statement) { s.Seq += 7 }
	_, _, err = sp.member().Ledger(bg, 0)
	wantKind(t, err, protocol.KindUntrusted)
	sp = newSpeaker(t)
	sp.twist = func(_ *statement.Question, s *statement.Statement) { s.Seq, s.Hash = 4, protocol.Hash{4} }
	_, err = sp.vault().Head(bg)
	wantKind(t, err, protocol.KindUntrusted)
}

// TestReceipts: an accepted update is promised, with the server's signature.
func TestReceipts(t *testing.T) {
	s := newSample(t)
	p := directorytest.New(t)
	account := protocol.AccountID(s.entries[0].Hash())
	update := &directory.Update{Index: protocol.Hash{1}, Version: 1}
	leaf := tlog.LeafHash((&directory.Entry{Update: update}).Bytes())
	good := p.Promise(account, update).Bytes()
	var receipt []byte
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == api.PathAccounts {
			say(w, 201, api.Created{Account: account, Receipt: receipt})
			return
		}
		say(w, 200, api.Appended{LedgerHead: api.LedgerHead{Seq: s.state.Head().Seq, Hash: s.state.Head().Hash}, Receipt: receipt})
	}))
	w.client.Demand(Signer{Log: p.World.Log().ID(), Key: p.World.Statements()})
	promise := Promise{Account: account, Index: update.Index, Version: 1, Leaf: leaf}
	ask := func(promise Promise) (*statement.Signed, error) {
		made, err := w.client.CreateAccount(bg, &api.CreateAccount{Entries: [][]byte{s.entries[0].Bytes()}}, promise)
		appended, failed := w.member().AppendLedger(bg, Append{Entries: s.entries, Promise: promise})
		if (err == nil) != (failed == nil) {
			t.Errorf("two answers: %v, %v", err, failed)
		}
		if err == nil && string(made.Bytes()) != string(appended.Bytes()) {
			t.Error("two receipts")
		}
		return made, err
	}
	receipt = good
	signed, err := ask(promise)
	must(t, err)
	if s := signed.Statement(); s.Hash != leaf {
		t.Error("another receipt")
	}
	for name, other := range map[string]Promise{
		"another name":    {Account: account, Index: protocol.Hash{2}, Version: 1, Leaf: leaf},
		"another version": {Account: account, Index: update.Index, Version: 2, Leaf: leaf},
		"another update":  {Account: account, Index: update.Index, Version: 1, Leaf: protocol.Hash{9}},
	} {
		if _, err := ask(other); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, raw := range map[string][]byte{"none": nil, "garbage": []byte("x"), "of another key": directorytest.New(t).Promise(account, update).Bytes()} {
		receipt = raw
		if _, err := ask(promise); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
}
