// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

const someDay = directory.Period("2026-11-21")

// anchorages returns those of an account, by a name.
func (w *world) anchorages() map[string]*Anchorage {
	w.t.Helper()
	list := map[string]*Anchorage{}
	for _, epoch := range []uint64{1, 2} {
		a, err := w.ring(w.anna).Anchorage(epoch)
		must(w.t, err)
		list["epoch "+string(rune('0'+epoch))] = a
	}
	account := w.state.Account()
	for _, v := range w.opened(w.anna) {
		list["webb in "+v.ID.String()] = v.Writer(w.webb.ID()).Anchorage(account, v.ID)
		list["wolf in "+v.ID.String()] = v.Writer(w.wolf.ID()).Anchorage(account, v.ID)
	}
	return list
}

// TestAnchorsShareNothing: no key, index or box of one anchorage, day or slot
// is one of another.
func TestAnchorsShareNothing(t *testing.T) {
	w := newWorld(t)
	w.edit(w.anna, func(d *Draft) error { return d.Renew(w.opened(w.anna)) })
	list := w.anchorages()
	seen := map[protocol.Hash]string{}
	what := &Anchored{Time: 5, Ledger: w.state.Head(), Heads: []ledger.VaultHead{{Vault: w.docs, Seq: 3, Hash: protocol.Hash{3}}}}
	for name, a := range list {
		for _, period := range []directory.Period{someDay, "2026-11-22", "2026-11"} {
			for slot := range uint64(3) {
				index := a.Key(period, slot).Index()
				if other, is := seen[index]; is {
					t.Fatalf("%s and %s share an index", name, other)
				}
				seen[index] = name
			}
		}
		index := a.Key(someDay, 0).Index()
		box := a.Seal(index, what)
		for other, b := range list {
			if got, err := b.Open(index, box); (err == nil) != (name == other) {
				t.Errorf("%s opens the box of %s: %+v, %v", other, name, got, err)
			}
		}
		_, err := a.Open(a.Key(someDay, 1).Index(), box)
		wantKind(t, "a box of another slot", err, protocol.KindUntrusted, "")
	}
}

// TestOwnersDeriveAWritersAnchorage comes to one anchorage from both sides.
func TestOwnersDeriveAWritersAnchorage(t *testing.T) {
	w := newWorld(t)
	own, err := w.writer(w.webb, w.docs)
	must(t, err)
	mine := own.Anchorage(w.state.Account(), w.docs)
	theirs := w.opened(w.anna, w.docs)[0].Writer(w.webb.ID()).Anchorage(w.state.Account(), w.docs)
	index := mine.Key(someDay, 7).Index()
	if index != theirs.Key(someDay, 7).Index() || mine.Writer != w.webb.ID() || mine.Vault != w.docs || mine.Epoch != 0 {
		t.Fatal("the owner looks elsewhere than the writer writes")
	}
	what := &Anchored{Version: 1, Time: 5, Ledger: w.state.Head(), Heads: []ledger.VaultHead{{Vault: w.docs, Seq: 3, Hash: protocol.Hash{3}}}}
	got, err := theirs.Open(index, mine.Seal(index, what))
	must(t, err)
	if !reflect.DeepEqual(got, what) {
		t.Errorf("read as %+v", got)
	}
	_, err = w.ring(w.anna).Anchorage(9)
	wantKind(t, "an epoch that is not there", err, protocol.KindUntrusted, "")
}

// TestAnchorsTellNoNumber: the boxes of few vaults have one length.
func TestAnchorsTellNoNumber(t *testing.T) {
	w := newWorld(t)
	a, err := w.ring(w.anna).Anchorage(1)
	must(t, err)
	index := a.Key(someDay, 0).Index()
	sizes := map[int]bool{}
	for n := range 6 {
		what := &Anchored{Version: 1, Time: protocol.Time(1 << 60), Ledger: w.state.Head()}
		for i := range n {
			what.Heads = append(what.Heads, ledger.VaultHead{Vault: protocol.VaultID{byte(i + 1)}, Seq: 1 << 40, Hash: protocol.Hash{1}})
		}
		box := a.Seal(index, what)
		sizes[len(box)] = true
		got, err := a.Open(index, box)
		must(t, err)
		if len(got.Heads) != n {
			t.Errorf("%d heads, want %d", len(got.Heads), n)
		}
	}
	if len(sizes) != 1 {
		t.Errorf("lengths %v", sizes)
	}
	many := &Anchored{}
	for i := range ledger.MaxVaults {
		many.Heads = append(many.Heads, ledger.VaultHead{Vault: protocol.VaultID{1, byte(i)}, Seq: 1 << 40, Hash: protocol.Hash{1}})
	}
	if _, err := a.Open(index, a.Seal(index, many)); err != nil {
		t.Errorf("as many vaults as there can be: %v", err)
	}
}

// TestDishonestAnchorBox seals what no device would, under the right secret.
func TestDishonestAnchorBox(t *testing.T) {
	w := newWorld(t)
	a, err := w.ring(w.anna).Anchorage(1)
	must(t, err)
	index := a.Key(someDay, 0).Index()
	head := ledger.VaultHead{Vault: w.docs, Seq: 3, Hash: protocol.Hash{3}}
	raw := func(plain []byte) []byte { return seal.Box(a.secret.Derive("anchor/box"), a.context(index), plain) }
	good, err := seal.OpenBox(a.secret.Derive("anchor/box"), a.context(index), a.Seal(index, &Anchored{}))
	must(t, err)
	newer := bytes.Clone(good)
	newer[6] = 2 // the version in the map
	behind := bytes.Clone(good)
	behind[len(behind)-1] = 1
	for name, c := range map[string]struct {
		box  []byte
		kind protocol.Kind
	}{
		"nothing":              {raw(nil), protocol.KindUntrusted},
		"a length alone":       {raw([]byte{0, 0, 0, 9}), protocol.KindUntrusted},
		"garbage":              {raw([]byte{0, 0, 0, 1, 0xff}), protocol.KindUntrusted},
		"something behind":     {raw(behind), protocol.KindUntrusted},
		"a newer version":      {raw(newer), protocol.KindUnsupported},
		"one vault twice":      {a.Seal(index, &Anchored{Heads: []ledger.VaultHead{head, head}}), protocol.KindUntrusted},
		"a head of number 0":   {a.Seal(index, &Anchored{Heads: []ledger.VaultHead{{Vault: w.docs}}}), protocol.KindUntrusted},
		"a head without hash":  {a.Seal(index, &Anchored{Heads: []ledger.VaultHead{{Vault: w.docs, Seq: 1}}}), protocol.KindUntrusted},
		"a box of another key": {seal.Box(a.secret, a.context(index), good), protocol.KindUntrusted},
	} {
		_, err := a.Open(index, c.box)
		wantKind(t, name, err, c.kind, "")
	}
}
