// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow/followtest"
)

// TestEvents: what people and programs are told of each kind of entry.
func TestEvents(t *testing.T) {
	index := protocol.Hash{0xab}
	for what, c := range map[string]struct {
		entry *directory.Entry
		words []string
		keys  []string
	}{
		"notice":           {&directory.Entry{Notice: &directory.Notice{Index: index}}, []string{"entry 9:", "announced", "ab00000000000000", "30 days"}, []string{"index"}},
		"reassignment":     {&directory.Entry{Reassign: &directory.Reassign{Index: index, Notice: 4}}, []string{"was given to another identity", "as entry 4 announced"}, []string{"index", "notice"}},
		"policy statement": {&directory.Entry{Policy: &directory.Policy{Number: 2, Statement: "“Stay.”\t"}}, []string{"policy statement 2:", `“Stay.”\t`}, []string{"number", "statement"}},
		"release":          {&directory.Entry{Release: &directory.Release{Program: "solekeyd", Version: "2", Number: 5}}, []string{"release 5 of solekeyd: version 2"}, []string{"program", "version", "manifest"}},
	} {
		var text, object bytes.Buffer
		(&program{out: &text}).event(auditor.Event{Position: 9, Entry: c.entry})
		contains(t, text.String(), c.words...)
		(&program{out: &object, json: true}).event(auditor.Event{Position: 9, Entry: c.entry})
		var got map[string]any
		if err := json.Unmarshal(object.Bytes(), &got); err != nil || got["message_type"] != "event" || got["kind"] != what || got["position"] != 9.0 {
			t.Errorf("%s: %s (%v)", what, object.String(), err)
		}
		for _, key := range c.keys {
			if _, ok := got[key]; !ok {
				t.Errorf("%s: no %q in %s", what, key, object.String())
			}
		}
	}
}

func TestReportInWords(t *testing.T) {
	var out bytes.Buffer
	r := &auditor.Report{
		Log: "log.example", Size: 1, New: 1, Time: protocol.TimeOf(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)),
		Witnessed: protocol.TimeOf(time.Date(2026, 11, 22, 9, 59, 0, 0, time.UTC)), Cosigners: []string{"ada", "bob"},
		Counts:     directory.Counts{Names: 3, Closed: 1, Updates: 1, Reassigns: 2},
		Custodians: []directory.CustodianUses{{Number: 2, Months: []directory.MonthUses{{Month: "2026-10", Uses: 1}, {Month: "2026-11", Uses: 1}}}, {Number: 0}},
		Programs:   []directory.Releases{{Program: "solekey", Number: 4}},
	}
	(&program{out: &out}).report(r)
	contains(t, out.String(), "log.example: 1 entry hold", "2026-11-22 10:00:00 UTC", "2026-11-22 09:59:00 UTC, by ada, bob",
		"3 registered, 1 closed, 1 update, 0 notices, 2 given", "solekey: 4", "2 uses (2026-10: 1, 2026-11: 1)", "0 uses\n")
	out.Reset()
	(&program{out: &out, json: true}).report(r)
	contains(t, out.String(), `"log_time":"2026-11-22T10:00:00Z"`, `"witnessed":"2026-11-22T09:59:00Z"`, `"cosigners":["ada","bob"]`, `"month":"2026-10"`)
}

// TestOldCosignatures: a fresh log with cosignatures of yesterday is too old.
func TestOldCosignatures(t *testing.T) {
	r := &auditor.Report{Time: protocol.TimeOf(clock.Now())}
	if err := tooOld(r, time.Hour); err != nil {
		t.Error(err)
	}
	r.Witnessed = protocol.TimeOf(clock.Now().Add(-2 * time.Hour))
	if err := tooOld(r, time.Hour); protocol.KindOf(err) != protocol.KindTooOld || !strings.Contains(err.Error(), "witnesses cosigned last") {
		t.Errorf("old cosignatures: %v", err)
	}
	if err := tooOld(r, 0); err != nil {
		t.Error(err)
	}
}

// TestWhereTheStateLies: each log has a file of its own, and --state names another.
func TestWhereTheStateLies(t *testing.T) {
	a, b := followtest.New(t, "log.example/a", 0).Key(), followtest.New(t, "log.example/a", 0).Key()
	home := t.TempDir()
	file := func(key *tlog.LogKey, f logFlags) string {
		path, err := f.file(key)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	if dir := filepath.Dir(file(a, logFlags{})); dir != filepath.Join(home, ".local", "state", "solekey-audit") {
		t.Errorf("the state lies in %s", dir)
	}
	if file(a, logFlags{}) == file(b, logFlags{}) {
		t.Error("two logs of one name share a file")
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
	if dir := filepath.Dir(file(a, logFlags{})); dir != filepath.Join(home, "state", "solekey-audit") {
		t.Errorf("the state lies in %s", dir)
	}
	if got := file(a, logFlags{state: "here.db"}); got != "here.db" {
		t.Errorf("the state lies in %s", got)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := (&logFlags{}).file(a); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("without a home: %v", err)
	}
}

// TestStateInFull: the state is a file for its owner alone, and a folder that cannot
// be made is said.
func TestStateInFull(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "deep", "audit.db")
	want(t, 0, "follow", s.url, "--log", s.key(), "--state", path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state is %v (%v)", info.Mode(), err)
	}
	want(t, 0, "status", "--log", s.key(), "--state", path)
	want(t, 1, "follow", s.url, "--log", s.key(), "--state", filepath.Join(path, "below", "a file"))
	if err := os.WriteFile(path, []byte("no database at all, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path + "-wal")
	code, _, errs := call(t, "follow", s.url, "--log", s.key(), "--state", path)
	if code == 0 || code == 20 {
		t.Errorf("a state that is none: exit code %d, %s", code, errs)
	}
}

// TestEvidenceFromStandardInput reads what is not evidence, and too much of it.
func TestEvidenceFromStandardInput(t *testing.T) {
	for what, in := range map[string]string{"nothing": "", "words": "I have seen it.\n", "a begin without an end": "-----BEGIN SOLEKEY EVIDENCE-----\nAAAA\n"} {
		var out, errs bytes.Buffer
		p := &program{out: &out, err: &errs}
		root := p.root()
		root.SetIn(strings.NewReader(in))
		root.SetArgs([]string{"evidence", "-"})
		if err := root.ExecuteContext(t.Context()); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNoLogThere: an address where there is none is not broken but silent.
func TestNoLogThere(t *testing.T) {
	s := newSite(t)
	empty := httptest.NewServer(s.log.Handler("/elsewhere"))
	defer empty.Close()
	_, errs := want(t, 22, "follow", empty.URL, "--log", s.key())
	contains(t, errs, "no log answers there")
	other := followtest.New(t, "log.example/one", protocol.TimeOf(clock.Now()))
	out, _ := want(t, 20, "follow", s.url, "--log", other.Key().String())
	contains(t, out, "Broken: signed.", "There is no file")
	if strings.Contains(out, "Signed by") {
		t.Errorf("it accuses a key that signed nothing:\n%s", out)
	}
}
