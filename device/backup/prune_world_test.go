// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

// keeper is a fake server that keeps to the rules of a provider: the prune chain
// moves by compare-and-swap, retired packs are not taken again, and a drop waits
// for the retention. Its clock is the test's.
type keeper struct {
	*fakeServer
	t         testing.TB
	now       protocol.Time
	retention protocol.Time

	mu      sync.Mutex // guards what follows
	came    map[protocol.PackID]protocol.Time
	retired map[protocol.PackID]protocol.Time
	tries   int // generations that were offered
}

const (
	aHour = protocol.Time(3600e9)
	aDay  = 24 * aHour
)

func newKeeper(t testing.TB, of *fakeDevice) *keeper {
	return &keeper{
		fakeServer: of.server, t: t, now: 1000 * aDay, retention: 30 * aDay,
		came: map[protocol.PackID]protocol.Time{}, retired: map[protocol.PackID]protocol.Time{},
	}
}

func (k *keeper) PutPack(ctx context.Context, id protocol.PackID, statement, pack []byte) error {
	if p := k.pack(id); p != nil && p.state != api.PackStored {
		return protocol.Errorf(protocol.KindConflict, "the pack is %s", p.state)
	}
	k.mu.Lock()
	k.came[id] = k.now
	k.mu.Unlock()
	return k.fakeServer.PutPack(ctx, id, statement, pack)
}

func (k *keeper) ListPacks(ctx context.Context, after uint64, visit func(api.PackRecord, *snapshot.PackStatement) error) error {
	return k.fakeServer.ListPacks(ctx, after, func(r api.PackRecord, st *snapshot.PackStatement) error {
		k.mu.Lock()
		r.Received = k.came[st.Pack]
		k.mu.Unlock()
		return visit(r, st)
	})
}

func (k *keeper) CommitGeneration(ctx context.Context, raw []byte) (api.Head, error) {
	g, err := snapshot.ParseGeneration(raw)
	check(k.t, err)
	head, err := k.Head(ctx)
	check(k.t, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tries++
	if g.Number != head.Generation+1 || g.Prev != head.GenerationHash || g.Head.Seq != head.Seq || g.Head.Hash != head.Hash {
		return head, protocol.Errorf(protocol.KindConflict, "the vault has moved")
	}
	for _, id := range g.Packs {
		if err := k.mayApply(g.Act, id); err != nil {
			return head, err
		}
	}
	for _, id := range g.Packs {
		k.apply(g.Act, id)
	}
	return k.fakeServer.CommitGeneration(ctx, raw)
}

func (k *keeper) mayApply(act snapshot.PruneAct, id protocol.PackID) error {
	p := k.pack(id)
	switch {
	case p == nil:
		return protocol.Errorf(protocol.KindNotFound, "no pack %s", id)
	case (act == snapshot.PruneRetire) != (p.state == api.PackStored):
		return protocol.Errorf(protocol.KindUsage, "pack %s is %s", id, p.state)
	case act == snapshot.PruneDrop && k.retired[id] >= k.now-k.retention:
		return protocol.Errorf(protocol.KindDenied, "pack %s is kept for the retention time", id)
	}
	return nil
}

func (k *keeper) apply(act snapshot.PruneAct, id protocol.PackID) {
	p := k.pack(id)
	switch act {
	case snapshot.PruneRetire:
		p.state, k.retired[id] = api.PackRetired, k.now
	case snapshot.PruneRevive:
		p.state = api.PackStored
	case snapshot.PruneDrop:
		p.state, p.bytes = api.PackDropped, nil
	}
}

// states counts packs by what the server keeps them as.
func (k *keeper) states() map[api.PackState]int {
	count := map[api.PackState]int{}
	for _, id := range k.order {
		count[k.pack(id).state]++
	}
	return count
}

// on opens a device's vault at the keeper.
func (k *keeper) on(d *fakeDevice, do func(v *Vault)) {
	k.t.Helper()
	d.with(func(v *Vault) {
		v.remote = k
		v.o.Now = func() protocol.Time { return k.now }
		do(v)
	})
}

// backup backs a folder up and lets an hour pass.
func (k *keeper) backup(d *fakeDevice, dir string, tags ...string) (id protocol.Hash) {
	k.t.Helper()
	k.on(d, func(v *Vault) {
		r, err := v.NewRun(RunOptions{Paths: []string{dir}, Host: "host", Tags: tags}).Do(context.Background())
		check(k.t, err)
		id = r.Snapshot
	})
	k.now += aHour
	return id
}

func (k *keeper) prune(d *fakeDevice, o PruneOptions) (result *PruneResult) {
	k.t.Helper()
	k.on(d, func(v *Vault) {
		var err error
		result, err = v.Prune(context.Background(), o)
		check(k.t, err)
	})
	return result
}

func (k *keeper) forget(d *fakeDevice, o ForgetOptions) (result *ForgetResult) {
	k.t.Helper()
	k.on(d, func(v *Vault) {
		var err error
		result, err = v.Forget(context.Background(), o)
		check(k.t, err)
	})
	return result
}

// check reads everything and demands that nothing is wrong.
func (k *keeper) check(d *fakeDevice) *CheckResult {
	k.t.Helper()
	r, damage := k.examine(d, CheckOptions{ReadData: true})
	if !r.Clean() {
		k.t.Fatalf("a check finds %v", damage)
	}
	return r
}

func (k *keeper) examine(d *fakeDevice, o CheckOptions) (result *CheckResult, damage []Damage) {
	k.t.Helper()
	o.OnDamage = func(found Damage) { damage = append(damage, found) }
	k.on(d, func(v *Vault) {
		var err error
		result, err = v.NewCheck(o).Do(context.Background())
		check(k.t, err)
	})
	return result, damage
}

// live returns the live snapshots' names in the order of the chain.
func (k *keeper) live(d *fakeDevice) (ids []protocol.Hash) {
	k.t.Helper()
	k.on(d, func(v *Vault) {
		list, err := v.Snapshots()
		check(k.t, err)
		for _, s := range list {
			ids = append(ids, s.ID)
		}
	})
	return ids
}

// write puts content that does not compress, from a seed, into a file.
func write(t testing.TB, dir, name string, size int, seed byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, bytesOf(size, seed), 0o644))
}

// history makes three snapshots: what stays, and a file that each one replaces.
func (k *keeper) history(d *fakeDevice) (dir string, ids []protocol.Hash) {
	k.t.Helper()
	dir = k.t.TempDir()
	write(k.t, dir, "sub/stays", 700<<10, 100)
	for i := range 3 {
		write(k.t, dir, "changes", 900<<10, byte(i+1))
		ids = append(ids, k.backup(d, dir))
	}
	return dir, ids
}

// words joins damage for messages.
func words(damage []Damage) string {
	var list []string
	for _, d := range damage {
		list = append(list, d.String())
	}
	return strings.Join(list, "\n")
}
