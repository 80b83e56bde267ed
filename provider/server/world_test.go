// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/provider/server"
	"github.com/solekey/solekey/provider/vaults"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/storage/sqlite"
)

var ctx = context.Background()

const retention = 30 * 24 * time.Hour

// world is a provider behind TLS, and a clock.
type world struct {
	t      testing.TB
	http   *httptest.Server
	people *accounts.Service
	store  *records.Store
	public *publicLog
	stop   context.CancelFunc
	log    *buffer

	mu  sync.Mutex // guards now
	now time.Time
}

// buffer is a log that is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), log: &buffer{}}
	blobs, err := disk.Open(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "a.db"), records.Schema())
	if err != nil {
		t.Fatal(err)
	}
	w.store = records.New(db.Write, db.Read, blobs)
	secret, err := accounts.GenerateServerSecret()
	if err != nil {
		t.Fatal(err)
	}
	s := w.store
	w.public = newPublicLog(t, w.store, w.clock)
	limits := accounts.DefaultLimits()
	limits.GuessesPerAddress = 10_000
	w.people, err = accounts.New(accounts.Config{
		Stores:    accounts.Stores{Invites: s, Accounts: s, Ledgers: s, Logins: s, Sessions: s, Enrolments: s},
		Directory: w.public, Signer: w.public.signer,
		Secret: secret, Server: "pin:00", Limits: limits, Clock: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	packs := vaults.New(vaults.Config{Ledgers: w.people, Chains: s, Index: s, Packs: s, Signer: w.public.signer, Retention: retention, Clock: w.clock})
	stop, cancel := context.WithCancel(ctx)
	w.stop = cancel
	w.http = httptest.NewUnstartedServer(server.New(stop, server.Config{
		Accounts: w.people, Vaults: packs, Metrics: server.NewMetrics(s.Totals, w.public.Status),
		Directory: w.public.Service, Worlds: w.public.Worlds,
		Log:  slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Info: api.Server{Program: "solekeyd", API: []int{1}, RetentionDays: 30, MaxPack: api.MaxPack, OpaqueServerPublic: secret.Public()},
	}))
	w.http.EnableHTTP2 = true
	server.Harden(w.http.Config)
	w.http.StartTLS()
	w.http.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { cancel(); w.http.Close(); _ = db.Close() })
	return w
}

func (w *world) metrics() http.Handler {
	return server.NewMetrics(w.store.Totals, w.public.Status).Handler()
}

// answer is an answer as a client sees it.
type answer struct {
	status int
	body   []byte
	header http.Header
}

func (a answer) kind() protocol.Kind {
	var e api.Error
	if err := json.Unmarshal(a.body, &e); err != nil {
		return "unreadable"
	}
	return e.Kind
}

// do sends a request with a raw body; an empty token sends none.
func (w *world) do(method, path, token string, body []byte) answer {
	w.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, w.http.URL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := w.http.Client().Do(request)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{response.StatusCode, data, response.Header}
	w.conforms(method, path, a)
	return a
}

// ask sends JSON and reads a JSON answer of the status.
func ask[A any](w *world, method, path, token string, body any, status int) A {
	w.t.Helper()
	var into A
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	a := w.do(method, path, token, raw)
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &into); err != nil {
			w.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
	return into
}

func (w *world) want(what string, a answer, status int, kind protocol.Kind) {
	w.t.Helper()
	if a.status != status || kind != "" && a.kind() != kind {
		w.t.Errorf("%s: status %d, kind %q; want %d, %q (%s)", what, a.status, a.kind(), status, kind, a.body)
	}
}

func (w *world) invite() string {
	w.t.Helper()
	invite, err := w.people.Invite(ctx, "localhost", api.Pin{1}, protocol.Hash{2})
	if err != nil {
		w.t.Fatal(err)
	}
	return invite.URL()
}

// join opens an account with a password record that no password opens.
func (w *world) join(name string) *accountstest.Holder {
	w.t.Helper()
	h := accountstest.NewHolder(w.t)
	created := ask[api.Created](w, "POST", api.PathAccounts, "", w.create(h, w.invite(), name), 201)
	if created.Account != h.Account() {
		w.t.Fatalf("account %s, want %s", created.Account, h.Account())
	}
	return h
}

// signIn opens a session of a member by its key.
func (w *world) signIn(h *accountstest.Holder, member *keys.MemberSecrets) string {
	w.t.Helper()
	return ask[api.Session](w, "POST", api.PathSessions, "", w.claim(h, member), 200).Token
}

func (w *world) claim(h *accountstest.Holder, member *keys.MemberSecrets) api.SessionRequest {
	w.t.Helper()
	c := ask[api.Challenge](w, "POST", api.PathChallenges, "", api.ChallengeRequest{Account: h.Account(), Member: member.ID()}, 200)
	claim := api.SessionClaim{Server: "pin:00", Account: h.Account(), Member: member.ID(), Nonce: c.Nonce}
	return api.SessionRequest{Account: h.Account(), Member: member.ID(), Nonce: c.Nonce, Signature: claim.Sign(member.Signing)}
}

// grow appends to the ledger.
func (w *world) grow(h *accountstest.Holder, token string, request api.LedgerAppend) {
	w.t.Helper()
	head := ask[api.LedgerHead](w, "POST", api.PathLedger(h.Account()), token, request, 200)
	if head.Hash != h.State.Head().Hash {
		w.t.Fatalf("ledger head %d %s, want %s", head.Seq, head.Hash, h.State.Head().Hash)
	}
}

func vaultPath(h *accountstest.Holder, below string) string {
	return api.PathVault(h.Account(), h.Vault) + below
}

func (w *world) head(h *accountstest.Holder, token string) api.Head {
	w.t.Helper()
	return ask[api.Head](w, "GET", vaultPath(h, api.BelowHead), token, nil, 200)
}

// put sends a pack of these bytes.
func (w *world) put(h *accountstest.Holder, device *keys.MemberSecrets, token string, data []byte) (protocol.PackID, answer) {
	w.t.Helper()
	id, statement := h.Pack(device, data)
	body := append(api.AppendRecord(nil, statement), data...)
	return id, w.do("PUT", api.PathPack(h.Account(), h.Vault, id), token, body)
}

func (w *world) mustPut(h *accountstest.Holder, token string, data []byte) protocol.PackID {
	w.t.Helper()
	id, a := w.put(h, h.Owner, token, data)
	w.want("put pack", a, 201, "")
	return id
}

// recordsOf reads a body of records.
func recordsOf(t testing.TB, body []byte) [][]byte {
	t.Helper()
	var list [][]byte
	in := bytes.NewReader(body)
	for in.Len() > 0 {
		record, err := api.ReadRecord(in, api.MaxRecord)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record)
	}
	return list
}

func (w *world) wantSilentLog(secrets ...string) {
	w.t.Helper()
	text := w.log.String()
	for _, secret := range append(secrets, "127.0.0.1") {
		if strings.Contains(text, secret) {
			w.t.Errorf("the log holds %q:\n%s", secret, text)
		}
	}
}
