// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/provider/server"
)

func mustJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustUnmarshal(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

// endpoint is one path that takes a body.
type endpoint struct{ method, path string }

func jsonEndpoints(h *accountstest.Holder) (open, signed []endpoint) {
	id := api.PathEnrolment(protocol.RequestID{1})
	return []endpoint{
		{"POST", api.PathRegistrations},
		{"POST", api.PathAccounts},
		{"POST", api.PathLogins},
		{"POST", api.PathLogin(protocol.Hash{}.String())},
		{"POST", api.PathChallenges},
		{"POST", api.PathSessions},
	}, []endpoint{
		{"POST", api.PathEnrolments},
		{"PUT", id + "/challenge"},
		{"PUT", id + "/reveal"},
		{"PUT", id + "/outcome"},
		{"POST", api.PathLedger(h.Account())},
		{"POST", vaultPath(h, api.BelowStat)},
		{"POST", api.PathOwnAnchors(h.Account())},
		{"POST", api.PathAnchors},
		{"POST", vaultPath(h, api.BelowBlocks)},
	}
}

func rawEndpoints(h *accountstest.Holder) []endpoint {
	return []endpoint{
		{"POST", vaultPath(h, api.BelowSnapshots)},
		{"POST", vaultPath(h, api.BelowGenerations)},
		{"PUT", api.PathPack(h.Account(), h.Vault, protocol.PackID{1})},
	}
}

// TestGarbage sends what no client sends to everything that takes a body.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	open, signed := jsonEndpoints(h)
	bodies := map[string][]byte{
		"nothing":        nil,
		"noise":          accountstest.Random(1000),
		"cut":            []byte(`{"invite":"htt`),
		"array":          []byte(`[]`),
		"number":         []byte(`7`),
		"unknown field":  []byte(`{"surprise":1}`),
		"something else": []byte(`{} {}`),
		"wrong types":    []byte(`{"name":7,"account":[],"entries":"x","packs":{},"reads":3,"commitment":1,"challenge":2,"reveal":3,"approved":"no","ke3":1}`),
		"deep":           bytes.Repeat([]byte(`{"a":`), 50_000),
		"not UTF-8":      []byte("{\"name\":\"\xff\xfe\"}"),
	}
	for name, body := range bodies {
		for _, e := range append(open, signed...) {
			a := w.do(e.method, e.path, token, body)
			if a.status < 400 || a.status >= 500 || a.kind() == "unreadable" || a.kind() == protocol.KindInternal {
				t.Errorf("%s to %s %s: status %d: %s", name, e.method, e.path, a.status, a.body)
			}
		}
		for _, e := range rawEndpoints(h) {
			a := w.do(e.method, e.path, token, body)
			if a.status < 400 || a.status >= 500 || a.kind() == protocol.KindInternal {
				t.Errorf("%s to %s %s: status %d: %s", name, e.method, e.path, a.status, a.body)
			}
		}
	}
	w.wantUntouched(h, token)
}

// wantUntouched holds an account to what it was when it was opened.
func (w *world) wantUntouched(h *accountstest.Holder, token string) {
	w.t.Helper()
	account := ask[api.Account](w, "GET", api.PathAccount(h.Account()), token, nil, 200)
	page := ask[api.LedgerPage](w, "GET", api.PathLedger(h.Account()), token, nil, 200)
	if account.Used != 0 || account.Packs != 0 || len(page.Entries) != len(h.Entries) || w.head(h, token) != (api.Head{}) {
		w.t.Errorf("something changed: %+v, %d entries", account, len(page.Entries))
	}
}

