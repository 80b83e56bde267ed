// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

func TestCheckClean(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	if r := k.check(d); r.Packs != 0 || r.Snapshots != 0 {
		t.Errorf("of an empty vault: %+v", r)
	}
	k.history(d)
	r := k.check(d)
	if r.Snapshots != 3 || r.Packs != 3 || r.Read != 3 || r.ReadBytes < 3<<20 || r.Chunks < 8 || r.Unused != 0 {
		t.Errorf("it looked at %+v", r)
	}
	if r, _ := k.examine(d, CheckOptions{}); r.Read != 0 || !r.Clean() {
		t.Errorf("without data it read %d packs", r.Read)
	}
	k.forget(d, ForgetOptions{Policy: Policy{Last: 1}})
	if r := k.check(d); r.Unused == 0 {
		t.Error("nothing is unused after a forget")
	}
}

// TestCheckFindsEveryChangedByte flips bytes in all parts of a pack.
func TestCheckFindsEveryChangedByte(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir := t.TempDir()
	write(t, dir, "a", 600<<10, 1)
	k.backup(d, dir)
	pack := k.pack(k.order[0])
	for _, at := range []int{0, 9, 60, 1300, 2000, 300 << 10, len(pack.bytes) - 100, len(pack.bytes) - 1, len(pack.bytes) - 3000} {
		pack.bytes[at] ^= 0x40
		r, damage := k.examine(d, CheckOptions{ReadData: true})
		if r.Untrusted == 0 || r.Clean() || damage[0].Pack != k.order[0] {
			t.Errorf("byte %d: %s", at, words(damage))
		}
		pack.bytes[at] ^= 0x40
		k.check(d)
	}
}

func TestCheckNamesWhatDamageTouches(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir, ids := k.history(d)
	first := k.pack(k.order[0])
	for at := 5 << 10; at < len(first.bytes)-64<<10; at += 16 << 10 {
		first.bytes[at] ^= 1 // content: what stays, and the first change
	}
	r, damage := k.examine(d, CheckOptions{ReadData: true})
	if r.Untrusted == 0 || r.Missing == 0 {
		t.Fatalf("it found %+v", r)
	}
	var touched []string
	for _, one := range damage {
		if one.What == DamageFile {
			touched = append(touched, one.Snapshot.ID.String()[:8]+" "+strings.TrimPrefix(string(one.Path), dir))
		}
	}
	for _, want := range []string{
		ids[0].String()[:8] + " /sub/stays", ids[1].String()[:8] + " /sub/stays", ids[2].String()[:8] + " /sub/stays", ids[0].String()[:8] + " /changes",
	} {
		if !slices.Contains(touched, want) {
			t.Errorf("%s is not among %v", want, touched)
		}
	}
	if slices.Contains(touched, ids[1].String()[:8]+" /changes") {
		t.Errorf("what is whole is named: %v", touched)
	}
}

func TestCheckFindsWhatIsGone(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	lost := k.order[1]
	kept := k.pack(lost)
	k.fakeServer.mu.Lock()
	delete(k.packs, lost)
	k.fakeServer.mu.Unlock()
	for _, o := range []CheckOptions{{}, {ReadData: true}} {
		r, damage := k.examine(d, o)
		if r.Missing < 2 || r.Untrusted != 0 || damage[0].What != DamagePackMissing || damage[0].Pack != lost {
			t.Errorf("it found %s", words(damage))
		}
	}
	k.fakeServer.mu.Lock()
	k.packs[lost] = kept
	k.fakeServer.mu.Unlock()
	k.check(d)
}

// TestCheckFindsWhatIsClaimed lets the server say that it has a pack and give
// nothing when it is asked for.
func TestCheckFindsWhatIsClaimed(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	k.on(d, func(v *Vault) {
		k.pack(k.order[2]).state = api.PackDropped
		v.remote = boaster{k}
		var damage []Damage
		r, err := v.NewCheck(CheckOptions{ReadData: true, OnDamage: func(d Damage) { damage = append(damage, d) }}).Do(context.Background())
		check(t, err)
		if r.Missing == 0 || damage[0].What != DamagePackMissing {
			t.Errorf("it found %s", words(damage))
		}
	})
}

// boaster is a keeper that says it has everything.
type boaster struct{ *keeper }

func (boaster) StatPacks(_ context.Context, ids []protocol.PackID) ([]api.PackState, error) {
	return slices.Repeat([]api.PackState{api.PackStored}, len(ids)), nil
}

func TestCheckFindsRetiredAndContradicting(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	check(t, retire(k, d, k.order[0]))
	r, damage := k.examine(d, CheckOptions{})
	if r.Retired == 0 || r.Missing+r.Untrusted != 0 || damage[0].What != DamagePackState {
		t.Errorf("it found %s", words(damage))
	}
	k.prune(d, PruneOptions{})
	k.check(d)
	k.pack(k.order[1]).state = api.PackRetired // without a word of an owner
	if r, damage := k.examine(d, CheckOptions{}); r.Retired != 1 || damage[0].Pack != k.order[1] {
		t.Errorf("it found %s", words(damage))
	}
}

