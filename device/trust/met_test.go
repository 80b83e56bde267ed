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
	// As after a new log: the pin is gone, and somebody else has the name.
	must(t, alice.kept.ForgetName("bob"))
	must(t, Meet(alice.kept, Met{Name: "bob", Account: protocol.AccountID{1}, Time: 8}))
	_, err = alice.lookAt("bob")
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != "identity" {
		t.Fatalf("another account: %v", err)
	}
	if err := alice.NewIdentity("bob"); HeldBy(err) == nil {
		t.Errorf("before it was noted: %v", err)
	}
	must(t, alice.kept.NoteAlarm(h.Alarm.Number, 1))
	if _, err := alice.lookAt("bob"); HeldBy(err) == nil {
		t.Errorf("noted, and believed: %v", err)
	}
	must(t, alice.NewIdentity("bob"))
	if _, err := alice.lookAt("bob"); err != nil {
		t.Errorf("after the user said so: %v", err)
	}
	if err := alice.NewIdentity("alice"); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("the own name: %v", err)
	}
	must(t, alice.kept.SetNote(noteMet, []byte("{")))
	if _, err := alice.lookAt("bob"); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a damaged note: %v", err)
	}
}
