// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// alice looks bob up.
func aliceAndBob(t *testing.T) (w *world, alice, bob *device) {
	t.Helper()
	w = newWorld(t)
	alice, bob = w.open("alice"), w.open("bob")
	alice.synced()
	bob.synced()
	return w, alice, bob
}

func (d *device) lookAt(name string) (*directory.Standing, error) {
	return d.Contact(bg, source{d.w, d.name}, name)
}

// TestContact: a contact's devices come and go, and are recipients as they do.
func TestContact(t *testing.T) {
	w, alice, bob := aliceAndBob(t)
	s, err := alice.lookAt("bob")
	must(t, err)
	if _, err := s.Member(bob.self.ID()); err != nil || s.Account() == alice.synced().State.Account() {
		t.Errorf("bob's device is no recipient: %v", err)
	}
	phone := bob.add()
	s, err = alice.lookAt("bob")
	must(t, err)
	if _, err := s.Member(phone.self.ID()); err != nil {
		t.Error(err)
	}
	bob.append(func(ring *keyring.Ring, d *keyring.Draft) error {
		v, err := ring.Vault(bob.vault)
		must(t, err)
		return d.RemoveDevice(phone.self.ID(), []ledger.VaultHead{{Vault: bob.vault}}, []*keyring.VaultSecrets{v})
	})
	alice.restart()
	s, err = alice.lookAt("bob")
	must(t, err)
	if _, err := s.Member(phone.self.ID()); protocol.KindOf(err) != protocol.KindRemoved {
		t.Errorf("a removed device: %v", err)
	}
	names, err := alice.kept.Names()
	must(t, err)
	if len(names) != 2 {
		t.Errorf("remembers %q", names)
	}
	_, err = alice.lookAt("carol")
	wantKind(t, "nobody", err, protocol.KindNotFound, "no account")
	_, err = alice.lookAt("alice")
	wantKind(t, "herself", err, protocol.KindUsage, "this very account")
	w.p.Pass(80 * time.Hour)
	var unproven *directory.Unproven
	if _, err := alice.lookAt("bob"); !errors.As(err, &unproven) {
		t.Errorf("an old proof: %v", err)
	}
}

// TestContactWithoutProof: a key for bob with no proof, the proof of another name,
// or a bad index (G24).
func TestContactWithoutProof(t *testing.T) {
	w, alice, _ := aliceAndBob(t)
	for name, lie := range map[string]func(client.Question) *directory.Answer{
		"the answer for another name": func(q client.Question) *directory.Answer { return w.p.Lookup("alice", q.Since, q.Size) },
		"a bad proof of the index": func(q client.Question) *directory.Answer {
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			a.VRF[7] ^= 1
			return a
		},
		"no path": func(q client.Question) *directory.Answer {
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			a.Path = new(directory.PathProof)
			return a
		},
		"no entry": func(q client.Question) *directory.Answer {
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			a.Update, a.UpdateProof = nil, nil
			return a
		},
		"no opening": func(q client.Question) *directory.Answer {
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			a.Openings = nil
			return a
		},
		"a path of another log": func(q client.Question) *directory.Answer {
			other := directorytest.New(t)
			other.SetLeaf(q.Name, &directory.Leaf{Version: 1, Next: protocol.Hash{1}})
			other.Publish()
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			a.Path = other.Lookup(q.Name, 0, 0).Path
			return a
		},
		"another log": func(q client.Question) *directory.Answer { return directorytest.New(t).Lookup(q.Name, 0, 0) },
	} {
		w.lookup = lie
		s, err := alice.lookAt("bob")
		if s != nil || protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v, %v", name, s, err)
		}
		if pin, err := alice.kept.Pin("bob"); pin != nil || err != nil {
			t.Errorf("%s: something is remembered of bob: %v", name, err)
		}
	}
	w.honest()
	if _, err := alice.lookAt("bob"); err != nil {
		t.Errorf("the honest answer: %v", err)
	}
}

// TestContactFakeKey: the provider puts a version of its own into bob's name, and
// takes it out later (G25). Alice, who knows bob, notices; bob does, too.
func TestContactFakeKey(t *testing.T) {
	w, alice, bob := aliceAndBob(t)
	_, err := alice.lookAt("bob")
	must(t, err)
	eve := w.open("eve").synced().State
	w.p.MoveTo("bob", directory.GenerateOpening(eve.Account(), eve.Head()))
	w.p.Publish()
	w.contact = func([]*ledger.Entry) []*ledger.Entry { return w.accounts["eve"].entries }
	_, err = alice.lookAt("bob")
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmUpdate) {
		t.Fatalf("alice: %v", err)
	}
	if _, err := bob.Sync(bg); HeldBy(err) == nil {
		t.Errorf("bob: %v", err)
	}
	// Who never saw bob sees that the name was of two accounts.
	carol := w.open("carol")
	carol.synced()
	_, err = carol.lookAt("bob")
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmAccount) {
		t.Errorf("carol: %v", err)
	}
}

