// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

// TestFromInviteToSecondDevice is the whole way: an account by invite and
// password, a second device by password and enrolment.
func TestFromInviteToSecondDevice(t *testing.T) {
	w := newWorld(t)
	h := accountstest.NewHolder(t)
	invite := w.invite()
	record, err := accountstest.Register(t, "correct horse", func(request []byte) ([]byte, error) {
		return ask[api.RegistrationResponse](w, "POST", api.PathRegistrations, "", api.RegistrationRequest{Invite: invite, Name: "Anna", Request: request}, 200).Response, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	create := w.create(h, invite, "ANNA")
	create.Record = record
	for range 2 { // the second time as after a lost answer
		ask[api.Created](w, "POST", api.PathAccounts, "", create, 201)
	}
	owner := w.signIn(h, h.Owner)
	account := ask[api.Account](w, "GET", api.PathAccount(h.Account()), owner, nil, 200)
	if account.Name != "anna" || account.Used != 0 || account.Suspended {
		t.Errorf("account: %+v", account)
	}

	newcomer := w.login("anna", "correct horse")
	page := ask[api.LedgerPage](w, "GET", api.PathLedger(h.Account()), newcomer, nil, 200)
	if len(page.Entries) != len(h.Entries) || len(page.Objects) != len(h.Objects) || page.More {
		t.Errorf("ledger page: %d entries, %d objects", len(page.Entries), len(page.Objects))
	}
	w.want("account by password alone", w.do("GET", api.PathAccount(h.Account()), newcomer, nil), 403, protocol.KindDenied)
	w.want("head by password alone", w.do("GET", vaultPath(h, api.BelowHead), newcomer, nil), 403, protocol.KindDenied)
	w.want("append by password alone", w.do("POST", api.PathLedger(h.Account()), newcomer, []byte(`{}`)), 403, protocol.KindDenied)
	w.enrol(h, newcomer, owner)

	box := w.do("GET", api.PathRecoveryBox(create.Recovery[0].Locator), "", nil)
	if box.status != 200 || !bytes.Equal(box.body, create.Recovery[0].Box) {
		t.Errorf("recovery box: status %d", box.status)
	}
	w.want("unknown locator", w.do("GET", api.PathRecoveryBox(protocol.Hash{1}), "", nil), 404, protocol.KindNotFound)
	ask[struct{}](w, "DELETE", api.PathCurrentSession, owner, nil, 204)
	w.want("a closed session", w.do("GET", api.PathAccount(h.Account()), owner, nil), 401, protocol.KindDenied)
	w.wantSilentLog(invite, owner, newcomer, "anna", h.Account().String())
}

// login signs in by password.
func (w *world) login(name, password string) string {
	w.t.Helper()
	var login string
	ke3, err := accountstest.Login(w.t, password, func(ke1 []byte) ([]byte, error) {
		answer := ask[api.LoginResponse](w, "POST", api.PathLogins, "", api.LoginRequest{Name: name, KE1: ke1}, 200)
		login = answer.Login
		return answer.KE2, nil
	})
	if err != nil {
		w.t.Fatalf("login: %v", err)
	}
	session := ask[api.Session](w, "POST", api.PathLogin(login), "", api.LoginFinish{KE3: ke3}, 200)
	if session.Scope != api.ScopeEnrol {
		w.t.Errorf("scope %q", session.Scope)
	}
	w.want("the same login again", w.do("POST", api.PathLogin(login), "", []byte(`{"ke3":""}`)), 401, protocol.KindWrongSecret)
	return session.Token
}

// enrol takes an enrolment through all its states, with the long poll of the
// new device waiting for each.
func (w *world) enrol(h *accountstest.Holder, newcomer, owner string) {
	w.t.Helper()
	id := accountstest.RequestID()
	begin := api.EnrolmentRequest{RequestID: id, Commitment: []byte("commitment")}
	for range 2 {
		ask[api.Enrolment](w, "POST", api.PathEnrolments, newcomer, begin, 201)
	}
	other := begin
	other.Commitment = []byte("other")
	w.want("request id again", answerOf(w, "POST", api.PathEnrolments, newcomer, other), 409, protocol.KindExists)
	list := ask[[]api.Enrolment](w, "GET", api.PathEnrolments, owner, nil, 200)
	if len(list) != 1 || list[0].Enrolment != id || string(list[0].Commitment) != "commitment" {
		w.t.Fatalf("open enrolments: %+v", list)
	}
	seen := make(chan api.Enrolment)
	path := api.PathEnrolment(id)
	wait := func(state api.EnrolmentState) {
		go func() {
			seen <- ask[api.Enrolment](w, "GET", fmt.Sprintf("%s?wait=55&seen=%s", path, state), newcomer, nil, 200)
		}()
	}
	reveal := api.EnrolmentReveal{Reveal: []byte("reveal")}
	w.want("reveal before the challenge", answerOf(w, "PUT", path+"/reveal", newcomer, reveal), 409, protocol.KindConflict)
	w.want("approve before the reveal", answerOf(w, "PUT", path+"/outcome", owner, api.EnrolmentOutcome{Approved: true}), 409, protocol.KindConflict)
	wait(api.EnrolmentWaiting)
	ask[struct{}](w, "PUT", path+"/challenge", owner, api.EnrolmentChallenge{Challenge: []byte("challenge")}, 204)
	if e := <-seen; e.State != api.EnrolmentChallenged || *e.Approver != h.Owner.ID() || string(e.Challenge) != "challenge" {
		w.t.Fatalf("after the challenge: %+v", e)
	}
	w.want("another challenge", answerOf(w, "PUT", path+"/challenge", owner, api.EnrolmentChallenge{Challenge: []byte("2")}), 409, protocol.KindConflict)
	for range 2 {
		ask[struct{}](w, "PUT", path+"/reveal", newcomer, reveal, 204)
	}
	w.want("another reveal", answerOf(w, "PUT", path+"/reveal", newcomer, api.EnrolmentReveal{Reveal: []byte("2")}), 409, protocol.KindConflict)
	wait(api.EnrolmentRevealed)
	ask[struct{}](w, "PUT", path+"/outcome", owner, api.EnrolmentOutcome{Approved: true, Confirmation: []byte("yes")}, 204)
	if e := <-seen; e.State != api.EnrolmentApproved || string(e.Confirmation) != "yes" {
		w.t.Fatalf("after the outcome: %+v", e)
	}
	w.want("denied after approval", answerOf(w, "PUT", path+"/outcome", owner, api.EnrolmentOutcome{}), 409, protocol.KindConflict)
}

func answerOf(w *world, method, path, token string, body any) answer {
	w.t.Helper()
	return w.do(method, path, token, mustJSON(w.t, body))
}

// TestBackupAndPrune stores, reads back, retires, revives and drops.
func TestBackupAndPrune(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	if head := w.head(h, token); head != (api.Head{}) {
		t.Fatalf("head of an empty vault: %+v", head)
	}
	one, two := accountstest.Random(300_000), accountstest.Random(1000)
	first, second := w.mustPut(h, token, one), w.mustPut(h, token, two)
	_, again := w.put(h, h.Owner, token, one)
	w.want("the same pack again", again, 200, "")
	record := h.Run(h.Owner, api.Head{})
	var head api.Head
	for range 2 {
		head = readHead(t, w.do("POST", vaultPath(h, api.BelowSnapshots), token, record))
	}
	if head.Seq != 1 || head.Hash != snapshot.HashOf(record) {
		t.Fatalf("head: %+v", head)
	}
	if list := recordsOf(t, w.do("GET", vaultPath(h, api.BelowSnapshots), token, nil).body); len(list) != 1 || !bytes.Equal(list[0], record) {
		t.Fatalf("%d snapshots", len(list))
	}
	lost := w.do("POST", vaultPath(h, api.BelowSnapshots), token, h.Run(h.Owner, api.Head{}))
	w.want("a lost compare-and-swap", lost, 409, protocol.KindConflict)
	if !bytes.Contains(lost.body, []byte(head.Hash.String())) {
		t.Errorf("a lost compare-and-swap does not tell the head: %s", lost.body)
	}

	w.wantBlocks(h, token, first, one)
	head = w.prune(h, token, head, snapshot.PruneRetire, first)
	_, retired := w.put(h, h.Owner, token, one)
	w.want("a retired pack again", retired, 409, protocol.KindConflict)
	w.wantStates(h, token, []protocol.PackID{first, second, {1}}, api.PackRetired, api.PackStored, api.PackAbsent)
	stale := h.Run(h.Owner, api.Head{Seq: head.Seq, Hash: head.Hash})
	w.want("a commit of the generation before", w.do("POST", vaultPath(h, api.BelowSnapshots), token, stale), 409, protocol.KindConflict)
	early := h.Generation(h.Owner, head, snapshot.PruneDrop, first)
	w.want("a drop too early", w.do("POST", vaultPath(h, api.BelowGenerations), token, early), 403, protocol.KindDenied)
	head = w.prune(h, token, head, snapshot.PruneRevive, first)
	head = w.prune(h, token, head, snapshot.PruneRetire, first)
	w.pass(retention + time.Second)
	token = w.signIn(h, h.Owner)
	head = w.prune(h, token, head, snapshot.PruneDrop, first)
	w.wantStates(h, token, []protocol.PackID{first, second}, api.PackDropped, api.PackStored)
	_, dropped := w.put(h, h.Owner, token, one)
	w.want("a dropped pack again", dropped, 409, protocol.KindConflict)
	if list := recordsOf(t, w.do("GET", vaultPath(h, api.BelowPacks), token, nil).body); len(list) != 1 {
		t.Errorf("%d packs are listed, want 1", len(list))
	}
	if list := recordsOf(t, w.do("GET", vaultPath(h, api.BelowGenerations)+"?from=2", token, nil).body); len(list) != 3 {
		t.Errorf("%d generations from 2 on, want 3", len(list))
	}
	account := ask[api.Account](w, "GET", api.PathAccount(h.Account()), token, nil, 200)
	if account.Packs != 1 || account.Used != int64(len(two)+len(record)) {
		t.Errorf("counted: %+v", account)
	}
	if head.Generation != 4 {
		t.Errorf("generation %d, want 4", head.Generation)
	}
}

func readHead(t testing.TB, a answer) api.Head {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var head api.Head
	mustUnmarshal(t, a.body, &head)
	return head
}

func (w *world) prune(h *accountstest.Holder, token string, head api.Head, act snapshot.PruneAct, packs ...protocol.PackID) api.Head {
	w.t.Helper()
	raw := h.Generation(h.Owner, head, act, packs...)
	for range 2 {
		head = readHead(w.t, w.do("POST", vaultPath(h, api.BelowGenerations), token, raw))
	}
	return head
}

func (w *world) wantStates(h *accountstest.Holder, token string, packs []protocol.PackID, want ...api.PackState) {
	w.t.Helper()
	got := ask[api.StatResponse](w, "POST", vaultPath(h, api.BelowStat), token, api.StatRequest{Packs: packs}, 200)
	if fmt.Sprint(got.States) != fmt.Sprint(want) {
		w.t.Errorf("states %v, want %v", got.States, want)
	}
}

// wantBlocks reads a pack of three blocks in pieces, beside one that is absent.
func (w *world) wantBlocks(h *accountstest.Holder, token string, pack protocol.PackID, data []byte) {
	w.t.Helper()
	const b = api.BlockSize
	reads := []api.Read{{Pack: pack, Offset: b, Length: b}, {Pack: protocol.PackID{9}, Length: b}, {Pack: pack, Length: 4 * b}, {Pack: pack, Offset: 8 * b, Length: b}}
	a := answerOf(w, "POST", vaultPath(h, api.BelowBlocks), token, api.BlocksRequest{Reads: reads})
	if a.status != 200 {
		w.t.Fatalf("blocks: status %d: %s", a.status, a.body)
	}
	in := bytes.NewReader(a.body)
	for i, want := range []struct {
		status api.BlockStatus
		data   []byte
	}{{api.BlockOK, data[b : 2*b]}, {api.BlockAbsent, nil}, {api.BlockOK, data}, {api.BlockOK, nil}} {
		head, err := api.ReadBlockHead(in)
		if err != nil || head.Status != want.status || head.Length != int64(len(want.data)) {
			w.t.Fatalf("read %d: %+v, %v", i, head, err)
		}
		got := make([]byte, head.Length)
		if _, err := in.Read(got); len(got) > 0 && err != nil || !bytes.Equal(got, want.data) {
			w.t.Fatalf("read %d: other bytes, %v", i, err)
		}
	}
	if in.Len() != 0 {
		w.t.Errorf("%d bytes follow the last read", in.Len())
	}
}

// TestWriterDevice adds and reads nothing back.
func TestWriterDevice(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	owner := w.signIn(h, h.Owner)
	ownersPack := w.mustPut(h, owner, []byte("of the owner"))
	writer, request := h.AddWriter()
	w.grow(h, owner, request)
	token := w.signIn(h, writer)

	id, a := w.put(h, writer, token, []byte("of the writer"))
	w.want("put", a, 201, "")
	w.wantStates(h, token, []protocol.PackID{id, ownersPack}, api.PackStored, api.PackAbsent)
	head := readHead(t, w.do("POST", vaultPath(h, api.BelowSnapshots), token, h.Run(writer, api.Head{})))
	if got := w.head(h, token); got != head {
		t.Errorf("head %+v, want %+v", got, head)
	}
	account := api.PathAccount(h.Account())
	block := mustJSON(t, api.BlocksRequest{Reads: []api.Read{{Pack: id, Length: api.BlockSize}}})
	for _, c := range []struct {
		method, path string
		body         []byte
	}{
		{"GET", vaultPath(h, api.BelowSnapshots), nil},
		{"GET", vaultPath(h, api.BelowGenerations), nil},
		{"GET", vaultPath(h, api.BelowPacks), nil},
		{"POST", vaultPath(h, api.BelowBlocks), block},
		{"POST", vaultPath(h, api.BelowGenerations), h.Generation(writer, head, snapshot.PruneRetire, id)},
		{"POST", vaultPath(h, api.BelowSnapshots), h.List(writer, head)},
		{"POST", account + "/ledger", mustJSON(t, request)},
		{"GET", api.PathEnrolments, nil},
	} {
		w.want(c.method+" "+c.path, w.do(c.method, c.path, token, c.body), 403, protocol.KindDenied)
	}
	_, forged := w.put(h, h.Owner, token, []byte("signed by another device"))
	w.want("another device's pack", forged, 403, protocol.KindDenied)

	vault, request := h.CreateVault()
	w.grow(h, owner, request)
	w.want("a vault it was not granted", w.do("GET", api.PathVault(h.Account(), vault)+api.BelowHead, token, nil), 403, protocol.KindDenied)

	w.grow(h, owner, h.Remove(writer.ID(), head))
	w.want("after its removal", w.do("GET", vaultPath(h, api.BelowHead), token, nil), 403, protocol.KindRemoved)
	w.want("a new session after its removal", answerOf(w, "POST", api.PathSessions, "", w.claim(h, writer)), 403, protocol.KindRemoved)
}

// TestRemovedOwner: new keys follow, and what was sealed for the old is refused.
func TestRemovedOwner(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	second, request := h.AddOwner()
	w.grow(h, token, request)
	data := []byte("sealed for the old epoch")
	id, statement := h.Pack(h.Owner, data)
	old := h.Run(h.Owner, api.Head{})
	stolen := w.signIn(h, second)
	w.grow(h, token, h.Remove(second.ID(), api.Head{}))
	body := append(api.AppendRecord(nil, statement), data...)
	w.want("a pack of the old epoch", w.do("PUT", api.PathPack(h.Account(), h.Vault, id), token, body), 409, protocol.KindConflict)
	w.want("a record of the old epoch", w.do("POST", vaultPath(h, api.BelowSnapshots), token, old), 409, protocol.KindConflict)
	w.want("the removed device", w.do("GET", vaultPath(h, api.BelowHead), stolen, nil), 403, protocol.KindRemoved)
	w.mustPut(h, token, []byte("sealed for the new epoch"))
}

// TestLedgerAppend: what does not extend the ledger validly changes nothing.
func TestLedgerAppend(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	path := api.PathLedger(h.Account())
	_, request := h.AddWriter()
	cases := map[string]struct {
		change func(*api.LedgerAppend)
		status int
		kind   protocol.Kind
	}{
		"no request id":     {func(r *api.LedgerAppend) { r.RequestID = protocol.RequestID{} }, 400, protocol.KindUsage},
		"no entries":        {func(r *api.LedgerAppend) { r.Entries = nil }, 400, protocol.KindUsage},
		"another head":      {func(r *api.LedgerAppend) { r.Prev[0]++ }, 409, protocol.KindConflict},
		"another seq":       {func(r *api.LedgerAppend) { r.Seq++ }, 409, protocol.KindConflict},
		"an object less":    {func(r *api.LedgerAppend) { r.Objects = nil }, 422, protocol.KindUntrusted},
		"an object more":    {func(r *api.LedgerAppend) { r.Objects = append(r.Objects, []byte("x")) }, 422, protocol.KindUntrusted},
		"an object changed": {func(r *api.LedgerAppend) { r.Objects = [][]byte{[]byte("x")} }, 422, protocol.KindUntrusted},
		"an entry less":     {func(r *api.LedgerAppend) { r.Entries = r.Entries[1:] }, 422, protocol.KindUntrusted},
		"no entry":          {func(r *api.LedgerAppend) { r.Entries = [][]byte{[]byte("garbage")} }, 422, protocol.KindUntrusted},
		"a locator twice": {func(r *api.LedgerAppend) {
			box := api.RecoveryBox{Locator: protocol.Hash{1}, Box: []byte("x")}
			r.Recovery = []api.RecoveryBox{box, box}
		}, 400, protocol.KindUsage},
	}
	for name, c := range cases {
		changed := request
		changed.Entries, changed.Objects = append([][]byte{}, request.Entries...), append([][]byte{}, request.Objects...)
		c.change(&changed)
		w.want(name, answerOf(w, "POST", path, token, changed), c.status, c.kind)
	}
	if page := ask[api.LedgerPage](w, "GET", path, token, nil, 200); len(page.Entries) != len(h.Entries)-2 {
		t.Fatalf("a refused batch changed the ledger: %d entries", len(page.Entries))
	}
	for range 2 {
		w.grow(h, token, request)
	}
	again := request
	again.RequestID = accountstest.RequestID()
	w.grow(h, token, again) // the same entries under another id: they are there
	if page := ask[api.LedgerPage](w, "GET", path+"?from=3", token, nil, 200); len(page.Entries) != len(h.Entries)-3 {
		t.Errorf("%d entries from 3 on", len(page.Entries))
	}
}

// TestQuotaAndSuspension: reading stays.
func TestQuotaAndSuspension(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	if err := w.people.SetQuota(ctx, h.Account(), 1000); err != nil {
		t.Fatal(err)
	}
	id := w.mustPut(h, token, accountstest.Random(900))
	_, a := w.put(h, h.Owner, token, accountstest.Random(101))
	w.want("beyond the quota", a, 507, protocol.KindQuota)
	w.want("a run beyond the quota", w.do("POST", vaultPath(h, api.BelowSnapshots), token, h.Run(h.Owner, api.Head{})), 507, protocol.KindQuota)
	readHead(t, w.do("POST", vaultPath(h, api.BelowGenerations), token, h.Generation(h.Owner, api.Head{}, snapshot.PruneRetire, id)))
	if err := w.people.SetQuota(ctx, h.Account(), 0); err != nil {
		t.Fatal(err)
	}
	w.mustPut(h, token, accountstest.Random(101))
	if err := w.people.Suspend(ctx, h.Account(), true); err != nil {
		t.Fatal(err)
	}
	_, a = w.put(h, h.Owner, token, []byte("x"))
	w.want("a pack of a suspended account", a, 403, protocol.KindDenied)
	_, request := h.AddWriter()
	w.want("a ledger of a suspended account", answerOf(w, "POST", api.PathLedger(h.Account()), token, request), 403, protocol.KindDenied)
	if account := ask[api.Account](w, "GET", api.PathAccount(h.Account()), token, nil, 200); !account.Suspended {
		t.Error("the holder does not see the suspension")
	}
	w.want("reading a suspended account", w.do("GET", vaultPath(h, api.BelowPacks), token, nil), 200, "")
}
