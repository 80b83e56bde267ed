// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

func TestPruneRetiresWhatNothingNeeds(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	if r := k.prune(d, PruneOptions{}); r.Retired+r.Revived+r.Dropped != 0 || len(k.generations) != 0 {
		t.Fatalf("of what is needed it retires %d", r.Retired)
	}
	k.forget(d, ForgetOptions{Policy: Policy{Last: 1}})
	plan := k.prune(d, PruneOptions{DryRun: true}).Plan
	if plan.Retire != 1 || plan.Repack != 1 || plan.Frees() < 1<<20 || len(k.generations) != 0 {
		t.Fatalf("the plan is %+v", plan)
	}
	r := k.prune(d, PruneOptions{})
	if r.Retired != 2 || r.NewPacks != 1 || r.Moved == 0 || r.Plan.Frees() != plan.Frees() {
		t.Errorf("it did %+v", r)
	}
	if got := k.states(); got[api.PackRetired] != 2 || got[api.PackStored] != 2 {
		t.Errorf("afterwards there are %v", got)
	}
	k.check(d)
	if live := k.live(d); !slices.Equal(live, ids[2:]) {
		t.Errorf("live are %v", live)
	}
	if again := k.prune(d, PruneOptions{}); again.Retired != 0 || again.Moved != 0 {
		t.Errorf("a second prune did %+v", again)
	}
}

func TestPruneWeighsMovesAgainstSpace(t *testing.T) {
	for _, test := range []struct {
		name   string
		o      PruneOptions
		repack int
	}{
		{"no waste allowed", PruneOptions{}, 1},
		{"little", PruneOptions{MaxUnused: Allowance{Percent: 5}}, 1},
		{"much", PruneOptions{MaxUnused: Allowance{Percent: 99}}, 0},
		{"bytes", PruneOptions{MaxUnused: Allowance{Bytes: 1 << 30}}, 0},
		{"any", PruneOptions{MaxUnused: Allowance{NoLimit: true}}, 0},
		{"no room to move", PruneOptions{MaxRepack: 1000}, 0},
		{"room to move", PruneOptions{MaxRepack: 10 << 20}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newFakeAccount(t)
			k := newKeeper(t, d)
			k.history(d)
			k.forget(d, ForgetOptions{Policy: Policy{Last: 1}})
			test.o.DryRun = true
			if plan := k.prune(d, test.o).Plan; plan.Repack != test.repack || plan.Retire != 1 {
				t.Errorf("repacks %d and retires %d", plan.Repack, plan.Retire)
			}
		})
	}
}

func TestPruneDropsAfterTheRetention(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	k.forget(d, ForgetOptions{Policy: Policy{Last: 2}})
	k.prune(d, PruneOptions{MaxUnused: Allowance{NoLimit: true}})
	k.now += 20 * aDay
	k.forget(d, ForgetOptions{Policy: Policy{Last: 1}})
	first := k.prune(d, PruneOptions{MaxUnused: Allowance{NoLimit: true}})
	if first.Dropped != 0 || first.Plan.Retired != 0 {
		t.Errorf("too early: %+v", first)
	}
	k.now += 31 * aDay
	if r := k.prune(d, PruneOptions{}); r.Dropped != first.Retired {
		t.Errorf("dropped %d, want %d", r.Dropped, first.Retired)
	}
	k.check(d)
	k.on(d, func(v *Vault) {
		for p, err := range v.index.Packs() {
			check(t, err)
			if k.pack(p.ID).state == api.PackDropped {
				t.Errorf("the index knows the dropped pack %s", p.ID)
			}
		}
	})
}

func TestPruneDropsOneRetirementAfterTheOther(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir := t.TempDir()
	for i := range 4 {
		write(t, dir, "only", 600<<10, byte(i+1))
		k.backup(d, dir)
	}
	k.forget(d, ForgetOptions{Policy: Policy{Last: 2}})
	k.prune(d, PruneOptions{})
	k.now += 20 * aDay
	k.forget(d, ForgetOptions{Policy: Policy{Last: 1}})
	k.prune(d, PruneOptions{})
	k.now += 20 * aDay
	if r := k.prune(d, PruneOptions{}); r.Dropped != 2 || k.states()[api.PackRetired] != 1 {
		t.Errorf("dropped %d, and there are %v", r.Dropped, k.states())
	}
}

