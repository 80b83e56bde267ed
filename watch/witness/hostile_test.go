// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	formatslog "github.com/transparency-dev/formats/log"
	formatsnote "github.com/transparency-dev/formats/note"
	modnote "golang.org/x/mod/sumdb/note"
	modtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/witness"
)

// TestForeignLog: a log that is made of golang.org/x/mod alone, with requests that
// are written out here, and whose answers transparency-dev/formats verifies.
func TestForeignLog(t *testing.T) {
	skey, vkey, err := modnote.GenerateKey(nil, "sum.example.org/latest")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := modnote.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tlog.ParseLogKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.others = []witness.Log{{Key: key, Secrets: s.secrets}}
	s.begin()
	server := httptest.NewServer(s.w.Handler())
	defer server.Close()

	var stored []modtlog.Hash
	reader := modtlog.HashReaderFunc(func(indexes []int64) ([]modtlog.Hash, error) {
		var out []modtlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	old, n := int64(0), int64(0)
	for _, size := range []int64{1, 2, 7, 64, 65, 300} {
		for ; n < size; n++ {
			hashes, err := modtlog.StoredHashes(n, fmt.Appendf(nil, "record %d", n), reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hashes...)
		}
		root, err := modtlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		checkpoint := formatslog.Checkpoint{Origin: "sum.example.org/latest", Size: uint64(size), Hash: root[:]}
		note, err := modnote.Sign(&modnote.Note{Text: string(checkpoint.Marshal())}, signer)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf("old %d\n", old)
		if old > 0 {
			proof, err := modtlog.ProveTree(size, old, reader)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range proof {
				body += h.String() + "\n"
			}
		}
		response, err := http.Post(server.URL+"/add-checkpoint", "", strings.NewReader(body+"\n"+string(note)))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("size %d: %s: %s, %v", size, response.Status, lines, err)
		}
		_ = response.Body.Close()
		var verifiers []modnote.Verifier
		for _, secret := range s.secrets {
			v, err := foreignVerifier(secret.Public())
			if err != nil {
				t.Fatal(err)
			}
			verifiers = append(verifiers, v)
		}
		opened, err := modnote.Open(append(note, lines...), modnote.VerifierList(verifiers...))
		if err != nil || len(opened.Sigs) != 2 {
			t.Fatalf("size %d: %v", size, err)
		}
		old = size
	}
}

func foreignVerifier(k *tlog.WitnessKey) (modnote.Verifier, error) {
	if k.Algorithm() == tlog.MLDSA44 {
		return formatsnote.NewMLDSAVerifier(k.String())
	}
	return formatsnote.NewVerifierForCosignatureV1(k.String())
}

// endless is a body that does not end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// TestHostileRequests: bodies without an end are cut off early, and nothing a
// stranger sends makes the witness keep anything.
func TestHostileRequests(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 5)
	body := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", body)
	out := httptest.NewRecorder()
	s.w.Handler().ServeHTTP(out, r)
	if out.Code != http.StatusRequestEntityTooLarge || body.read > 1<<20 {
		t.Errorf("status %d after %d bytes", out.Code, body.read)
	}
	for what, hostile := range map[string][]byte{
		"zeros":               make([]byte, 200<<10),
		"lines":               bytes.Repeat([]byte("\n"), 200<<10),
		"an old size":         []byte("old " + strings.Repeat("9", 200<<10) + "\n"),
		"hashes":              []byte("old 1\n" + strings.Repeat(strings.Repeat("A", 43)+"=\n", 4000)),
		"signatures":          append(requestOf(t, s.log, 0, 5), bytes.Repeat([]byte("— x AAAAAAA=\n"), 9000)...),
		"an origin":           []byte("old 0\n\n" + strings.Repeat("o", 200<<10) + "\n5\n" + strings.Repeat("A", 43) + "=\n\n— x AAAAAAA=\n"),
		"a size beyond 2^62":  []byte("old 0\n\nlog.example/one\n9223372036854775807\n" + strings.Repeat("A", 43) + "=\n\n— x AAAAAAA=\n"),
		"control characters":  []byte("old 0\n\nlog.example/one\r\n5\r\n"),
		"another's signature": bytes.Replace(requestOf(t, s.log, 0, 5), []byte("— log.example/one "), []byte("— log.example/two "), 1),
	} {
		if a := s.post(hostile); a.status != http.StatusBadRequest && a.status != http.StatusForbidden {
			t.Errorf("%s: status %d", what, a.status)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		out := httptest.NewRecorder()
		s.w.Handler().ServeHTTP(out, httptest.NewRequest(method, "/add-checkpoint", nil))
		if out.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d", method, out.Code)
		}
	}
	if l, err := s.store.Latest(ctx, "log.example/one"); err != nil || l.Time != 0 {
		t.Errorf("%+v is kept, %v", l, err)
	}
	if list, err := s.store.Alarms(ctx); err != nil || len(list) != 0 {
		t.Errorf("strangers raise alarms: %v, %v", list, err)
	}
}

