// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob/blobtest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/provider/vaults"
	"github.com/solekey/solekey/storage/sqlite"
)

var ctx = context.Background()

const retention = 30 * 24 * time.Hour

// world is the service on a real database, with one holder and a clock.
type world struct {
	t      *testing.T
	now    time.Time
	people *accounts.Service
	holder *accountstest.Holder
	*vaults.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "a.db"), records.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	secret, err := accounts.GenerateServerSecret()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), holder: accountstest.NewHolder(t)}
	clock := func() time.Time { return w.now }
	s := records.New(db.Write, db.Read, blobtest.NewMemory())
	dir := accountstest.NewDirectory(t)
	signer := accountstest.NewSigner(dir.Log())
	w.people, err = accounts.New(accounts.Config{
		Stores:    accounts.Stores{Invites: s, Accounts: s, Ledgers: s, Logins: s, Sessions: s, Enrolments: s},
		Directory: dir, Signer: signer,
		Secret: secret, Server: "pin:00", Limits: accounts.DefaultLimits(), Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Service = vaults.New(vaults.Config{Ledgers: w.people, Chains: s, Index: s, Packs: s, Signer: signer, Retention: retention, Clock: clock})
	invite, err := w.people.Invite(ctx, "localhost", api.Pin{}, protocol.Hash{2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.people.Create(ctx, "192.0.2.1", dir.Create(w.holder, invite.Code(), "anna")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) device(member *keys.MemberSecrets) vaults.Device {
	return vaults.Device{Account: w.holder.Account(), Member: member.ID()}
}

func (w *world) owner() vaults.Device { return w.device(w.holder.Owner) }

func (w *world) append(request api.LedgerAppend) {
	w.t.Helper()
	session := accounts.Session{Account: w.holder.Account(), Scope: api.ScopeMember, Member: w.holder.Owner.ID()}
	if _, err := w.people.Append(ctx, session, request); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(data []byte) protocol.PackID {
	w.t.Helper()
	id, statement := w.holder.Pack(w.holder.Owner, data)
	offer, err := w.Offer(ctx, w.owner(), w.holder.Vault, id, statement)
	if err != nil {
		w.t.Fatal(err)
	}
	if created, err := w.Put(ctx, offer, data); err != nil || !created {
		w.t.Fatalf("put: %v, %v", created, err)
	}
	return id
}

func (w *world) commit(raw []byte) (api.Head, error) {
	return w.Commit(ctx, w.owner(), w.holder.Vault, raw)
}

func (w *world) prune(raw []byte) (api.Head, error) {
	return w.Prune(ctx, w.owner(), w.holder.Vault, raw)
}

func (w *world) mustCommit(raw []byte) api.Head {
	w.t.Helper()
	head, err := w.commit(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

// wantConflict wants a lost compare-and-swap that tells the present head.
func wantConflict(t *testing.T, what string, err error, head api.Head) {
	t.Helper()
	var lost *vaults.ConflictError
	if !errors.As(err, &lost) || protocol.KindOf(err) != protocol.KindConflict || lost.Head != head {
		t.Errorf("%s: %v, want a conflict with head %+v", what, err, head)
	}
}

func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if got := protocol.KindOf(err); got != kind {
		t.Errorf("%s: %v (kind %q), want kind %q", what, err, got, kind)
	}
}

// TestPruneNeedsThePresentHead: what was committed since the generation was
// computed may refer to its packs.
func TestPruneNeedsThePresentHead(t *testing.T) {
	w := newWorld(t)
	id := w.put([]byte("a pack"))
	old := w.mustCommit(w.holder.Run(w.holder.Owner, api.Head{}))
	stale := w.holder.Generation(w.holder.Owner, old, snapshot.PruneRetire, id)
	head := w.mustCommit(w.holder.Run(w.holder.Owner, old))
	_, err := w.prune(stale)
	wantConflict(t, "a retirement computed before the head", err, head)
	first := w.holder.Generation(w.holder.Owner, head, snapshot.PruneRetire, id)
	if head, err = w.prune(first); err != nil {
		t.Fatal(err)
	}
	_, err = w.prune(w.holder.Generation(w.holder.Owner, old, snapshot.PruneRevive, id))
	wantConflict(t, "another generation of the same number", err, head)
	if again, err := w.prune(first); err != nil || again != head {
		t.Errorf("the same generation again: %+v, %v", again, err)
	}
}

// TestPruneFollows: a generation that saw an older ledger than the one before it
// would spoil the chain for every reader.
func TestPruneFollows(t *testing.T) {
	w := newWorld(t)
	one, two := w.put([]byte("one")), w.put([]byte("two"))
	before := *w.holder
	_, request := w.holder.AddWriter()
	w.append(request)
	head, err := w.prune(w.holder.Generation(w.holder.Owner, api.Head{}, snapshot.PruneRetire, one))
	if err != nil {
		t.Fatal(err)
	}
	stale := before.Generation(w.holder.Owner, head, snapshot.PruneRetire, two)
	_, err = w.prune(stale)
	wantConflict(t, "a generation that saw an older ledger", err, head)
	prunes := snapshot.NewPrunes(w.holder.Vault)
	keep := func(raw []byte) error { _, err := prunes.Append(raw, w.holder.State); return err }
	if _, err := w.prune(w.holder.Generation(w.holder.Owner, head, snapshot.PruneRetire, two)); err != nil {
		t.Errorf("one that saw the same ledger: %v", err)
	}
	if err := w.Generations(ctx, w.owner(), w.holder.Vault, 1, keep); err != nil || prunes.Number() != 2 {
		t.Errorf("a reader takes %d generations: %v", prunes.Number(), err)
	}
	wantKind(t, "what a reader says to it", keep(stale), protocol.KindUntrusted)
}

// TestRemovalNamesHeldHeads: a device may know less than the newest head, but
// none that never was.
func TestRemovalNamesHeldHeads(t *testing.T) {
	w := newWorld(t)
	first := w.mustCommit(w.holder.Run(w.holder.Owner, api.Head{}))
	newest := w.mustCommit(w.holder.Run(w.holder.Owner, first))
	fork, beyond := first, newest
	fork.Hash, beyond.Seq = newest.Hash, 3
	owner := accounts.Session{Account: w.holder.Account(), Scope: api.ScopeMember, Member: w.holder.Owner.ID()}
	for _, c := range []struct {
		what string
		head api.Head
		kind protocol.Kind
	}{
		{"another record at a place", fork, protocol.KindUntrusted},
		{"a record beyond the end", beyond, protocol.KindUntrusted},
		{"the newest", newest, ""},
		{"an older one", first, ""},
		{"none", api.Head{}, ""},
	} {
		writer, request := w.holder.AddWriter()
		w.append(request)
		copied := w.holder.Copy()
		_, err := w.people.Append(ctx, owner, copied.Remove(writer.ID(), c.head))
		wantKind(t, c.what, err, c.kind)
		if err == nil {
			*w.holder = *copied
		}
	}
}

// TestRetentionIsExact: one moment decides.
func TestRetentionIsExact(t *testing.T) {
	w := newWorld(t)
	id := w.put([]byte("a pack"))
	head, err := w.prune(w.holder.Generation(w.holder.Owner, api.Head{}, snapshot.PruneRetire, id))
	if err != nil {
		t.Fatal(err)
	}
	drop := w.holder.Generation(w.holder.Owner, head, snapshot.PruneDrop, id)
	w.now = w.now.Add(retention)
	_, err = w.prune(drop)
	wantKind(t, "at the moment the retention ends", err, protocol.KindDenied)
	w.now = w.now.Add(1)
	if _, err := w.prune(drop); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestReviveBeginsAnew: a pack that was revived and retired again is kept for
// the whole retention again.
func TestReviveBeginsAnew(t *testing.T) {
	w := newWorld(t)
	id := w.put([]byte("a pack"))
	var head api.Head
	for _, act := range []snapshot.PruneAct{snapshot.PruneRetire, snapshot.PruneRevive, snapshot.PruneRetire} {
		var err error
		if head, err = w.prune(w.holder.Generation(w.holder.Owner, head, act, id)); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(retention / 2)
	}
	_, err := w.prune(w.holder.Generation(w.holder.Owner, head, snapshot.PruneDrop, id))
	wantKind(t, "half the retention after the second retirement", err, protocol.KindDenied)
}

// TestGenerationIsAllOrNothing: one pack that does not fit spares the others.
func TestGenerationIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	one, two := w.put([]byte("one")), w.put([]byte("two"))
	head, err := w.prune(w.holder.Generation(w.holder.Owner, api.Head{}, snapshot.PruneRetire, one))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.prune(w.holder.Generation(w.holder.Owner, head, snapshot.PruneRetire, one, two))
	wantKind(t, "one of two is retired already", err, protocol.KindUsage)
	states, err := w.Stat(ctx, w.owner(), w.holder.Vault, []protocol.PackID{one, two})
	if err != nil || states[0] != api.PackRetired || states[1] != api.PackStored {
		t.Errorf("%v, %v", states, err)
	}
}

// TestOlderLedgerThanTheHead: every reader would refuse the chain.
func TestOlderLedgerThanTheHead(t *testing.T) {
	w := newWorld(t)
	stale := w.holder.Run(w.holder.Owner, api.Head{})
	other := w.holder.Copy()
	_, request := w.holder.AddWriter()
	w.append(request)
	head := w.mustCommit(w.holder.Run(w.holder.Owner, api.Head{}))
	_, err := w.commit(stale)
	wantConflict(t, "for the head before", err, head)
	_, err = w.commit(other.Run(w.holder.Owner, head)) // as a device that did not hear of the writer
	wantConflict(t, "by an older ledger", err, head)
	w.mustCommit(w.holder.Run(w.holder.Owner, head))
}

// TestListsNameRuns of this chain and nothing else.
func TestListsNameRuns(t *testing.T) {
	w := newWorld(t)
	one := w.mustCommit(w.holder.Run(w.holder.Owner, api.Head{}))
	two := w.mustCommit(w.holder.Run(w.holder.Owner, one))
	list := w.mustCommit(w.holder.List(w.holder.Owner, two, one.Hash))
	_, err := w.commit(w.holder.List(w.holder.Owner, list, list.Hash))
	wantKind(t, "a list that lists a list", err, protocol.KindUntrusted)
	w.mustCommit(w.holder.List(w.holder.Owner, list, one.Hash, two.Hash))
	var records int
	err = w.Snapshots(ctx, w.owner(), w.holder.Vault, 2, func([]byte) error { records++; return nil })
	if err != nil || records != 3 {
		t.Errorf("%d records from 2 on, %v", records, err)
	}
	stop := errors.New("stop")
	if err := w.Snapshots(ctx, w.owner(), w.holder.Vault, 1, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a visit that stops: %v", err)
	}
}

// TestRead answers each read by itself, whatever the others are.
func TestRead(t *testing.T) {
	w := newWorld(t)
	data := accountstest.Random(api.BlockSize + 5)
	id := w.put(data)
	place := vaults.Place{Account: w.holder.Account(), Vault: w.holder.Vault}
	read := func(offset int64) (api.BlockHead, []byte) {
		t.Helper()
		blocks, err := w.Read(ctx, place, api.Read{Pack: id, Offset: offset, Length: api.BlockSize})
		if err != nil {
			t.Fatal(err)
		}
		if blocks.Data == nil {
			return blocks.Head, nil
		}
		defer func() { _ = blocks.Data.Close() }()
		got, err := io.ReadAll(io.NewSectionReader(blocks.Data, blocks.Offset, blocks.Head.Length))
		if err != nil {
			t.Fatal(err)
		}
		return blocks.Head, got
	}
	if head, got := read(api.BlockSize); head.Length != 5 || !bytes.Equal(got, data[api.BlockSize:]) {
		t.Errorf("the last block: %+v", head)
	}
	if head, _ := read(5 * api.BlockSize); head.Length != 0 || head.Status != api.BlockOK {
		t.Errorf("beyond the end: %+v", head)
	}
	if _, err := w.prune(w.holder.Generation(w.holder.Owner, api.Head{}, snapshot.PruneRetire, id)); err != nil {
		t.Fatal(err)
	}
	if head, got := read(0); head.Status != api.BlockRetired || !bytes.Equal(got, data[:api.BlockSize]) {
		t.Errorf("a retired pack: %+v", head)
	}
	other := place
	other.Vault = protocol.VaultID{1}
	if blocks, err := w.Read(ctx, other, api.Read{Pack: id, Length: api.BlockSize}); err != nil || blocks.Head.Status != api.BlockAbsent {
		t.Errorf("by another vault: %+v, %v", blocks.Head, err)
	}
}

// TestStatements: what a statement says is held against who sends it and where.
func TestStatements(t *testing.T) {
	w := newWorld(t)
	data := []byte("a pack")
	id, statement := w.holder.Pack(w.holder.Owner, data)
	offer, err := w.Offer(ctx, w.owner(), w.holder.Vault, id, statement)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Put(ctx, offer, data[1:])
	wantKind(t, "another size", err, protocol.KindUntrusted)
	_, err = w.Put(ctx, offer, []byte("a puck"))
	wantKind(t, "other bytes", err, protocol.KindUntrusted)
	if _, err := w.Put(ctx, offer, data); err != nil {
		t.Fatal(err)
	}
	if offer, err = w.Offer(ctx, w.owner(), w.holder.Vault, id, statement); err != nil || !offer.Stored() {
		t.Errorf("the same pack again: %v", err)
	}
	second, request := w.holder.AddOwner()
	w.append(request)
	id, statement = w.holder.Pack(second, data)
	_, err = w.Offer(ctx, w.device(second), w.holder.Vault, id, statement)
	wantKind(t, "the same pack of another device", err, protocol.KindExists)
	_, err = w.Offer(ctx, w.device(w.holder.Recovery), w.holder.Vault, id, statement)
	wantKind(t, "a recovery method", err, protocol.KindDenied)
	_, err = w.Offer(ctx, w.owner(), protocol.VaultID{1}, id, statement)
	wantKind(t, "an unknown vault", err, protocol.KindNotFound)
	id, statement = w.holder.Pack(w.holder.Owner, nil)
	_, err = w.Offer(ctx, w.owner(), w.holder.Vault, id, statement)
	wantKind(t, "an empty pack", err, protocol.KindUntrusted)
}
