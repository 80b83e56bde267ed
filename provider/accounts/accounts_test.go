// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob/blobtest"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/storage/sqlite"
)

var ctx = context.Background()

// world is the service on a real database, and a clock.
type world struct {
	t      *testing.T
	path   string
	secret *accounts.ServerSecret
	dir    *accountstest.Directory
	signer *accountstest.Signer
	now    time.Time
	db     *sqlite.DB
	*accounts.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	secret, err := accounts.GenerateServerSecret()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, path: filepath.Join(t.TempDir(), "a.db"), secret: secret, now: time.Unix(1_800_000_000, 0).Truncate(time.Hour), dir: accountstest.NewDirectory(t)}
	w.signer = accountstest.NewSigner(w.dir.Log())
	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// open starts the service anew on the same database.
func (w *world) open() {
	w.t.Helper()
	if w.db != nil {
		_ = w.db.Close()
	}
	var err error
	if w.db, err = sqlite.Open(ctx, w.path, records.Schema()); err != nil {
		w.t.Fatal(err)
	}
	s := records.New(w.db.Write, w.db.Read, blobtest.NewMemory())
	w.Service, err = accounts.New(accounts.Config{
		Stores:    accounts.Stores{Invites: s, Accounts: s, Ledgers: s, Logins: s, Sessions: s, Enrolments: s},
		Directory: w.dir, Signer: w.signer,
		Secret: w.secret, Server: "pin:00", Limits: accounts.DefaultLimits(), Clock: func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// join opens an account with a password.
func (w *world) join(name, password string) *accountstest.Holder {
	w.t.Helper()
	invite, err := w.Invite(ctx, "localhost", api.Pin{1}, protocol.Hash{2})
	if err != nil {
		w.t.Fatal(err)
	}
	h := accountstest.NewHolder(w.t)
	request := w.dir.Create(h, invite.Code(), name)
	if password != "" {
		request.Record, err = accountstest.Register(w.t, password, func(message []byte) ([]byte, error) {
			answer, err := w.Register(ctx, "192.0.2.9", api.RegistrationRequest{Invite: invite.Code(), Name: name, Request: message})
			return answer.Response, err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.Create(ctx, "192.0.2.9", request); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// login signs in and returns the session, or why not.
func (w *world) login(address, name, password string) (api.Session, error) {
	var login string
	ke3, err := accountstest.Login(w.t, password, func(ke1 []byte) ([]byte, error) {
		answer, err := w.Login(ctx, address, api.LoginRequest{Name: name, KE1: ke1})
		login = answer.Login
		return answer.KE2, err
	})
	if protocol.KindOf(err) == protocol.KindTooMany {
		return api.Session{}, err
	}
	id, parse := protocol.ParseHash(login)
	if parse != nil {
		w.t.Fatal(parse)
	}
	return w.FinishLogin(ctx, id, api.LoginFinish{KE3: ke3})
}

// guess makes attempts that are never finished.
func (w *world) guess(address, name string, n int) error {
	var err error
	for range n {
		_, attempt := w.Login(ctx, address, api.LoginRequest{Name: name, KE1: accountstest.KE1(w.t)})
		err = errors.Join(err, attempt)
	}
	return err
}

func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if got := protocol.KindOf(err); got != kind {
		t.Errorf("%s: %v (kind %q), want kind %q", what, err, got, kind)
	}
}

func TestPassword(t *testing.T) {
	w := newWorld(t)
	w.join("Anna", "correct horse")
	for range 12 { // more than the limit: a right password is no guess
		session, err := w.login("192.0.2.1", "ANNA", "correct horse")
		if err != nil || session.Scope != api.ScopeEnrol {
			t.Fatalf("login: %+v, %v", session, err)
		}
	}
	_, err := w.login("192.0.2.1", "anna", "wrong horse")
	wantKind(t, "wrong password", err, protocol.KindWrongSecret)
	_, unknown := w.login("192.0.2.1", "nobody", "correct horse")
	wantKind(t, "unknown name", unknown, protocol.KindWrongSecret)
	if err.Error() != unknown.Error() {
		t.Errorf("the answers differ: %q, %q", err, unknown)
	}
}

// TestUnknownNamesLookAlike: the shape of the answer tells nothing, and neither
// does asking twice.
func TestUnknownNamesLookAlike(t *testing.T) {
	w := newWorld(t)
	w.join("anna", "")
	ke1 := accountstest.KE1(t)
	var evaluated [2][2][]byte
	for i, name := range []string{"anna", "nobody"} {
		for j := range 2 {
			answer, err := w.Login(ctx, "192.0.2.1", api.LoginRequest{Name: name, KE1: ke1})
			if err != nil || len(answer.Login) != 64 || len(answer.KE2) != 320 {
				t.Fatalf("%s: %d, %d bytes, %v", name, len(answer.Login), len(answer.KE2), err)
			}
			evaluated[i][j] = answer.KE2[:32] // the OPRF's answer depends on the name alone
		}
		if !bytes.Equal(evaluated[i][0], evaluated[i][1]) {
			t.Errorf("%s: two answers to one question differ", name)
		}
	}
	if bytes.Equal(evaluated[0][0], evaluated[1][0]) {
		t.Error("two names have one key")
	}
}

func TestLimitsOutliveARestart(t *testing.T) {
	w := newWorld(t)
	if err := w.guess("192.0.2.1", "anna", 10); err != nil {
		t.Fatal(err)
	}
	w.open()
	err := w.guess("192.0.2.2", "anna", 1)
	wantKind(t, "the eleventh guess, from elsewhere, after a restart", err, protocol.KindTooMany)
	var many *accounts.TooManyError
	if !errors.As(err, &many) || many.After <= 0 || many.After > time.Hour {
		t.Errorf("wait %v", err)
	}
	if err := w.guess("192.0.2.1", "bert", 1); err != nil {
		t.Errorf("another name: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	if err := w.guess("192.0.2.1", "anna", 1); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestLimitsPerAddress(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		if err := w.guess("192.0.2.1", fmt.Sprint("name", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "the 61st", w.guess("192.0.2.1", "another", 1), protocol.KindTooMany)
	if err := w.guess("192.0.2.2", "another", 1); err != nil {
		t.Errorf("another address: %v", err)
	}
	_, err := w.Register(ctx, "192.0.2.1", api.RegistrationRequest{})
	wantKind(t, "a registration from there", err, protocol.KindTooMany)
	for range 60 {
		_, err := w.RecoveryBox(ctx, "192.0.2.1", protocol.Hash{1})
		wantKind(t, "a look-up", err, protocol.KindNotFound)
	}
	_, err = w.RecoveryBox(ctx, "192.0.2.1", protocol.Hash{1})
	wantKind(t, "the 61st look-up", err, protocol.KindTooMany)
}

func TestLoginsExpireAndHaveOneAttempt(t *testing.T) {
	w := newWorld(t)
	answer, err := w.Login(ctx, "192.0.2.1", api.LoginRequest{Name: "anna", KE1: accountstest.KE1(t)})
	if err != nil {
		t.Fatal(err)
	}
	id, err := protocol.ParseHash(answer.Login)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(3 * time.Minute)
	_, err = w.FinishLogin(ctx, id, api.LoginFinish{KE3: make([]byte, 64)})
	wantKind(t, "late", err, protocol.KindWrongSecret)
	if !strings.Contains(err.Error(), "over") {
		t.Errorf("late: %v", err)
	}
}

func TestNames(t *testing.T) {
	for given, want := range map[string]string{
		"anna": "anna", "ANNA": "anna", "Änna": "änna", "a\u0308nna": "änna", "ａｎｎａ": "anna", "anna@example.org": "anna@example.org", "a.b-c_d": "a.b-c_d",
	} {
		if got, err := api.CanonicalName(given); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
		if again, err := api.CanonicalName(want); err != nil || again != want {
			t.Errorf("%q is not canonical: %q, %v", want, again, err)
		}
	}
	for _, bad := range []string{"", " ", "an na", "an\x00na", "an\u200bna", "\xff", strings.Repeat("a", 65), strings.Repeat("ä", 200), "a\nb"} {
		if got, err := api.CanonicalName(bad); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%q: %q, %v; want kind usage", bad, got, err)
		}
	}
}

func FuzzCanonicalName(f *testing.F) {
	f.Add("Anna")
	f.Add("\u0391\u0301")
	f.Fuzz(func(t *testing.T, name string) {
		canonical, err := api.CanonicalName(name)
		if err != nil {
			return
		}
		if again, err := api.CanonicalName(canonical); err != nil || again != canonical {
			t.Fatalf("%q gives %q, which gives %q, %v", name, canonical, again, err)
		}
	})
}

func TestServerSecret(t *testing.T) {
	secret, err := accounts.GenerateServerSecret()
	if err != nil {
		t.Fatal(err)
	}
	again, err := accounts.ParseServerSecret(secret.Expose())
	if err != nil || !bytes.Equal(again.Public(), secret.Public()) || !bytes.Equal(again.Expose(), secret.Expose()) {
		t.Fatalf("there and back: %v", err)
	}
	for _, text := range []string{fmt.Sprint(secret), fmt.Sprintf("%+v", secret), fmt.Sprintf("%#v", secret)} {
		if text != "(hidden)" {
			t.Errorf("it prints as %q", text)
		}
	}
	raw := secret.Expose()
	for _, bad := range [][]byte{nil, raw[1:], raw[:len(raw)-1], append(bytes.Clone(raw), 0), make([]byte, len(raw))} {
		if _, err := accounts.ParseServerSecret(bad); err == nil {
			t.Errorf("%d bytes were taken", len(bad))
		}
	}
}

func TestEnrolmentsExpire(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	newcomer := accounts.Session{Account: h.Account(), Scope: api.ScopeEnrol, Token: protocol.Hash{1}}
	owner := accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: h.Owner.ID()}
	id := accountstest.RequestID()
	if _, err := w.BeginEnrolment(ctx, newcomer, api.EnrolmentRequest{RequestID: id, Commitment: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	other := newcomer
	other.Token = protocol.Hash{2}
	_, err := w.Enrolment(ctx, other, id, "", 0)
	wantKind(t, "another new device looks", err, protocol.KindNotFound)
	wantKind(t, "another new device reveals", w.RevealEnrolment(ctx, other, id, api.EnrolmentReveal{Reveal: []byte("r")}), protocol.KindNotFound)
	w.now = w.now.Add(16 * time.Minute)
	e, err := w.Enrolment(ctx, newcomer, id, api.EnrolmentWaiting, time.Hour)
	if err != nil || e.State != api.EnrolmentExpired {
		t.Fatalf("%+v, %v", e, err)
	}
	wantKind(t, "a challenge too late", w.ChallengeEnrolment(ctx, owner, id, api.EnrolmentChallenge{Challenge: []byte("x")}), protocol.KindConflict)
	if list, err := w.Enrolments(ctx, owner); err != nil || len(list) != 0 {
		t.Errorf("open: %v, %v", list, err)
	}
	if err := w.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = w.Enrolment(ctx, newcomer, id, "", 0)
	wantKind(t, "after the purge", err, protocol.KindNotFound)
	for range 9 {
		if _, err = w.BeginEnrolment(ctx, newcomer, api.EnrolmentRequest{RequestID: accountstest.RequestID(), Commitment: []byte("c")}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.BeginEnrolment(ctx, newcomer, api.EnrolmentRequest{RequestID: accountstest.RequestID(), Commitment: []byte("c")})
	wantKind(t, "the eleventh in an hour", err, protocol.KindTooMany)
}

// TestWaitEnds: a wait for nothing ends with who waits.
func TestWaitEnds(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	newcomer := accounts.Session{Account: h.Account(), Scope: api.ScopeEnrol, Token: protocol.Hash{1}}
	id := accountstest.RequestID()
	if _, err := w.BeginEnrolment(ctx, newcomer, api.EnrolmentRequest{RequestID: id, Commitment: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	e, err := w.Enrolment(cancelled, newcomer, id, api.EnrolmentWaiting, time.Hour)
	if err != nil || e.State != api.EnrolmentWaiting {
		t.Fatalf("%+v, %v", e, err)
	}
}

func TestMembersOfOtherKinds(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	owner := accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: h.Owner.ID()}
	writer, request := h.AddWriter()
	if _, err := w.Append(ctx, owner, request); err != nil {
		t.Fatal(err)
	}
	session := func(member protocol.MemberID) accounts.Session {
		return accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: member}
	}
	if err := w.Manages(ctx, session(h.Recovery.ID())); err != nil {
		t.Errorf("a recovery method: %v", err)
	}
	wantKind(t, "a writer", w.Manages(ctx, session(writer.ID())), protocol.KindDenied)
	wantKind(t, "a stranger", w.Manages(ctx, session(protocol.MemberID{1})), protocol.KindDenied)
	wantKind(t, "a password", w.Manages(ctx, accounts.Session{Account: h.Account(), Scope: api.ScopeEnrol}), protocol.KindDenied)
	if _, err := w.Append(ctx, owner, h.Remove(writer.ID(), api.Head{})); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a removed writer", w.Manages(ctx, session(writer.ID())), protocol.KindRemoved)
	w.open() // nothing of that lives in the process alone
	wantKind(t, "a removed writer after a restart", w.Manages(ctx, session(writer.ID())), protocol.KindRemoved)
}
