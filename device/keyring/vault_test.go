// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto/sha256"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// TestWritersGetTheirOwn: what a writer opens is what owners derive for it, and
// neither another writer's, nor another vault's, nor the vault's.
func TestWritersGetTheirOwn(t *testing.T) {
	w := newWorld(t)
	opened := w.opened(w.anna)
	seen := map[string]string{}
	for name, c := range map[string]struct {
		who   *keys.MemberSecrets
		vault *VaultSecrets
	}{"webb, docs": {w.webb, opened[0]}, "wolf, docs": {w.wolf, opened[0]}, "wolf, mail": {w.wolf, opened[1]}} {
		own, err := w.writer(c.who, c.vault.ID)
		must(t, err)
		derived := c.vault.Writer(c.who.ID())
		if own.Namer != c.who.ID() || derived.Namer != c.who.ID() || !own.Root.Equal(derived.Root) {
			t.Errorf("%s: an owner derives another secret", name)
		}
		for _, root := range []*keys.Secret{own.Root, c.vault.Content().Root} {
			key := string(root.Expose())
			if other, taken := seen[key]; taken && root == own.Root {
				t.Errorf("%s has the secret of %s", name, other)
			}
			seen[key] = name
		}
	}
	if !opened[0].Content().Namer.IsZero() {
		t.Error("the vault's own secret has a namer")
	}
	_, err := w.writer(w.webb, w.mail)
	wantKind(t, "a vault that was not granted", err, protocol.KindDenied, "not granted")
	_, err = w.writer(keys.GenerateMemberSecrets(), w.docs)
	wantKind(t, "a stranger", err, protocol.KindUntrusted, "is not in the ledger")
	_, err = w.writer(w.anna, w.docs)
	wantKind(t, "an owner, who needs no grant", err, protocol.KindDenied, "not granted")
}

// TestWriterOpensNothingElse hands a writer every object there is, for every
// place there is.
func TestWriterOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	account, opens := w.state.Account(), 0
	for name, object := range w.objects {
		for _, context := range []seal.Context{
			secretContext(account, w.webb.ID(), 1), secretContext(account, w.anna.ID(), 1),
			writerContext(account, w.docs, w.webb.ID()), writerContext(account, w.docs, w.wolf.ID()),
			writerContext(account, w.mail, w.webb.ID()), writerContext(account, w.mail, w.wolf.ID()),
		} {
			if _, err := seal.Unwrap(w.webb.Wrap, context, object); err == nil {
				opens++
				if m, _ := w.state.Member(w.webb.ID()); m.Granted[w.docs] != name {
					t.Errorf("the writer opens object %s", name)
				}
			}
		}
		own, err := w.writer(w.webb, w.docs)
		must(t, err)
		for _, vault := range []protocol.VaultID{w.docs, w.mail} {
			if _, err := seal.OpenBox(own.Root, vaultContext(account, vault, 1), object); err == nil {
				t.Error("a writer's secret opens a vault")
			}
		}
	}
	if opens != 1 {
		t.Errorf("the writer opens %d objects, not one", opens)
	}
}

func TestVaultEpochs(t *testing.T) {
	w := newWorld(t)
	for epoch := uint64(2); epoch <= 4; epoch++ {
		w.edit(w.anna, func(d *Draft) error { return d.RotateVault(w.opened(w.anna, w.docs)[0]) })
	}
	v := w.opened(w.bert, w.docs)[0]
	kept, err := w.state.Vault(w.docs)
	must(t, err)
	for epoch := uint64(1); epoch <= 4; epoch++ {
		wrap, err := v.Wrap(epoch)
		must(t, err)
		if wrap.Public() != kept.Epochs[epoch-1].Key {
			t.Errorf("epoch %d opens to another key", epoch)
		}
	}
	for _, epoch := range []uint64{0, 5, 1 << 63} {
		_, err := v.Wrap(epoch)
		wantKind(t, "an epoch that is not there", err, protocol.KindUntrusted, "has no epoch")
	}
	_, err = w.ring(w.anna).Vault(protocol.VaultID{9})
	wantKind(t, "a vault that is not there", err, protocol.KindNotFound, "")
	one, err := w.writer(w.webb, w.docs)
	must(t, err)
	if !one.Root.Equal(v.Writer(w.webb.ID()).Root) {
		t.Error("a writer names by another secret than before the rotation")
	}
}

// badVault puts an owner's dishonest box into the ledger: right place, right
// secret, wrong content.
func (w *world) badVault(plain func(honest vaultBox) []byte) error {
	w.t.Helper()
	d := w.draft(w.anna)
	v := w.opened(w.anna, w.docs)[0]
	wrap := keys.GenerateWrapSecret()
	var box vaultBox
	copy(box.Content[:], v.content.Expose())
	copy(box.Wrap[:], wrap.Expose())
	secret, err := d.secret()
	must(w.t, err)
	sealed := seal.Box(secret, vaultContext(d.account(), w.docs, 2), plain(box))
	must(w.t, d.say(ledger.Body{RotateVault: &ledger.RotateVault{Vault: w.docs, Epoch: 2, Key: wrap.Public(), Secrets: d.keep(sealed)}}))
	r, err := d.Ring()
	must(w.t, err)
	_, err = r.Vault(w.docs)
	return err
}

// TestDishonestVaultBox: an owner gone bad cannot make others take a key that
// the ledger does not have, or name content anew.
func TestDishonestVaultBox(t *testing.T) {
	encode := func(b vaultBox) []byte { return canonical.MustMarshal(&b) }
	for name, plain := range map[string]func(vaultBox) []byte{
		"another private key":    func(b vaultBox) []byte { b.Wrap[0] ^= 1; return encode(b) },
		"another content secret": func(b vaultBox) []byte { b.Content[31] ^= 1; return encode(b) },
		"one byte behind":        func(b vaultBox) []byte { return append(encode(b), 0) },
		"nothing":                func(vaultBox) []byte { return nil },
		"something else":         func(vaultBox) []byte { return []byte{0x80} },
	} {
		wantKind(t, name, newWorld(t).badVault(plain), protocol.KindUntrusted, "epoch 2")
	}
	must(t, newWorld(t).badVault(encode))
}

// TestRemovedWriter: a grant stays readable for who has it; what it says is of
// use to nobody, since the ledger refuses what a removed writer signs.
func TestRemovedWriter(t *testing.T) {
	w := newWorld(t)
	before, err := w.writer(w.webb, w.docs)
	must(t, err)
	w.edit(w.anna, func(d *Draft) error { return d.RemoveDevice(w.webb.ID(), w.heads(), nil) })
	wantKind(t, "adding", w.state.MayAdd(w.webb.ID(), w.docs), protocol.KindRemoved, "")
	again := keys.GenerateMemberSecrets()
	w.edit(w.anna, func(d *Draft) error { return d.AddWriter(again.Public(), w.opened(w.anna, w.docs)) })
	after, err := w.writer(again, w.docs)
	must(t, err)
	if after.Root.Equal(before.Root) {
		t.Error("the writer that came for a removed one names alike")
	}
	if sha256.Sum256(after.Root.Expose()) == sha256.Sum256(w.opened(w.anna)[0].content.Expose()) {
		t.Error("a writer was given the vault's own secret")
	}
}
