// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

// TestOldDatabase restores a database of an hour ago: all that was acknowledged
// since is there again, and a used invite stays used.
func TestOldDatabase(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	before := w.mustPut(h, []byte("before the copy"))
	dropped := w.mustPut(h, []byte("dropped after the copy"))
	head := w.mustCommit(h)
	head = w.mustPrune(h, head, snapshot.PruneRetire, dropped)
	invite := w.invite()
	copied := filepath.Join(w.dir, "copy.db")
	if err := w.db.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}

	w.now = w.now.Add(retention + time.Hour)
	bert := accountstest.NewHolder(t)
	if _, err := w.people.Create(ctx, "192.0.2.1", w.create(bert, invite, "bert")); err != nil {
		t.Fatal(err)
	}
	_, request := h.AddWriter()
	if _, err := w.people.Append(ctx, session(h, h.Owner), request); err != nil {
		t.Fatal(err)
	}
	after := w.mustPut(h, []byte("after the copy"))
	head = w.mustPrune(h, head, snapshot.PruneDrop, dropped)
	w.mustPrune(h, head, snapshot.PruneRetire, before)
	head = w.mustCommit(h)
	if err := w.people.SetQuota(ctx, h.Account(), 1<<40); err != nil {
		t.Fatal(err)
	}
	info, err := w.store.Account(ctx, h.Account())
	if err != nil {
		t.Fatal(err)
	}

	found := w.restart(end{"old database", false, func(w *world) {
		w.loseDatabase()
		if err := os.Rename(copied, w.database()); err != nil {
			t.Fatal(err)
		}
	}})
	want := Found{Accounts: 1, Entries: len(bert.Entries) + 2, Changes: 1, Snapshots: 1, Generations: 2, Packs: 1}
	if found != want {
		t.Errorf("found %+v, want %+v", found, want)
	}
	if got := w.head(h); got != head {
		t.Errorf("head %+v, want %+v", got, head)
	}
	if got, err := w.store.Account(ctx, h.Account()); err != nil || !sameAccount(got, info) {
		t.Errorf("account %+v, want %+v (%v)", got, info, err)
	}
	for id, want := range map[protocol.PackID]api.PackState{before: api.PackRetired, dropped: api.PackDropped, after: api.PackStored} {
		if pack, err := w.store.Pack(ctx, h.Account(), id); err != nil || pack.State != want {
			t.Errorf("pack %s is %s, want %s (%v)", id, pack.State, want, err)
		}
	}
	if _, err := w.people.Create(ctx, "192.0.2.1", w.create(accountstest.NewHolder(t), invite, "cleo")); protocol.KindOf(err) != protocol.KindDenied {
		t.Errorf("a used invite again: %v", err)
	}
	w.wantSound()
	if again := w.restart(ends()[0]); again.Any() {
		t.Errorf("found twice: %+v", again)
	}
}

func sameAccount(a, b accounts.Info) bool {
	same := bytes.Equal(a.Password, b.Password)
	a.Password, b.Password = nil, nil
	return same && a.Account == b.Account && a.Number == b.Number && a.Name == b.Name && a.Created == b.Created &&
		a.Invite == b.Invite && a.Quota == b.Quota && a.Suspended == b.Suspended && a.Used == b.Used && a.Packs == b.Packs && a.Head == b.Head
}

func (w *world) mustPrune(h *accountstest.Holder, head api.Head, act snapshot.PruneAct, packs ...protocol.PackID) api.Head {
	w.t.Helper()
	head, err := w.packs.Prune(ctx, device(h, h.Owner), h.Vault, h.Generation(h.Owner, head, act, packs...))
	if err != nil {
		w.t.Fatalf("prune: %v", err)
	}
	return head
}

// TestRebuildKeepsCursors: a device that listed up to a cursor sees what comes
// after it, and nothing twice, across a rebuild.
func TestRebuildKeepsCursors(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	var ids []protocol.PackID
	for range 5 {
		ids = append(ids, w.mustPut(h, accountstest.Random(50))) // all at one moment of the clock
	}
	before := w.cursors(h, 0)
	w.restart(ends()[3])
	if after := w.cursors(h, 0); len(after) != len(before) || after[4] != before[4] || after[0] != before[0] {
		t.Fatalf("cursors %v, before %v", after, before)
	}
	w.now = w.now.Add(-time.Hour) // a clock that was set back
	w.mustPut(h, []byte("one more"))
	if more := w.cursors(h, before[4]); len(more) != 1 || more[0] <= before[4] {
		t.Fatalf("cursors after the last: %v", more)
	}
	if len(ids) != len(before) {
		t.Fatalf("%d packs listed, want %d", len(before), len(ids))
	}
}

