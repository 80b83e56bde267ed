// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// sample is what scripted servers answer with.
type sample struct {
	entries   []*ledger.Entry
	objects   [][]byte
	state     *ledger.State
	record    []byte // a snapshot's
	next      []byte // a generation's
	pack      []byte
	packID    protocol.PackID
	statement []byte
	directory []method
}

func newSample(t *testing.T) *sample {
	t.Helper()
	d, err := keyring.Create(someone(), 1)
	must(t, err)
	must(t, d.Rotate())
	s := &sample{entries: d.Batch().Entries, objects: d.Batch().Objects, state: d.Batch().State}
	head := ledger.Head{Seq: 1, Hash: protocol.Hash{1}}
	record := snapshot.Record{
		Act: snapshot.ActRun, Account: someAccount, Vault: someVault, Epoch: 1, Seq: 1, Ledger: head, Wrap: make([]byte, 1168),
	}
	s.record = record.Sign(someone())
	generation := snapshot.Generation{
		Act: snapshot.PruneRetire, Account: someAccount, Vault: someVault, Number: 1, Ledger: head,
		Head: ledger.VaultHead{Vault: someVault}, Packs: []protocol.PackID{{1}},
	}
	s.next = generation.Sign(someone())
	s.pack = bytes.Repeat([]byte{9}, api.BlockSize+100)
	s.packID = sha256.Sum256(s.pack)
	statement := snapshot.PackStatement{
		Account: someAccount, Vault: someVault, Epoch: 1, Pack: s.packID, Size: uint64(len(s.pack)), Ledger: head,
	}
	s.statement = statement.Sign(someone())
	s.directory = directoryMethods(t, s)
	return s
}

// method is one method, how an honest server answers it, and how it is called.
type method struct {
	name    string
	honest  http.HandlerFunc
	call    func(*world) error
	ignores bool // the answer's body says nothing
	raw     bool // any bytes are an answer
}

var bg = context.Background()

// methods returns every method of the package.
func methods(s *sample) []method {
	return slices.Concat(openMethods(s), accountMethods(s), vaultMethods(s), s.directory)
}

func openMethods(s *sample) []method {
	return []method{
		{name: "Info", honest: goodInfo, call: func(w *world) error { _, err := w.client.Info(bg); return err }},
		{
			name: "CreateAccount", honest: func(w http.ResponseWriter, r *http.Request) {
				say(w, 201, api.Created{Account: protocol.AccountID(sha256.Sum256(hear[api.CreateAccount](r).Entries[0]))})
			},
			call: func(w *world) error {
				_, err := w.client.CreateAccount(bg, &api.CreateAccount{Name: "ada", Entries: [][]byte{s.entries[0].Bytes()}}, Promise{})
				return err
			},
		},
		{
			name: "RecoveryBox", raw: true, honest: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("box")) },
			call: func(w *world) error { _, err := w.client.RecoveryBox(bg, protocol.Hash{1}); return err },
		},
		{
			name: "SignIn", honest: signsIn(http.NotFound), call: func(w *world) error { return w.member().SignIn(bg) },
		},
	}
}

func accountMethods(s *sample) []method {
	id := protocol.RequestID{5}
	waiting := api.Enrolment{Enrolment: id, State: api.EnrolmentWaiting, Commitment: []byte("c")}
	empty := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	newcomer := func(w *world) *Newcomer {
		return &Newcomer{account{c: w.client, id: someAccount, signer: fixedSigner("token")}}
	}
	return []method{
		{
			name: "Ledger", honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 200, s.page(0, false)) },
			call: func(w *world) error { _, _, err := w.member().Ledger(bg, 0); return err },
		},
		{
			name: "AppendLedger", honest: func(w http.ResponseWriter, _ *http.Request) {
				say(w, 200, api.LedgerHead{Seq: s.state.Head().Seq, Hash: s.state.Head().Hash})
			},
			call: func(w *world) error {
				_, err := w.member().AppendLedger(bg, Append{Entries: s.entries, Objects: s.objects})
				return err
			},
		},
		{
			name: "Member.Info", honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 200, api.Account{Account: someAccount}) },
			call: func(w *world) error { _, err := w.member().Info(bg); return err },
		},
		{name: "SignOut", ignores: true, honest: empty, call: func(w *world) error { return w.member().SignOut(bg) }},
		{
			name: "Enrol", honest: func(w http.ResponseWriter, r *http.Request) {
				req := hear[api.EnrolmentRequest](r)
				say(w, 201, api.Enrolment{Enrolment: req.RequestID, State: api.EnrolmentWaiting, Commitment: req.Commitment})
			},
			call: func(w *world) error { _, err := newcomer(w).Enrol(bg, []byte("c")); return err },
		},
		{
			name: "Enrolment", honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 200, waiting) },
			call: func(w *world) error { _, err := newcomer(w).Enrolment(bg, id, "", time.Second); return err },
		},
		{
			name: "Enrolments", honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 200, []api.Enrolment{waiting}) },
			call: func(w *world) error { _, err := w.member().Enrolments(bg); return err },
		},
		{name: "Challenge", ignores: true, honest: empty, call: func(w *world) error { return w.member().Challenge(bg, id, []byte("x")) }},
		{name: "Decide", ignores: true, honest: empty, call: func(w *world) error { return w.member().Decide(bg, id, true, nil) }},
		{name: "Reveal", ignores: true, honest: empty, call: func(w *world) error { return newcomer(w).Reveal(bg, id, []byte("x")) }},
	}
}

