// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"bytes"
	"context"
	"fmt"
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
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/witness"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// clock is the time that a test holds.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) pass(d time.Duration) { c.set(c.now().Add(d)) }

// stage is a witness over HTTP, with a log that it knows.
type stage struct {
	t       *testing.T
	clock   *clock
	path    string
	store   *witness.Store
	memory  witness.Memory // what the witness uses; the store, but for faults
	log     *tlogtest.Log
	secrets []*tlog.WitnessSecret
	others  []witness.Log
	limits  witness.Limits
	notes   bytes.Buffer
	w       *witness.Witness
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, clock: &clock{at: start}, path: filepath.Join(t.TempDir(), "witness.db"), log: tlogtest.New(t, "log.example/one")}
	for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
		secret, err := tlog.GenerateWitnessSecret("witness.example", a)
		if err != nil {
			t.Fatal(err)
		}
		s.secrets = append(s.secrets, secret)
	}
	s.open()
	t.Cleanup(func() { _ = s.store.Close() })
	return s
}

// open starts the witness over what is on disk.
func (s *stage) open() {
	s.t.Helper()
	var err error
	if s.store, err = witness.Open(ctx, s.path); err != nil {
		s.t.Fatal(err)
	}
	s.memory = s.store
	s.begin()
}

// begin makes the witness anew, over the memory as it is.
func (s *stage) begin() {
	s.t.Helper()
	var err error
	s.w, err = witness.New(witness.Config{
		Logs: append([]witness.Log{{Key: s.log.Secret.Public(), Secrets: s.secrets}}, s.others...), Memory: s.memory,
		Clock: s.clock.now, Notes: slog.New(slog.NewTextHandler(&s.notes, nil)), Limits: s.limits,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// answer is what the witness answered.
type answer struct {
	status  int
	body    string
	kind    string
	waiting string // Retry-After
}

func (s *stage) post(body []byte) answer {
	r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(body))
	out := httptest.NewRecorder()
	s.w.Handler().ServeHTTP(out, r)
	text, err := io.ReadAll(out.Result().Body)
	if err != nil {
		s.t.Error(err)
	}
	return answer{out.Code, string(text), out.Header().Get("Content-Type"), out.Header().Get("Retry-After")}
}

// ask asks for a checkpoint of a log from an old size, with the log's own proof.
func (s *stage) ask(l *tlogtest.Log, old, size uint64) answer {
	s.t.Helper()
	return s.post(requestOf(s.t, l, old, size))
}

func requestOf(t testing.TB, l *tlogtest.Log, old, size uint64) []byte {
	t.Helper()
	proof, err := tlog.ProveConsistency(ctx, l, min(old, size), size)
	if err != nil {
		t.Fatal(err)
	}
	return (&tlog.AddCheckpoint{Old: old, Proof: proof, Note: l.NoteOf(t, l.At(t, size), 0)}).Marshal()
}

// cosigned fails unless the answer has cosignatures of all keys, at a time.
func (s *stage) cosigned(what string, a answer, l *tlogtest.Log, size uint64, at time.Time) {
	s.t.Helper()
	if a.status != http.StatusOK {
		s.t.Errorf("%s: status %d: %s", what, a.status, a.body)
		return
	}
	note := l.NoteOf(s.t, l.At(s.t, size), 0)
	for _, secret := range s.secrets {
		_, got, err := secret.Public().Accept(note, []byte(a.body))
		if err != nil || got != protocol.TimeOf(at) {
			s.t.Errorf("%s: %s at %v, %v, want %v", what, secret.Public().Algorithm(), got, err, at)
		}
	}
}

func (s *stage) refused(what string, a answer, status int) {
	s.t.Helper()
	if a.status != status || strings.Contains(a.body, "—") {
		s.t.Errorf("%s: status %d: %q, want %d", what, a.status, a.body, status)
	}
}

// grow appends entries up to a size.
func grow(t testing.TB, l *tlogtest.Log, size int) {
	t.Helper()
	var list [][]byte
	for i := int(l.Head().Size); i < size; i++ {
		list = append(list, fmt.Appendf(nil, "entry %d", i))
	}
	l.Append(t, list...)
}

// TestStatuses goes through every answer that tlog-witness has.
func TestStatuses(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 20)
	fork := s.log.Fork()
	fork.Append(t, []byte("another entry"))
	grow(t, s.log, 21)
	stranger := tlogtest.New(t, "log.example/one")
	grow(t, stranger, 30)
	unknown := tlogtest.New(t, "log.example/two")
	grow(t, unknown, 30)

	s.cosigned("the first", s.ask(s.log, 0, 10), s.log, 10, start)
	a := s.ask(s.log, 0, 20)
	if s.refused("another old size", a, http.StatusConflict); a.body != "10\n" || a.kind != "text/x.tlog.size" {
		t.Errorf("%+v", a)
	}
	s.refused("an old size that never was", s.ask(s.log, 15, 20), http.StatusConflict)
	s.clock.pass(1500 * time.Millisecond)
	s.cosigned("the next", s.ask(s.log, 10, 20), s.log, 20, start.Add(time.Second))
	s.clock.pass(time.Minute)
	s.cosigned("the same once more", s.ask(s.log, 20, 20), s.log, 20, s.clock.now().Truncate(time.Second))

	good := string(requestOf(t, s.log, 20, 21))
	second := strings.Index(good, "\n") + 1
	other := []byte(good)
	other[second] ^= 1
	s.refused("another proof", s.post(other), http.StatusUnprocessableEntity)
	s.refused("a proof cut", s.post([]byte(good[:second]+good[second+45:])), http.StatusUnprocessableEntity)
	s.refused("the old size above", s.post([]byte(strings.Replace(good, "old 20", "old 22", 1))), http.StatusBadRequest)
	s.refused("an unknown log", s.ask(unknown, 0, 30), http.StatusNotFound)
	s.refused("another key of that name", s.ask(stranger, 20, 30), http.StatusForbidden)
	for what, body := range map[string]string{
		"nothing": "", "no old size": good[second:], "no note": good[:strings.Index(good, "\n\n")+2], "no end": strings.TrimSuffix(good, "\n"),
		"a leading zero": strings.Replace(good, "old 20", "old 020", 1), "no hash": good[:second] + "x\n" + good[second:],
	} {
		s.refused(what, s.post([]byte(body)), http.StatusBadRequest)
	}
	s.cosigned("and on", s.ask(s.log, 20, 21), s.log, 21, s.clock.now().Truncate(time.Second))
	a = s.ask(fork, 21, 21)
	if s.refused("a second root at one size", a, http.StatusConflict); a.kind == "text/x.tlog.size" {
		t.Error("it is answered as if another size would help")
	}
	grow(t, fork, 25)
	s.refused("a log with another past", s.ask(fork, 21, 25), http.StatusUnprocessableEntity)
	s.refused("a smaller size", s.ask(s.log, 10, 20), http.StatusConflict)
	s.refused("a smaller size than old", s.post([]byte(strings.Replace(string(requestOf(t, s.log, 10, 20)), "old 10", "old 21", 1))), http.StatusBadRequest)
}

// TestSecondRootIsAnAlarm: two roots at one size, both signed, are kept as proof.
func TestSecondRootIsAnAlarm(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 9)
	fork := s.log.Fork()
	grow(t, s.log, 10)
	fork.Append(t, []byte("another entry"))
	s.cosigned("one", s.ask(s.log, 0, 10), s.log, 10, start)
	for range 3 {
		s.refused("the other", s.ask(fork, 10, 10), http.StatusConflict)
	}
	alarms, err := s.store.Alarms(ctx)
	if err != nil || len(alarms) != 1 || !strings.Contains(alarms[0].Text, "second root at size 10") || alarms[0].Time != protocol.TimeOf(start) {
		t.Fatalf("%+v, %v", alarms, err)
	}
	kept, err := s.store.Latest(ctx, "log.example/one")
	if err != nil {
		t.Fatal(err)
	}
	key := s.log.Secret.Public()
	one, err := key.Verify(kept.Note)
	if err != nil {
		t.Fatal(err)
	}
	two, err := key.Verify(alarms[0].Note)
	if err != nil || one.Size != two.Size || one.Root == two.Root {
		t.Errorf("%+v and %+v prove nothing, %v", one, two, err)
	}
	if !strings.Contains(s.notes.String(), "ALARM") {
		t.Error("nobody is told")
	}
	out := httptest.NewRecorder()
	s.w.Metrics().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`solekey_witness_alarms_total{log="log.example/one"} 3`, `solekey_witness_answers_total{status="409"} 3`,
		`solekey_witness_size{log="log.example/one"} 10`, fmt.Sprintf(`solekey_witness_cosigned_seconds{log="log.example/one"} %d`, start.Unix()),
	} {
		if !strings.Contains(out.Body.String(), line+"\n") {
			t.Errorf("no %s in\n%s", line, out.Body)
		}
	}
}

