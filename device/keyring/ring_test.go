// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// TestEveryHolderOpensTheSame: devices and the kit come to the same secrets, by
// whatever wrap each of them has.
func TestEveryHolderOpensTheSame(t *testing.T) {
	w := newWorld(t)
	w.edit(w.bert, func(d *Draft) error { return d.Renew(w.opened(w.bert)) })
	w.edit(w.kit, func(d *Draft) error { return d.Renew(w.opened(w.kit)) })
	first := w.ring(w.anna)
	if first.State().Epoch() != 3 || first.Self().ID() != w.anna.ID() {
		t.Fatalf("epoch %d", first.State().Epoch())
	}
	for name, who := range map[string]*keys.MemberSecrets{"bert": w.bert, "kit": w.kit} {
		r := w.ring(who)
		for epoch := uint64(1); epoch <= 3; epoch++ {
			mine, err := first.secret(epoch)
			must(t, err)
			theirs, err := r.secret(epoch)
			must(t, err)
			if !mine.Equal(theirs) {
				t.Errorf("%s has another secret of epoch %d", name, epoch)
			}
		}
		for i, v := range w.opened(who) {
			sameVault(t, w.opened(w.anna)[i], v)
		}
	}
	for _, epoch := range []uint64{0, 4} {
		_, err := first.secret(epoch)
		wantKind(t, "an epoch that is not there", err, protocol.KindUntrusted, "not known here")
	}
}

func sameVault(t *testing.T, a, b *VaultSecrets) {
	t.Helper()
	if a.ID != b.ID || len(a.wraps) != len(b.wraps) || !a.content.Equal(b.content) {
		t.Fatal("two holders open a vault to different secrets")
	}
	for i := range a.wraps {
		if !bytes.Equal(a.wraps[i].Expose(), b.wraps[i].Expose()) {
			t.Errorf("epoch %d of the vault has two keys", i+1)
		}
	}
}

func TestWhoOpensNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.open(w.webb)
	wantKind(t, "a writer", err, protocol.KindDenied, "it can add, not read")
	_, err = w.open(keys.GenerateMemberSecrets())
	wantKind(t, "a stranger", err, protocol.KindUntrusted, "is not in the ledger")
	half := &keys.MemberSecrets{Signing: w.anna.Signing, Wrap: keys.GenerateWrapSecret()}
	_, err = w.open(half)
	wantKind(t, "anna's signing key with another wrap key", err, protocol.KindUntrusted, "is not in the ledger")
	w.remove(w.anna, w.bert)
	_, err = w.open(w.bert)
	wantKind(t, "a removed device", err, protocol.KindRemoved, "was removed")
}

// reading is what a member of the account reads; it touches every object that
// the member needs.
func (w *world) reading(who *keys.MemberSecrets, objects Objects) error {
	if m, err := w.state.Member(who.ID()); err != nil || m.Role == protocol.RoleWriter {
		for vault := range m.Granted {
			if _, err := OpenWriter(w.state, objects, who, vault); err != nil {
				return err
			}
		}
		return err
	}
	r, err := Open(w.state, objects, who)
	if err != nil {
		return err
	}
	for _, vault := range []protocol.VaultID{w.docs, w.mail} {
		if _, err := r.Vault(vault); err != nil {
			return err
		}
	}
	return nil
}

// TestSwappedObjects plays a provider that answers with another object than the
// one asked for: every one in the place of every other, for every member.
func TestSwappedObjects(t *testing.T) {
	w := newWorld(t)
	w.edit(w.bert, func(d *Draft) error { return d.Renew(w.opened(w.bert)) })
	w.edit(w.anna, func(d *Draft) error { return d.RotateVault(w.opened(w.anna, w.docs)[0]) })
	used := map[protocol.Hash]bool{}
	for name, who := range map[string]*keys.MemberSecrets{"anna": w.anna, "bert": w.bert, "kit": w.kit, "webb": w.webb, "wolf": w.wolf} {
		asked := map[protocol.Hash]bool{}
		must(t, w.reading(who, func(h protocol.Hash) ([]byte, error) { asked[h] = true; return w.object(h) }))
		for place := range asked {
			used[place] = true
			for other := range w.objects {
				if place == other {
					continue
				}
				err := w.reading(who, func(h protocol.Hash) ([]byte, error) {
					if h == place {
						return w.object(other)
					}
					return w.object(h)
				})
				wantKind(t, name+", with an object of another place", err, protocol.KindUntrusted, "")
			}
			gone := func(h protocol.Hash) ([]byte, error) {
				if h == place {
					return nil, protocol.Errorf(protocol.KindUnreachable, "it is not served")
				}
				return w.object(h)
			}
			if w.reading(who, gone) == nil {
				t.Errorf("%s reads without an object", name)
			}
		}
	}
	// The grants and wraps of epoch 1 are under the link now; all else is in use.
	if len(w.objects)-len(used) != 3 {
		t.Errorf("%d of %d objects are in use", len(used), len(w.objects))
	}
}