// page is the ledger's page from an entry on.
func (s *sample) page(from int, more bool) api.LedgerPage {
	page := api.LedgerPage{More: more, Entries: [][]byte{}, Objects: s.objects}
	for _, e := range s.entries[from:] {
		page.Entries = append(page.Entries, e.Bytes())
	}
	return page
}

func vaultMethods(s *sample) []method {
	listing := func(records ...[]byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if q := r.URL.Query(); q.Get("from") == "1" || q.Get("after") == "0" {
				for _, record := range records {
					_, _ = w.Write(api.AppendRecord(nil, record))
				}
			}
		}
	}
	packs := api.PackRecord{Cursor: 1, Statement: s.statement, Received: 1}
	return []method{
		{
			name: "Head", honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 200, api.Head{}) },
			call: func(w *world) error { _, err := w.vault().Head(bg); return err },
		},
		{
			name: "Snapshots", honest: listing(s.record),
			call: func(w *world) error { return w.vault().Snapshots(bg, 0, func([]byte) error { return nil }) },
		},
		{
			name: "Generations", honest: listing(s.next),
			call: func(w *world) error { return w.vault().Generations(bg, 1, func([]byte) error { return nil }) },
		},
		{
			name: "CommitSnapshot", honest: func(w http.ResponseWriter, _ *http.Request) {
				say(w, 200, api.Head{Seq: 1, Hash: snapshot.HashOf(s.record)})
			},
			call: func(w *world) error { _, err := w.vault().CommitSnapshot(bg, s.record); return err },
		},
		{
			name: "CommitGeneration", honest: func(w http.ResponseWriter, _ *http.Request) {
				say(w, 200, api.Head{Generation: 1, GenerationHash: snapshot.HashOf(s.next)})
			},
			call: func(w *world) error { _, err := w.vault().CommitGeneration(bg, s.next); return err },
		},
		{
			name: "PutPack", ignores: true, honest: func(w http.ResponseWriter, _ *http.Request) { say(w, 201, struct{}{}) },
			call: func(w *world) error { return w.vault().PutPack(bg, s.packID, s.statement, s.pack) },
		},
		{
			name: "StatPacks", honest: func(w http.ResponseWriter, r *http.Request) {
				states := make([]api.PackState, len(hear[api.StatRequest](r).Packs))
				for i := range states {
					states[i] = api.PackStored
				}
				say(w, 200, api.StatResponse{States: states})
			},
			call: func(w *world) error { _, err := w.vault().StatPacks(bg, []protocol.PackID{{1}, {2}}); return err },
		},
		{
			name: "ListPacks", honest: listing(packs.Marshal()),
			call: func(w *world) error {
				return w.vault().ListPacks(bg, 0, func(api.PackRecord, *snapshot.PackStatement) error { return nil })
			},
		},
		{
			name: "Blocks", honest: s.blocks,
			call: func(w *world) error {
				return w.vault().Blocks(bg, s.reads(), func(int, Block) error { return nil })
			},
		},
	}
}

func (s *sample) reads() []Read {
	size := int64(len(s.pack))
	return []Read{
		{Pack: s.packID, Length: api.BlockSize, Size: size},
		{Pack: s.packID, Offset: api.BlockSize, Length: 4 * api.BlockSize, Size: size},
	}
}

// blocks answers reads as a server that holds the one pack.
func (s *sample) blocks(w http.ResponseWriter, r *http.Request) {
	for _, read := range hear[api.BlocksRequest](r).Reads {
		if read.Pack != s.packID {
			_, _ = w.Write(api.BlockHead{Status: api.BlockAbsent}.Append(nil))
			continue
		}
		data := s.pack[read.Offset:min(int64(len(s.pack)), read.Offset+read.Length)]
		_, _ = w.Write(api.BlockHead{Length: int64(len(data))}.Append(nil))
		_, _ = w.Write(data)
	}
}

// passSignIn signs members in honestly where the method under test is another.
func (m method) passSignIn(evil http.HandlerFunc) http.HandlerFunc {
	if m.name == "SignIn" {
		return evil
	}
	return signsIn(evil)
}

func TestHonestAnswersAreTaken(t *testing.T) {
	for _, m := range methods(newSample(t)) {
		t.Run(m.name, func(t *testing.T) { must(t, m.call(newWorld(t, m.passSignIn(m.honest)))) })
	}
}