// TestPruneBeforeABackupCommits lets another owner prune while a backup has sent
// everything and not committed yet: what it relied on is retired.
func TestPruneBeforeABackupCommits(t *testing.T) {
	for _, role := range []protocol.Role{protocol.RoleOwner, protocol.RoleWriter} {
		t.Run(role.String(), func(t *testing.T) {
			owner := newFakeAccount(t)
			other := owner.add(role)
			k := newKeeper(t, owner)
			dir := t.TempDir()
			write(t, dir, "returns", 800<<10, 1)
			old := k.backup(other, dir)
			write(t, dir, "returns", 800<<10, 2)
			k.backup(other, dir)
			write(t, dir, "returns", 800<<10, 1) // relies on what the first one stored
			pruned := false
			k.onCommit = func() error {
				if pruned {
					return nil
				}
				pruned = true
				k.forget(owner, ForgetOptions{IDs: []string{old.String()}})
				if r := k.prune(owner, PruneOptions{MinAge: DefaultMinAge}); r.Retired != 1 {
					t.Errorf("the prune retired %d packs", r.Retired)
				}
				return nil
			}
			id := k.backup(other, dir)
			k.onCommit = nil
			if live := k.live(owner); !slices.Contains(live, id) {
				t.Fatalf("live are %v", live)
			}
			k.check(owner)
			if plan := k.prune(owner, PruneOptions{DryRun: true}).Plan; plan.Revive != 0 {
				t.Errorf("the backup relies on %d retired packs", plan.Revive)
			}
		})
	}
}

// TestPruneMeetsABackup lets a backup commit between what a prune saw and what
// it retires: the prune must look again.
func TestPruneMeetsABackup(t *testing.T) {
	a := newFakeAccount(t)
	b := a.add(protocol.RoleOwner)
	k := newKeeper(t, a)
	dir, ids := k.history(a)
	k.forget(a, ForgetOptions{IDs: []string{ids[1].String()}})
	met := false
	testingOnlyBeforeRetire = func() {
		if met {
			return
		}
		met = true
		write(t, dir, "changes", 900<<10, 2) // what the prune is about to retire
		k.backup(b, dir)
	}
	defer func() { testingOnlyBeforeRetire = nil }()
	r := k.prune(a, PruneOptions{MaxUnused: Allowance{NoLimit: true}})
	if !met || k.tries < 1 {
		t.Fatal("nothing was met")
	}
	k.check(b)
	if plan := k.prune(a, PruneOptions{DryRun: true}).Plan; plan.Revive != 0 {
		t.Errorf("after %+v, %d retired packs are needed", r, plan.Revive)
	}
}

func TestPruneGivesUpAtLast(t *testing.T) {
	a := newFakeAccount(t)
	b := a.add(protocol.RoleOwner)
	k := newKeeper(t, a)
	dir, ids := k.history(a)
	k.forget(a, ForgetOptions{IDs: []string{ids[1].String()}})
	seed := byte(50)
	testingOnlyBeforeRetire = func() {
		seed++
		write(t, dir, "other", 10<<10, seed)
		k.backup(b, dir)
	}
	defer func() { testingOnlyBeforeRetire = nil }()
	k.on(a, func(v *Vault) {
		_, err := v.Prune(context.Background(), PruneOptions{MaxUnused: Allowance{NoLimit: true}})
		wantKind(t, err, protocol.KindBusy)
	})
	if k.states()[api.PackRetired] != 0 {
		t.Error("something was retired")
	}
}

// TestPruneLeavesUnfinishedRuns lets a run die before its record: what it sent is
// there for the next one, for a while.
func TestPruneLeavesUnfinishedRuns(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	dir := t.TempDir()
	write(t, dir, "big", 800<<10, 77)
	k.onCommit = func() error { return errors.New("killed") }
	k.on(d, func(v *Vault) {
		if _, err := v.NewRun(RunOptions{Paths: []string{dir}}).Do(context.Background()); err == nil {
			t.Fatal("the run was not killed")
		}
	})
	k.onCommit = nil
	stored := k.states()[api.PackStored]
	if r := k.prune(d, PruneOptions{MinAge: DefaultMinAge}); r.Plan.InFlight != 1 || r.Retired != 0 {
		t.Fatalf("in flight %d, retired %d", r.Plan.InFlight, r.Retired)
	}
	k.backup(d, dir)
	if now := k.states()[api.PackStored]; now > stored+1 {
		t.Errorf("%d packs after %d: the run began anew", now, stored)
	}
	k.now += 15 * aDay
	write(t, dir, "big", 800<<10, 78)
	k.onCommit = func() error { return errors.New("killed") }
	k.on(d, func(v *Vault) { _, _ = v.NewRun(RunOptions{Paths: []string{dir}}).Do(context.Background()) })
	k.onCommit = nil
	k.now += 15 * aDay
	if r := k.prune(d, PruneOptions{MinAge: DefaultMinAge, MaxUnused: Allowance{NoLimit: true}}); r.Plan.InFlight != 0 || r.Retired != 1 {
		t.Errorf("old: in flight %d, retired %d", r.Plan.InFlight, r.Retired)
	}
	k.check(d)
}