// TestFlippedObjects changes one byte of each object, here and there.
func TestFlippedObjects(t *testing.T) {
	w := newWorld(t)
	for _, who := range []*keys.MemberSecrets{w.anna, w.webb} {
		asked := map[protocol.Hash]bool{}
		must(t, w.reading(who, func(h protocol.Hash) ([]byte, error) { asked[h] = true; return w.object(h) }))
		for place := range asked {
			good := w.objects[place]
			for _, bad := range damaged(good) {
				w.objects[place] = bad
				wantKind(t, "a changed object", w.reading(who, w.object), protocol.KindUntrusted, "")
			}
			w.objects[place] = good
		}
	}
}

func damaged(good []byte) [][]byte {
	list := [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), 0)}
	for _, at := range []int{0, 1, len(good) / 2, len(good) - 1} {
		b := bytes.Clone(good)
		b[at] ^= 1
		list = append(list, b)
	}
	return list
}

// TestRemovedKnowNothingNew removes bert, who keeps all he ever opened, and has
// the provider hand him every object.
func TestRemovedKnowNothingNew(t *testing.T) {
	w := newWorld(t)
	old, oldVaults := w.ring(w.bert), w.opened(w.bert)
	w.remove(w.anna, w.bert)
	for name, object := range w.objects {
		for epoch := uint64(1); epoch <= 2; epoch++ {
			if s, err := seal.Unwrap(w.bert.Wrap, secretContext(w.state.Account(), w.bert.ID(), epoch), object); err == nil && !s.Equal(old.secrets[1]) {
				t.Errorf("object %s opens to a secret that is new to him", name)
			}
			if _, err := seal.OpenBox(old.secrets[1], linkContext(w.state.Account(), epoch), object); err == nil {
				t.Errorf("the link opens backwards")
			}
			for _, vault := range []protocol.VaultID{w.docs, w.mail} {
				_, err := seal.OpenBox(old.secrets[1], vaultContext(w.state.Account(), vault, epoch), object)
				if err == nil && epoch == 2 {
					t.Errorf("the secrets of a vault's epoch 2 open under the old account secret")
				}
			}
		}
	}
	for i, v := range w.opened(w.anna) {
		kept, err := w.state.Vault(v.ID)
		must(t, err)
		if kept.Epoch() != 2 || kept.Epochs[1].Key == oldVaults[i].wraps[0].Public() {
			t.Errorf("runs are sealed to a key that he knows")
		}
		if !v.content.Equal(oldVaults[i].content) {
			t.Error("content has another name now: nothing that is stored would be found")
		}
		first, err := v.Wrap(1)
		must(t, err)
		if first.Public() != oldVaults[i].wraps[0].Public() {
			t.Error("what was sealed before does not open any more")
		}
	}
	for _, r := range w.state.Holders() {
		if r.Member() == w.bert.ID() {
			t.Error("he is a recipient still")
		}
	}
}

// TestRingIsAView: drafting with a ring leaves it as it was.
func TestRingIsAView(t *testing.T) {
	w := newWorld(t)
	r := w.ring(w.anna)
	d, err := r.Edit(directorytest.Standing(t, w.state), 2)
	must(t, err)
	must(t, d.Renew(w.opened(w.anna)))
	if r.State().Epoch() != 1 || len(r.secrets) != 1 {
		t.Error("the ring moved with its draft")
	}
	later, err := d.Ring()
	must(t, err)
	if later.State().Epoch() != 2 || len(later.secrets) != 2 {
		t.Error("a draft's ring does not see what was drafted")
	}
	_, err = d.object(protocol.Hash{1})
	wantKind(t, "an object that nobody made", err, protocol.KindNotFound, "")
	fresh, err := Create(keys.GenerateMemberSecrets(), 1)
	must(t, err)
	_, err = fresh.object(protocol.Hash{1})
	wantKind(t, "an object in a new account", err, protocol.KindUntrusted, "is not there")
	_, err = fresh.Ring()
	wantKind(t, "a ring before the first secret", err, protocol.KindDenied, "")
}

// TestOtherAccount: nothing of one account opens in another, also for a device
// that is in both.
func TestOtherAccount(t *testing.T) {
	w := newWorld(t)
	d, err := Create(w.anna, 1)
	must(t, err)
	must(t, d.Rotate())
	_, err = d.CreateVault(protocol.CategoryBackups)
	must(t, err)
	other := d.Batch().State
	pool := append([][]byte(nil), d.Batch().Objects...)
	for _, foreign := range w.objects {
		objects := func(name protocol.Hash) ([]byte, error) { return foreign, nil }
		_, err := Open(other, objects, w.anna)
		wantKind(t, "an object of another account", err, protocol.KindUntrusted, "account secret of epoch 1")
	}
	if len(pool) != 2 {
		t.Errorf("%d objects", len(pool))
	}
	var named ledger.NameRef
	_, err = w.ring(w.anna).openLabel(protocol.Hash{}, named)
	wantKind(t, "a label of no epoch", err, protocol.KindUntrusted, "")
}
