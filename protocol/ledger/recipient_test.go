// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestZeroRecipientIsNone(t *testing.T) {
	var r Recipient
	if _, ok := r.Key(); ok {
		t.Error("the zero value gives a key")
	}
	var empty State
	if list := empty.Holders(); len(list) != 0 {
		t.Errorf("a state that nothing was folded into has holders %v", list)
	}
	if r, err := empty.MemberRecipient(id("A")); err == nil {
		t.Errorf("a state that nothing was folded into gives %v", r)
	}
	if r, err := empty.VaultRecipient(vault("docs")); err == nil {
		t.Errorf("a state that nothing was folded into gives %v", r)
	}
}

func TestHoldersAreExactlyThePresentOnes(t *testing.T) {
	s := tell(t, withWriter+"A: add-device C owner\nA: remove B\nA: rotate\n")
	var names []string
	for _, r := range s.state.Holders() {
		key, ok := r.Key()
		if !ok || key != member(nameOf(r.Member())).Public().Wrap {
			t.Errorf("the recipient %s has another key", nameOf(r.Member()))
		}
		if r.Account() != s.state.Account() || r.Ledger() != s.state.Head() || !r.Vault().IsZero() || r.Epoch() != 0 {
			t.Errorf("the recipient %s is of another place: %+v", nameOf(r.Member()), r)
		}
		names = append(names, nameOf(r.Member()))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "A C R" {
		t.Errorf("holders are %q", got)
	}
}

func TestMemberRecipient(t *testing.T) {
	s := tell(t, withWriter+"A: remove B\nA: rotate\n")
	for name, want := range map[string]protocol.Kind{"A": "", "W": "", "R": "", "B": protocol.KindRemoved, "X": protocol.KindUntrusted} {
		r, err := s.state.MemberRecipient(id(name))
		if protocol.KindOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
		if key, ok := r.Key(); ok != (want == "") || ok && key != member(name).Public().Wrap {
			t.Errorf("%s: a key comes out: %t", name, ok)
		}
	}
}

func TestVaultRecipientWaitsForNewKeys(t *testing.T) {
	s := tell(t, begin+"A: create-vault mail\n")
	wants := func(name string, epoch uint64, want protocol.Kind) {
		t.Helper()
		r, err := s.state.VaultRecipient(vault(name))
		if protocol.KindOf(err) != want {
			t.Fatalf("%s: %v", name, err)
		}
		key, ok := r.Key()
		if want != "" {
			if ok {
				t.Fatalf("%s: a refusal gave a key", name)
			}
			return
		}
		if key != vaultSecret(name, epoch).Public() || r.Epoch() != epoch || r.Vault() != vault(name) || !r.Member().IsZero() {
			t.Fatalf("%s: another recipient: epoch %d", name, r.Epoch())
		}
	}
	wants("docs", 1, "")
	wants("more", 0, protocol.KindNotFound)
	s.play("A: remove B")
	wants("docs", 0, protocol.KindBusy)
	s.play("A: rotate")
	wants("docs", 0, protocol.KindBusy)
	s.play("A: rotate-vault docs")
	wants("docs", 2, "")
	wants("mail", 0, protocol.KindBusy)
	s.play("A: rotate-vault mail\nA: rotate-vault mail")
	wants("mail", 3, "")
	s.play("A: close as=c at=0d\nA: complete c at=7d")
	wants("docs", 0, protocol.KindBusy)
}

// TestVaultRecipientWaitsWithTheAccount looks between a removal and the rotation
// of the account secret, where a vault without a key of its own due cannot be.
func TestVaultRecipientWaitsWithTheAccount(t *testing.T) {
	s := tell(t, begin+"A: remove B\n")
	c := s.state.clone()
	c.vaults[vault("docs")].due = false
	if _, err := c.VaultRecipient(vault("docs")); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("a vault gives a recipient while the account waits: %v", err)
	}
}
