// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/test/vectors"
)

func TestKeyringVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "keyring",
		Generate: func(t *testing.T) []*vectors.Vector {
			var list []*vectors.Vector
			for _, some := range [][]*vectors.Vector{recoveryVectors(), placeVectors(t), labelVectors(t), writerVectors(t), accountVectors(t), anchorVectors(t)} {
				list = append(list, some...)
			}
			return list
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"keyring-recovery": checkRecoveryVector, "keyring-place": checkPlaceVector, "keyring-label": checkLabelVector,
			"keyring-writer": checkWriterVector, "keyring-account": checkAccountVector, "keyring-anchor": checkAnchorVector,
		},
	})
}

func recoveryVectors() []*vectors.Vector {
	var list []*vectors.Vector
	for i, fill := range []byte{0, 1, 93} {
		k := someKey(fill)
		raw, locator, id := k.raw(), k.Locator(), k.Member().ID()
		list = append(list, vectors.New(fmt.Sprint("keyring-recovery-", i), "a recovery key as it is written, and what it gives", "keyring-recovery", vectors.Valid).
			With("written", k.Written()).WithHex("key", raw[:]).WithHex("secret", k.secret.Expose()).
			WithHex("locator", locator[:]).WithHex("box-secret", k.secret.Derive("recovery/box").Expose()).WithHex("member", id[:]))
	}
	good := someKey(1).Written()
	for _, c := range []struct{ name, says, text string }{
		{"character", "one character is another", "B" + good[1:]},
		{"exchanged", "two neighbours changed places", good[1:2] + good[:1] + good[2:]},
		{"short", "the last character is missing", good[:len(good)-1]},
		{"group", "a group is missing", good[5:]},
		{"alphabet", "a 9, which no key has", "9" + good[1:]},
	} {
		list = append(list, vectors.New("keyring-recovery-bad-"+c.name, c.says, "keyring-recovery", string(protocol.KindWrongSecret)).With("written", c.text))
	}
	return list
}

func checkRecoveryVector(t *testing.T, v *vectors.Vector) {
	k, err := ParseRecoveryKey(v.Text(t, "written"))
	if !v.Expect(t, err) {
		return
	}
	raw, locator, id := k.raw(), k.Locator(), k.Member().ID()
	for key, got := range map[string][]byte{
		"key": raw[:], "secret": k.secret.Expose(), "locator": locator[:], "box-secret": k.secret.Derive("recovery/box").Expose(), "member": id[:],
	} {
		if !bytes.Equal(got, v.Hex(t, key)) {
			t.Errorf("%s is %x", key, got)
		}
	}
}

func placeVectors(t *testing.T) []*vectors.Vector {
	place := &Place{
		Account: protocol.AccountID{1}, Server: "https://backup.example:8443", Pin: protocol.Hash{2}, Name: "anna", World: seededWorld(t).Bytes(),
	}
	with := func(v *vectors.Vector) *vectors.Vector {
		return v.With("randomised", "yes").With("written", someKey(1).Written()).With("server", place.Server).
			WithHex("account", place.Account[:]).WithHex("pin", place.Pin[:]).With("name", place.Name).WithHex("world", place.World)
	}
	return []*vectors.Vector{
		with(vectors.New("keyring-place", "a recovery box", "keyring-place", vectors.Valid, someKey(1).SealPlace(place))),
		with(vectors.New("keyring-place-other", "a recovery box of another key", "keyring-place", "untrusted", someKey(2).SealPlace(place))),
	}
}

// seededWorld is a world whose keys come from seeds.
func seededWorld(t *testing.T) *directory.World {
	t.Helper()
	key, err := vrf.Parse(mustSecret(t, 21).Expose())
	must(t, err)
	said, err := statement.ParseSecret(mustSecret(t, 22).Expose())
	must(t, err)
	policy, err := tlog.ParsePolicy([]byte("log log.example+56746613+Ac+KKA3iQ/T1UaweR+SoDFNDGtIgTzXGoG+JdQdy5YhX\nquorum none\n"))
	must(t, err)
	world, err := directory.NewWorld(policy, key.Public(), said.Public())
	must(t, err)
	return world
}

func checkPlaceVector(t *testing.T, v *vectors.Vector) {
	k, err := ParseRecoveryKey(v.Text(t, "written"))
	must(t, err)
	want := Place{
		Account: protocol.AccountID(v.Hex(t, "account")), Server: v.Text(t, "server"),
		Pin: protocol.Hash(v.Hex(t, "pin")), Name: v.Text(t, "name"), World: v.Hex(t, "world"),
	}
	p, err := k.OpenPlace(v.Body(t))
	if v.Expect(t, err) && !reflect.DeepEqual(*p, want) {
		t.Errorf("read as %+v", p)
	}
}