// TestOversize sends bodies over every limit.
func TestOversize(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	open, signed := jsonEndpoints(h)
	large := append([]byte(`{"name":"`), bytes.Repeat([]byte("a"), api.MaxJSON)...)
	for _, e := range append(open, signed...) {
		if e.path == api.PathAccounts || strings.HasSuffix(e.path, "/ledger") || strings.HasSuffix(e.path, "/anchors") {
			continue // their limit is larger
		}
		a := w.do(e.method, e.path, token, large)
		w.want("oversize to "+e.path, a, 400, protocol.KindUsage)
	}
	w.want("oversize record", w.do("POST", vaultPath(h, api.BelowSnapshots), token, make([]byte, api.MaxRecord+1)), 400, protocol.KindUsage)
	pack := api.PathPack(h.Account(), h.Vault, protocol.PackID{1})
	w.want("oversize statement", w.do("PUT", pack, token, []byte("\x7f\xff\xff\xff")), 400, protocol.KindUsage)
	ids := make([]protocol.PackID, api.MaxStat+1)
	w.want("too many packs", answerOf(w, "POST", vaultPath(h, api.BelowStat), token, api.StatRequest{Packs: ids}), 400, protocol.KindUsage)
	reads := make([]api.Read, api.MaxReads+1)
	for i := range reads {
		reads[i].Length = api.BlockSize
	}
	w.want("too many reads", answerOf(w, "POST", vaultPath(h, api.BelowBlocks), token, api.BlocksRequest{Reads: reads}), 400, protocol.KindUsage)
	for i := range reads {
		reads[i].Length = 16 << 20
	}
	w.want("too many bytes", answerOf(w, "POST", vaultPath(h, api.BelowBlocks), token, api.BlocksRequest{Reads: reads[:65]}), 400, protocol.KindUsage)
	w.want("half a block", answerOf(w, "POST", vaultPath(h, api.BelowBlocks), token, api.BlocksRequest{Reads: []api.Read{{Length: 7}}}), 400, protocol.KindUsage)
	w.wantUntouched(h, token)
}

// TestPackBodies changes a right body in every wrong way.
func TestPackBodies(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	data := accountstest.Random(5000)
	id, statement := h.Pack(h.Owner, data)
	body := append(api.AppendRecord(nil, statement), data...)
	path := api.PathPack(h.Account(), h.Vault, id)
	changed := bytes.Clone(body)
	changed[len(changed)-1] ^= 1
	signature := bytes.Clone(body)
	signature[4+len(statement)-1] ^= 1
	other, _ := h.Pack(h.Owner, []byte("other"))
	for name, c := range map[string]struct {
		path   string
		body   []byte
		status int
		kind   protocol.Kind
	}{
		"cut in the length":    {path, body[:3], 400, protocol.KindUsage},
		"cut in the statement": {path, body[:100], 400, protocol.KindUsage},
		"cut in the pack":      {path, body[:len(body)-1], 400, protocol.KindUsage},
		"a byte more":          {path, append(bytes.Clone(body), 0), 400, protocol.KindUsage},
		"a bit changed":        {path, changed, 422, protocol.KindUntrusted},
		"signature changed":    {path, signature, 422, protocol.KindUntrusted},
		"another pack's name":  {api.PathPack(h.Account(), h.Vault, other), body, 400, protocol.KindUsage},
		"another vault":        {api.PathPack(h.Account(), protocol.VaultID{1}, id), body, 404, protocol.KindNotFound},
	} {
		w.want(name, w.do("PUT", c.path, token, c.body), c.status, c.kind)
	}
	w.wantUntouched(h, token)
	w.want("the right body", w.do("PUT", path, token, body), 201, "")
}

// TestTokens: nothing is answered without the right one.
func TestTokens(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	token := w.signIn(anna, anna.Owner)
	_, signed := jsonEndpoints(anna)
	for _, e := range append(append(signed, rawEndpoints(anna)...), endpoint{"GET", vaultPath(anna, api.BelowHead)}, endpoint{"GET", vaultPath(anna, api.BelowPacks)}) {
		for _, wrong := range []string{"", "x", token[:len(token)-1], token + "A", strings.Repeat("A", len(token))} {
			w.want(e.path+" with token "+wrong, w.do(e.method, e.path, wrong, nil), 401, protocol.KindDenied)
		}
	}
	berts := w.signIn(bert, bert.Owner)
	for _, below := range []string{"", "/ledger", "/vaults/" + anna.Vault.String() + "/head"} {
		w.want("a foreign account", w.do("GET", api.PathAccount(anna.Account())+below, berts, nil), 403, protocol.KindDenied)
	}
	w.want("a foreign vault under one's own account", w.do("GET", api.PathVault(bert.Account(), anna.Vault)+"/head", berts, nil), 404, protocol.KindNotFound)
	w.pass(25 * time.Hour)
	w.want("a session of yesterday", w.do("GET", vaultPath(anna, api.BelowHead), token, nil), 401, protocol.KindDenied)
}

