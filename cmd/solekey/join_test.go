// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/solekey/solekey/test/world"
)

func TestDeviceByCodes(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	phone := newMachine(t)
	join := phone.start(context.Background(), "join", desk.link(), "--name", "Alice", "--device-name", "phone")
	join.until("long_code")
	approve := desk.start(context.Background(), "device", "approve")
	code := join.until("short_code")
	approve.until("request")
	approve.answer(strings.ToLower(code))
	answer := approve.until("answer")
	join.until("wants")
	join.answer(answer)
	if a, b := approve.end(), join.end(); a != 0 || b != 0 {
		t.Fatalf("approve ended with %d, join with %d\n%s%s", a, b, approve.errs, join.errs)
	}
	list := phone.exits(0, "device", "list").out
	for _, want := range []string{"desk", "phone", "owner", "this device"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	phone.exits(0, "backup", phone.path("password"))
	desk.exits(1, "device", "revoke", "this")
	desk.exits(10, "device", "revoke", "nobody")
	desk.exits(0, "device", "rename", "phone", "old phone")
	desk.exits(0, "device", "revoke", "old phone")
	phone.exits(23, "backup", phone.path("password"))
	phone.exits(23, "status")
	desk.exits(0, "recovery", "test", "--recovery-kit", desk.path("kit"))
	if got := desk.devices(); got != 1 {
		t.Errorf("%d devices, want 1", got)
	}
	desk.exits(1, "device", "revoke", "desk")
}

func TestWrongCodes(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	phone := newMachine(t)
	join := phone.start(context.Background(), "join", desk.link(), "--name", "alice")
	join.until("long_code")
	approve := desk.start(context.Background(), "device", "approve")
	approve.until("request")
	approve.answer("AAAA-AAAA")
	if a, b := approve.end(), join.end(); a != exitWrongSecret || b != exitWrongSecret {
		t.Fatalf("approve ended with %d, join with %d", a, b)
	}
	phone.exits(exitNotFound, "whoami")

	join = phone.start(context.Background(), "join", desk.link(), "--name", "alice")
	join.until("long_code")
	desk.exits(exitUsage, "device", "approve", "ABCDEF")
	approve = desk.start(context.Background(), "device", "approve")
	code := join.until("short_code")
	approve.until("request")
	approve.answer(code)
	answer := approve.until("answer")
	join.until("wants")
	join.answer("AAAA-AAAA")
	if a, b := approve.end(), join.end(); a != 0 || b != exitWrongSecret {
		t.Fatalf("approve ended with %d, join with %d", a, b)
	}
	phone.exits(exitWaiting, "whoami") // not trusted yet, not forgotten either
	phone.exits(exitWaiting, "backup", phone.path("password"))
	if got := phone.runWith(context.Background(), strings.NewReader(answer+"\n"), "join"); got.code != 0 {
		t.Fatalf("join again: %d\n%s", got.code, got.err)
	}
	phone.exits(0, "whoami")
}

func TestWriterByLongCode(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	server := newMachine(t)
	join := server.start(context.Background(), "join", desk.link(), "--name", "alice", "--writer")
	code := join.until("long_code")
	desk.exits(0, "device", "approve", "--name", "server", strings.ToLower(grouped(code)))
	if code := join.end(); code != 0 {
		t.Fatalf("join ended with %d\n%s", code, join.errs)
	}
	server.exits(0, "backup", server.path("password"))
	server.exits(0, "status", "--max-age", "1h")
	server.exits(0, "doctor")
	server.exits(0, "recovery", "test", "--recovery-kit", desk.path("kit"))
	for _, args := range [][]string{
		{"snapshots"},
		{"restore", "latest", "-t", server.path("out")},
		{"device", "list"},
		{"device", "approve"},
		{"device", "revoke", "desk"},
		{"recovery", "kit", "--out", server.path("kit")},
	} {
		if got := server.exits(exitFailed, args...); !strings.Contains(got.err, "writer") {
			t.Errorf("%s: %s", strings.Join(args, " "), got.err)
		}
	}
	if _, err := os.Stat(server.path("kit")); err == nil {
		t.Error("a refused recovery kit left a file")
	}
	if list := desk.exits(0, "device", "list").out; !strings.Contains(list, "server") {
		t.Errorf("the writer has no name:\n%s", list)
	}
}

func TestComeBack(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.exits(0, "backup", desk.path("password"))
	empty := newMachine(t)
	empty.exits(0, "join", "--recovery-kit", desk.path("kit"), "--device-name", "new", "--remove-others")
	if got := empty.devices(); got != 1 {
		t.Errorf("%d devices, want 1", got)
	}
	desk.exits(exitRemoved, "backup", desk.path("password"))
	empty.exits(0, "restore", "latest", "-t", empty.path("out"))
	empty.exits(0, "recovery", "test", "--recovery-kit", desk.path("kit"))

	empty.exits(0, "recovery", "kit", "--out", empty.path("second"))
	empty.exits(exitUsage, "recovery", "kit", "--out", empty.path("second"))
	empty.exits(exitUsage, "recovery", "kit")
	if n := len(objects(t, empty.exits(0, "recovery", "list", "--json").out)); n != 2 {
		t.Errorf("%d recovery keys, want 2", n)
	}
	kit, err := os.ReadFile(empty.path("second"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseKit(kit)
	if err != nil {
		t.Fatal(err)
	}
	typed := newMachine(t)
	got := typed.runWith(context.Background(), strings.NewReader(parsed.key.Written()+"\n"), "join", "--recover", empty.link())
	if got.code != 0 {
		t.Fatalf("join --recover: %d\n%s", got.code, got.err)
	}
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	w, desk := opened(t)
	other := newMachine(t)
	other.write("password", "wrong\n")
	kit, err := os.ReadFile(desk.path("kit"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := other.write("foreign", strings.Replace(string(kit), "Recovery key:", "Recovery key: A", 1))
	invite := w.Provider.Invite()
	used := objects(t, desk.exits(0, "whoami", "--json").out)[0]["url"].(string)
	cases := []struct {
		code int
		args []string
	}{
		{exitUsage, []string{"join"}},
		{exitUsage, []string{"join", "http://example.org"}},
		{exitUsage, []string{"join", invite[:len(invite)-1] + "b", "--name", "bob", "--recovery-out", other.path("k")}},
		{exitUsage, []string{"join", invite, "--writer", "--name", "bob"}},
		{exitUsage, []string{"join", invite, "--name", "bob"}}, // nowhere to put the kit
		{exitUsage, []string{"join", invite, "--name", "b b", "--recovery-out", other.path("k")}},
		{exitUsage, []string{"join", "--writer", "--recovery-kit", desk.path("kit")}},
		{exitUsage, []string{"join", "--remove-others", invite}},
		{exitUsage, []string{"join", "--recover"}},
		{exitUsage, []string{"join", "--recovery-kit", desk.path("password")}},
		{exitUsage, []string{"join", "--protect", "magic", "--recovery-kit", desk.path("kit")}},
		{exitWrongSecret, []string{"join", "--recovery-kit", foreign}},
		{exitWrongSecret, []string{"join", used, "--name", "alice"}},
		{exitWrongSecret, []string{"join", used, "--name", "nobody"}},
		{exitUntrusted, []string{"join", "https://" + w.Net.Address(), "--name", "alice"}},
		{exitFailed, []string{"join", invite, "--name", "alice", "--recovery-out", other.path("k")}},
		{0, []string{"join", "--discard"}},
	}
	for _, c := range cases {
		got := other.run(c.args...)
		if got.code != c.code {
			t.Errorf("%s: exit code %d, want %d\n%s", strings.Join(c.args, " "), got.code, c.code, got.err)
		}
		other.exits(exitNotFound, "whoami")
	}
	if _, err := os.Stat(other.path("k")); err == nil {
		t.Error("a refused join left a recovery kit")
	}
	w.Net.PresentStranger()
	other.exits(exitUntrusted, "join", "--recovery-kit", desk.path("kit"))
	desk.exits(exitUntrusted, "status")
	desk.exits(exitFailed, "doctor")
}

// stopAt cancels at the request of a number, before or after the server has it. What
// only reads counts before alone, since to the server an answer that is lost
// afterwards is the same, and once for each path: what asks again waits for something.
func stopAt(w *world.World, at int, after bool, cancel func()) *atomic.Int64 {
	count := new(atomic.Int64)
	var mu sync.Mutex // guards asked
	asked := map[string]int{}
	w.Net.Use(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		asked[r.URL.Path]++
		again := asked[r.URL.Path] > 1
		mu.Unlock()
		if r.Method == http.MethodGet && (after || again) {
			next.ServeHTTP(rw, r)
			return
		}
		n := count.Add(1)
		if n == int64(at) && !after {
			cancel()
			<-r.Context().Done()
			return
		}
		if n == int64(at) {
			next.ServeHTTP(discard{http.Header{}}, r)
			cancel()
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(rw, r)
	})
	return count
}

// discard is an answer that gets lost.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// stoppable is a join that can be stopped, in a world of its own.
type stoppable struct {
	w     *world.World
	join  func(m *machine) []string
	check func(m *machine) // what must be so once it went through
}

// eachStop runs a join that is stopped at each of its requests, and again. A server
// bounds how often anybody may try, so a new world begins now and then.
func eachStop(t *testing.T, begin func() stoppable) {
	const tries, most = 20, 200
	for _, after := range []bool{false, true} {
		var s stoppable
		for at := 1; ; at++ {
			if at%tries == 1 {
				s = begin()
			}
			m := newMachine(t)
			args := s.join(m)
			ctx, cancel := context.WithCancel(context.Background())
			count := stopAt(s.w, at, after, cancel)
			first := m.runWith(ctx, strings.NewReader(""), args...)
			cancel()
			s.w.Net.Use(nil)
			if first.code == 0 && count.Load() < int64(at) {
				s.check(m)
				break
			}
			if got := m.run(args...); got.code != 0 || at == most {
				t.Fatalf("stopped at request %d (%v): %d\n%sthen %d\n%s", at, after, first.code, first.err, got.code, got.err)
			}
			s.check(m)
		}
	}
}

func TestNewAccountStopped(t *testing.T) {
	t.Parallel()
	eachStop(t, func() stoppable {
		w, n := world.New(t, programs), 0
		return stoppable{w, func(m *machine) []string {
			n++
			return []string{"join", "--name", "user" + strconv.Itoa(n), "--recovery-out", m.path("kit"), w.Provider.Invite()}
		}, func(m *machine) {
			m.exits(0, "recovery", "test", "--recovery-kit", m.path("kit"))
			if got := m.devices(); got != 1 {
				t.Errorf("%d devices, want 1", got)
			}
		}}
	})
}

func TestComeBackStopped(t *testing.T) {
	t.Parallel()
	eachStop(t, func() stoppable {
		w, desk := opened(t)
		return stoppable{w, func(*machine) []string {
			return []string{"join", "--recovery-kit", desk.path("kit"), "--device-name", "again"}
		}, func(*machine) {
			if got := desk.devices(); got != 2 {
				t.Errorf("%d devices, want 2: one was added that nobody has the keys of", got)
			}
			desk.exits(0, "device", "revoke", "again")
		}}
	})
}

// TestEnrolmentStopped stops an enrolment at each of the requests of both sides,
// lets both go on, and demands that the account has the new device or nothing of
// it.
func TestEnrolmentStopped(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		w := world.New(t, programs) // a server bounds how often anybody may ask
		first, last := 3, 12
		if after {
			first, last = 1, 8
		}
		for at := first; at <= last; at++ {
			desk, phone := newMachine(t), newMachine(t)
			name := "user" + strconv.Itoa(at)
			desk.exits(0, "join", "--name", name, "--recovery-out", desk.path("kit"), w.Provider.Invite())
			join := []string{"join", desk.link(), "--name", name, "--device-name", "phone", "--timeout", "3s"}
			ctx, cancel := context.WithCancel(context.Background())
			stopAt(w, at, after, cancel)
			begun := phone.start(ctx, join...)
			if code := begun.until("long_code"); code != "" {
				desk.runWith(ctx, strings.NewReader(""), "device", "approve", "--timeout", "3s", code)
			}
			begun.end()
			cancel()
			w.Net.Use(nil)
			phone.goesOn(desk, join)
			want := 1
			if phone.run("whoami").code == 0 {
				want = 2
			}
			if got := desk.devices(); got != want {
				t.Errorf("stopped at request %d (%v): %d devices, want %d\n%s", at, after, got, want, begun.errs)
			}
		}
	}
}

// goesOn runs what was stopped again, on both sides: first the approval, which
// completes what it had begun, then the join.
func (m *machine) goesOn(desk *machine, join []string) {
	m.t.Helper()
	desk.run("device", "approve", "--timeout", "1ms")
	again := m.start(context.Background(), join...)
	if code := again.until("long_code"); code != "" {
		desk.exits(0, "device", "approve", code)
	}
	if code := again.end(); code != 0 && code != exitWaiting && code != exitWrongSecret {
		m.t.Errorf("join again: %d\n%s", code, again.errs)
	}
}
