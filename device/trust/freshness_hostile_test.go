// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"testing"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// renewed puts a new account secret in force.
func (d *device) renewed() {
	d.w.t.Helper()
	d.append(func(ring *keyring.Ring, draft *keyring.Draft) error {
		v, err := ring.Vault(d.vault)
		must(d.w.t, err)
		return draft.Renew([]*keyring.VaultSecrets{v})
	})
}

// plant puts an anchor at the first place of a day.
func (w *world) plant(from *keyring.Anchorage, day directory.Period, box []byte) {
	w.p.LeaveAnchor(directory.NewAnchor(w.p.World.Log(), from.Key(day, 0), directory.AnchorBoxHash(box)), box)
	w.p.Publish()
}

// TestPlantedByWhoWasThere: what a writer plants, or who knows an account secret that
// is over, neither keeps anybody from coming back nor hides what is the newest.
func TestPlantedByWhoWasThere(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	writer := keys.GenerateMemberSecrets()
	d.append(func(ring *keyring.Ring, draft *keyring.Draft) error {
		v, err := ring.Vault(d.vault)
		must(t, err)
		return draft.AddWriter(writer.Public(), []*keyring.VaultSecrets{v})
	})
	d.synced()
	id := writer.ID()
	d.renewed()
	must(t, d.anchored(3))
	w.p.Publish()
	all := d.anchorages(id)
	newest, former, writers := all[0], all[1], all[2]
	made := func(from *keyring.Anchorage, day directory.Period) []byte {
		what := keyring.Anchored{Heads: []ledger.VaultHead{{Vault: d.vault, Seq: 1 << 30, Hash: protocol.Hash{6}}}}
		return from.Seal(from.Key(day, 0).Index(), &what)
	}
	day := directory.DayOf(w.p.Now())
	w.plant(former, day, made(former, day))
	w.plant(writers, day, []byte("garbage"))
	f, err := d.newcomer().fresh(id)
	must(t, err)
	if len(f.Heads) != 1 || f.Heads[0].Seq != 3 || f.Heads[0].Epoch != newest.Epoch || f.Claims != 1 || f.Withheld != 0 {
		t.Errorf("found %+v", f)
	}
	w.p.Pass(24 * time.Hour)
	w.p.Publish()
	day = directory.DayOf(w.p.Now())
	w.plant(former, day, []byte("garbage"))
	w.plant(writers, day, made(writers, day))
	f, err = d.newcomer().fresh(id)
	must(t, err)
	if len(f.Heads) != 2 || f.Heads[0].Seq != 3 || f.Heads[1].Writer != id || f.Claims != 1 {
		t.Errorf("found %+v", f)
	}
}

// TestAnchoredIsNotForgotten: a second look, in which the server gives less, lowers
// nothing that the first one found.
func TestAnchoredIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	must(t, d.anchored(1))
	w.p.Publish()
	w.p.Pass(time.Hour)
	w.p.Publish()
	must(t, d.anchored(2))
	w.p.Publish()
	n := d.newcomer()
	n.wantFresh("all is given", 2, "2026-11-21")
	w.p.DropBox(d.anchorages()[0].Key("2026-11-21", 1).Index())
	f, err := n.fresh()
	must(t, err)
	if f.Withheld != 1 {
		t.Errorf("found %+v", f)
	}
	left, err := Anchored(n.kept)
	must(t, err)
	if len(left) != 1 || left[0].Seq != 2 {
		t.Errorf("remembers %+v", left)
	}
}
