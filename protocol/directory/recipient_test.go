// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestTheZeroRecipientIsNone(t *testing.T) {
	var r directory.Recipient
	if _, ok := r.Key(); ok || !r.Account().IsZero() {
		t.Error("nobody is a recipient")
	}
}

// proven returns anna's account as the directory proves it, and its standing.
func proven(t testing.TB) (*directorytest.Provider, *holder, *directory.Standing) {
	t.Helper()
	p, anna := directorytest.New(t), withVault(t, "anna")
	p.Move("anna", anna.state)
	p.Publish()
	return p, anna, mustStand(t, p, nil, "anna", nil, anna.state)
}

func TestRecipients(t *testing.T) {
	_, anna, s := proven(t)
	m, err := s.Member(anna.a.ID())
	if key, ok := m.Key(); err != nil || !ok || key != anna.a.Public().Wrap || m.Account() != s.Account() || m.Member() != anna.a.ID() || m.Ledger() != anna.state.Head() {
		t.Errorf("the member is %+v: %v", m, err)
	}
	v, err := s.Vault(anna.vault)
	if key, ok := v.Key(); err != nil || !ok || key != wrapKey(t, "anna") || v.Vault() != anna.vault || v.Epoch() != 1 || !v.Member().IsZero() {
		t.Errorf("the vault is %+v: %v", v, err)
	}
	all, err := s.Holders()
	if err != nil || len(all) != 1 || all[0] != m {
		t.Errorf("the holders are %+v: %v", all, err)
	}
	if _, err := s.Member(anna.b.ID()); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("who is not in the ledger is a recipient: %v", err)
	}
	if _, err := s.Vault(protocol.VaultID{9}); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("a vault that is not in the ledger is a recipient: %v", err)
	}
}

// TestADraftExtendsAStanding: what this device signs gives recipients at once, and
// what another one signs does not.
func TestADraftExtendsAStanding(t *testing.T) {
	_, anna, s := proven(t)
	added := anna.addB()
	drafted, err := s.Extend(anna.a.ID(), []*ledger.Entry{added})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drafted.Member(anna.b.ID()); err != nil || drafted.State().Head() != anna.state.Head() || drafted.Pin() != s.Pin() || drafted.View() != s.View() {
		t.Errorf("the draft stands as %+v: %v", drafted, err)
	}
	if _, err := s.Member(anna.b.ID()); err == nil {
		t.Error("the standing before has changed")
	}
	_, err = s.Extend(anna.b.ID(), []*ledger.Entry{added})
	mustUnproven(t, err, directory.UnprovenLedger)
	grant := anna.say(anna.a, ledger.Body{Grant: &ledger.Grant{Member: anna.b.ID(), Epoch: 1, Wrap: protocol.Hash{4}}})
	theirs := anna.say(anna.b, ledger.Body{RotateVault: &ledger.RotateVault{Vault: anna.vault, Epoch: 2, Key: wrapKey(t, "evil"), Secrets: protocol.Hash{1}}})
	_, err = drafted.Extend(anna.a.ID(), []*ledger.Entry{grant, theirs})
	mustUnproven(t, err, directory.UnprovenLedger)
	if _, err := drafted.Extend(anna.a.ID(), []*ledger.Entry{theirs}); err == nil {
		t.Error("an entry of another is taken")
	}
	if _, err := s.Extend(anna.a.ID(), []*ledger.Entry{grant}); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("an entry that does not follow is taken: %v", err)
	}
}