func TestPruneAllTakesUnfinishedRunsToo(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir := t.TempDir()
	write(t, dir, "big", 800<<10, 77)
	k.onCommit = func() error { return errors.New("killed") }
	k.on(d, func(v *Vault) { _, _ = v.NewRun(RunOptions{Paths: []string{dir}}).Do(context.Background()) })
	k.onCommit = nil
	if r := k.prune(d, PruneOptions{}); r.Retired != 1 {
		t.Errorf("retired %d", r.Retired)
	}
	k.backup(d, dir)
	k.check(d)
	if got := k.states(); got[api.PackStored] != 1 || got[api.PackRetired] != 1 {
		t.Errorf("the next run left %v", got)
	}
}

func TestPruneLeavesWritersPacksWhole(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	_, ids := k.history(writer)
	k.forget(owner, ForgetOptions{IDs: []string{ids[0].String(), ids[1].String()}})
	r := k.prune(owner, PruneOptions{})
	if r.Retired != 1 || r.Plan.Repack != 0 {
		t.Fatalf("of a writer's it retired %d and repacked %d", r.Retired, r.Plan.Repack)
	}
	k.check(owner)
	owner.remove(writer)
	if r := k.prune(owner, PruneOptions{}); r.Plan.Repack != 2 && r.Plan.Repack != 1 {
		t.Errorf("of a removed writer's it repacked %d", r.Plan.Repack)
	}
	k.check(owner)
	k.on(owner, func(v *Vault) {
		for p, err := range v.index.Packs() {
			check(t, err)
			if p.Signer == owner.self.ID() && p.Namer != writer.self.ID() {
				t.Errorf("the new pack is named by %s", p.Namer)
			}
		}
	})
}

func TestPruneRefusesWhatItCannotSee(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.forget(d, ForgetOptions{IDs: []string{ids[1].String()}})
	var nodes protocol.PackID
	k.on(d, func(v *Vault) {
		s, _, err := v.Find(Latest, Filter{})
		check(t, err)
		places, err := v.index.Lookup(nil, s.Root)
		check(t, err)
		nodes = places[0].Pack
	})
	whole := slices.Clone(k.pack(nodes).bytes)
	for i := range whole {
		k.pack(nodes).bytes[i] ^= 1
	}
	k.on(d, func(v *Vault) {
		_, err := v.Prune(context.Background(), PruneOptions{})
		wantKind(t, err, protocol.KindUnreadable)
	})
	if len(k.generations) != 0 {
		t.Error("something was retired")
	}
	copy(k.pack(nodes).bytes, whole)
	k.prune(d, PruneOptions{})
	k.check(d)
}

func TestPruneLeavesBrokenPacks(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	first := k.order[0]
	k.pack(first).bytes[400<<10] ^= 1
	r := k.prune(d, PruneOptions{})
	if len(r.Broken) != 1 || r.Broken[0] != first || k.pack(first).state != api.PackStored {
		t.Errorf("broken are %v, and the pack is %s", r.Broken, k.pack(first).state)
	}
	if len(d.warned) == 0 {
		t.Error("nobody was warned")
	}
}

func TestPruneRevivesWhatIsNeeded(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	check(t, retire(k, d, k.order[0]))
	r := k.prune(d, PruneOptions{})
	if r.Revived != 1 || k.pack(k.order[0]).state != api.PackStored {
		t.Errorf("revived %d", r.Revived)
	}
	k.check(d)
	k.on(d, func(v *Vault) {
		if p, _, _ := v.index.Pack(k.order[0]); !p.Usable {
			t.Error("nothing may rely on the revived pack")
		}
	})
}

func TestPruneRevivesTheLastWholeCopy(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	first := k.order[0]
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	if r := k.prune(d, PruneOptions{}); r.NewPacks != 1 || k.pack(first).state != api.PackRetired {
		t.Fatalf("it moved %d packs, and the first is %s", r.NewPacks, k.pack(first).state)
	}
	moved := k.order[len(k.order)-1]
	k.pack(moved).bytes[400<<10] ^= 1
	if r, _ := k.examine(d, CheckOptions{ReadData: true}); r.Untrusted == 0 {
		t.Fatal("the check finds nothing")
	}
	k.now += 31 * aDay
	if r := k.prune(d, PruneOptions{}); r.Revived != 1 || r.Dropped != 0 || k.pack(first).state != api.PackStored {
		t.Fatalf("revived %d, dropped %d; the last whole copy is %s", r.Revived, r.Dropped, k.pack(first).state)
	}
}