// TestSessions: a challenge is good once, for whom and where it was given.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	good := w.claim(anna, anna.Owner)
	ask[api.Session](w, "POST", api.PathSessions, "", good, 200)
	w.want("a challenge twice", answerOf(w, "POST", api.PathSessions, "", good), 403, protocol.KindDenied)
	cases := map[string]struct {
		change func(*api.SessionRequest)
		status int
		kind   protocol.Kind
	}{
		"nonce changed":        {func(r *api.SessionRequest) { r.Nonce[20] ^= 1 }, 403, protocol.KindDenied},
		"expiry changed":       {func(r *api.SessionRequest) { r.Nonce[0] ^= 1 }, 403, protocol.KindDenied},
		"another member":       {func(r *api.SessionRequest) { r.Member = anna.Recovery.ID() }, 403, protocol.KindDenied},
		"another account":      {func(r *api.SessionRequest) { r.Account = bert.Account() }, 403, protocol.KindDenied},
		"signature changed":    {func(r *api.SessionRequest) { r.Signature[9] ^= 1 }, 422, protocol.KindUntrusted},
		"no signature":         {func(r *api.SessionRequest) { r.Signature = nil }, 422, protocol.KindUntrusted},
		"signed for elsewhere": {func(r *api.SessionRequest) { r.Signature = signFor("pin:01", *r, anna) }, 422, protocol.KindUntrusted},
	}
	for name, c := range cases {
		claim := w.claim(anna, anna.Owner)
		c.change(&claim)
		w.want(name, answerOf(w, "POST", api.PathSessions, "", claim), c.status, c.kind)
	}
	stranger := accountstest.NewHolder(t)
	w.want("an unknown account", answerOf(w, "POST", api.PathSessions, "", w.claim(stranger, stranger.Owner)), 404, protocol.KindNotFound)
	w.want("a member of another account", answerOf(w, "POST", api.PathSessions, "", w.claim(anna, bert.Owner)), 403, protocol.KindDenied)
	late := w.claim(anna, anna.Owner)
	w.pass(6 * time.Minute)
	w.want("a late answer", answerOf(w, "POST", api.PathSessions, "", late), 403, protocol.KindDenied)
	ask[api.Session](w, "POST", api.PathSessions, "", w.claim(anna, anna.Recovery), 200)
}

func signFor(server string, r api.SessionRequest, h *accountstest.Holder) []byte {
	return api.SessionClaim{Server: server, Account: r.Account, Member: r.Member, Nonce: r.Nonce}.Sign(h.Owner.Signing)
}

