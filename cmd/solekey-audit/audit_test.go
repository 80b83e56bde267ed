// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow/followtest"
)

// site is a provider's log behind HTTP, and a folder for the auditor.
type site struct {
	t   *testing.T
	log *followtest.Log
	url string
	dir string
}

func newSite(t *testing.T) *site {
	t.Helper()
	log := followtest.New(t, "log.example/one", protocol.TimeOf(clock.Now()))
	server := httptest.NewServer(log.Handler("/v1/log"))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return &site{t, log, server.URL + "/v1/log", dir}
}

func (s *site) key() string { return s.log.Key().String() }

// call runs one command line.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// want runs a command line that must end with the code, and returns what it wrote.
func want(t *testing.T, code int, args ...string) (out, errs string) {
	t.Helper()
	got, out, errs := call(t, args...)
	if got != code {
		t.Fatalf("%s: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out, errs
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

func TestFollowAndStatus(t *testing.T) {
	s := newSite(t)
	alice, bob := followtest.NewName(t, "alice"), followtest.NewName(t, "bob")
	s.log.Add(alice.Update(s.log.Key()), bob.Notice(s.log.Key(), alice))
	s.log.Add(&directory.Entry{Policy: &directory.Policy{Number: 1, Statement: "A line.\n\x1b[2JAnother."}})
	s.log.Add(&directory.Entry{Release: &directory.Release{Program: "solekey", Version: "1.0", Number: 1}})
	s.log.Add(&directory.Entry{Custodian: &directory.Custodian{Custodian: protocol.Hash{7}, Number: 1}})
	s.log.Root(protocol.TimeOf(clock.Now()))
	want(t, 10, "status", "--log", s.key())
	out, _ := want(t, 0, "follow", s.url, "--log", s.key())
	contains(t, out, "entry 3: it is announced that the name at", `policy statement 1: "A line.\n\x1b[2JAnother."`, "release 1 of solekey: version 1.0",
		"log.example/one: 8 entries hold to every rule, 8 of them new", "1 registered, 0 closed, 1 update, 1 notice, 0 given", "custodian   0700000000000000: 1 use (")
	if strings.Contains(out, "\x1b") {
		t.Error("the provider writes to the terminal")
	}
	out, _ = want(t, 0, "follow", s.url, "--log", s.key())
	contains(t, out, "8 entries hold to every rule, 0 of them new")
	out, _ = want(t, 0, "status", "--log", s.key(), "--json")
	var object struct {
		Type    string `json:"message_type"`
		Size    uint64 `json:"size"`
		LogTime string `json:"log_time"`
		Counts  struct {
			Names uint64 `json:"names"`
		} `json:"counts"`
	}
	if err := json.Unmarshal([]byte(out), &object); err != nil || object.Type != "summary" || object.Size != 8 || object.Counts.Names != 1 || object.LogTime == "" {
		t.Errorf("status is %+v of %s (%v)", object, out, err)
	}
}

func TestBreachWritesEvidence(t *testing.T) {
	s := newSite(t)
	alice := followtest.NewName(t, "alice")
	s.log.Add(alice.Update(s.log.Key()))
	s.log.Root(protocol.TimeOf(clock.Now()))
	want(t, 0, "follow", s.url, "--log", s.key())
	bad := alice.Update(s.log.Key())
	bad.Update.Signature[0] ^= 1
	s.log.Force(bad)
	s.log.Force(&directory.Entry{Root: &directory.Root{Size: s.log.Head().Size, Time: protocol.TimeOf(clock.Now())}})
	folder := filepath.Join(s.dir, "found")
	for range 2 {
		out, errs := want(t, 20, "follow", s.url, "--log", s.key(), "--evidence", folder)
		contains(t, out, "Broken: signature.", "position 4", "Signed by: log.example/one+", "Evidence: "+folder)
		contains(t, errs, "position 4", "By the log "+s.key())
	}
	files, err := filepath.Glob(filepath.Join(folder, "evidence-*.txt"))
	if err != nil || len(files) != 1 {
		t.Fatalf("evidence is in %v (%v)", files, err)
	}
	out, _ := want(t, 0, "evidence", files[0], "--log", s.key())
	contains(t, out, "It proves: The provider's log holds an entry, at position 4", "Broken: signature.", "Signed by: log "+s.key())
	out, _ = want(t, 0, "evidence", files[0], "--json")
	contains(t, out, `"kind":"rules"`, `"broken":"signature"`)
	out, _ = want(t, 0, "evidence", files[0])
	contains(t, out, "anybody can make a log")
	other := followtest.New(t, "other.example", 0)
	want(t, 20, "evidence", files[0], "--log", other.Key().String())
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(raw, []byte("AAAA"), []byte("AAAB"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, 20, "evidence", files[0])
	want(t, 10, "evidence", filepath.Join(folder, "none.txt"))
	out, _ = want(t, 20, "follow", s.url, "--log", s.key(), "--evidence", folder, "--json")
	contains(t, out, `"message_type":"finding"`, `"rule":"signature"`, `"evidence":"`+folder)
}

// TestEvidenceThatCannotBeKept: the finding is told all the same.
func TestEvidenceThatCannotBeKept(t *testing.T) {
	s := newSite(t)
	s.log.Force(&directory.Entry{Reassign: &directory.Reassign{}})
	s.log.Force(&directory.Entry{Root: &directory.Root{Size: s.log.Head().Size, Time: protocol.TimeOf(clock.Now())}})
	file := filepath.Join(s.dir, "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs := want(t, 20, "follow", s.url, "--log", s.key(), "--evidence", file)
	contains(t, errs, "position 2", "keep evidence")
}

func TestFindingWithoutEvidence(t *testing.T) {
	s := newSite(t)
	s.log.Force(&directory.Entry{Policy: &directory.Policy{Number: 9, Prev: protocol.Hash{1}, Statement: "x"}})
	s.log.Force(&directory.Entry{Root: &directory.Root{Size: s.log.Head().Size, Time: protocol.TimeOf(clock.Now())}})
	out, _ := want(t, 20, "follow", s.url, "--log", s.key())
	contains(t, out, "Broken: number.", "There is no file that shows it to others: ")
}

func TestPolicyFile(t *testing.T) {
	s := newSite(t)
	witness, err := tlog.GenerateWitnessSecret("w.example", tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	alone := write("alone", "log "+s.key()+" "+s.url+"\nquorum none\n")
	demanding := write("demanding", "log "+s.key()+" "+s.url+"\nwitness w "+witness.Public().String()+"\nquorum w\n")
	want(t, 0, "follow", "--policy", alone)
	_, errs := want(t, 22, "follow", "--policy", demanding)
	contains(t, errs, "does not count yet", "cosigned by nobody")
	_, errs = want(t, 2, "follow", "--policy", alone, "--log", followtest.New(t, "other.example", 0).Key().String())
	contains(t, errs, "name different logs")
	want(t, 2, "follow", "--policy", write("nonsense", "no policy"))
	want(t, 2, "follow", "--policy", filepath.Join(s.dir, "none"))
}

func TestMaxAge(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	log := followtest.New(t, "log.example/old", protocol.TimeOf(clock.Now().Add(-25*time.Hour)))
	server := httptest.NewServer(log.Handler(""))
	defer server.Close()
	out, errs := want(t, 25, "follow", server.URL, "--log", log.Key().String())
	contains(t, out, "2 entries hold to every rule")
	contains(t, errs, "the newest root of the log is of")
	want(t, 0, "follow", server.URL, "--log", log.Key().String(), "--max-age", "26h")
	want(t, 0, "follow", server.URL, "--log", log.Key().String(), "--max-age", "0")
}

func TestWrongUsage(t *testing.T) {
	s := newSite(t)
	for _, args := range [][]string{
		{"follow", s.url},
		{"follow", "--log", s.key()},
		{"follow", "ftp://log.example", "--log", s.key()},
		{"follow", s.url, "--log", "no key"},
		{"follow", s.url, "--log", s.key(), "--every", "0s"},
		{"follow", s.url, "--log", s.key(), "--max-age", "-1s"},
		{"follow", s.url, "--log", s.key(), "--watch", "--metrics", "0.0.0.0:0"},
		{"follow", s.url, "--log", s.key(), "--watch", "--metrics", "nowhere"},
		{"follow", s.url, s.url, "--log", s.key()},
		{"evidence"},
		{"evidence", "-", "--log", "no key"},
		{"status"},
		{"frob"},
	} {
		want(t, 2, args...)
	}
	_, errs := want(t, 2, "follow", "--json", s.url)
	contains(t, errs, `"message_type":"exit_error"`, `"code":2`)
}

// TestWatch goes on while the log grows and does not answer, and ends when
// something does not hold.
func TestWatch(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex // guards asked and the log, of which each request sees the next stage
	asked := 0
	handler := s.log.Handler("/v1/log")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/checkpoint") {
			handler.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch asked++; asked {
		case 2:
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		case 3:
			s.log.Add(followtest.NewName(t, "alice").Update(s.log.Key()))
			s.log.Root(protocol.TimeOf(clock.Now()))
		case 4:
			s.log.Force(&directory.Entry{Reassign: &directory.Reassign{Notice: 1}})
			s.log.Force(&directory.Entry{Root: &directory.Root{Size: s.log.Head().Size, Time: protocol.TimeOf(clock.Now())}})
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	out, errs := want(t, 20, "follow", server.URL+"/v1/log", "--log", s.key(), "--watch", "--every", "1ms", "--metrics", "127.0.0.1:0")
	contains(t, out, "Metrics are at http://127.0.0.1:", "2 entries hold", "4 entries hold", "Broken: delay.")
	contains(t, errs, "it answers 503", "will try again")
}

func TestWatchStops(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		s.log.Handler("").ServeHTTP(w, r)
	}))
	defer server.Close()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"follow", server.URL, "--log", s.key(), "--watch"}, &out, &errs); code != 130 {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
}

func TestVersionAndCompletion(t *testing.T) {
	out, _ := want(t, 0, "version")
	contains(t, out, "solekey-audit ")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, _ := want(t, 0, "completion", shell); len(out) < 100 {
			t.Errorf("completion of %s: %q", shell, out)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := newSite(t)
	t.Setenv("SOLEKEY_AUDIT_LOG", s.key())
	want(t, 0, "follow", s.url)
}