// TestEmptyLog: a log may begin with nothing, and be cosigned so.
func TestEmptyLog(t *testing.T) {
	s := newStage(t)
	s.cosigned("nothing", s.ask(s.log, 0, 0), s.log, 0, start)
	s.cosigned("nothing again", s.ask(s.log, 0, 0), s.log, 0, start)
	grow(t, s.log, 5)
	s.refused("a proof from nothing", s.post([]byte(strings.Replace(string(requestOf(t, s.log, 2, 5)), "old 2", "old 0", 1))), http.StatusUnprocessableEntity)
	s.cosigned("the first", s.ask(s.log, 0, 5), s.log, 5, start)
}

// TestSeveralLogs are apart, also in time.
func TestSeveralLogs(t *testing.T) {
	s := newStage(t)
	two := tlogtest.New(t, "log.example/two")
	s.others = []witness.Log{{Key: two.Secret.Public(), Secrets: s.secrets}}
	s.begin()
	grow(t, s.log, 9)
	grow(t, two, 30)
	s.cosigned("one", s.ask(s.log, 0, 9), s.log, 9, start)
	s.clock.set(start.Add(-time.Hour))
	s.cosigned("two", s.ask(two, 0, 30), two, 30, start.Add(-time.Hour))
	if list, err := s.store.Origins(ctx); err != nil || strings.Join(list, " ") != "log.example/one log.example/two" {
		t.Errorf("%v, %v", list, err)
	}
}