// TestPathTricks: what is no plain path reaches nothing.
func TestPathTricks(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	account := h.Account().String()
	for _, path := range []string{
		"/", "/v1", "/v2/server", "/v1/server/", "/v1/accounts/" + account + "/", "/v1/accounts/" + strings.ToUpper(account),
		"/v1/accounts/../server", "/v1/accounts/" + account + "/vaults/../ledger", "/v1//server", "/v1/accounts/%2e%2e/server",
		"/v1/accounts/" + account + "%2fledger", "/v1/accounts/" + account + "/vaults/%2e%2e/head", "/v1/recovery/../../etc/passwd",
		vaultPath(h, "/packs/../head"), vaultPath(h, "/head%00"), "/v1/enrolments/%00", "/i/a/b", "/..", "/metrics", "/health", "/debug/pprof/",
	} {
		a := w.do("GET", path, token, nil)
		if a.status < 300 || a.status >= 500 {
			t.Errorf("%s: status %d: %.100s", path, a.status, a.body)
		}
	}
	for _, e := range []endpoint{{"DELETE", api.PathAccount(h.Account())}, {"PUT", api.PathServer}, {"PATCH", vaultPath(h, api.BelowHead)}, {"TRACE", "/v1/server"}} {
		w.want(e.method+" "+e.path, w.do(e.method, e.path, token, nil), 404, protocol.KindNotFound)
	}
	for _, query := range []string{"?from=-1", "?from=x", "?from=99999999999999999999", "?from=1e3"} {
		w.want(query, w.do("GET", api.PathLedger(h.Account())+query, token, nil), 400, protocol.KindUsage)
	}
	if page := ask[api.LedgerPage](w, "GET", api.PathLedger(h.Account())+"?from=9223372036854775807", token, nil, 200); len(page.Entries) != 0 {
		t.Error("entries behind the end")
	}
	w.wantUntouched(h, token)
}

// TestRecordsOfOthers: a signature of the wrong hand, place or time.
func TestRecordsOfOthers(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	token := w.signIn(anna, anna.Owner)
	id := w.mustPut(anna, token, []byte("a pack"))
	post := func(below string, raw []byte) answer { return w.do("POST", vaultPath(anna, below), token, raw) }
	w.want("another account's record", post(api.BelowSnapshots, bert.Run(bert.Owner, api.Head{})), 400, protocol.KindUsage)
	w.want("signed by a stranger", post(api.BelowSnapshots, anna.Run(bert.Owner, api.Head{})), 403, protocol.KindDenied)
	w.want("signed by the recovery key", post(api.BelowSnapshots, anna.Run(anna.Recovery, api.Head{})), 403, protocol.KindDenied)
	w.want("a list of what is not there", post(api.BelowSnapshots, anna.List(anna.Owner, api.Head{}, protocol.Hash{7})), 422, protocol.KindUntrusted)
	w.want("a gap", post(api.BelowSnapshots, anna.Run(anna.Owner, api.Head{Seq: 5, Hash: protocol.Hash{1}})), 409, protocol.KindConflict)
	w.want("retired by a stranger", post(api.BelowGenerations, anna.Generation(bert.Owner, api.Head{}, snapshot.PruneRetire, id)), 403, protocol.KindDenied)
	w.want("revived without retirement", post(api.BelowGenerations, anna.Generation(anna.Owner, api.Head{}, snapshot.PruneRevive, id)), 400, protocol.KindUsage)
	w.want("dropped without retirement", post(api.BelowGenerations, anna.Generation(anna.Owner, api.Head{}, snapshot.PruneDrop, id)), 400, protocol.KindUsage)
	w.want("retired and never stored", post(api.BelowGenerations, anna.Generation(anna.Owner, api.Head{}, snapshot.PruneRetire, id, protocol.PackID{1})), 404, protocol.KindNotFound)
	w.wantStates(anna, token, []protocol.PackID{id}, api.PackStored)
	forged := anna.Run(anna.Owner, api.Head{})
	forged[len(forged)-1] ^= 1
	w.want("a signature changed", post(api.BelowSnapshots, forged), 422, protocol.KindUntrusted)
	if head := w.head(anna, token); head != (api.Head{}) {
		t.Errorf("head moved: %+v", head)
	}
	head := readHead(t, post(api.BelowSnapshots, anna.Run(anna.Owner, api.Head{})))
	readHead(t, post(api.BelowSnapshots, anna.List(anna.Owner, head, head.Hash)))
}

