// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// newcomer is a device of the account that knows nothing but its keys.
func (d *device) newcomer() *device {
	d.w.t.Helper()
	n := d.w.device(d.name, d.self, d.synced().State.Account(), d.vault)
	n.synced()
	return n
}

// anchorages are the account's own of every epoch, and those of writers.
func (d *device) anchorages(writers ...protocol.MemberID) []*keyring.Anchorage {
	d.w.t.Helper()
	ring := d.ring()
	var list []*keyring.Anchorage
	for epoch := ring.State().Epoch(); epoch > 0; epoch-- {
		a, err := ring.Anchorage(epoch)
		must(d.w.t, err)
		list = append(list, a)
	}
	v, err := ring.Vault(d.vault)
	must(d.w.t, err)
	for _, id := range writers {
		list = append(list, v.Writer(id).Anchorage(ring.State().Account(), d.vault))
	}
	return list
}

func (d *device) fresh(writers ...protocol.MemberID) (*Freshness, error) {
	d.w.t.Helper()
	return d.Freshness(bg, source{d.w, d.name}, d.anchorages(writers...), d.ring().State())
}

// wantFresh demands the number that the newest anchor names, and the day.
func (d *device) wantFresh(what string, seq uint64, period string, writers ...protocol.MemberID) *Freshness {
	d.w.t.Helper()
	f, err := d.fresh(writers...)
	must(d.w.t, err)
	if string(f.Newest) != period {
		d.w.t.Errorf("%s: newest of %q, want %q", what, f.Newest, period)
	}
	if seq == 0 && len(f.Heads) == 0 {
		return f
	}
	if len(f.Heads) != 1 || f.Heads[0].Seq != seq || f.Heads[0].Vault != d.vault {
		d.w.t.Errorf("%s: heads %+v, want %d", what, f.Heads, seq)
	}
	return f
}

// TestFreshnessWithoutMemory finds the newest anchor with nothing but the secrets:
// across hours, days, months and epochs.
func TestFreshnessWithoutMemory(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	if f := d.newcomer().wantFresh("no anchor", 0, ""); !strings.Contains(f.Words(), "rests on its word") {
		t.Errorf("says %q", f.Words())
	}
	seq := uint64(0)
	anchored := func(pass time.Duration) {
		t.Helper()
		w.p.Pass(pass)
		w.p.Publish()
		seq++
		must(t, d.anchored(seq))
		w.p.Publish()
	}
	anchored(0)
	for range 9 {
		anchored(time.Hour)
	}
	f := d.newcomer().wantFresh("the tenth hour", 10, "2026-11-21")
	if !strings.Contains(f.Words(), "as of 2026-11-21; nothing since: the devices were idle, or it is withheld") || f.AsOf == 0 {
		t.Errorf("says %q", f.Words())
	}
	anchored(24 * time.Hour)
	d.newcomer().wantFresh("the next day", 11, "2026-11-22")
	anchored(40 * 24 * time.Hour)
	d.newcomer().wantFresh("weeks later", 12, "2027-01-01")
	d.append(func(ring *keyring.Ring, draft *keyring.Draft) error {
		v, err := ring.Vault(d.vault)
		must(t, err)
		return draft.Renew([]*keyring.VaultSecrets{v})
	})
	d.newcomer().wantFresh("an older epoch", 12, "2027-01-01")
	anchored(48 * time.Hour)
	n := d.newcomer()
	n.wantFresh("a new epoch", 13, "2027-01-03")
	left, err := Anchored(n.kept)
	must(t, err)
	if len(left) != 1 || left[0].Head() != d.heads(13).Heads[0] {
		t.Errorf("remembers %+v", left)
	}
	must(t, MetAnchored(n.kept, protocol.VaultID{9}))
	must(t, MetAnchored(n.kept, d.vault))
	if left, err = Anchored(n.kept); len(left) != 0 || err != nil {
		t.Errorf("still %+v, %v", left, err)
	}
}

// TestFreshnessWithheld: the log holds an anchor, and the server keeps back what it
// commits to, or gives another box.
func TestFreshnessWithheld(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	must(t, d.anchored(1))
	w.p.Publish()
	index := d.anchorages()[0].Key("2026-11-21", 0).Index()
	w.p.DropBox(index)
	f := d.newcomer().wantFresh("no box", 0, "2026-11-21")
	if f.Withheld != 1 || f.Proven() || !strings.Contains(f.Words(), "keeps back") {
		t.Errorf("says %q", f.Words())
	}
	w.p.SwapBox(index, []byte("another"))
	_, err := d.newcomer().fresh()
	wantKind(t, "another box", err, protocol.KindUntrusted, "")
}

// TestFreshnessOfWriters: a writer's anchors count for its own vault, and after its
// removal not beyond what counts of it.
func TestFreshnessOfWriters(t *testing.T) {
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
	from := d.anchorages(id)[1]
	what := d.heads(7)
	what.Heads = append(what.Heads, ledger.VaultHead{Vault: protocol.VaultID{255, 1}, Seq: 99, Hash: protocol.Hash{1}})
	if what.Heads[0].Vault[0] == 255 {
		what.Heads = what.Heads[:1]
	}
	m := w.device("anna", writer, d.ring().State().Account(), d.vault)
	m.synced()
	must(t, m.Anchor(bg, source{w, "anna"}, from, what))
	w.p.Publish()
	f := d.newcomer().wantFresh("the writer's", 7, "2026-11-21", id)
	if f.Heads[0].Writer != id {
		t.Error("nobody is named")
	}
	d.append(func(_ *keyring.Ring, draft *keyring.Draft) error {
		return draft.RemoveDevice(id, []ledger.VaultHead{{Vault: d.vault, Seq: 5, Hash: protocol.Hash{5}}}, nil)
	})
	d.newcomer().wantFresh("of a removed writer", 0, "2026-11-21", id)
}

// TestFreshnessPlanted: what is at an anchor's place and does not open is told.
func TestFreshnessPlanted(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	from := d.anchorages()[0]
	box := []byte("garbage")
	for _, period := range []directory.Period{"2026-11", "2026-11-21"} {
		w.p.LeaveAnchor(directory.NewAnchor(w.p.World.Log(), from.Key(period, 0), directory.AnchorBoxHash(box)), box)
	}
	w.p.Publish()
	_, err := d.newcomer().fresh()
	wantKind(t, "garbage", err, protocol.KindUntrusted, "the anchor of 2026-11-21")
	n := d.newcomer()
	out, err := n.Sync(bg)
	must(t, err)
	f, err := n.FreshnessUnproven(bg, source{w, "anna"}, d.anchorages(), out.State)
	must(t, err)
	if f.Unreadable == 0 || f.Proven() || !strings.Contains(f.Words(), "are false") {
		t.Errorf("the user went on, and is told %q", f.Words())
	}
}
