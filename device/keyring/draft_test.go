// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestRemovalNamesEveryVault(t *testing.T) {
	w := newWorld(t)
	for name, heads := range map[string][]ledger.VaultHead{
		"no head":          nil,
		"one of two":       {{Vault: w.docs}},
		"the other of two": {{Vault: w.mail}},
		"one of two twice": {{Vault: w.mail}, {Vault: w.mail}},
		"a strange vault":  {{Vault: w.mail}, {Vault: protocol.VaultID{1}}},
	} {
		d, err := w.try(w.anna, func(d *Draft) error { return d.RemoveDevice(w.webb.ID(), heads, nil) })
		wantKind(t, name, err, protocol.KindUsage, "is missing")
		if len(d.Batch().Entries) != 0 {
			t.Errorf("%s: something was signed", name)
		}
	}
	three := append(w.heads(), ledger.VaultHead{Vault: protocol.VaultID{1}})
	_, err := w.try(w.anna, func(d *Draft) error { return d.RemoveDevice(w.webb.ID(), three, nil) })
	wantKind(t, "one vault too many", err, protocol.KindUntrusted, "is not in the ledger")
	heads := []ledger.VaultHead{{Vault: w.mail, Seq: 3, Hash: protocol.Hash{3}}, {Vault: w.docs, Seq: 2, Hash: protocol.Hash{2}}}
	given := append([]ledger.VaultHead(nil), heads...)
	w.edit(w.anna, func(d *Draft) error { return d.RemoveDevice(w.webb.ID(), heads, nil) })
	if heads[0] != given[0] || heads[1] != given[1] {
		t.Error("the caller's heads were put in order")
	}
	m, err := w.state.Member(w.webb.ID())
	must(t, err)
	if m.Present() || m.Heads[w.docs] != heads[1] || m.Heads[w.mail] != heads[0] || w.state.Epoch() != 1 {
		t.Errorf("the writer after its removal: %+v, epoch %d", m.Heads, w.state.Epoch())
	}
}

func TestRemovingAnOwnerRenewsAll(t *testing.T) {
	w := newWorld(t)
	w.remove(w.anna, w.bert)
	if w.state.RotationDue() || w.state.Epoch() != 2 {
		t.Errorf("due %t, epoch %d", w.state.RotationDue(), w.state.Epoch())
	}
	for _, v := range w.state.Vaults() {
		if v.RotationDue() || v.Epoch() != 2 {
			t.Errorf("vault %s: due %t, epoch %d", v.ID, v.RotationDue(), v.Epoch())
		}
	}
	two, err := w.try(w.anna, func(d *Draft) error {
		return d.RemoveDevices([]protocol.MemberID{w.webb.ID(), w.wolf.ID()}, w.heads(), nil)
	})
	must(t, err)
	if len(two.Batch().Entries) != 2 {
		t.Errorf("%d entries remove two writers", len(two.Batch().Entries))
	}
}

// TestRecoveryThrowsAThiefOut is the story of spec/ledger.md: the thief has B
// and a recovery method of its own, the holder has the kit alone.
func TestRecoveryThrowsAThiefOut(t *testing.T) {
	w := newWorld(t)
	theirs, fresh := keys.GenerateMemberSecrets(), keys.GenerateMemberSecrets()
	w.edit(w.bert, func(d *Draft) error { return d.AddRecovery(theirs.Public()) })
	w.remove(w.bert, w.anna)
	_, err := w.try(theirs, func(d *Draft) error { return d.RemoveRecovery(w.kit.ID(), w.opened(theirs)) })
	wantKind(t, "the thief's method removes the kit", err, protocol.KindUntrusted, "may not do this")
	stolen := w.ring(theirs)
	w.edit(w.kit, func(d *Draft) error {
		if err := d.RemoveRecovery(theirs.ID(), w.opened(w.kit)); err != nil {
			return err
		}
		vaults := drafted(t, d, w.docs, w.mail)
		if err := d.RemoveDevice(w.bert.ID(), w.heads(), vaults); err != nil {
			return err
		}
		return d.AddOwner(fresh.Public())
	})
	for name, who := range map[string]*keys.MemberSecrets{"the thief's method": theirs, "the thief's device": w.bert} {
		_, err := w.open(who)
		wantKind(t, name, err, protocol.KindRemoved, "")
	}
	if w.state.RotationDue() || len(w.state.Pending()) != 0 || len(w.state.Holders()) != 2 {
		t.Errorf("due %t, pending %d, holders %d", w.state.RotationDue(), len(w.state.Pending()), len(w.state.Holders()))
	}
	newest, err := w.ring(fresh).secret(w.state.Epoch())
	must(t, err)
	for epoch, s := range stolen.secrets {
		if s.Equal(newest) {
			t.Errorf("the thief knows the secret in force, from epoch %d", epoch)
		}
	}
	sameVault(t, w.opened(w.kit)[0], w.opened(fresh)[0])
}

