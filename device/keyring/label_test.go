// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

func TestLabels(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", "a", "Anna's laptop", "Bücher und Töne", strings.Repeat("x", 254), strings.Repeat("ö", 127) + "x"} {
		w.edit(w.bert, func(d *Draft) error {
			if err := d.NameVault(w.docs, name); err != nil {
				return err
			}
			return d.NameMember(w.webb.ID(), name)
		})
		r := w.ring(w.kit)
		vault, err := r.VaultLabel(w.docs)
		must(t, err)
		member, err := r.Label(w.webb.ID())
		must(t, err)
		if vault != name || member != name {
			t.Errorf("%q is read as %q, %q", name, vault, member)
		}
		for _, e := range w.entries[len(w.entries)-2:] {
			if box := e.Body().Name.Box; len(box) != 256+seal.BoxOverhead {
				t.Errorf("%q: a box of %d bytes", name, len(box))
			}
		}
	}
	for what, name := range map[string]string{"too long": strings.Repeat("x", 256), "no UTF-8": "\xff"} {
		_, err := w.try(w.anna, func(d *Draft) error { return d.NameMember(w.webb.ID(), name) })
		wantKind(t, what, err, protocol.KindUsage, "at most 255 bytes")
	}
	for _, nobody := range []protocol.MemberID{w.wolf.ID(), {9}} {
		if name, err := w.ring(w.anna).Label(nobody); name != "" || err != nil {
			t.Errorf("who has no name is called %q, %v", name, err)
		}
	}
	if name, err := w.ring(w.anna).VaultLabel(w.mail); name != "" || err != nil {
		t.Errorf("a vault without a name is called %q, %v", name, err)
	}
}

// TestOldLabels: a name outlives the secret that it was boxed under.
func TestOldLabels(t *testing.T) {
	w := newWorld(t)
	w.remove(w.anna, w.bert)
	name, err := w.ring(w.kit).Label(w.anna.ID())
	if err != nil || name != "Anna's laptop" {
		t.Errorf("%q, %v", name, err)
	}
}

// TestLabelsStayInPlace gives each label the place of the other, and each part
// of its place another value.
func TestLabelsStayInPlace(t *testing.T) {
	w := newWorld(t)
	w.remove(w.anna, w.bert)
	r := w.ring(w.anna)
	anna, _ := w.state.MemberName(w.anna.ID())
	docs, _ := w.state.VaultName(w.docs)
	subject := protocol.Hash(w.anna.ID())
	if _, err := r.openLabel(subject, anna); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		subject protocol.Hash
		ref     ledger.NameRef
	}{
		"the vault's label":       {subject, docs},
		"the vault's box":         {subject, ledger.NameRef{Epoch: anna.Epoch, Prev: anna.Prev, Box: docs.Box}},
		"another subject":         {protocol.Hash(w.bert.ID()), anna},
		"the vault as subject":    {vaultSubject(w.docs), anna},
		"another epoch":           {subject, ledger.NameRef{Epoch: 2, Prev: anna.Prev, Box: anna.Box}},
		"an epoch that is not":    {subject, ledger.NameRef{Epoch: 3, Prev: anna.Prev, Box: anna.Box}},
		"another place in ledger": {subject, ledger.NameRef{Epoch: anna.Epoch, Prev: docs.Prev, Box: anna.Box}},
		"no box":                  {subject, ledger.NameRef{Epoch: anna.Epoch, Prev: anna.Prev}},
	} {
		name, err := r.openLabel(c.subject, c.ref)
		wantKind(t, what, err, protocol.KindUntrusted, "")
		if name != "" {
			t.Errorf("%s is read as %q", what, name)
		}
	}
}

func TestUnpadLabel(t *testing.T) {
	good, err := padLabel("abc")
	must(t, err)
	if name, err := unpadLabel(good); err != nil || name != "abc" {
		t.Errorf("%q, %v", name, err)
	}
	changed := func(at int, b byte) []byte { c := append([]byte(nil), good...); c[at] = b; return c }
	for what, padded := range map[string][]byte{
		"nothing": nil, "one byte less": good[:255], "one byte more": append(append([]byte(nil), good...), 0),
		"a length that cuts it": changed(0, 2), "something right behind": changed(4, 1), "something at the end": changed(255, 1), "no UTF-8": changed(1, 0xff),
	} {
		name, err := unpadLabel(padded)
		wantKind(t, what, err, protocol.KindUntrusted, "open label")
		if name != "" {
			t.Errorf("%s is read as %q", what, name)
		}
	}
	if name, err := unpadLabel(changed(0, 5)); err != nil || name != "abc\x00\x00" {
		t.Errorf("zeros of its own: %q, %v", name, err)
	}
}

// FuzzUnpadLabel: what is read prints as the same bytes.
func FuzzUnpadLabel(f *testing.F) {
	for _, name := range []string{"", "a", strings.Repeat("ö", 127)} {
		padded, err := padLabel(name)
		must(f, err)
		f.Add(padded)
	}
	f.Fuzz(func(t *testing.T, padded []byte) {
		name, err := unpadLabel(padded)
		if err != nil {
			return
		}
		again, err := padLabel(name)
		if err != nil || string(again) != string(padded) {
			t.Fatalf("%q is padded to other bytes: %v", name, err)
		}
	})
}