// TestInvites: each wrong one has its own words.
func TestInvites(t *testing.T) {
	w := newWorld(t)
	invite := w.invite()
	h := accountstest.NewHolder(t)
	request := w.create(h, invite, "anna")
	ask[api.Created](w, "POST", api.PathAccounts, "", request, 201)
	create := func(invite, name string) answer {
		return answerOf(w, "POST", api.PathAccounts, "", w.create(accountstest.NewHolder(t), invite, name))
	}
	unknown := api.GenerateInvite("localhost", api.Pin{1}, protocol.Hash{2}).URL()
	w.want("used", create(invite, "bert"), 403, protocol.KindDenied)
	w.want("unknown", create(unknown, "bert"), 401, protocol.KindWrongSecret)
	w.want("altered", create(invite[:len(invite)-1]+"7", "bert"), 400, protocol.KindUsage)
	w.want("a taken name", create(w.invite(), "ANNA"), 409, protocol.KindExists)
	w.want("an impossible name", create(w.invite(), "an na"), 400, protocol.KindUsage)
	w.want("registration with a used one", answerOf(w, "POST", api.PathRegistrations, "", api.RegistrationRequest{Invite: invite, Name: "bert"}), 403, protocol.KindDenied)
	other := request
	other.Name = "cleo"
	w.want("another name than its update", answerOf(w, "POST", api.PathAccounts, "", other), 422, protocol.KindUntrusted)
	other = request
	other.Record = accountstest.AnyRecord(t)
	w.want("the request id with another password", answerOf(w, "POST", api.PathAccounts, "", other), 409, protocol.KindExists)
	good := w.invite()
	w.want("a failed attempt", create(good, "anna"), 409, protocol.KindExists)
	w.want("does not use it up", create(good, "bert"), 201, "")
	code := invite[strings.LastIndex(invite, "/")+1:]
	page := w.do("GET", "/i/"+code, "", nil)
	if page.status != 200 || bytes.Contains(page.body, []byte(code)) || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("invite page: %d %v", page.status, page.header)
	}
	w.wantSilentLog(code)
}

// TestGuessing: wrong passwords and unknown names are answered alike, counted,
// and refused after the limit, for an hour.
func TestGuessing(t *testing.T) {
	w := newWorld(t)
	w.join("anna")
	for _, name := range []string{"anna", "nobody"} {
		for i := range 10 {
			a := answerOf(w, "POST", api.PathLogins, "", api.LoginRequest{Name: name, KE1: accountstest.KE1(t)})
			if a.status != 200 {
				t.Fatalf("attempt %d at %s: status %d: %s", i, name, a.status, a.body)
			}
			var response api.LoginResponse
			mustUnmarshal(t, a.body, &response)
			wrong := answerOf(w, "POST", api.PathLogin(response.Login), "", api.LoginFinish{KE3: make([]byte, 64)})
			w.want("a wrong password", wrong, 401, protocol.KindWrongSecret)
		}
		a := answerOf(w, "POST", api.PathLogins, "", api.LoginRequest{Name: strings.ToUpper(name), KE1: accountstest.KE1(t)})
		w.want("the eleventh attempt", a, 429, protocol.KindTooMany)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	w.pass(time.Hour)
	ask[api.LoginResponse](w, "POST", api.PathLogins, "", api.LoginRequest{Name: "anna", KE1: accountstest.KE1(t)}, 200)
}

// TestHardened: limits of time and size are set, and nothing is answered
// without TLS.
func TestHardened(t *testing.T) {
	w := newWorld(t)
	config := w.http.Config
	if config.ReadHeaderTimeout <= 0 || config.IdleTimeout <= 0 || config.MaxHeaderBytes <= 0 || config.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits are not set: %+v", config)
	}
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n")
	answer := make([]byte, 200)
	n, _ := conn.Read(answer)
	if strings.Contains(string(answer[:n]), "solekeyd") {
		t.Error("answers without TLS")
	}
}