func TestPruneRevivesWhatTheServerLostElsewhere(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	first := k.order[0]
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	k.prune(d, PruneOptions{})
	lost := k.pack(k.order[len(k.order)-1])
	lost.state, lost.bytes = api.PackAbsent, nil
	k.now += 31 * aDay
	r := k.prune(d, PruneOptions{})
	if r.Revived != 1 || r.Dropped != 0 || k.pack(first).state != api.PackStored {
		t.Fatalf("revived %d, dropped %d; the last copy is %s", r.Revived, r.Dropped, k.pack(first).state)
	}
	if len(d.warned) == 0 {
		t.Error("nobody was warned")
	}
}

// retire signs away what it likes, as a thief would.
func retire(k *keeper, d *fakeDevice, packs ...protocol.PackID) (err error) {
	sortPacks(packs)
	k.on(d, func(v *Vault) {
		var n int
		err = v.prune(context.Background(), snapshot.PruneRetire, packs, &n)
	})
	return err
}

func TestPruneStopsWhereThePlanIsRefused(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	no := errors.New("no")
	k.on(d, func(v *Vault) {
		_, err := v.Prune(context.Background(), PruneOptions{OnPlan: func(*PrunePlan) error { return no }})
		if !errors.Is(err, no) {
			t.Errorf("error %v", err)
		}
	})
	if len(k.generations) != 0 {
		t.Error("something was retired")
	}
}

func TestPruneLeavesNoTemporaryFiles(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	k.on(d, func(v *Vault) {
		base, err := v.kept.CacheDir()
		check(t, err)
		check(t, os.MkdirAll(filepath.Join(base, "marks-old"), 0o700))
		_, err = v.Prune(context.Background(), PruneOptions{})
		check(t, err)
		left, err := filepath.Glob(filepath.Join(base, "marks-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	})
}

func TestWritersDoNotPrune(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	k.on(writer, func(v *Vault) {
		ctx := context.Background()
		_, err := v.Prune(ctx, PruneOptions{})
		wantKind(t, err, protocol.KindDenied)
		_, err = v.Forget(ctx, ForgetOptions{Policy: Policy{Last: 1}})
		wantKind(t, err, protocol.KindDenied)
		_, err = v.Tag(ctx, TagOptions{Add: []string{"a"}})
		wantKind(t, err, protocol.KindDenied)
		_, err = v.Undelete(ctx, UndeleteOptions{All: true})
		wantKind(t, err, protocol.KindDenied)
		_, err = v.NewCheck(CheckOptions{}).Do(ctx)
		wantKind(t, err, protocol.KindDenied)
		_, err = v.Stats(ctx, nil, false)
		wantKind(t, err, protocol.KindDenied)
		_, err = v.RepairIndex(ctx)
		wantKind(t, err, protocol.KindDenied)
	})
}

func TestKeeperOf(t *testing.T) {
	pack := func(n byte) protocol.PackID { return protocol.PackID{n} }
	packs := map[protocol.PackID]*packUse{
		pack(1): {retired: true}, pack(2): {foreign: true}, pack(3): {}, pack(4): {}, pack(5): {broken: true},
		pack(6): {broken: true, foreign: true, retired: true}, pack(7): {foreign: true, retired: true},
	}
	for _, test := range []struct {
		in   []byte
		want byte
	}{
		{[]byte{1}, 1},
		{[]byte{1, 2}, 1},
		{[]byte{2, 1}, 1},
		{[]byte{3, 2, 1}, 3},
		{[]byte{3, 4}, 4},
		{[]byte{4, 1, 2}, 4},
		{[]byte{1, 5}, 1},
		{[]byte{5, 7, 2}, 2},
		{[]byte{3, 5}, 3},
		{[]byte{5, 6}, 5},
		{[]byte{7, 5, 6}, 7},
	} {
		var places []tree.Location
		for _, n := range test.in {
			places = append(places, tree.Location{Pack: pack(n)})
		}
		if got := keeperOf(places, packs).Pack; got != pack(test.want) {
			t.Errorf("of %v it keeps %d, want %d", test.in, got[0], test.want)
		}
	}
}