// TestClock: a time never goes back, and no time is made up.
func TestClock(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 9)
	s.cosigned("at noon", s.ask(s.log, 0, 5), s.log, 5, start)
	s.clock.set(start.Add(-30 * time.Second))
	s.cosigned("a little earlier", s.ask(s.log, 5, 6), s.log, 6, start)
	s.clock.set(start.Add(-time.Minute - time.Second))
	a := s.ask(s.log, 6, 7)
	if s.refused("much earlier", a, http.StatusServiceUnavailable); a.waiting == "" {
		t.Error("nothing says that it may be tried again")
	}
	if l, err := s.store.Latest(ctx, "log.example/one"); err != nil || l.Size != 6 {
		t.Errorf("what was refused is kept: %+v, %v", l, err)
	}
	s.clock.set(time.Unix(0, 0))
	s.refused("a clock that is not set", s.ask(s.log, 6, 7), http.StatusServiceUnavailable)
	s.clock.set(start.Add(time.Second))
	s.cosigned("later", s.ask(s.log, 6, 7), s.log, 7, start.Add(time.Second))
	if !strings.Contains(s.notes.String(), "the clock is behind") {
		t.Error("nobody is told")
	}
}

// TestRestart: all is as it was, and the keys' lines are good for what was before.
func TestRestart(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 20)
	s.cosigned("before", s.ask(s.log, 0, 10), s.log, 10, start)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(-time.Hour)
	s.open()
	s.refused("from the start", s.ask(s.log, 0, 10), http.StatusConflict)
	s.refused("before its time", s.ask(s.log, 10, 20), http.StatusServiceUnavailable)
	s.clock.pass(2 * time.Hour)
	s.cosigned("after", s.ask(s.log, 10, 20), s.log, 20, s.clock.now())
}

// TestConfiguration: what cannot be is refused at once.
func TestConfiguration(t *testing.T) {
	s := newStage(t)
	one := witness.Log{Key: s.log.Secret.Public(), Secrets: s.secrets}
	for what, logs := range map[string][]witness.Log{"a log twice": {one, one}, "nobody to cosign": {{Key: one.Key}}} {
		if _, err := witness.New(witness.Config{Logs: logs, Memory: s.store, Clock: s.clock.now}); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v", what, err)
		}
	}
}