// TestManyAddresses: strangers from everywhere cost little memory.
func TestManyAddresses(t *testing.T) {
	s := newStage(t)
	s.limits = witness.DefaultLimits()
	s.begin()
	h := s.w.Handler()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	refused := 0
	for i := range 5_000 {
		r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader("x"))
		r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:4711", i>>16, i&0xffff)
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		if out.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	if refused == 0 {
		t.Error("nobody is refused")
	}
}

// TestSlowRequests: one address cannot take all room with bodies that never end.
func TestSlowRequests(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 5)
	h := s.w.Handler()
	slow := func() (func(), chan int) {
		body, end := io.Pipe()
		done := make(chan int, 1)
		go func() {
			out := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", body)
			h.ServeHTTP(out, r)
			done <- out.Code
		}()
		_, _ = end.Write([]byte("old ")) // returns when the handler reads, or has answered
		return func() { _ = end.Close() }, done
	}
	var ends []func()
	var all []chan int
	for range 8 {
		end, done := slow()
		ends, all = append(ends, end), append(all, done)
	}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(requestOf(t, s.log, 0, 5))))
	if out.Code != http.StatusServiceUnavailable || out.Header().Get("Retry-After") == "" {
		t.Errorf("the ninth: status %d", out.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(requestOf(t, s.log, 0, 5)))
	r.RemoteAddr = "192.0.2.77:1"
	out = httptest.NewRecorder()
	h.ServeHTTP(out, r)
	if out.Code != http.StatusOK {
		t.Errorf("another address: status %d", out.Code)
	}
	for i, end := range ends {
		end()
		if code := <-all[i]; code != http.StatusBadRequest {
			t.Errorf("a slow one: status %d", code)
		}
	}
	s.cosigned("after", s.ask(s.log, 5, 5), s.log, 5, start)
}

// TestLimits: an address and a log may ask so often and no more; one does not use
// up what is another's.
func TestLimits(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 5)
	s.limits = witness.Limits{PerAddress: witness.Limit{PerSecond: 1, Burst: 3}}
	s.begin()
	from := func(address string) int {
		r := httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader("x"))
		r.RemoteAddr = address
		out := httptest.NewRecorder()
		s.w.Handler().ServeHTTP(out, r)
		return out.Code
	}
	for i, want := range []int{400, 400, 400, 429, 429} {
		if got := from("192.0.2.1:99"); got != want {
			t.Errorf("request %d: status %d, want %d", i, got, want)
		}
	}
	for address, want := range map[string]int{"192.0.2.2:99": 400, "[::ffff:192.0.2.1]:7": 429, "[2001:db8::1]:1": 400, "strange": 400} {
		if got := from(address); got != want {
			t.Errorf("%s: status %d, want %d", address, got, want)
		}
	}
	s.clock.pass(2 * time.Second)
	for i, want := range []int{400, 400, 429} {
		if got := from("192.0.2.1:99"); got != want {
			t.Errorf("two seconds later, request %d: status %d, want %d", i, got, want)
		}
	}
	s.limits = witness.Limits{PerLog: witness.Limit{PerSecond: 1, Burst: 2}}
	s.begin()
	grow(t, s.log, 7)
	s.cosigned("one", s.ask(s.log, 0, 4), s.log, 4, s.clock.now())
	s.cosigned("two", s.ask(s.log, 4, 5), s.log, 5, s.clock.now())
	a := s.ask(s.log, 5, 6)
	if s.refused("three", a, http.StatusTooManyRequests); a.waiting == "" {
		t.Error("nothing says that it may be tried again")
	}
	stranger := bytes.Replace(requestOf(t, s.log, 5, 5), []byte("— log"), []byte("— lag"), 1)
	s.refused("a stranger", s.post(stranger), http.StatusForbidden)
}

