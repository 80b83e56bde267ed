// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// fakeServer is a provider in memory that believes everybody, so that a test can
// make it lie.
type fakeServer struct {
	t   testing.TB
	log *directorytest.Provider

	mu          sync.Mutex // guards what follows
	entries     []*ledger.Entry
	objects     [][]byte
	packs       map[protocol.PackID]*fakePack
	order       []protocol.PackID
	records     [][]byte
	generations [][]byte
	signs       [][]byte // records up to the head that it signs; nil: those that it serves

	puts     atomic.Int64
	onPut    func(id protocol.PackID) error // before a pack is stored
	onCommit func() error                   // before a record is committed

	afterCommit func() // nil: nothing; while the server is locked
}

type fakePack struct {
	statement, bytes []byte
	state            api.PackState
}

func newFakeServer(t testing.TB) *fakeServer {
	t.Helper()
	f := &fakeServer{t: t, log: directorytest.New(t), packs: map[protocol.PackID]*fakePack{}}
	f.log.Set(fakeNow)
	f.log.Publish()
	return f
}

func (f *fakeServer) ListPacks(_ context.Context, after uint64, visit func(api.PackRecord, *snapshot.PackStatement) error) error {
	f.mu.Lock()
	order := slices.Clone(f.order)
	f.mu.Unlock()
	for i, id := range order {
		p := f.pack(id)
		if uint64(i) < after || p.state == api.PackDropped {
			continue
		}
		st, err := snapshot.ParsePackStatement(p.statement)
		if err != nil {
			return err
		}
		if err := visit(api.PackRecord{Cursor: uint64(i + 1), Statement: p.statement}, st); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeServer) pack(id protocol.PackID) *fakePack {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.packs[id]
}

func (f *fakeServer) StatPacks(_ context.Context, ids []protocol.PackID) ([]api.PackState, error) {
	states := make([]api.PackState, len(ids))
	for i, id := range ids {
		if states[i] = api.PackAbsent; f.pack(id) != nil {
			states[i] = f.pack(id).state
		}
	}
	return states, nil
}

func (f *fakeServer) PutPack(ctx context.Context, id protocol.PackID, statement, pack []byte) error {
	f.mu.Lock()
	hook := f.onPut
	f.mu.Unlock()
	f.puts.Add(1)
	if hook != nil {
		if err := hook(id); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.packs[id] == nil {
		f.order = append(f.order, id)
	}
	f.packs[id] = &fakePack{statement: statement, bytes: slices.Clone(pack), state: api.PackStored}
	return nil
}

func (f *fakeServer) Blocks(_ context.Context, reads []client.Read, visit func(i int, b client.Block) error) error {
	for i, r := range reads {
		p := f.pack(r.Pack)
		if p == nil || p.bytes == nil || p.state == api.PackDropped {
			if err := visit(i, client.Block{Status: api.BlockAbsent}); err != nil {
				return err
			}
			continue
		}
		if err := visit(i, client.Block{Data: p.bytes[r.Offset:min(r.Offset+r.Length, int64(len(p.bytes)))]}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeServer) Head(context.Context) (head api.Head, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	records := f.records
	if f.signs != nil {
		records = f.signs
	}
	if n := len(records); n > 0 {
		head.Seq, head.Hash = uint64(n), snapshot.HashOf(records[n-1])
	}
	if n := len(f.generations); n > 0 {
		head.Generation, head.GenerationHash = uint64(n), snapshot.HashOf(f.generations[n-1])
	}
	return head, nil
}

func (f *fakeServer) Snapshots(_ context.Context, from uint64, visit func(raw []byte) error) error {
	return f.visit(&f.records, from, visit)
}

func (f *fakeServer) Generations(_ context.Context, from uint64, visit func(raw []byte) error) error {
	return f.visit(&f.generations, from, visit)
}

func (f *fakeServer) visit(chain *[][]byte, from uint64, visit func(raw []byte) error) error {
	f.mu.Lock()
	list := slices.Clone((*chain)[min(int(from-1), len(*chain)):])
	f.mu.Unlock()
	for _, raw := range list {
		if err := visit(raw); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeServer) CommitSnapshot(ctx context.Context, raw []byte) (api.Head, error) {
	f.mu.Lock()
	hook := f.onCommit
	f.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			return api.Head{}, err
		}
	}
	rec, err := snapshot.Parse(raw)
	if err != nil {
		return api.Head{}, err
	}
	f.mu.Lock()
	if rec.Seq != uint64(len(f.records)+1) || rec.Generation != uint64(len(f.generations)) {
		f.mu.Unlock()
		return api.Head{}, protocol.Errorf(protocol.KindConflict, "the vault has moved")
	}
	f.records = append(f.records, raw)
	if f.afterCommit != nil {
		f.afterCommit()
	}
	f.mu.Unlock()
	return f.Head(ctx)
}

func (f *fakeServer) CommitGeneration(ctx context.Context, raw []byte) (api.Head, error) {
	f.mu.Lock()
	f.generations = append(f.generations, raw)
	f.mu.Unlock()
	return f.Head(ctx)
}

// fakeDevice is a device of an account at a fake server.
type fakeDevice struct {
	t      testing.TB
	server *fakeServer
	self   *keys.MemberSecrets
	is     state.Device
	dir    string        // of state and cache
	clock  time.Duration // beside fakeNow
	warned []error
	mu     sync.Mutex // guards warned
}

// newFakeAccount opens an account with one vault and one owner device.
func newFakeAccount(t testing.TB) *fakeDevice {
	t.Helper()
	self := keys.GenerateMemberSecrets()
	draft, err := keyring.Create(self, 1)
	check(t, err)
	check(t, draft.Rotate())
	vault, err := draft.CreateVault(protocol.CategoryBackups)
	check(t, err)
	server := newFakeServer(t)
	server.take(draft)
	return newFakeDevice(t, server, self, draft.Batch().State, vault)
}

func newFakeDevice(t testing.TB, server *fakeServer, self *keys.MemberSecrets, of *ledger.State, vault protocol.VaultID) *fakeDevice {
	t.Helper()
	m, err := of.Member(self.ID())
	check(t, err)
	d := &fakeDevice{t: t, server: server, self: self, dir: t.TempDir(), is: state.Device{
		Account: of.Account(), Server: "backup.example", Name: fakeName, Member: self.ID(), Role: m.Role, BackupVault: vault, Created: 1,
	}}
	kept, err := state.Open(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	check(t, err)
	defer kept.Close()
	check(t, kept.SetDevice(&d.is))
	check(t, kept.SetWorld(server.log.World))
	return d
}

// add lets an owner device add another one.
func (d *fakeDevice) add(role protocol.Role) *fakeDevice {
	d.t.Helper()
	self := keys.GenerateMemberSecrets()
	d.edit(func(v *Vault, draft *keyring.Draft) error {
		if role == protocol.RoleOwner {
			return draft.AddOwner(self.Public())
		}
		return draft.AddWriter(self.Public(), []*keyring.VaultSecrets{v.opens})
	})
	of, err := ledger.Fold(d.server.entries, nil)
	check(d.t, err)
	return newFakeDevice(d.t, d.server, self, of, d.is.BackupVault)
}

// remove lets an owner device remove another one, with the present head.
func (d *fakeDevice) remove(other *fakeDevice) {
	d.t.Helper()
	d.edit(func(v *Vault, draft *keyring.Draft) error {
		return draft.RemoveDevice(other.self.ID(), []ledger.VaultHead{v.head}, []*keyring.VaultSecrets{v.opens})
	})
}

func (d *fakeDevice) edit(change func(*Vault, *keyring.Draft) error) {
	d.t.Helper()
	d.with(func(v *Vault) {
		draft, err := v.ring.Edit(v.standing, 2)
		check(d.t, err)
		check(d.t, change(v, draft))
		d.server.take(draft)
	})
}

// open opens the device's vault anew, as a command does.
func (d *fakeDevice) open() (*Vault, func(), error) { return d.openWith(d.server) }

func (d *fakeDevice) openWith(account trust.Member) (*Vault, func(), error) {
	d.t.Helper()
	kept, err := state.Open(filepath.Join(d.dir, "state"), filepath.Join(d.dir, "cache"))
	check(d.t, err)
	v := d.vaultOf(kept, account, false)
	if err := v.open(context.Background()); err != nil {
		check(d.t, kept.Close())
		return nil, nil, err
	}
	return v, func() { check(d.t, v.Close()); check(d.t, kept.Close()) }, nil
}

func (d *fakeDevice) warn(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.warned = append(d.warned, err)
}

func (d *fakeDevice) with(do func(v *Vault)) {
	d.t.Helper()
	v, done, err := d.open()
	check(d.t, err)
	defer done()
	do(v)
}

// backup runs a backup.
func (d *fakeDevice) backup(o RunOptions) (result *Result, err error) {
	d.t.Helper()
	d.with(func(v *Vault) { result, err = v.NewRun(o).Do(context.Background()) })
	return result, err
}

// mustBackup backs paths up without a problem.
func (d *fakeDevice) mustBackup(paths ...string) *Result {
	d.t.Helper()
	r, err := d.backup(RunOptions{Paths: paths, OnProblem: nil})
	check(d.t, err)
	if r.Problems != 0 || r.Partial || r.Snapshot.IsZero() {
		d.t.Fatalf("backup of %v: %+v", paths, r)
	}
	return r
}

// prune signs a step of the prune chain over packs.
func (d *fakeDevice) prune(act snapshot.PruneAct, packs ...protocol.PackID) {
	d.t.Helper()
	slices.SortFunc(packs, func(a, b protocol.PackID) int { return slices.Compare(a[:], b[:]) })
	d.with(func(v *Vault) {
		g := &snapshot.Generation{
			Act: act, Account: d.is.Account, Vault: d.is.BackupVault, Number: v.step + 1, Prev: v.prunes.Hash(),
			Ledger: v.ledger.Head(), Head: v.head, Packs: packs,
		}
		raw := g.Sign(d.self)
		_, err := d.server.CommitGeneration(context.Background(), raw)
		check(d.t, err)
	})
	states := map[snapshot.PruneAct]api.PackState{
		snapshot.PruneRetire: api.PackRetired, snapshot.PruneRevive: api.PackStored, snapshot.PruneDrop: api.PackDropped,
	}
	for _, id := range packs {
		d.server.pack(id).state = states[act]
	}
}

// makeTree makes files of content by path below a new folder; a name that ends in a
// slash is an empty folder.
func makeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if name[len(name)-1] == '/' {
			check(t, os.MkdirAll(path, 0o755))
			continue
		}
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func wantKind(t testing.TB, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Fatalf("error of kind %q, want %q: %v", protocol.KindOf(err), kind, err)
	}
}
