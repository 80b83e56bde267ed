// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if got := protocol.KindOf(err); got != kind {
		t.Errorf("%s: %v (kind %q), want kind %q", what, err, got, kind)
	}
}

// TestNotFound: what is not there is said in one way.
func TestNotFound(t *testing.T) {
	s := newWorld(t).store
	asks := map[string]func() error{
		"invite":       func() error { _, err := s.Invite(ctx, protocol.Hash{1}); return err },
		"account":      func() error { _, err := s.Account(ctx, protocol.AccountID{1}); return err },
		"name":         func() error { _, err := s.AccountByName(ctx, "nobody"); return err },
		"ledger":       func() error { _, err := s.LedgerHead(ctx, protocol.AccountID{1}); return err },
		"object":       func() error { _, err := s.Object(ctx, protocol.AccountID{1}, protocol.Hash{1}); return err },
		"recovery box": func() error { _, err := s.RecoveryBox(ctx, protocol.Hash{1}); return err },
		"login":        func() error { _, err := s.TakeLogin(ctx, protocol.Hash{1}); return err },
		"session":      func() error { _, err := s.Session(ctx, protocol.AccountID{1}, protocol.Hash{1}); return err },
		"enrolment":    func() error { _, err := s.Enrolment(ctx, protocol.AccountID{1}, protocol.RequestID{1}); return err },
		"pack":         func() error { _, err := s.Pack(ctx, protocol.AccountID{1}, protocol.PackID{1}); return err },
		"pack's bytes": func() error { _, _, err := s.OpenPack(ctx, protocol.AccountID{1}, protocol.PackID{1}); return err },
		"room":         func() error { _, err := s.Room(ctx, protocol.AccountID{1}); return err },
		"suspension":   func() error { return s.ChangeAccount(ctx, protocol.AccountID{1}, func(*accounts.Record) {}) },
	}
	for what, ask := range asks {
		wantKind(t, what, ask(), protocol.KindNotFound)
	}
	if empty, err := s.Empty(ctx); err != nil || !empty {
		t.Errorf("an empty store is not: %v", err)
	}
}

func TestLogins(t *testing.T) {
	s := newWorld(t).store
	login := accounts.Login{ID: protocol.Hash{1}, Account: protocol.AccountID{2}, Name: "anna", MAC: []byte("mac"), Expires: 7}
	if err := s.PutLogin(ctx, login); err != nil {
		t.Fatal(err)
	}
	got, err := s.TakeLogin(ctx, login.ID)
	if err != nil || got.Account != login.Account || got.Name != "anna" || !bytes.Equal(got.MAC, login.MAC) || got.Expires != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = s.TakeLogin(ctx, login.ID)
	wantKind(t, "a login twice", err, protocol.KindNotFound)
}