// TestBackupHealsWhatACheckFound stores again what a device still has.
func TestBackupHealsWhatACheckFound(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir, ids := k.history(d)
	broken := k.order[0]
	for i := range k.pack(broken).bytes {
		k.pack(broken).bytes[i] ^= 1
	}
	if r, _ := k.examine(d, CheckOptions{ReadData: true}); r.Clean() {
		t.Fatal("it found nothing")
	}
	k.on(d, func(v *Vault) {
		_, err := v.NewRun(RunOptions{Paths: []string{dir}, Host: "host", Force: true}).Do(context.Background())
		check(t, err)
	})
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	r, damage := k.examine(d, CheckOptions{})
	if !r.Clean() {
		t.Fatalf("afterwards it finds %s", words(damage))
	}
	if p := k.prune(d, PruneOptions{}); !(p.Retired > 0) || k.pack(broken).state != api.PackRetired {
		t.Errorf("a prune retired %d, and the broken one is %s", p.Retired, k.pack(broken).state)
	}
	for i := range k.pack(broken).bytes {
		k.pack(broken).bytes[i] ^= 1
	}
	k.check(d)
	k.on(d, func(v *Vault) {
		if left, err := v.brokenPacks(); err != nil || len(left) != 0 {
			t.Errorf("still broken are %v, %v", left, err)
		}
	})
}

func TestSubset(t *testing.T) {
	var packs []tree.PackInfo
	for i := range 100 {
		packs = append(packs, tree.PackInfo{ID: protocol.PackID{3: byte(i)}, Size: 1000})
	}
	seen := map[protocol.PackID]int{}
	for part := uint32(1); part <= 7; part++ {
		for _, p := range (Subset{Part: part, Of: 7}).choose(slices.Clone(packs)) {
			seen[p.ID]++
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("pack %s is in %d parts", id, n)
		}
	}
	for _, test := range []struct {
		s    Subset
		want int
	}{{Subset{}, 100}, {Subset{Percent: 5}, 5}, {Subset{Percent: 0.1}, 1}, {Subset{Percent: 100}, 100}, {Subset{Bytes: 10500}, 10}, {Subset{Bytes: 1}, 1}, {Subset{Bytes: 1 << 40}, 100}} {
		if got := test.s.choose(slices.Clone(packs)); len(got) != test.want {
			t.Errorf("%+v chooses %d, want %d", test.s, len(got), test.want)
		}
	}
	if len(seen) != 100 || len(Subset{Percent: 5}.choose(nil)) != 0 {
		t.Errorf("%d packs are in some part", len(seen))
	}
	for text, ok := range map[string]bool{"5%": true, "100%": true, "1/7": true, "7/7": true, "0%": false, "101%": false, "0/7": false, "8/7": false, "5": false, "a/b": false, "": false, "-1%": false} {
		if _, got := ParsePart(text); got != ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCheckReadsASubset(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	total := 0
	for part := uint32(1); part <= 3; part++ {
		r, _ := k.examine(d, CheckOptions{ReadData: true, Subset: Subset{Part: part, Of: 3}})
		total += r.Read
	}
	if total != 3 {
		t.Errorf("all parts read %d packs", total)
	}
}

func TestStats(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	k.on(d, func(v *Vault) {
		list, err := v.Snapshots()
		check(t, err)
		quick, err := v.Stats(context.Background(), list, false)
		check(t, err)
		if quick.Snapshots != 3 || quick.Files != 6 || quick.RestoreSize != 3*1600<<10 || quick.Packs != 3 || quick.Counted {
			t.Errorf("by the records: %+v", quick)
		}
		all, err := v.Stats(context.Background(), list, true)
		check(t, err)
		last, err := v.Stats(context.Background(), list[2:], true)
		check(t, err)
		if all.RawSize < 3400<<10 || all.RawSize > 3500<<10 || all.UnusedSize != 0 || all.PaddingSize <= 0 || all.PaddingSize > all.StoredSize/2 {
			t.Errorf("all: %+v", all)
		}
		if last.RawSize < 1600<<10 || last.RawSize > 1700<<10 || last.UnusedSize == 0 || last.StoredSize != all.StoredSize {
			t.Errorf("the last: %+v", last)
		}
	})
	check(t, retire(k, d, k.order[1]))
	k.on(d, func(v *Vault) {
		s, err := v.Stats(context.Background(), nil, false)
		check(t, err)
		if s.Packs != 2 || s.RetiredPacks != 1 || s.RetiredSize == 0 {
			t.Errorf("with a retired pack: %+v", s)
		}
	})
}

func TestRepairIndex(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	dir, _ := k.history(d)
	k.on(d, func(v *Vault) {
		packs, err := v.RepairIndex(context.Background())
		check(t, err)
		if packs != 3 {
			t.Errorf("it knows %d packs", packs)
		}
	})
	k.check(d)
	before := len(k.order)
	k.backup(d, dir)
	if len(k.order) > before+1 {
		t.Error("a backup sends again")
	}
}

// TestWritersLearnWhatBecameOfTheirPacks moves the prune chain under a writer.
func TestWritersLearnWhatBecameOfTheirPacks(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	k.history(writer)
	usable := func() (n int) {
		k.on(writer, func(v *Vault) {
			for p, err := range v.index.Packs() {
				check(t, err)
				if p.Usable {
					n++
				}
			}
		})
		return n
	}
	id := k.order[0]
	for _, step := range []struct {
		act  snapshot.PruneAct
		want int
	}{{snapshot.PruneRetire, 2}, {snapshot.PruneRevive, 3}, {snapshot.PruneRetire, 2}, {snapshot.PruneDrop, 2}} {
		k.now += 40 * aDay
		k.on(owner, func(v *Vault) {
			var n int
			check(t, v.prune(context.Background(), step.act, []protocol.PackID{id}, &n))
		})
		if got := usable(); got != step.want {
			t.Errorf("after act %d it relies on %d packs, want %d", step.act, got, step.want)
		}
	}
}