// TestRepeatedNotes: the log's notes are public, and anybody can send them again.
// That leaves the log its turn, and writes nothing.
func TestRepeatedNotes(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 8)
	s.limits = witness.Limits{PerLog: witness.Limit{PerSecond: 1, Burst: 2}}
	memory := &faulty{Store: s.store}
	s.memory = memory
	s.begin()
	s.cosigned("the log", s.ask(s.log, 0, 5), s.log, 5, s.clock.now())
	memory.step = "before advance"
	for range 20 {
		s.cosigned("a stranger", s.ask(s.log, 5, 5), s.log, 5, s.clock.now())
		s.refused("a stranger with an old one", s.ask(s.log, 0, 4), http.StatusConflict)
	}
	memory.step = ""
	s.cosigned("the log again", s.ask(s.log, 5, 8), s.log, 8, s.clock.now())
}

// TestVKeys shows keys and mode, and does not mix logs of two modes up.
func TestVKeys(t *testing.T) {
	s := newAudited(t)
	get := func(query string) (int, string) {
		out := httptest.NewRecorder()
		s.w.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/vkeys"+query, nil))
		return out.Code, out.Body.String()
	}
	keys := s.secrets[0].Public().String() + "\n" + s.secrets[1].Public().String() + "\n"
	for query, want := range map[string]struct {
		status int
		text   string
	}{
		"?origin=log.example/one":       {200, "# mode: extension\n" + keys},
		"?origin=log.example%2Faudited": {200, "# mode: auditing\n" + keys},
		"?origin=log.example/none":      {404, "this witness does not know that log\n"},
		"":                              {400, "this witness has other keys for other logs: ask with ?origin=ORIGIN\n"},
	} {
		if status, text := get(query); status != want.status || text != want.text {
			t.Errorf("%q: %d %q", query, status, text)
		}
	}
	s.others = nil
	s.begin()
	if status, text := get(""); status != 200 || text != "# mode: extension\n"+keys {
		t.Errorf("%d %q", status, text)
	}
	none, err := witness.New(witness.Config{Memory: s.store, Clock: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	out := httptest.NewRecorder()
	none.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/vkeys", nil))
	if out.Code != http.StatusNotFound {
		t.Errorf("no log: %d", out.Code)
	}
}

// TestHangUp: a client that is gone before the witness has kept the checkpoint, or
// while it does, changes nothing of what is promised.
func TestHangUp(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 9)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	lines, err := s.w.AddCheckpoint(gone, requestOf(t, s.log, 0, 5))
	kept, readErr := s.store.Latest(ctx, "log.example/one")
	if readErr != nil || (err == nil) != (kept.Size == 5) || (err != nil) != (lines == nil) {
		t.Errorf("%q, %v, and %+v is kept, %v", lines, err, kept, readErr)
	}
	s.cosigned("after", s.ask(s.log, kept.Size, 9), s.log, 9, start)
	if protocol.KindOf(err) == protocol.KindUntrusted {
		t.Error("a client that is gone is called a liar")
	}
}
