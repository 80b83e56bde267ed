// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestWhatAStateSays asks for everything that a state answers.
func TestWhatAStateSays(t *testing.T) {
	s := tell(t, withWriter+`
		A: grant W docs
		A: name-member B
		A: name-vault docs
		A: name-vault docs
		A: close as=c
		A: rotate
		A: rotate-vault docs
	`)
	st := s.state
	if st.Head() != s.at(12) || len(s.entries) != 13 {
		t.Errorf("head is %+v", st.Head())
	}
	b, err := st.Member(id("B"))
	if err != nil || b.Added != 2 || b.Kind != KindDevice || b.Role != protocol.RoleOwner || len(b.Wraps) != 2 || b.Keys != *member("B").Public() {
		t.Errorf("B is %+v (%v)", b, err)
	}
	w, err := st.Member(id("W"))
	if err != nil || w.Owner() || !w.Present() || w.Granted[vault("docs")] != object("grant", "W", "docs") || len(w.Wraps) != 0 {
		t.Errorf("W is %+v (%v)", w, err)
	}
	if _, err := st.Member(id("X")); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a stranger: %v", err)
	}
	v, err := st.Vault(vault("docs"))
	if err != nil || v.Created != 4 || v.Epoch() != 2 || v.Epochs[0].AccountEpoch != 1 || v.Epochs[1].AccountEpoch != 2 || v.Epochs[1].Since != 12 {
		t.Errorf("docs is %+v (%v)", v, err)
	}
	if _, err := st.Vault(vault("mail")); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("no vault: %v", err)
	}
	if list := st.Vaults(); len(list) != 1 || list[0].ID != vault("docs") {
		t.Errorf("vaults are %+v", list)
	}
	if p := st.Pending(); len(p) != 1 || p[0].Seq != 10 || p[0].Signer != id("A") || p[0].Body.Close == nil {
		t.Errorf("pending is %+v", p)
	}
}

func TestLinks(t *testing.T) {
	s := tell(t, begin+"A: rotate\n")
	for epoch, want := range map[uint64]protocol.Hash{0: {}, 1: {}, 2: object("link"), 3: {}} {
		if got := s.state.Link(epoch); got != want {
			t.Errorf("link of epoch %d is %s", epoch, got)
		}
	}
}

func TestNames(t *testing.T) {
	s := tell(t, begin+"A: name-member B\nA: name-vault docs\nA: name-vault docs\n")
	if ref, ok := s.state.MemberName(id("B")); !ok || ref.Epoch != 1 || ref.Prev != s.entries[4].Hash() || string(ref.Box) != "box" {
		t.Errorf("B is called %+v", ref)
	}
	if ref, ok := s.state.VaultName(vault("docs")); !ok || ref.Prev != s.entries[6].Hash() {
		t.Errorf("docs is not called by its newest name: %+v", ref)
	}
	if _, ok := s.state.MemberName(id("A")); ok {
		t.Error("A is called something")
	}
	if _, ok := s.state.VaultName(vault("mail")); ok {
		t.Error("mail is called something")
	}
}

func TestLevels(t *testing.T) {
	s := tell(t, begin)
	if l := s.state.Level(protocol.CategoryBackups); l != protocol.LevelAdvanced {
		t.Errorf("where nothing is said, the level is %s", l)
	}
	s.play("A: set-protection")
	if l := s.state.Level(protocol.CategoryBackups); l != protocol.LevelAdvanced {
		t.Errorf("the level is %s", l)
	}
	if len(s.state.levels) != 1 {
		t.Error("what was set is not kept")
	}
}

// TestOrder shows that lists come in the order of the chain, whatever a map does.
func TestOrder(t *testing.T) {
	s := tell(t, begin+"A: create-vault v1\nA: create-vault v2\nA: create-vault v3\nA: add-device C writer\nA: add-device D writer\n")
	var vaults, members []uint64
	for _, v := range s.state.Vaults() {
		vaults = append(vaults, v.Created)
	}
	for _, m := range s.state.AllMembers() {
		members = append(members, m.Added)
	}
	for _, list := range [][]uint64{vaults, members} {
		for i := 1; i < len(list); i++ {
			if list[i-1] >= list[i] {
				t.Errorf("the order is %v", list)
			}
		}
	}
}