// TestCountTogether counts from many sides at once: none is lost.
func TestCountTogether(t *testing.T) {
	s := newWorld(t).store
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := s.Count(ctx, protocol.Hash{1}, 5, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := s.Count(ctx, protocol.Hash{1}, 5, -1); err != nil || n != 39 {
		t.Errorf("count %d, %v; want 39", n, err)
	}
	for _, other := range []func() (int64, error){
		func() (int64, error) { return s.Count(ctx, protocol.Hash{2}, 5, 1) },
		func() (int64, error) { return s.Count(ctx, protocol.Hash{1}, 6, 1) },
	} {
		if n, err := other(); err != nil || n != 1 {
			t.Errorf("another counter: %d, %v", n, err)
		}
	}
}

func TestSessionsAndNonces(t *testing.T) {
	s := newWorld(t).store
	session := accounts.Session{Account: protocol.AccountID{1}, Token: protocol.Hash{2}, Scope: api.ScopeMember, Member: protocol.MemberID{3}, Expires: 10}
	if err := s.PutSession(ctx, session, api.Nonce{9}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Session(ctx, session.Account, session.Token); err != nil || got != session {
		t.Fatalf("%+v, %v", got, err)
	}
	other := session
	other.Token = protocol.Hash{4}
	wantKind(t, "a nonce twice", s.PutSession(ctx, other, api.Nonce{9}), protocol.KindDenied)
	_, err := s.Session(ctx, other.Account, other.Token)
	wantKind(t, "the session of a used nonce", err, protocol.KindNotFound)
	_, err = s.Session(ctx, protocol.AccountID{7}, session.Token)
	wantKind(t, "another account's token", err, protocol.KindNotFound)
	if err := s.DeleteSession(ctx, session.Account, session.Token); err != nil {
		t.Fatal(err)
	}
	_, err = s.Session(ctx, session.Account, session.Token)
	wantKind(t, "a closed session", err, protocol.KindNotFound)
}

// TestPurge forgets what expired and nothing else.
func TestPurge(t *testing.T) {
	s := newWorld(t).store
	for i, expires := range []protocol.Time{10, 20} {
		key := protocol.Hash{byte(i + 1)}
		err := errors.Join(
			s.PutLogin(ctx, accounts.Login{ID: key, Expires: expires, MAC: []byte{1}}),
			s.PutSession(ctx, accounts.Session{Token: key, Expires: expires}, api.Nonce(key)),
			s.AddEnrolment(ctx, accounts.Enrolment{Enrolment: api.Enrolment{Enrolment: protocol.RequestID{byte(i + 1)}, Commitment: []byte{1}, Expires: expires}}),
		)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Count(ctx, key, expires, 5); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Purge(ctx, 15, 15); err != nil {
		t.Fatal(err)
	}
	_, err := s.Session(ctx, protocol.AccountID{}, protocol.Hash{1})
	wantKind(t, "an old session", err, protocol.KindNotFound)
	_, err = s.TakeLogin(ctx, protocol.Hash{1})
	wantKind(t, "an old login", err, protocol.KindNotFound)
	_, err = s.Enrolment(ctx, protocol.AccountID{}, protocol.RequestID{1})
	wantKind(t, "an old enrolment", err, protocol.KindNotFound)
	_, err1 := s.Session(ctx, protocol.AccountID{}, protocol.Hash{2})
	_, err2 := s.TakeLogin(ctx, protocol.Hash{2})
	_, err3 := s.Enrolment(ctx, protocol.AccountID{}, protocol.RequestID{2})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Errorf("what has not expired is gone: %v", err)
	}
	if n, err := s.Count(ctx, protocol.Hash{1}, 10, 0); err != nil || n != 0 {
		t.Errorf("an old counter: %d, %v", n, err)
	}
	if n, err := s.Count(ctx, protocol.Hash{2}, 20, 0); err != nil || n != 5 {
		t.Errorf("a new counter: %d, %v", n, err)
	}
}

// TestRaceForOneHead: of many commits for one head one is taken.
func TestRaceForOneHead(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	const racers = 8
	var records [racers][]byte
	for i := range records {
		records[i] = h.Run(h.Owner, api.Head{})
	}
	won := make(chan bool, racers)
	var wg sync.WaitGroup
	for _, raw := range records {
		wg.Go(func() {
			_, err := w.packs.Commit(ctx, device(h, h.Owner), h.Vault, raw)
			if err != nil && protocol.KindOf(err) != protocol.KindConflict {
				t.Error(err)
			}
			won <- err == nil
		})
	}
	wg.Wait()
	close(won)
	winners := 0
	for one := range won {
		winners += truth(one)
	}
	if head := w.head(h); winners != 1 || head.Seq != 1 {
		t.Errorf("%d were taken, head %d", winners, head.Seq)
	}
	w.wantSound()
}

// TestRaceForOneInvite: of many accounts for one invite one is opened.
func TestRaceForOneInvite(t *testing.T) {
	w := newWorld(t)
	invite := w.invite()
	var wg sync.WaitGroup
	opened := make(chan bool, 6)
	for i := range cap(opened) {
		request := w.create(accountstest.NewHolder(t), invite, fmt.Sprint("name", i))
		wg.Go(func() {
			_, err := w.people.Create(ctx, "192.0.2.1", request)
			if err != nil && protocol.KindOf(err) != protocol.KindDenied {
				t.Error(err)
			}
			opened <- err == nil
		})
	}
	wg.Wait()
	close(opened)
	n := 0
	for one := range opened {
		n += truth(one)
	}
	if n != 1 {
		t.Errorf("%d accounts by one invite", n)
	}
}

// TestRaceForTheQuota: what is counted in the same transaction is never more
// than there is room for.
func TestRaceForTheQuota(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	if err := w.people.SetQuota(ctx, h.Account(), 1000); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		data := accountstest.Random(300)
		wg.Go(func() {
			if _, err := w.put(h, h.Owner, data); err != nil && protocol.KindOf(err) != protocol.KindQuota {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	info, err := w.store.Account(ctx, h.Account())
	if err != nil || info.Packs != 3 || info.Used != 900 {
		t.Errorf("%d packs, %d bytes, %v; want 3 and 900", info.Packs, info.Used, err)
	}
	w.wantSound()
}

// TestRequestIDs of one account do not meet those of another.
func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	_, forAnna := anna.AddWriter()
	_, forBert := bert.AddWriter()
	forBert.RequestID = forAnna.RequestID
	for range 2 {
		if _, err := w.people.Append(ctx, session(anna, anna.Owner), forAnna); err != nil {
			t.Fatal(err)
		}
		if _, err := w.people.Append(ctx, session(bert, bert.Owner), forBert); err != nil {
			t.Fatal(err)
		}
	}
	_, next := anna.AddWriter()
	next.RequestID = forAnna.RequestID
	_, err := w.people.Append(ctx, session(anna, anna.Owner), next)
	wantKind(t, "a request id with other content", err, protocol.KindExists)
}

// TestLocatorsAreTakenOnce: nobody puts another box where a holder will look.
func TestLocatorsAreTakenOnce(t *testing.T) {
	w := newWorld(t)
	h := accountstest.NewHolder(t)
	request := w.create(h, w.invite(), "anna")
	if _, err := w.people.Create(ctx, "192.0.2.1", request); err != nil {
		t.Fatal(err)
	}
	thief := w.join("eve")
	_, grow := thief.AddWriter()
	grow.Recovery = []api.RecoveryBox{{Locator: request.Recovery[0].Locator, Box: []byte("mine")}}
	_, err := w.people.Append(ctx, session(thief, thief.Owner), grow)
	wantKind(t, "a taken locator", err, protocol.KindExists)
	if box, err := w.store.RecoveryBox(ctx, request.Recovery[0].Locator); err != nil || !bytes.Equal(box, request.Recovery[0].Box) {
		t.Errorf("the box changed: %v", err)
	}
	if head, err := w.store.LedgerHead(ctx, thief.Account()); err != nil || head.Seq != grow.Seq {
		t.Errorf("half of the append stands: %+v, %v", head, err)
	}
	w.now = w.now.Add(time.Second)
	grow.Recovery = nil
	grow.RequestID = accountstest.RequestID()
	if _, err := w.people.Append(ctx, session(thief, thief.Owner), grow); err != nil {
		t.Errorf("without it: %v", err)
	}
	for _, e := range ends() {
		w.restart(e)
		if box, err := w.store.RecoveryBox(ctx, request.Recovery[0].Locator); err != nil || !bytes.Equal(box, request.Recovery[0].Box) {
			t.Errorf("%s: the box changed: %v", e.name, err)
		}
	}
}
