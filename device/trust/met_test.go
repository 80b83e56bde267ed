// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestMet: a contact whose code was compared stays who they were, also when the
// pin is gone; another account under the name is an alarm until the user says so.
func TestMet(t *testing.T) {
	_, alice, bob := aliceAndBob(t)
	met, err := MetContacts(alice.kept)
	if err != nil || len(met) != 0 {
		t.Fatalf("at first %v, %v", met, err)
	}
	s, err := alice.lookAt("bob")
	must(t, err)
	must(t, Meet(alice.kept, Met{Name: "bob", Account: s.Account(), Time: 7}))
	alice.restart()
	if met, err = MetContacts(alice.kept); err != nil || met["bob"].Account != bob.synced().State.Account() || met["bob"].Time != 7 {
		t.Fatalf("remembers %v, %v", met, err)
	}
	if _, err := alice.lookAt("bob"); err != nil {
		t.Fatal(err)
	}
	// As after a new log: somebody else has the name.
	must(t, Meet(alice.kept, Met{Name: "bob", Account: protocol.AccountID{1}, Time: 8}))
	_, err = alice.lookAt("bob")
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != "identity" {
		t.Fatalf("another account: %v", err)
	}
	if _, err := alice.Candidate(bg, source{alice.w, "alice"}, "bob"); HeldBy(err) == nil {
		t.Errorf("before it was noted: %v", err)
	}
	must(t, alice.kept.NoteAlarm(h.Alarm.Number, 1))
	if _, err := alice.lookAt("bob"); HeldBy(err) == nil {
		t.Errorf("noted, and believed: %v", err)
	}
	must(t, alice.kept.SetNote(noteMet, []byte("{")))
	if _, err := alice.lookAt("bob"); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a damaged note: %v", err)
	}
}

// TestNewIdentity: a new identity is looked at without forgetting the old one, and
// takes its place only when it was compared; in between each step stays an alarm.
func TestNewIdentity(t *testing.T) {
	_, alice, bob := aliceAndBob(t)
	s, err := alice.lookAt("bob")
	must(t, err)
	old := *s.Pin()
	old.Account = protocol.AccountID{1}
	must(t, alice.kept.ReplacePin(&old))
	must(t, Meet(alice.kept, Met{Name: "bob", Account: old.Account, Time: 7}))
	_, err = alice.lookAt("bob")
	h := HeldBy(err)
	if h == nil {
		t.Fatalf("another account: %v", err)
	}
	must(t, alice.kept.NoteAlarm(h.Alarm.Number, 1))

	candidate, err := alice.Candidate(bg, source{alice.w, "alice"}, "bob")
	must(t, err)
	if candidate.Account() != bob.synced().State.Account() {
		t.Fatal("somebody else was looked up")
	}
	alice.restart()
	kept, err := alice.kept.Pin("bob")
	must(t, err)
	met, err := MetContacts(alice.kept)
	must(t, err)
	if kept.Account != old.Account || met["bob"].Account != old.Account {
		t.Errorf("forgotten before anything was compared: %v, %v", kept, met)
	}
	if _, err := alice.lookAt("bob"); HeldBy(err) == nil {
		t.Errorf("looked at, not compared, and believed: %v", err)
	}

	m := Met{Name: "bob", Account: candidate.Account(), Time: 8}
	must(t, Meet(alice.kept, m)) // cut off between the two steps
	if _, err := alice.lookAt("bob"); HeldBy(err) == nil {
		t.Errorf("cut off, and believed: %v", err)
	}
	if err := alice.NewIdentity(candidate, Met{Name: "bob", Account: old.Account}); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("another one than was compared: %v", err)
	}
	must(t, alice.NewIdentity(candidate, m))
	if _, err := alice.lookAt("bob"); err != nil {
		t.Errorf("after the user said so: %v", err)
	}
	back := *candidate.Pin()
	back.Version--
	if err := alice.kept.ReplacePin(&back); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("the same identity goes back: %v", err)
	}
	back.Name = "alice"
	if err := alice.kept.ReplacePin(&back); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("the own name: %v", err)
	}
}
