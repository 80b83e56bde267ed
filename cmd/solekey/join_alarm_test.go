// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
)

// TestAlarmInAJoin: an alarm that is raised in a join is not undone with it. Its
// user can take note of it, and its evidence stays whatever comes.
func TestAlarmInAJoin(t *testing.T) {
	m := newMachine(t)
	kept, err := state.Open(m.path("state"), m.path("cache"))
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.SetNote(noteJoin, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	alarm, err := kept.RaiseAlarm(&state.Alarm{Time: 5, Kind: "fork", Text: "the server showed two logs"}, []byte("proof"))
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if got := m.exits(exitUntrusted, "join", "https://s.example"); !strings.Contains(got.err, "two logs") {
		t.Errorf("join says %s", got.err)
	}
	if _, err := os.Stat(kept.EvidencePath(alarm)); err != nil {
		t.Errorf("the evidence is gone: %v", err)
	}
	m.exits(exitUntrusted, "log", "alarms")
	m.exits(0, "log", "alarms", "note", "1")
	m.exits(0, "join", "--discard")
	if got, err := os.ReadFile(m.path("state/alarms.past-1/0001.evidence")); string(got) != "proof" {
		t.Errorf("after it was given up: %q, %v", got, err)
	}
}

// TestRefused: nothing is undone by an answer that does not say that nothing was
// done: keys that the server may know of already are not thrown away.
func TestRefused(t *testing.T) {
	answer := &client.Refusal{Status: 502}
	for kind, want := range map[protocol.Kind]bool{
		protocol.KindDenied: true, protocol.KindExists: true, protocol.KindConflict: true, protocol.KindQuota: true,
		protocol.KindUnreachable: false, protocol.KindBusy: false, protocol.KindTooMany: false, protocol.KindInternal: false,
	} {
		if refused(protocol.Wrap(kind, answer, "the server refused")) != want {
			t.Errorf("%s: want %t", kind, want)
		}
		if refused(protocol.Errorf(kind, "no answer")) {
			t.Errorf("%s, without an answer, is a refusal", kind)
		}
	}
}