// TestContactGone takes a name out of the directory that was in it (G25).
func TestContactGone(t *testing.T) {
	w, alice, _ := aliceAndBob(t)
	_, err := alice.lookAt("bob")
	must(t, err)
	w.p.SetLeaf("bob", nil)
	w.p.Publish()
	_, err = alice.lookAt("bob")
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != string(directory.AlarmRegress) {
		t.Fatalf("alice: %v", err)
	}
	proves(t, alice, h, "name")
}

// TestContactOldKeys serves bob's older state, with a proof that was right once
// (G30, G31), and a ledger with a ghost in it (G28, G29).
func TestContactOldKeys(t *testing.T) {
	w, alice, bob := aliceAndBob(t)
	_, err := alice.lookAt("bob")
	must(t, err)
	old := len(w.p.Heads()) - 1
	bob.rename("newer")
	_, err = alice.lookAt("bob")
	must(t, err)
	ghost, err := bob.ring().Edit(directorytest.Standing(t, bob.ring().State()), 2)
	must(t, err)
	must(t, ghost.AddOwner(keys.GenerateMemberSecrets().Public()))
	w.contact = func(l []*ledger.Entry) []*ledger.Entry { return l[:len(l)-1] }
	_, err = alice.lookAt("bob")
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmBehind) {
		t.Errorf("an older list of devices: %v", err)
	} else {
		must(t, alice.kept.NoteAlarm(h.Alarm.Number, 1))
	}
	w.contact = func(l []*ledger.Entry) []*ledger.Entry { return append(l, ghost.Batch().Entries...) }
	s, err := alice.lookAt("bob")
	must(t, err)
	if s.State().Head() != bob.synced().State.Head() {
		t.Error("an entry that the directory does not hold is taken")
	}
	w.contact = func(l []*ledger.Entry) []*ledger.Entry { return w.accounts["alice"].entries }
	if _, err = alice.lookAt("bob"); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("another account's ledger: %v", err)
	}
	w.honest()
	alice.noteAll()
	w.lookup = onlyBefore(w, old)
	_, err = alice.lookAt("bob")
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmRollback) {
		t.Errorf("an older key with a proof: %v", err)
	}
}

// noteAll takes note of every alarm.
func (d *device) noteAll() {
	d.w.t.Helper()
	list, err := d.kept.Alarms()
	must(d.w.t, err)
	for _, a := range list {
		must(d.w.t, d.kept.NoteAlarm(a.Number, 1))
	}
}

// TestVacant: a name is free, or it is not.
func TestVacant(t *testing.T) {
	w, _, _ := aliceAndBob(t)
	v, err := Vacant(bg, w.p.World, source{w, "x"}, "carol", w.p.Now())
	must(t, err)
	if index, _ := w.p.Index("carol"); v.Index != index || v.View == nil {
		t.Error("another index")
	}
	_, err = Vacant(bg, w.p.World, source{w, "x"}, "bob", w.p.Now())
	wantKind(t, "bob", err, protocol.KindExists, "has the name")
	_, err = Vacant(bg, w.p.World, source{w, "x"}, "carol", w.p.Now()+protocol.Time(80*time.Hour))
	wantKind(t, "an old log", err, protocol.KindUnreachable, "")
	w.lookup = func(client.Question) *directory.Answer { return w.p.Lookup("dave", 0, 0) }
	_, err = Vacant(bg, w.p.World, source{w, "x"}, "carol", w.p.Now())
	wantKind(t, "the absence of another name", err, protocol.KindUntrusted, "")
}

// TestAppendNeedsALook refuses what was drafted on nothing, or on an older ledger.
func TestAppendNeedsALook(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	self := keys.GenerateMemberSecrets()
	fresh, err := keyring.Create(self, 1)
	must(t, err)
	_, err = d.Append(bg, source{w, "anna"}, fresh)
	wantKind(t, "before any look", err, protocol.KindInternal, "never looked up")
	out := d.synced()
	other := d.add()
	other.synced()
	ring := d.ring()
	late, err := ring.Edit(directorytest.Standing(t, ring.State()), 2)
	must(t, err)
	must(t, late.NameMember(d.self.ID(), "late"))
	other.rename("faster")
	_, err = d.Append(bg, source{w, "anna"}, late)
	wantKind(t, "another was faster", err, protocol.KindConflict, "")
	d.synced()
	_, err = d.Append(bg, source{w, "anna"}, late)
	wantKind(t, "drafted before the look", err, protocol.KindConflict, "since this was drafted")
	if !strings.Contains(string(out.Status), "fresh") {
		t.Error(out.Status)
	}
}