// TestStoppingEndsWaits: a long poll does not hold a shutdown up.
func TestStoppingEndsWaits(t *testing.T) {
	w := newWorld(t)
	record, err := accountstest.Register(t, "pw", func(request []byte) ([]byte, error) {
		return ask[api.RegistrationResponse](w, "POST", api.PathRegistrations, "", api.RegistrationRequest{Invite: w.invite(), Name: "bert", Request: request}, 200).Response, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bert := accountstest.NewHolder(t)
	create := w.create(bert, w.invite(), "bert")
	create.Record = record
	ask[api.Created](w, "POST", api.PathAccounts, "", create, 201)
	token := w.login("bert", "pw")
	id := accountstest.RequestID()
	ask[api.Enrolment](w, "POST", api.PathEnrolments, token, api.EnrolmentRequest{RequestID: id, Commitment: []byte("c")}, 201)
	done := make(chan api.Enrolment)
	go func() {
		done <- ask[api.Enrolment](w, "GET", api.PathEnrolment(id)+"?wait=55&seen=waiting", token, nil, 200)
	}()
	w.stop()
	if e := <-done; e.State != api.EnrolmentWaiting {
		t.Errorf("state %q", e.State)
	}
}

func TestInfoAndMetrics(t *testing.T) {
	w := newWorld(t)
	info := ask[api.Server](w, "GET", api.PathServer, "", nil, 200)
	if info.Program != "solekeyd" || info.MaxPack != api.MaxPack || len(info.OpaqueServerPublic) != 32 {
		t.Errorf("info: %+v", info)
	}
	if !strings.Contains(w.log.String(), `route="GET /v1/server"`) {
		t.Errorf("log: %s", w.log)
	}
	recorder := httptest.NewRecorder()
	w.metrics().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	text := recorder.Body.String()
	for _, line := range []string{"solekeyd_accounts 0\n", "solekeyd_log_entries 2\n", "solekeyd_log_refused 0\n", "solekeyd_log_published_entries{world="} {
		if !strings.Contains(text, line) {
			t.Errorf("metrics have no %q: %s", line, text)
		}
	}
}

// TestLogMetrics: several keys of one witness are one sample, as the format demands.
func TestLogMetrics(t *testing.T) {
	none := func(context.Context) (int64, int64, int64, error) { return 0, 0, 0, nil }
	status := func(context.Context) (sequencer.Status, error) {
		return sequencer.Status{Refusal: "x", Witnesses: []sequencer.WitnessStatus{{Name: "w", URL: "u", Size: 3}, {Name: "w", URL: "u", Size: 2}, {Name: "v", URL: "u", Size: 1}}}, nil
	}
	recorder := httptest.NewRecorder()
	server.NewMetrics(none, status).Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	text := recorder.Body.String()
	if !strings.Contains(text, "solekeyd_witness_entries{witness=\"v\",url=\"u\"} 1\nsolekeyd_witness_entries{witness=\"w\",url=\"u\"} 3\n") || strings.Count(text, "witness=") != 2 || !strings.Contains(text, "solekeyd_log_refused 1\n") {
		t.Errorf("metrics: %s", text)
	}
}

// FuzzBodies sends bytes to every endpoint that takes a body: a refusal, never
// a fault.
func FuzzBodies(f *testing.F) {
	w := newWorld(f)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	open, signed := jsonEndpoints(h)
	all := append(append(open, signed...), rawEndpoints(h)...)
	f.Add(0, []byte(`{"invite":"https://h/i/a","name":"x","request":"AA=="}`))
	f.Add(2, []byte(`{"name":"anna","ke1":"AAAA"}`))
	f.Add(len(all)-3, h.Run(h.Recovery, api.Head{}))
	f.Add(len(all)-2, h.Generation(h.Recovery, api.Head{}, snapshot.PruneRetire, protocol.PackID{1}))
	f.Add(len(all)-1, api.AppendRecord(nil, []byte("statement")))
	f.Fuzz(func(t *testing.T, at int, body []byte) {
		e := all[max(at, -at-1)%len(all)]
		request := httptest.NewRequest(e.method, e.path, bytes.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		w.http.Config.Handler.ServeHTTP(recorder, request)
		if recorder.Code >= 500 && recorder.Code != 507 {
			t.Fatalf("%s %s: status %d: %s", e.method, e.path, recorder.Code, recorder.Body)
		}
	})
}