func TestANewAccount(t *testing.T) {
	anna := newHolder(t, "anna")
	s, err := directory.Begin(anna.state, anna.a.ID())
	if err != nil {
		t.Fatal(err)
	}
	before := len(anna.entries)
	anna.rotate(1)
	anna.say(anna.a, ledger.Body{CreateVault: &ledger.CreateVault{Vault: anna.vault, Category: protocol.CategoryBackups, Key: wrapKey(t, "anna"), Secrets: protocol.Hash{1}}})
	s, err = s.Extend(anna.a.ID(), anna.entries[before:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Vault(anna.vault); err != nil {
		t.Error(err)
	}
	if all, err := s.Holders(); err != nil || len(all) != 1 || s.Pin() != nil || s.View() != nil || s.Fresh() != nil {
		t.Errorf("the holders are %+v: %v", all, err)
	}
	for name, begin := range map[string]func() (*directory.Standing, error){
		"by somebody else": func() (*directory.Standing, error) { return directory.Begin(anna.at(0), anna.b.ID()) },
		"in the middle":    func() (*directory.Standing, error) { return directory.Begin(anna.at(1), anna.a.ID()) },
	} {
		if _, err := begin(); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("an account is begun %s: %v", name, err)
		}
	}
}

// TestHoldLetsNobodyIn: backups go on while nothing can be proved, and nobody is
// let in.
func TestHoldLetsNobodyIn(t *testing.T) {
	_, anna, s := proven(t)
	held, err := directory.Hold(s.Pin(), anna.state)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := held.Vault(anna.vault); err != nil || v.Epoch() != 1 {
		t.Errorf("the vault is closed: %v", err)
	}
	_, err = held.Member(anna.a.ID())
	mustUnproven(t, err, directory.UnprovenAge)
	_, err = held.Holders()
	mustUnproven(t, err, directory.UnprovenAge)
	mustUnproven(t, held.Fresh(), directory.UnprovenAge)

	rotate := func(word string) ledger.Body {
		epoch := uint64(len(mustVault(t, anna).Epochs) + 1)
		return ledger.Body{RotateVault: &ledger.RotateVault{Vault: anna.vault, Epoch: epoch, Key: wrapKey(t, word), Secrets: protocol.Hash{1}}}
	}
	mine := anna.say(anna.a, rotate("new"))
	drafted, err := held.Extend(anna.a.ID(), []*ledger.Entry{mine})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := drafted.Vault(anna.vault); err != nil || v.Epoch() != 2 {
		t.Errorf("this device's own key is no recipient: %v", err)
	}
	later, err := directory.Hold(s.Pin(), anna.state) // who signed the new epoch is not known here
	if err != nil {
		t.Fatal(err)
	}
	_, err = later.Vault(anna.vault)
	mustUnproven(t, err, directory.UnprovenKey)
	again, err := later.Extend(anna.a.ID(), []*ledger.Entry{anna.say(anna.a, rotate("newer"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Vault(anna.vault); err != nil {
		t.Errorf("a newer key of this device's own is no recipient: %v", err)
	}
	for name, hold := range map[string]func() (*directory.Standing, error){
		"without a pin":   func() (*directory.Standing, error) { return directory.Hold(nil, anna.state) },
		"an older ledger": func() (*directory.Standing, error) { return directory.Hold(s.Pin(), anna.at(1)) },
		"another account": func() (*directory.Standing, error) { return directory.Hold(s.Pin(), newHolder(t, "bert").state) },
	} {
		if _, err := hold(); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("held %s: %v", name, err)
		}
	}
}

func mustVault(t testing.TB, h *holder) *ledger.Vault {
	t.Helper()
	v, err := h.state.Vault(h.vault)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPastTheHardAge: versions that come to be known under an old proof let nobody
// in, but the keys that were proven before go on.
func TestPastTheHardAge(t *testing.T) { // G32
	p, anna, s := proven(t)
	p.Pass(directory.HardAge + time.Hour)
	old := mustStand(t, p, s.View(), "anna", s.Pin(), anna.state)
	if _, err := old.Vault(anna.vault); err != nil {
		t.Errorf("the vault is closed: %v", err)
	}
	_, err := old.Member(anna.a.ID())
	mustUnproven(t, err, directory.UnprovenAge)
	p.Pass(-directory.HardAge - time.Hour)
	anna.say(anna.a, ledger.Body{RotateVault: &ledger.RotateVault{Vault: anna.vault, Epoch: 2, Key: wrapKey(t, "new"), Secrets: protocol.Hash{1}}})
	p.Move("anna", anna.state)
	p.Publish()
	p.Pass(directory.HardAge + time.Hour)
	newer := mustStand(t, p, s.View(), "anna", s.Pin(), anna.state)
	_, err = newer.Vault(anna.vault)
	mustUnproven(t, err, directory.UnprovenKey)
	first := mustStand(t, p, nil, "anna", nil, anna.state) // somebody who never looked has nothing proven
	_, err = first.Vault(anna.vault)
	mustUnproven(t, err, directory.UnprovenKey)
	p.Cosign()
	p.Publish()
	if _, err := mustStand(t, p, s.View(), "anna", s.Pin(), anna.state).Vault(anna.vault); err != nil {
		t.Errorf("once it is proven again: %v", err)
	}
}

func TestARemovedMemberIsNoRecipient(t *testing.T) {
	p, anna := directorytest.New(t), withVault(t, "anna")
	anna.addB()
	anna.say(anna.a, ledger.Body{RemoveDevice: &ledger.RemoveDevice{Device: anna.b.ID(), Heads: []ledger.VaultHead{{Vault: anna.vault}}}})
	p.Move("anna", anna.state)
	p.Publish()
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	if _, err := s.Member(anna.b.ID()); protocol.KindOf(err) != protocol.KindRemoved {
		t.Error(err)
	}
	if _, err := s.Vault(anna.vault); err == nil && s.State().RotationDue() {
		t.Error("a vault whose keys are due is a recipient")
	}
	var none []*keys.MemberSecrets
	for _, r := range must(s.Holders()) {
		if r.Member() == anna.b.ID() {
			none = append(none, anna.b)
		}
	}
	if len(none) > 0 {
		t.Error("who was removed is a holder")
	}
}

func must(list []directory.Recipient, err error) []directory.Recipient {
	if err != nil {
		panic(err)
	}
	return list
}
