// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// TestAnswersMustFit serves well-formed answers to other questions.
func TestAnswersMustFit(t *testing.T) {
	s := newSample(t)
	other := keys.GenerateMemberSecrets()
	foreign := snapshot.PackStatement{Account: someAccount, Vault: protocol.VaultID{99}, Epoch: 1, Pack: s.packID, Size: 1, Ledger: ledger.Head{}}
	record := func(cursor uint64, statement []byte) []byte {
		return api.AppendRecord(nil, api.PackRecord{Cursor: cursor, Statement: statement}.Marshal())
	}
	block := func(h api.BlockHead, n int) []byte { return append(h.Append(nil), make([]byte, n)...) }
	gap := s.page(1, false)
	stray := s.page(0, false)
	stray.Objects = append(stray.Objects[:len(stray.Objects):len(stray.Objects)], []byte("stray"))
	twice := s.page(0, false)
	twice.Objects = append(twice.Objects[:len(twice.Objects):len(twice.Objects)], twice.Objects[0])
	hollow := api.LedgerPage{More: true}
	cases := map[string]map[string]any{
		"Info":             {"another version": api.Server{API: []int{2, 3}}},
		"CreateAccount":    {"another account": api.Created{Account: someAccount}},
		"Member.Info":      {"another account": api.Account{Account: protocol.AccountID{9}}},
		"Ledger":           {"a gap": gap, "a stray object": stray, "an object twice": twice, "more of nothing": hollow, "no entry": api.LedgerPage{Entries: [][]byte{{1}}}},
		"AppendLedger":     {"an older head": api.LedgerHead{}, "another head": api.LedgerHead{Seq: s.state.Head().Seq}},
		"Enrol":            {"another": api.Enrolment{Enrolment: protocol.RequestID{1}, State: api.EnrolmentWaiting}},
		"Enrolment":        {"another": api.Enrolment{Enrolment: protocol.RequestID{1}, State: api.EnrolmentWaiting}, "no state": api.Enrolment{Enrolment: protocol.RequestID{5}, State: "odd"}, "no reveal": api.Enrolment{Enrolment: protocol.RequestID{5}, State: api.EnrolmentApproved}, "a huge part": api.Enrolment{Enrolment: protocol.RequestID{5}, State: api.EnrolmentWaiting, Challenge: make([]byte, api.MaxEnrolmentPart+1)}},
		"Enrolments":       {"no state": []api.Enrolment{{}}},
		"Head":             {"number without hash": api.Head{Seq: 3}, "hash without number": api.Head{GenerationHash: protocol.Hash{1}}},
		"CommitSnapshot":   {"another head": api.Head{Seq: 1, Hash: protocol.Hash{1}}, "an empty head": api.Head{}},
		"CommitGeneration": {"another": api.Head{Generation: 1, GenerationHash: protocol.Hash{1}}, "the snapshot's": api.Head{Seq: 1, Hash: snapshot.HashOf(s.next)}},
		"StatPacks":        {"fewer": api.StatResponse{States: []api.PackState{api.PackStored}}, "an odd one": api.StatResponse{States: []api.PackState{api.PackStored, "lent"}}},
		"Snapshots":        {"too long": []byte{0xff, 0, 0, 0}, "cut": []byte{0, 0, 0, 9, 1}},
		"ListPacks": {
			"another vault": record(1, foreign.Sign(other)), "cursor of nothing": record(0, s.statement), "no statement": record(1, []byte("x")),
			"out of order": append(record(2, s.statement), record(1, s.statement)...), "no record": api.AppendRecord(nil, []byte("x")),
		},
		"Blocks": {
			"fewer":         block(api.BlockHead{Length: api.BlockSize}, api.BlockSize),
			"a short one":   block(api.BlockHead{Length: 5}, 5),
			"a long one":    block(api.BlockHead{Length: api.BlockSize + 1}, api.BlockSize+1),
			"a cut one":     block(api.BlockHead{Length: api.BlockSize}, 5),
			"absent, bytes": block(api.BlockHead{Status: api.BlockAbsent, Length: 5}, 5),
			"odd status":    block(api.BlockHead{Status: 9, Length: api.BlockSize}, api.BlockSize),
			"more":          append(block(api.BlockHead{Length: api.BlockSize}, api.BlockSize), append(block(api.BlockHead{Length: 100}, 100), 7)...),
		},
		"SignIn": {"no token": api.Session{Account: someAccount, Scope: api.ScopeMember}},
	}
	for _, m := range methods(s) {
		for name, answer := range cases[m.name] {
			t.Run(m.name+"/"+name, func(t *testing.T) {
				w := newWorld(t, m.passSignIn(func(w http.ResponseWriter, r *http.Request) {
					if raw, ok := answer.([]byte); ok {
						_, _ = w.Write(raw)
						return
					}
					say(w, 200, answer)
				}))
				want := protocol.KindUntrusted
				if m.name == "Info" {
					want = protocol.KindUnsupported
				}
				wantKind(t, m.call(w), want)
			})
		}
	}
}

func TestRefusalsCarryWhatTheServerSays(t *testing.T) {
	var asked atomic.Int32
	w := newWorld(t, signsIn(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		say(w, 409, api.Error{Kind: protocol.KindConflict, Message: "moved\x1b[31m on", Head: &api.Head{Seq: 4, Hash: protocol.Hash{4}}})
	}))
	s := newSample(t)
	_, err := w.vault().CommitSnapshot(bg, s.record)
	wantKind(t, err, protocol.KindConflict)
	r := RefusalOf(err)
	if r == nil || r.Head == nil || r.Head.Seq != 4 || r.Status != 409 || asked.Load() != 1 {
		t.Fatalf("refusal %+v after %d requests", r, asked.Load())
	}
	if !strings.Contains(err.Error(), "it says: moved [31m on") {
		t.Fatalf("error %q does not carry the server's words, made fit", err)
	}
	if RefusalOf(nil) != nil {
		t.Error("no error has a refusal")
	}
}