// drafted opens vaults as a draft will leave them.
func drafted(t *testing.T, d *Draft, vaults ...protocol.VaultID) (list []*VaultSecrets) {
	t.Helper()
	r, err := d.Ring()
	must(t, err)
	for _, id := range vaults {
		v, err := r.Vault(id)
		must(t, err)
		list = append(list, v)
	}
	return list
}

// TestOwnersAskToRemoveRecovery: from a device it waits, and nothing is renewed.
func TestOwnersAskToRemoveRecovery(t *testing.T) {
	w := newWorld(t)
	w.edit(w.anna, func(d *Draft) error { return d.RemoveRecovery(w.kit.ID(), nil) })
	pending := w.state.Pending()
	if len(pending) != 1 || w.state.Epoch() != 1 || w.state.RotationDue() {
		t.Fatalf("pending %d, epoch %d", len(pending), w.state.Epoch())
	}
	w.edit(w.kit, func(d *Draft) error { return d.Veto(pending[0].Entry) })
	if len(w.state.Pending()) != 0 {
		t.Error("a veto ended nothing")
	}
}

// TestWhoMayDraft: what the ledger does not allow is refused before it is sent.
func TestWhoMayDraft(t *testing.T) {
	w := newWorld(t)
	someone := keys.GenerateMemberSecrets().Public()
	for name, c := range map[string]struct {
		who    *keys.MemberSecrets
		change func(*Draft) error
		words  string
	}{
		"the kit adds a kit":       {w.kit, func(d *Draft) error { return d.AddRecovery(someone) }, "may not do this"},
		"the kit opens a vault":    {w.kit, func(d *Draft) error { _, err := d.CreateVault(1); return err }, "may not do this"},
		"a device twice":           {w.anna, func(d *Draft) error { return d.AddOwner(w.bert.Public()) }, "in the ledger already"},
		"a category of the future": {w.anna, func(d *Draft) error { _, err := d.CreateVault(9); return err }, "category 9"},
		"a vault of somewhere":     {w.anna, func(d *Draft) error { return d.NameVault(protocol.VaultID{9}, "x") }, "names nothing"},
		"a name for a stranger":    {w.anna, func(d *Draft) error { return d.NameMember(protocol.MemberID{9}, "x") }, "names nothing"},
	} {
		_, err := w.try(c.who, c.change)
		wantKind(t, name, err, protocol.KindUntrusted, c.words)
	}
	d, err := Create(w.anna, 1)
	must(t, err)
	_, err = d.CreateVault(1)
	wantKind(t, "a vault before the first secret", err, protocol.KindDenied, "not known here")
	wantKind(t, "a name before the first secret", d.NameMember(w.anna.ID(), "x"), protocol.KindDenied, "not known here")
	wantKind(t, "an owner before the first secret", d.AddOwner(someone), protocol.KindDenied, "not known here")
}

// TestLateRecovery: a kit that is added later is granted what is in force.
func TestLateRecovery(t *testing.T) {
	w := newWorld(t)
	late := keys.GenerateMemberSecrets()
	w.edit(w.bert, func(d *Draft) error { return d.AddRecovery(late.Public()) })
	sameVault(t, w.opened(w.anna)[1], w.opened(late)[1])
}