// labelVectors hold what stands inside a box, before it is sealed.
func labelVectors(t *testing.T) []*vectors.Vector {
	padded, err := padLabel("Anna's laptop")
	must(t, err)
	behind, short := bytes.Clone(padded), bytes.Clone(padded)
	behind[255], short[0] = 1, 12
	add := func(name, says, expect string, body []byte) *vectors.Vector {
		return vectors.New("keyring-label"+name, says, "keyring-label", expect, body)
	}
	return []*vectors.Vector{
		add("", "a label inside its box", vectors.Valid, padded).With("label", "Anna's laptop"),
		add("-bad-behind", "something stands at the end", "untrusted", behind),
		add("-bad-cut", "the length leaves a character out", "untrusted", short),
		add("-bad-bare", "a label that is not padded", "untrusted", padded[1:14]),
		add("-bad-utf-8", "a label that is not UTF-8", "untrusted", append([]byte{1, 0xff}, make([]byte, 254)...)),
	}
}

func checkLabelVector(t *testing.T, v *vectors.Vector) {
	label, err := unpadLabel(v.Body(t))
	if v.Expect(t, err) && label != v.Text(t, "label") {
		t.Errorf("read as %q", label)
	}
}

func writerVectors(t *testing.T) []*vectors.Vector {
	content := mustSecret(t, 3)
	member := keys.NewMemberSecrets(mustSecret(t, 4), "vector").ID()
	v := &VaultSecrets{content: content}
	return []*vectors.Vector{
		vectors.New("keyring-writer", "the content secret of a writer, from the vault's", "keyring-writer", vectors.Valid).
			WithHex("content", content.Expose()).WithHex("member", member[:]).WithHex("writer", v.Writer(member).Root.Expose()),
	}
}

func checkWriterVector(t *testing.T, v *vectors.Vector) {
	content, err := keys.NewSecret(v.Hex(t, "content"))
	must(t, err)
	own := (&VaultSecrets{content: content}).Writer(protocol.MemberID(v.Hex(t, "member")))
	v.Expect(t, nil)
	if !bytes.Equal(own.Root.Expose(), v.Hex(t, "writer")) {
		t.Errorf("derived %x", own.Root.Expose())
	}
}

// accountVectors are whole accounts: the entries, then the objects. Who is in
// them is derived from a seed under the label of the header line.
func accountVectors(t *testing.T) []*vectors.Vector {
	seeds := map[string]*keys.Secret{"owner": mustSecret(t, 11), "recovery": mustSecret(t, 12), "writer": mustSecret(t, 13), "removed": mustSecret(t, 14)}
	who := func(name string) *keys.MemberSecrets { return keys.NewMemberSecrets(seeds[name], "vector") }
	w := &world{t: t, objects: map[protocol.Hash][]byte{}, anna: who("owner"), kit: who("recovery"), webb: who("writer"), bert: who("removed")}
	d, err := Create(w.anna, 1)
	must(t, err)
	must(t, d.AddRecovery(w.kit.Public()))
	must(t, d.Rotate())
	w.docs, err = d.CreateVault(protocol.CategoryBackups)
	must(t, err)
	must(t, d.NameMember(w.anna.ID(), "Anna's laptop"))
	must(t, d.NameVault(w.docs, "Documents"))
	must(t, d.AddOwner(w.bert.Public()))
	w.take(d)
	w.edit(w.bert, func(d *Draft) error { return d.AddWriter(w.webb.Public(), w.opened(w.bert, w.docs)) })
	w.edit(w.kit, func(d *Draft) error {
		return d.RemoveDevice(w.bert.ID(), []ledger.VaultHead{{Vault: w.docs}}, w.opened(w.kit, w.docs))
	})
	return []*vectors.Vector{w.wholeAccount(seeds), w.swappedAccount(seeds)}
}

func (w *world) accountVector(v *vectors.Vector, entries []*ledger.Entry, seeds map[string]*keys.Secret, objects Objects) *vectors.Vector {
	v.With("randomised", "yes").With("entries", strconv.Itoa(len(entries))).WithHex("vault", w.docs[:])
	for _, name := range []string{"owner", "recovery", "writer", "removed"} {
		v.WithHex(name, seeds[name].Expose())
	}
	for _, e := range entries {
		v.Parts = append(v.Parts, e.Bytes())
	}
	for _, e := range entries {
		for _, name := range e.Body().Objects() {
			object, err := objects(name)
			must(w.t, err)
			v.Parts = append(v.Parts, object)
		}
	}
	return v
}

func (w *world) wholeAccount(seeds map[string]*keys.Secret) *vectors.Vector {
	v := vectors.New("keyring-account", "an account of two epochs, from which an owner was removed", "keyring-account", vectors.Valid)
	w.accountVector(v, w.entries, seeds, w.object)
	r, docs := w.ring(w.anna), w.opened(w.anna, w.docs)[0]
	for epoch := uint64(1); epoch <= 2; epoch++ {
		v.WithHex(fmt.Sprint("account-secret-", epoch), r.secrets[epoch].Expose()).WithHex(fmt.Sprint("vault-key-", epoch), docs.wraps[epoch-1].Expose())
	}
	own := docs.Writer(w.webb.ID())
	return v.WithHex("content", docs.content.Expose()).WithHex("writer-content", own.Root.Expose()).
		With("owner-label", "Anna's laptop").With("vault-label", "Documents")
}

