// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind holds an error to its kind and to words of its text.
func wantKind(t testing.TB, what string, err error, kind protocol.Kind, words string) {
	t.Helper()
	if protocol.KindOf(err) != kind || err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("%s: kind %q, want %q with %q: %v", what, protocol.KindOf(err), kind, words, err)
	}
}

var bg = context.Background()

// patience is how long devices of tests wait for a directory, in no time at all.
const patience = 3 * time.Second

// account is an account as the provider keeps it.
type account struct {
	entries []*ledger.Entry
	objects [][]byte
}

// world is a provider with accounts, honest until a test makes it lie.
type world struct {
	t        *testing.T
	p        *directorytest.Provider
	accounts map[string]*account
	// publishes says that every append is in the directory at once.
	publishes bool

	// Lies: nil where the provider is honest.
	lookup  func(q client.Question) *directory.Answer
	served  func(entries []*ledger.Entry) []*ledger.Entry
	contact func(entries []*ledger.Entry) []*ledger.Entry
	refuse  error // of anchors
	broken  error // of the ledger
	silent  error // of look-ups
	leave   func(a *directory.Anchor) (takes bool, claims error)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, p: directorytest.New(t), accounts: map[string]*account{}, publishes: true}
}

// honest ends every lie.
func (w *world) honest() {
	w.lookup, w.served, w.contact, w.refuse, w.broken, w.silent, w.leave = nil, nil, nil, nil, nil, nil, nil
}

// device is one device of an account, with its memory.
type device struct {
	*Trust
	w      *world
	name   string
	dir    string
	kept   *state.State
	self   *keys.MemberSecrets
	vault  protocol.VaultID
	now    protocol.Time // what its clock shows, beside the provider's
	warned []string
	waited time.Duration
}

// open opens an account with one owner device, a recovery key and a vault.
func (w *world) open(name string) *device {
	w.t.Helper()
	self := keys.GenerateMemberSecrets()
	draft, err := keyring.Create(self, 1)
	must(w.t, err)
	must(w.t, draft.AddRecovery(keys.GenerateMemberSecrets().Public()))
	must(w.t, draft.Rotate())
	vault, err := draft.CreateVault(protocol.CategoryBackups)
	must(w.t, err)
	vacant, err := Vacant(bg, w.p.World, source{w, name}, name, w.p.Now())
	must(w.t, err)
	b, err := draft.Publish(w.p.World.Log(), vacant.Index, 1)
	must(w.t, err)
	w.accounts[name] = &account{entries: b.Entries, objects: b.Objects}
	w.p.Update(b.Update, b.Opening)
	w.p.Publish()
	return w.device(name, self, b.State.Account(), vault)
}

// device returns a device of an account that has not looked at anything.
func (w *world) device(name string, self *keys.MemberSecrets, id protocol.AccountID, vault protocol.VaultID) *device {
	w.t.Helper()
	d := &device{w: w, name: name, dir: w.t.TempDir(), self: self, vault: vault}
	d.restart()
	must(w.t, d.kept.SetDevice(&state.Device{Account: id, Server: "s.example", Name: name, Member: self.ID(), Role: protocol.RoleOwner, BackupVault: vault}))
	must(w.t, d.kept.SetWorld(w.p.World))
	d.restart()
	return d
}

