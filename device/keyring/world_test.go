// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind holds an error to its kind and to words of its text.
func wantKind(t testing.TB, what string, err error, kind protocol.Kind, words string) {
	t.Helper()
	if protocol.KindOf(err) != kind || err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("%s: kind %q, want %q with %q: %v", what, protocol.KindOf(err), kind, words, err)
	}
}

// world is an account as the provider keeps it: entries and objects. Anna and
// bert are owner devices, kit is a recovery key, webb and wolf are writers, of
// docs and of docs and mail.
type world struct {
	t          testing.TB
	entries    []*ledger.Entry
	objects    map[protocol.Hash][]byte
	state      *ledger.State
	anna, bert *keys.MemberSecrets
	kit        *keys.MemberSecrets
	webb, wolf *keys.MemberSecrets
	docs, mail protocol.VaultID
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, objects: map[protocol.Hash][]byte{},
		anna: keys.GenerateMemberSecrets(), bert: keys.GenerateMemberSecrets(), kit: keys.GenerateMemberSecrets(),
		webb: keys.GenerateMemberSecrets(), wolf: keys.GenerateMemberSecrets(),
	}
	d, err := Create(w.anna, 1)
	must(t, err)
	must(t, d.AddRecovery(w.kit.Public()))
	must(t, d.Rotate())
	w.docs, err = d.CreateVault(protocol.CategoryBackups)
	must(t, err)
	must(t, d.NameMember(w.anna.ID(), "Anna's laptop"))
	must(t, d.NameVault(w.docs, "Documents"))
	w.take(d)
	w.edit(w.anna, func(d *Draft) error { return d.AddOwner(w.bert.Public()) })
	w.edit(w.bert, func(d *Draft) error { w.mail, err = d.CreateVault(protocol.CategoryBackups); return err })
	w.edit(w.anna, func(d *Draft) error { return d.AddWriter(w.webb.Public(), w.opened(w.anna, w.docs)) })
	w.edit(w.anna, func(d *Draft) error { return d.AddWriter(w.wolf.Public(), w.opened(w.anna, w.docs, w.mail)) })
	return w
}

// take keeps what a draft made, as a provider does, and folds it anew.
func (w *world) take(d *Draft) {
	w.t.Helper()
	b := d.Batch()
	w.entries = append(w.entries, b.Entries...)
	named := map[protocol.Hash]bool{}
	for _, e := range b.Entries {
		for _, name := range e.Body().Objects() {
			named[name] = true
		}
	}
	for _, object := range b.Objects {
		name := protocol.Hash(sha256.Sum256(object))
		if !named[name] {
			w.t.Error("a batch carries an object that no entry names")
		}
		w.objects[name] = object
	}
	if len(named) != len(b.Objects) {
		w.t.Errorf("entries name %d objects, the batch has %d", len(named), len(b.Objects))
	}
	var err error
	w.state, err = ledger.Fold(w.entries, nil)
	must(w.t, err)
}

func (w *world) object(name protocol.Hash) ([]byte, error) {
	if object, ok := w.objects[name]; ok {
		return object, nil
	}
	return nil, protocol.Errorf(protocol.KindNotFound, "object %s is not there", name)
}

func (w *world) open(who *keys.MemberSecrets) (*Ring, error) { return Open(w.state, w.object, who) }

func (w *world) ring(who *keys.MemberSecrets) *Ring {
	w.t.Helper()
	r, err := w.open(who)
	must(w.t, err)
	return r
}

// try drafts something without keeping it.
func (w *world) try(who *keys.MemberSecrets, change func(*Draft) error) (*Draft, error) {
	w.t.Helper()
	d := w.draft(who)
	return d, change(d)
}

// draft begins a draft on a ledger that a directory proves.
func (w *world) draft(who *keys.MemberSecrets) *Draft {
	w.t.Helper()
	d, err := w.ring(who).Edit(directorytest.Standing(w.t, w.state), 2)
	must(w.t, err)
	return d
}

func (w *world) edit(who *keys.MemberSecrets, change func(*Draft) error) {
	w.t.Helper()
	d, err := w.try(who, change)
	must(w.t, err)
	w.take(d)
}

// opened opens vaults, all of them where none is named.
func (w *world) opened(who *keys.MemberSecrets, vaults ...protocol.VaultID) []*VaultSecrets {
	w.t.Helper()
	if len(vaults) == 0 {
		vaults = []protocol.VaultID{w.docs, w.mail}
	}
	var list []*VaultSecrets
	for _, id := range vaults {
		v, err := w.ring(who).Vault(id)
		must(w.t, err)
		list = append(list, v)
	}
	return list
}

// heads counts nothing in any vault.
func (w *world) heads() []ledger.VaultHead {
	return []ledger.VaultHead{{Vault: w.mail}, {Vault: w.docs}}
}

func (w *world) remove(who, device *keys.MemberSecrets) {
	w.t.Helper()
	w.edit(who, func(d *Draft) error { return d.RemoveDevice(device.ID(), w.heads(), w.opened(who)) })
}

func (w *world) writer(who *keys.MemberSecrets, vault protocol.VaultID) (ContentSecret, error) {
	return OpenWriter(w.state, w.object, who, vault)
}
