// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/tlog"
)

// looker is a small witness: it cosigns what extends the last size that it saw.
type looker struct {
	*httptest.Server
	secret *tlog.WitnessSecret

	mu   sync.Mutex // guards size
	size uint64
}

func newLooker(t *testing.T) *looker {
	t.Helper()
	secret, err := tlog.GenerateWitnessSecret("looker.example.org", tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	l := &looker{secret: secret}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /vkeys", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("origin") == "" {
			http.Error(w, "which log?", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s\n%s\n", auditingMark, secret.Public())
	})
	mux.HandleFunc("POST /add-checkpoint", l.add)
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

func (l *looker) add(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	request, err := tlog.ParseAddCheckpoint(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c, err := tlog.ParseCheckpoint(request.Note)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if request.Old != l.size {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", l.size)
		return
	}
	l.size = c.Size
	_, _ = w.Write(l.secret.Cosign(request.Note, c, protocol.TimeOf(time.Now())))
}

func statusOf(t *testing.T, data string) logState {
	t.Helper()
	var st logState
	if err := json.Unmarshal([]byte(must(t, "log", "status", "--json", "--data", data)), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// TestWitnessedServer: a bare URL is enough; the keys are pinned and said; devices
// that joined before go on; an outage is named and is no end.
func TestWitnessedServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data)
	if said := r.event("action", "witnesses"); said == nil || said["demanded"] != false || !strings.HasSuffix(said["log"].(string), "/v1/log") {
		t.Errorf("without a witness it says %v", said)
	}
	before := r.world()
	r.join(r.event("message_type", "invite")["url"].(string), "anna")
	r.end()
	if said := must(t, "doctor", "--data", data); !strings.Contains(said, "NOTE     no witness") {
		t.Errorf("doctor: %s", said)
	}
	if said := must(t, "log", "status", "--data", data); !strings.Contains(said, "No witness") || !strings.Contains(said, "/v1/log") {
		t.Errorf("status: %s", said)
	}

	l := newLooker(t)
	r = start(t, data, "--witness", l.URL)
	if pinned := r.event("action", "witness-pinned"); pinned == nil || pinned["auditing"] != true {
		t.Errorf("pinned: %v", pinned)
	}
	after := r.world()
	if after.Hash() == before.Hash() || !after.Policy().NeedsWitness() {
		t.Errorf("policy: %s", after.Policy())
	}
	r.appears("anna", 1)
	if status, _ := r.do(http.MethodGet, api.PathDirectory+"?name=anna&world="+before.Hash().String(), "", nil); status != http.StatusOK {
		t.Errorf("a device that joined before: status %d", status)
	}
	st := statusOf(t, data)
	if len(st.Worlds) != 2 || !st.Worlds[0].Demands || st.Worlds[0].Witnessed.IsZero() || len(st.Witnesses) != 1 || !st.Witnesses[0].Auditing || st.Witnesses[0].Size == 0 || st.Size == 0 {
		t.Errorf("status: %+v", st)
	}
	if said := must(t, "log", "status", "--data", data); !strings.Contains(said, "auditing: size") {
		t.Errorf("status: %s", said)
	}
	if policy, err := tlog.ParsePolicy([]byte(must(t, "log", "policy", "--data", data))); err != nil || policy.String() != after.Policy().String() {
		t.Errorf("policy: %v", err)
	}
	if said := must(t, "doctor", "--data", data); strings.Contains(said, "NOTE") {
		t.Errorf("doctor: %s", said)
	}
	wantLate(t, data)
	l.Close()
	if r := command("doctor", "--data", data); r.code != 22 || !strings.Contains(r.out, "does not answer") {
		t.Errorf("a witness that is gone: code %d: %s", r.code, r.out)
	}
	r.end()
	r = start(t, data) // nothing is asked of a witness that is pinned
	defer r.end()
	if r.world().Hash() != after.Hash() {
		t.Error("without a flag the witness is forgotten")
	}
	if r := command("up", "--data", filepath.Join(t.TempDir(), "d"), "--listen", "127.0.0.1:0", "--witness", l.URL); r.code != 22 || !strings.Contains(r.err, "nothing was changed") {
		t.Errorf("a witness that never answered: code %d: %s", r.code, r.err)
	}
}

// TestLastWitnessIsGone: a server whose only witness is gone for good goes on when
// whoever runs it says so, also for accounts that joined under it.
func TestLastWitnessIsGone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	l := newLooker(t)
	r := start(t, data, "--witness", l.URL)
	r.join(r.event("message_type", "invite")["url"].(string), "anna")
	r.appears("anna", 1)
	r.end()
	l.Close()
	r = start(t, data, "--witness", "none")
	defer r.end()
	r.join(field(t, must(t, "invite", "--json", "--data", data), "url"), "bert")
	r.appears("bert", 1)
}

// wantLate looks at a running server's log as if hours had passed without a root
// and without a witness.
func wantLate(t *testing.T, data string) {
	t.Helper()
	s, err := openSite(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for after, want := range map[time.Duration][]string{
		time.Minute:       {},
		150 * time.Minute: {"the public log lags"},
		4 * time.Hour:     {"the public log lags", "too few witnesses", "witness looker.example.org lags"},
		-time.Hour:        {"the clock of this machine"},
	} {
		problems, err := s.checkLog(context.Background(), time.Now().Add(after), true)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, one := range problems {
			said = append(said, one.Message)
		}
		if len(said) != len(want) {
			t.Errorf("%s later: %q, want %q", after, said, want)
			continue
		}
		for i := range want {
			if !strings.Contains(said[i], want[i]) {
				t.Errorf("%s later: %q, want %q", after, said[i], want[i])
			}
		}
	}
	waits := &logState{Size: 5, Waiting: 2, Oldest: time.Now(), Newest: time.Now(), Worlds: []worldState{{}}}
	if early, late := waits.late(time.Now()), waits.late(time.Now().Add(15*time.Minute)); len(early) != 0 || len(late) != 1 || !strings.Contains(late[0].Message, "2 acknowledged changes wait") {
		t.Errorf("what waits: %v, %v", early, late)
	}
	stopped, err := s.checkLog(context.Background(), time.Now().Add(24*time.Hour), false)
	if err != nil || len(stopped) != 0 {
		t.Errorf("of a server that is stopped: %v, %v", stopped, err)
	}
}

// TestRestoredOlderCopy: a witness knows better than a server that came back from
// an older backup. It says so, and writes nothing that would fork its log.
func TestRestoredOlderCopy(t *testing.T) {
	l := newLooker(t)
	data, copied, again := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "again")
	r := start(t, data, "--witness", l.URL)
	h := r.join(r.event("message_type", "invite")["url"].(string), "anna")
	world := r.world()
	r.appears("anna", 1)
	must(t, "backup", copied, "--data", data)
	r.join(field(t, must(t, "invite", "--json", "--data", data), "url"), "bert")
	r.appears("bert", 1)
	r.end()
	must(t, "restore", copied, "--data", again)
	if said := must(t, "log", "status", "--data", again); !strings.Contains(said, "https://HOST:PORT/v1/log") {
		t.Errorf("status before the first start: %s", said)
	}
	r = start(t, again)
	defer r.end()
	if r.world().Hash() != world.Hash() {
		t.Error("the restored server hands out another world")
	}
	invite, err := api.ParseInvite(field(t, must(t, "invite", "--json", "--data", again), "url"))
	if err != nil {
		t.Fatal(err)
	}
	token := r.signIn(h, invite.Server())
	var refused int
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if statusOf(t, again).Refusal != "" {
			refused++
			break
		}
	}
	if refused == 0 {
		t.Fatal("the log goes on from an older copy")
	}
	_, request := h.AddWriter()
	if status, body := r.post(api.PathLedger(h.Account()), token, request); status == http.StatusOK {
		t.Errorf("an append to an older copy: %s", body)
	}
	asked := api.PathLedger(h.Account()) + "?from=0&" + api.Question{Nonce: [16]byte{1}}.Query()
	if status, body := r.do(http.MethodGet, asked, token, nil); status == http.StatusOK {
		t.Errorf("an older copy states what is newest, against itself: %.100s", body)
	}
	if r := command("doctor", "--data", again); r.code != 20 || !strings.Contains(r.out, "older copy") {
		t.Errorf("doctor: code %d: %s", r.code, r.out)
	}
	if said := must(t, "log", "status", "--data", again); !strings.Contains(said, "STANDS STILL") {
		t.Errorf("status: %s", said)
	}
}