// restart is the next run of the device's program.
func (d *device) restart() {
	d.w.t.Helper()
	if d.kept != nil {
		must(d.w.t, d.kept.Close())
	}
	var err error
	d.kept, err = state.Open(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	must(d.w.t, err)
	d.w.t.Cleanup(func() { _ = d.kept.Close() })
	if _, err := d.kept.World(); err != nil {
		return
	}
	d.Trust, err = New(Options{
		State: d.kept, Source: source{d.w, d.name}, Name: d.name, Self: d.self.ID(), Patience: patience,
		Now:   func() protocol.Time { return d.w.p.Now() + d.now },
		Warn:  func(err error) { d.warned = append(d.warned, err.Error()) },
		pause: func(_ context.Context, by time.Duration) error { d.waited += by; return nil },
	})
	must(d.w.t, err)
}

// synced returns what a look came to.
func (d *device) synced() *Outcome {
	d.w.t.Helper()
	out, err := d.Sync(bg)
	must(d.w.t, err)
	return out
}

// wantStatus looks and demands a status.
func (d *device) wantStatus(what string, status Status) *Outcome {
	d.w.t.Helper()
	out, err := d.Sync(bg)
	if err != nil || out.Status != status {
		d.w.t.Fatalf("%s: %+v, %v, want %s", what, out, err, status)
	}
	return out
}

// append changes the account as this device.
func (d *device) append(change func(*keyring.Ring, *keyring.Draft) error) *ledger.State {
	d.w.t.Helper()
	l, err := d.tryAppend(change)
	must(d.w.t, err)
	return l
}

func (d *device) tryAppend(change func(*keyring.Ring, *keyring.Draft) error) (*ledger.State, error) {
	d.w.t.Helper()
	out, err := d.Sync(bg)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(out.State, d.kept.Object, d.self)
	must(d.w.t, err)
	draft, err := ring.Edit(out.Standing, 2)
	must(d.w.t, err)
	if err := change(ring, draft); err != nil {
		return nil, err
	}
	return d.Append(bg, source{d.w, d.name}, draft)
}

// rename is a change that needs nobody.
func (d *device) rename(label string) {
	d.w.t.Helper()
	d.append(func(_ *keyring.Ring, draft *keyring.Draft) error { return draft.NameMember(d.self.ID(), label) })
}

// add adds another owner device to the account.
func (d *device) add() *device {
	d.w.t.Helper()
	self := keys.GenerateMemberSecrets()
	l := d.append(func(_ *keyring.Ring, draft *keyring.Draft) error { return draft.AddOwner(self.Public()) })
	return d.w.device(d.name, self, l.Account(), d.vault)
}

// ring opens the account as this device knows it.
func (d *device) ring() *keyring.Ring {
	d.w.t.Helper()
	l, err := d.kept.Ledger()
	must(d.w.t, err)
	ring, err := keyring.Open(l, d.kept.Object, d.self)
	must(d.w.t, err)
	return ring
}

// source is the provider as a device of an account asks it.
type source struct {
	w    *world
	name string
}

func (s source) Ledger(_ context.Context, from uint64) ([]*ledger.Entry, [][]byte, error) {
	if s.w.broken != nil {
		return nil, nil, s.w.broken
	}
	a := s.w.accounts[s.name]
	entries := slices.Clone(a.entries[min(int(from), len(a.entries)):])
	if s.w.served != nil {
		entries = s.w.served(entries)
	}
	named := map[protocol.Hash]bool{}
	for _, e := range entries {
		for _, object := range e.Body().Objects() {
			named[object] = true
		}
	}
	var objects [][]byte
	for _, o := range a.objects {
		if named[sha256.Sum256(o)] {
			objects = append(objects, o)
		}
	}
	return entries, objects, nil
}

func (s source) Lookup(_ context.Context, q client.Question) (*directory.Answer, error) {
	if s.w.silent != nil {
		return nil, s.w.silent
	}
	if s.w.lookup != nil {
		return s.w.lookup(q), nil
	}
	return s.w.p.Lookup(q.Name, q.Since, q.Size), nil
}

func (s source) AppendLedger(_ context.Context, b client.Append) (*statement.Signed, error) {
	a := s.w.accounts[s.name]
	last := a.entries[len(a.entries)-1]
	if last.Hash() != b.After.Hash {
		return nil, protocol.Errorf(protocol.KindConflict, "the ledger has moved")
	}
	e, err := directory.ParseEntry(b.Update)
	if err != nil {
		return nil, err
	}
	o, err := directory.ParseOpening(b.Opening)
	if err != nil {
		return nil, err
	}
	if leaf, _ := s.w.p.Leaf(s.name); e.Update.Version <= leaf.Version || e.Update.Version <= s.w.p.Queued(e.Update.Index) {
		return nil, protocol.Errorf(protocol.KindConflict, "the version is taken")
	}
	if tlog.LeafHash(b.Update) != b.Promise.Leaf || e.Update.Index != b.Promise.Index || e.Update.Version != b.Promise.Version {
		s.w.t.Error("the promise asked for is not the update's")
	}
	a.entries, a.objects = append(a.entries, b.Entries...), append(a.objects, b.Objects...)
	s.w.p.Update(e.Update, o)
	receipt := s.w.p.Promise(b.Promise.Account, e.Update)
	if s.w.publishes {
		s.w.p.Publish()
	}
	return receipt, nil
}

func (s source) ContactLedger(_ context.Context, name string, from uint64) ([]*ledger.Entry, error) {
	a := s.w.accounts[name]
	if a == nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "no such account")
	}
	entries := slices.Clone(a.entries[from:])
	if s.w.contact != nil {
		entries = s.w.contact(entries)
	}
	return entries, nil
}

func (s source) AddAnchors(_ context.Context, anchors []api.Anchor) error {
	if s.w.refuse != nil {
		return s.w.refuse
	}
	var taken []func()
	for _, a := range anchors {
		e, err := directory.ParseEntry(a.Entry)
		if err != nil {
			return err
		}
		if s.w.leave != nil {
			takes, claims := s.w.leave(e.Anchor)
			if claims != nil && !takes {
				return claims
			}
			if !takes {
				continue
			}
		}
		taken = append(taken, func() { s.w.p.LeaveAnchor(e.Anchor, a.Box) })
	}
	for _, take := range taken {
		take()
	}
	return nil
}

func (s source) Anchors(_ context.Context, _ protocol.Hash, size uint64, asked []directory.AnchorQuestion) (*directory.AnchorsAnswer, error) {
	return s.w.p.Anchors(asked, size), nil
}