// swappedAccount has a rotation by an owner who names each holder's wrap for the
// other: the ledger is in order, and nothing opens.
func (w *world) swappedAccount(seeds map[string]*keys.Secret) *vectors.Vector {
	d := w.draft(w.anna)
	must(w.t, d.Rotate())
	swapped := *d.Batch().Entries[0].Body().Rotate
	first, second := swapped.Wraps[0], swapped.Wraps[1]
	swapped.Wraps = []ledger.MemberWrap{{Member: first.Member, Wrap: second.Wrap}, {Member: second.Member, Wrap: first.Wrap}}
	e, err := ledger.Sign(w.state, 3, ledger.Body{Rotate: &swapped}, w.anna)
	must(w.t, err)
	v := vectors.New("keyring-account-bad-swapped", "an account whose newest wraps changed places", "keyring-account", "untrusted")
	return w.accountVector(v, append(slices.Clone(w.entries), e), seeds, d.object)
}

// checkAccountVector opens an account as each of its members.
func checkAccountVector(t *testing.T, v *vectors.Vector) {
	w := &world{t: t, objects: map[protocol.Hash][]byte{}}
	n, err := strconv.Atoi(v.Text(t, "entries"))
	must(t, err)
	for _, part := range v.Parts[:n] {
		e, err := ledger.Parse(part)
		must(t, err)
		w.entries = append(w.entries, e)
	}
	for _, object := range v.Parts[n:] {
		w.objects[sha256.Sum256(object)] = object
	}
	w.state, err = ledger.Fold(w.entries, nil)
	must(t, err)
	who := map[string]*keys.MemberSecrets{}
	for _, name := range []string{"owner", "recovery", "writer", "removed"} {
		seed, err := keys.NewSecret(v.Hex(t, name))
		must(t, err)
		who[name] = keys.NewMemberSecrets(seed, "vector")
	}
	w.docs = protocol.VaultID(v.Hex(t, "vault"))
	_, err = w.open(who["removed"])
	wantKind(t, "who was removed", err, protocol.KindRemoved, "")
	_, err = w.open(who["recovery"])
	other, second := w.open(who["owner"])
	if err == nil {
		err = second
	}
	if v.Expect(t, err) {
		w.holdAccount(v, other, who["writer"])
	}
}

func (w *world) holdAccount(v *vectors.Vector, r *Ring, writer *keys.MemberSecrets) {
	w.t.Helper()
	docs, err := r.Vault(w.docs)
	must(w.t, err)
	own, err := w.writer(writer, w.docs)
	must(w.t, err)
	got := map[string][]byte{"content": docs.content.Expose(), "writer-content": own.Root.Expose()}
	for epoch := uint64(1); epoch <= 2; epoch++ {
		got[fmt.Sprint("account-secret-", epoch)], got[fmt.Sprint("vault-key-", epoch)] = r.secrets[epoch].Expose(), docs.wraps[epoch-1].Expose()
	}
	for key, value := range got {
		if !bytes.Equal(value, v.Hex(w.t.(*testing.T), key)) {
			w.t.Errorf("%s is %x", key, value)
		}
	}
	label, err := r.Label(r.Self().ID())
	must(w.t, err)
	vault, err := r.VaultLabel(w.docs)
	must(w.t, err)
	if label != v.Text(w.t.(*testing.T), "owner-label") || vault != v.Text(w.t.(*testing.T), "vault-label") {
		w.t.Errorf("labels %q, %q", label, vault)
	}
}

// TestSealTypes holds the types of this room to the numbers that vectors and
// spec/seal.md have.
func TestSealTypes(t *testing.T) {
	account, member, vault := protocol.AccountID{1}, protocol.MemberID{2}, protocol.VaultID{3}
	for _, c := range []struct {
		got, want seal.Context
	}{
		{secretContext(account, member, 4), seal.Context{Account: account, Type: 1, ID: protocol.Hash{2}, Epoch: 4}},
		{linkContext(account, 4), seal.Context{Account: account, Type: 2, Epoch: 4}},
		{vaultContext(account, vault, 4), seal.Context{Account: account, Vault: vault, Type: 3, Epoch: 4}},
		{writerContext(account, vault, member), seal.Context{Account: account, Vault: vault, Type: 4, ID: protocol.Hash{2}}},
		{labelContext(account, vaultSubject(vault), 4, protocol.Hash{5}), seal.Context{Account: account, Type: 8, ID: protocol.Hash{3}, Epoch: 4, Parent: protocol.Hash{5}}},
		{someKey(1).placeContext(), seal.Context{Type: 9, ID: someKey(1).Locator()}},
	} {
		if c.got != c.want {
			t.Errorf("%+v, want %+v", c.got, c.want)
		}
	}
}