// TestEvilAnswers plays a malicious server at every method.
func TestEvilAnswers(t *testing.T) {
	s := newSample(t)
	cases := []struct {
		name string
		evil func(honest http.HandlerFunc) http.HandlerFunc
		kind protocol.Kind
		skip func(method) bool
	}{
		{"garbage", write(200, "\xff\x00{{{{garbage"), protocol.KindUntrusted, anything},
		{"nothing", write(200, ""), protocol.KindUntrusted, func(m method) bool {
			return anything(m) || m.name == "Snapshots" || m.name == "Generations" || m.name == "ListPacks" // an empty list
		}},
		{"a list for an object", write(200, `[[1],[2]]`), protocol.KindUntrusted, anything},
		{"null", write(200, `null`), protocol.KindUntrusted, func(m method) bool {
			return anything(m) || m.name == "Enrolments" || m.name == "Head" || m.name == "Ledger" || m.name == "ContactLedger" || m.name == "Info" // empty ones
		}},
		{"something behind its end", after(`{}`), protocol.KindUntrusted, anything},
		{"endless", endless, protocol.KindUntrusted, ignoring},
		{"deeply nested", write(200, strings.Repeat("[", 1<<18)), protocol.KindUntrusted, anything},
		{"cut off", cutOff, protocol.KindUnreachable, ignoring},
		{"elsewhere", redirect, protocol.KindUntrusted, none},
		{"an error in HTML", write(502, "<html>bad gateway</html>"), protocol.KindUnreachable, none},
		{"an unknown kind", write(418, `{"kind":"teapot","message":"x"}`), protocol.KindInternal, none},
		{"an unknown kind with 500", write(500, `{"kind":"teapot"}`), protocol.KindUnreachable, none},
		{"a kind that only we can find", write(400, `{"kind":"interrupted"}`), protocol.KindInternal, none},
		{"a proof of ours refused", write(422, `{"kind":"untrusted"}`), protocol.KindDenied, none},
		{"removed", write(403, `{"kind":"removed","message":"away with you"}`), protocol.KindRemoved, none},
		{"quota", write(507, `{"kind":"quota"}`), protocol.KindQuota, none},
		{"a huge error", write(400, `{"kind":"usage","message":"`+strings.Repeat("x", 1<<20)+`"}`), protocol.KindUsage, none},
		{"hangs up", hangUp, protocol.KindUnreachable, none},
	}
	for _, c := range cases {
		for _, m := range methods(s) {
			if c.skip(m) {
				continue
			}
			t.Run(c.name+"/"+m.name, func(t *testing.T) {
				w := newWorld(t, m.passSignIn(c.evil(m.honest)))
				var before, afterwards runtime.MemStats
				runtime.ReadMemStats(&before)
				err := m.call(w)
				runtime.ReadMemStats(&afterwards)
				wantKind(t, err, c.kind)
				if used := afterwards.TotalAlloc - before.TotalAlloc; c.name != "endless" && used > 64<<20 {
					t.Errorf("%d bytes were allocated", used)
				}
				if afterwards.Sys > before.Sys+512<<20 {
					t.Errorf("%d bytes were taken from the system", afterwards.Sys-before.Sys)
				}
			})
		}
	}
}

func none(method) bool       { return false }
func ignoring(m method) bool { return m.ignores }
func anything(m method) bool { return m.ignores || m.raw }

func write(status int, body string) func(http.HandlerFunc) http.HandlerFunc {
	return func(http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
}

func after(body string) func(http.HandlerFunc) http.HandlerFunc {
	return func(honest http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			honest(w, r)
			_, _ = w.Write([]byte(body))
		}
	}
}

// endless sends zeros for ever: for records, ones of no length; else white space.
func endless(http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fill := byte(' ')
		if under(r, "/snapshots") || under(r, "/generations") || under(r, "/packs") || under(r, "/blocks") {
			fill = 0xff
		}
		chunk := bytes.Repeat([]byte{fill}, 1<<16)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

// cutOff ends the honest answer before its last byte.
func cutOff(honest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{header: http.Header{}, status: 200}
		honest(rec, r)
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(rec.status)
		_, _ = w.Write(rec.body[:max(0, len(rec.body)-2)])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

func redirect(http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://backup.example:8443/v1/elsewhere")
		w.WriteHeader(307)
	}
}

func hangUp(http.HandlerFunc) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
}

// TestSlowAnswers lets a server say nothing, or a byte now and then, in a time
// that is the test's own.
func TestSlowAnswers(t *testing.T) {
	someone() // made outside, where time is real
	makeIdentity()
	s := newSample(t)
	slow := map[string]func(w http.ResponseWriter, r *http.Request){
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then a server notices that the client went away
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // returning would answer after all, with an empty 200
		},
		"dripping": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(10 * time.Second):
				case <-r.Context().Done():
				}
			}
		},
	}
	for name, evil := range slow {
		for _, m := range methods(s) {
			if m.ignores && name == "dripping" {
				continue
			}
			t.Run(name+"/"+m.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, m.passSignIn(evil))
					start := time.Now()
					err := m.call(w)
					// A drip of spaces is a length of records: refused at once.
					if protocol.KindOf(err) != protocol.KindUnreachable && protocol.KindOf(err) != protocol.KindUntrusted {
						t.Errorf("kind %q: %v", protocol.KindOf(err), err)
					}
					if took := time.Since(start); took > 45*time.Minute {
						t.Errorf("it took %v to give up", took)
					}
					w.close()
					synctest.Wait()
				})
			})
		}
	}
}
