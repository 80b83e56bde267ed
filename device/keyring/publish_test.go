// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"errors"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// published demands that an update follows the one before it by the rules of the
// log, and returns what names its key's successor.
func published(t *testing.T, p *directorytest.Provider, b *Batch, version uint64, next protocol.Hash) protocol.Hash {
	t.Helper()
	u := b.Update
	e := directory.Entry{Update: u}
	must(t, e.VerifySignature(p.World.Log().ID()))
	if u.Version != version || b.Opening.Ledger != b.State.Head() || b.Opening.Account != b.State.Account() ||
		u.Commitment != directory.Commit(u.Index, version, b.Opening) {
		t.Errorf("version %d: %+v", version, u)
	}
	if version > 1 && directory.KeyHash(u.Key) != next {
		t.Errorf("version %d is signed with another key than version %d named", version, version-1)
	}
	return u.Next
}

// TestPublishFollowsTheSecret: each version is signed with the key that the version
// before named, across devices, recovery keys and rotations.
func TestPublishFollowsTheSecret(t *testing.T) {
	p, index := directorytest.New(t), protocol.Hash{7}
	w := &world{t: t, objects: map[protocol.Hash][]byte{}, anna: keys.GenerateMemberSecrets(), bert: keys.GenerateMemberSecrets(), kit: keys.GenerateMemberSecrets()}
	d, err := Create(w.anna, 1)
	must(t, err)
	must(t, d.AddRecovery(w.kit.Public()))
	must(t, d.Rotate())
	w.docs, err = d.CreateVault(protocol.CategoryBackups)
	must(t, err)
	b, err := d.Publish(p.World.Log(), index, 1)
	must(t, err)
	next := published(t, p, b, 1, protocol.Hash{})
	w.take(d)
	version := uint64(1)
	for _, step := range []struct {
		who    *keys.MemberSecrets
		change func(*Draft) error
	}{
		{w.anna, func(d *Draft) error { return d.AddOwner(w.bert.Public()) }},
		{w.bert, func(d *Draft) error { return d.NameMember(w.bert.ID(), "bert") }},
		{w.bert, func(d *Draft) error { return d.Renew(w.opened(w.bert, w.docs)) }},
		{w.anna, func(d *Draft) error { return d.NameMember(w.anna.ID(), "anna") }},
		{w.kit, func(d *Draft) error {
			return d.RemoveDevice(w.bert.ID(), []ledger.VaultHead{{Vault: w.docs}}, w.opened(w.kit, w.docs))
		}},
		{w.anna, func(d *Draft) error { return d.NameVault(w.docs, "docs") }},
	} {
		version++
		d, err := w.try(step.who, step.change)
		must(t, err)
		b, err := d.Publish(p.World.Log(), index, version)
		must(t, err)
		next = published(t, p, b, version, next)
		again, err := d.Publish(p.World.Log(), index, version)
		must(t, err)
		if again.Update.Commitment == b.Update.Commitment {
			t.Error("two updates have one blind")
		}
		w.take(d)
	}
}

// TestRemovedCannotPublish: who was removed derives no key of a later version.
func TestRemovedCannotPublish(t *testing.T) {
	w, index := newWorld(t), protocol.Hash{7}
	p := directorytest.New(t)
	old := w.draft(w.bert)
	must(t, old.NameMember(w.bert.ID(), "still here"))
	d, err := w.try(w.anna, func(d *Draft) error { return d.RemoveDevice(w.bert.ID(), w.heads(), w.opened(w.anna)) })
	must(t, err)
	b, err := d.Publish(p.World.Log(), index, 6)
	must(t, err)
	stolen, err := old.Publish(p.World.Log(), index, 7)
	must(t, err)
	if directory.KeyHash(stolen.Update.Key) == b.Update.Next {
		t.Error("a removed device signs the next version")
	}
}

// TestPublishRefuses what does not go together.
func TestPublishRefuses(t *testing.T) {
	w, log := newWorld(t), directorytest.New(t).World.Log()
	d := w.draft(w.anna)
	_, err := d.Publish(log, protocol.Hash{}, 2)
	wantKind(t, "nothing drafted", err, protocol.KindInternal, "does not go with this batch")
	must(t, d.NameMember(w.anna.ID(), "x"))
	for _, version := range []uint64{0, 1} {
		_, err = d.Publish(log, protocol.Hash{}, version)
		wantKind(t, "an old account's first version", err, protocol.KindInternal, "")
	}
	fresh, err := Create(keys.GenerateMemberSecrets(), 1)
	must(t, err)
	_, err = fresh.Publish(log, protocol.Hash{}, 1)
	wantKind(t, "no account secret yet", err, protocol.KindDenied, "")
	must(t, fresh.Rotate())
	_, err = fresh.Publish(log, protocol.Hash{}, 2)
	wantKind(t, "a new account's second version", err, protocol.KindInternal, "")
}

// TestNobodyNewWithoutProof: on a hold no wrap is made for anybody.
func TestNobodyNewWithoutProof(t *testing.T) {
	w := newWorld(t)
	proven := directorytest.Standing(t, w.state)
	held, err := directory.Hold(proven.Pin(), w.state)
	must(t, err)
	ring := w.ring(w.anna)
	for name, change := range map[string]func(*Draft) error{
		"an owner":  func(d *Draft) error { return d.AddOwner(keys.GenerateMemberSecrets().Public()) },
		"a kit":     func(d *Draft) error { return d.AddRecovery(keys.GenerateMemberSecrets().Public()) },
		"a writer":  func(d *Draft) error { return d.AddWriter(keys.GenerateMemberSecrets().Public(), w.opened(w.anna)) },
		"the rest":  func(d *Draft) error { return d.Rotate() },
		"a removal": func(d *Draft) error { return d.RemoveDevice(w.bert.ID(), w.heads(), w.opened(w.anna)) },
	} {
		d, err := ring.Edit(held, 2)
		must(t, err)
		var unproven *directory.Unproven
		if err := change(d); !errors.As(err, &unproven) {
			t.Errorf("%s: %v", name, err)
		}
		for _, object := range d.Batch().Objects {
			if len(object) == seal.WrapSize {
				t.Errorf("%s: something was wrapped", name)
			}
		}
	}
	d, err := ring.Edit(held, 2)
	must(t, err)
	must(t, d.NameMember(w.anna.ID(), "a label needs nobody"))
	stranger := directorytest.Standing(t, newWorld(t).state)
	_, err = ring.Edit(stranger, 2)
	wantKind(t, "another account's standing", err, protocol.KindInternal, "another ledger")
	older := proven
	w.edit(w.anna, func(d *Draft) error { return d.NameMember(w.anna.ID(), "newer") })
	_, err = w.ring(w.anna).Edit(older, 2)
	wantKind(t, "the standing of an older ledger", err, protocol.KindInternal, "another ledger")
}