func (w *world) cursors(h *accountstest.Holder, after uint64) []uint64 {
	w.t.Helper()
	var list []uint64
	err := w.packs.List(ctx, device(h, h.Owner), h.Vault, after, 0, func(r api.PackRecord) error {
		list = append(list, r.Cursor)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestDroppedBlobsGo also when the process dies between the commit and the
// deletion.
func TestDroppedBlobsGo(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	id := w.mustPut(h, []byte("bytes"))
	head := w.mustPrune(h, api.Head{}, snapshot.PruneRetire, id)
	w.now = w.now.Add(retention + time.Second)
	w.mustPrune(h, head, snapshot.PruneDrop, id)
	if _, err := w.store.blobs.Stat(ctx, packRef(h.Account(), id)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the bytes are still there: %v", err)
	}
	for _, e := range ends() {
		w.restart(e)
		pack, err := w.store.Pack(ctx, h.Account(), id)
		if err != nil || pack.State != api.PackDropped {
			t.Errorf("%s: pack is %s, %v", e.name, pack.State, err)
		}
		if _, err := w.put(h, h.Owner, []byte("bytes")); protocol.KindOf(err) != protocol.KindConflict {
			t.Errorf("%s: a dropped pack was taken again: %v", e.name, err)
		}
	}
}

// TestOrphans: what a crash leaves is counted and swept, and nothing else.
func TestOrphans(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	kept := w.mustPut(h, []byte("kept"))
	w.mustCommit(h)
	left := []byte("left by a crash")
	if err := w.store.blobs.Put(ctx, blob.NewRef(h.Account(), blob.KindPack, left), left); err != nil {
		t.Fatal(err)
	}
	checked, err := w.store.Check(ctx, true, func(_ protocol.Kind, message string) { t.Error(message) })
	if err != nil || checked.Orphans != 1 || checked.Accounts != 1 {
		t.Fatalf("%+v, %v", checked, err)
	}
	if n, err := w.store.SweepOrphans(ctx); err != nil || n != 1 {
		t.Fatalf("swept %d, %v", n, err)
	}
	if _, err := blob.ReadAll(ctx, w.store.blobs, packRef(h.Account(), kept)); err != nil {
		t.Fatal(err)
	}
	w.wantSound()
}

// TestQuotaRaceLeavesNothing: a pack that the quota refuses leaves no bytes.
func TestQuotaLeavesNothing(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	data := accountstest.Random(500)
	id, statement := h.Pack(h.Owner, data)
	offer, err := w.packs.Offer(ctx, device(h, h.Owner), h.Vault, id, statement)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.people.SetQuota(ctx, h.Account(), 499); err != nil { // after the offer, before the bytes
		t.Fatal(err)
	}
	if _, err := w.packs.Put(ctx, offer, data); protocol.KindOf(err) != protocol.KindQuota {
		t.Fatalf("put: %v, want kind quota", err)
	}
	if _, err := w.store.blobs.Stat(ctx, packRef(h.Account(), id)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("bytes are left: %v", err)
	}
}

// TestLedgerGrowsMeanwhile: a pack and a record that were checked against an
// older ledger are checked again, and refused where the device is gone.
func TestLedgerGrowsMeanwhile(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	writer, request := h.AddWriter()
	append := func(request api.LedgerAppend) {
		t.Helper()
		if _, err := w.people.Append(ctx, session(h, h.Owner), request); err != nil {
			t.Fatal(err)
		}
	}
	append(request)
	offerOf := func(data []byte) func() error {
		id, statement := h.Pack(writer, data)
		offer, err := w.packs.Offer(ctx, device(h, writer), h.Vault, id, statement)
		if err != nil {
			t.Fatal(err)
		}
		return func() error { _, err := w.packs.Put(ctx, offer, data); return err }
	}
	put := offerOf([]byte("while the ledger grows"))
	_, request = h.CreateVault()
	append(request)
	if err := put(); err != nil {
		t.Errorf("the ledger grew by something else: %v", err)
	}
	put = offerOf([]byte("while the device is removed"))
	append(h.Remove(writer.ID(), api.Head{}))
	if err := put(); protocol.KindOf(err) != protocol.KindRemoved {
		t.Errorf("the device is gone: %v, want kind removed", err)
	}
}

// TestTwoWithOneName: of two accounts in the journal that claim a name, the one
// that was acknowledged counts after a loss of the database.
func TestTwoWithOneName(t *testing.T) {
	w := newWorld(t)
	loser := accountstest.NewHolder(t)
	request := w.create(loser, w.invite(), "anna")
	w.store.testingOnlyBeforeCommit = func() error { return errors.New("the database is full") }
	if _, err := w.people.Create(ctx, "192.0.2.1", request); err == nil {
		t.Fatal("acknowledged without a row")
	}
	w.store.testingOnlyBeforeCommit = nil
	w.now = w.now.Add(time.Second)
	winner := w.join("anna")
	for _, e := range ends() {
		w.restart(e)
		if info, err := w.store.AccountByName(ctx, "anna"); err != nil || info.Account != winner.Account() {
			t.Errorf("%s: the name belongs to %s, %v", e.name, info.Account, err)
		}
	}
}

func TestUnknownJournalVersionStops(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	data := []byte{0xa1, 0x01, 0x02}
	if err := w.store.blobs.Put(ctx, blob.NewRef(h.Account(), blob.KindLedger, data), data); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Reconcile(ctx); err == nil {
		t.Error("a journal of another kind was passed over")
	}
}
