// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/provider/vaults"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/storage/sqlite"
	"github.com/solekey/solekey/test/faults"
)

var ctx = context.Background()

const retention = 30 * 24 * time.Hour

// world is a provider on a disk that fails on demand, and a clock.
type world struct {
	t      testing.TB
	dir    string
	disk   *faults.Disk
	secret *accounts.ServerSecret
	now    time.Time

	keys   *logKeys
	worlds []*directory.World
	seen   *[][]byte // checkpoints that were published, by this world and those it was copied from
	signer *accountstest.Signer

	db     *sqlite.DB
	store  *Store
	people *accounts.Service
	packs  *vaults.Service
	log    *sequencer.Service
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0)}
	if err := os.Mkdir(filepath.Join(w.dir, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.disk, err = faults.NewDisk(filepath.Join(w.dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	if w.secret, err = accounts.GenerateServerSecret(); err != nil {
		t.Fatal(err)
	}
	w.keys, w.seen = newLogKeys(t), new([][]byte)
	w.signer = accountstest.NewSigner(w.keys.log.Public().ID())
	w.worlds = []*directory.World{w.keys.world(t, "quorum none")}
	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// copy returns a world of its own that begins where w stands.
func (w *world) copy(t testing.TB) *world {
	t.Helper()
	seen := slices.Clone(*w.seen)
	c := &world{t: t, dir: t.TempDir(), secret: w.secret, now: w.now, keys: w.keys, worlds: w.worlds, signer: w.signer, seen: &seen}
	if err := w.db.Backup(ctx, c.database()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(c.dir, "blobs"), os.DirFS(w.disk.Root)); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.disk, err = faults.NewDisk(filepath.Join(c.dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	c.open()
	return c
}

func (w *world) database() string { return filepath.Join(w.dir, "a.db") }

// open starts the provider, as at the start of the program.
func (w *world) open() Found {
	w.t.Helper()
	blobs, err := disk.OpenFS(w.disk.Root, w.disk)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := blobs.Sweep(); err != nil {
		w.t.Fatal(err)
	}
	if w.db, err = sqlite.Open(ctx, w.database(), Schema()); err != nil {
		w.t.Fatal(err)
	}
	w.store = New(w.db.Write, w.db.Read, blobs)
	found, err := w.store.Reconcile(ctx)
	if err != nil {
		w.t.Fatalf("reconcile: %v", err)
	}
	s := w.store
	clock := func() time.Time { return w.now }
	if w.log, err = sequencer.Open(ctx, w.logConfig()); err != nil {
		w.t.Fatalf("open log: %v", err)
	}
	w.people, err = accounts.New(accounts.Config{
		Directory: w.log, Signer: w.signer,
		Stores: accounts.Stores{Invites: s, Accounts: s, Ledgers: s, Logins: s, Sessions: s, Enrolments: s},
		Secret: w.secret, Server: "pin:00", Limits: accounts.DefaultLimits(), Clock: clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.packs = vaults.New(vaults.Config{Ledgers: w.people, Chains: s, Index: s, Packs: s, Retention: retention, Clock: clock})
	return found
}

// end is how a process ends and what is left for the next one.
type end struct {
	name     string
	powerCut bool
	database func(w *world) // what became of the database
}

func ends() []end {
	keep := func(*world) {}
	return []end{
		{"crash", false, keep},
		{"power cut", true, keep},
		{"power cut, database lost", true, (*world).loseDatabase},
		{"crash, database lost", false, (*world).loseDatabase},
	}
}

func (w *world) loseDatabase() {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(w.database() + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Fatal(err)
		}
	}
}

// restart ends the process in the given way and starts the next one.
func (w *world) restart(e end) Found {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.disk.Break(0, faults.Fail)
	if e.powerCut {
		if err := w.disk.PowerCut(); err != nil {
			w.t.Fatal(err)
		}
	}
	e.database(w)
	return w.open()
}

// join opens an account of a new holder.
func (w *world) join(name string) *accountstest.Holder {
	w.t.Helper()
	h := accountstest.NewHolder(w.t)
	if _, err := w.people.Create(ctx, "192.0.2.1", w.create(h, w.invite(), name)); err != nil {
		w.t.Fatalf("open account: %v", err)
	}
	return h
}

// create returns the request that opens an account of the name.
func (w *world) create(h *accountstest.Holder, invite, name string) api.CreateAccount {
	w.t.Helper()
	index, err := w.log.Index(name)
	if err != nil {
		w.t.Fatal(err)
	}
	h.Enter(w.keys.log.Public(), index)
	return h.Create(invite, name)
}

func (w *world) invite() string {
	w.t.Helper()
	invite, err := w.people.Invite(ctx, "localhost", api.Pin{1}, protocol.Hash{2})
	if err != nil {
		w.t.Fatal(err)
	}
	return invite.URL()
}

// session is an open session of a member, without the way there.
func session(h *accountstest.Holder, member *keys.MemberSecrets) accounts.Session {
	return accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: member.ID()}
}

func device(h *accountstest.Holder, member *keys.MemberSecrets) vaults.Device {
	return vaults.Device{Account: h.Account(), Member: member.ID()}
}

func place(h *accountstest.Holder) vaults.Place {
	return vaults.Place{Account: h.Account(), Vault: h.Vault}
}

// put sends a pack.
func (w *world) put(h *accountstest.Holder, member *keys.MemberSecrets, data []byte) (protocol.PackID, error) {
	id, statement := h.Pack(member, data)
	offer, err := w.packs.Offer(ctx, device(h, member), h.Vault, id, statement)
	if err != nil || offer.Stored() {
		return id, err
	}
	_, err = w.packs.Put(ctx, offer, data)
	return id, err
}

func (w *world) mustPut(h *accountstest.Holder, data []byte) protocol.PackID {
	w.t.Helper()
	id, err := w.put(h, h.Owner, data)
	if err != nil {
		w.t.Fatalf("put pack: %v", err)
	}
	return id
}

func (w *world) head(h *accountstest.Holder) api.Head {
	w.t.Helper()
	head, err := w.store.Head(ctx, place(h))
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

func (w *world) mustCommit(h *accountstest.Holder) api.Head {
	w.t.Helper()
	head, err := w.packs.Commit(ctx, device(h, h.Owner), h.Vault, h.Run(h.Owner, w.head(h)))
	if err != nil {
		w.t.Fatalf("commit: %v", err)
	}
	return head
}

// wantSound holds every row against its blob, and every blob against its name.
func (w *world) wantSound() {
	w.t.Helper()
	_, err := w.store.Check(ctx, true, func(_ protocol.Kind, message string) { w.t.Errorf("check: %s", message) })
	if err != nil {
		w.t.Fatal(err)
	}
}
