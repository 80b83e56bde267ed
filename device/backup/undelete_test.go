// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// TestUndeleteUndoesAThief forgets and retires everything on one owner device
// and brings it back on another, which then removes the first.
func TestUndeleteUndoesAThief(t *testing.T) {
	owner := newFakeAccount(t)
	stolen := owner.add(protocol.RoleOwner)
	k := newKeeper(t, owner)
	dir, ids := k.history(owner)
	var names []string
	for _, id := range ids {
		names = append(names, id.String())
	}
	k.forget(stolen, ForgetOptions{IDs: names})
	k.prune(stolen, PruneOptions{})
	if got := k.states(); got[api.PackStored] != 0 || len(k.live(owner)) != 0 {
		t.Fatalf("the thief left %v", got)
	}
	junk := k.backup(stolen, makeTree(t, map[string]string{"junk": "junk"}))
	k.on(owner, func(v *Vault) {
		dry, err := v.Undelete(context.Background(), UndeleteOptions{All: true, DryRun: true})
		check(t, err)
		r, err := v.Undelete(context.Background(), UndeleteOptions{All: true})
		check(t, err)
		if len(dry.Snapshots) != 3 || dry.Packs != r.Packs || len(r.Snapshots) != 3 || len(r.Lost) != 0 || r.Packs != 3 {
			t.Errorf("it brought back %+v", r)
		}
		again, err := v.Undelete(context.Background(), UndeleteOptions{All: true})
		check(t, err)
		if len(again.Snapshots) != 0 || !again.Record.IsZero() || again.Packs != 0 {
			t.Errorf("and again %+v", again)
		}
	})
	if live := k.live(owner); !slices.Equal(live, append(slices.Clone(ids), junk)) {
		t.Errorf("live are %v", live)
	}
	k.check(owner)
	owner.remove(stolen)
	k.check(owner)
	before := k.states()[api.PackStored]
	k.backup(owner, dir) // relies on what came back
	if after := k.states()[api.PackStored]; after > before+1 {
		t.Errorf("a backup after it sent %d packs", after-before)
	}
}

func TestUndeleteByName(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String(), ids[1].String()}})
	k.prune(d, PruneOptions{})
	k.on(d, func(v *Vault) {
		ctx := context.Background()
		_, err := v.Undelete(ctx, UndeleteOptions{})
		wantKind(t, err, protocol.KindUsage)
		_, err = v.Undelete(ctx, UndeleteOptions{IDs: []string{"0000000000"}})
		wantKind(t, err, protocol.KindNotFound)
		r, err := v.Undelete(ctx, UndeleteOptions{IDs: []string{ids[1].String()[:12]}})
		check(t, err)
		if len(r.Snapshots) != 1 || r.Packs == 0 {
			t.Errorf("it brought back %+v", r)
		}
	})
	if live := k.live(d); !slices.Equal(live, ids[1:]) {
		t.Errorf("live are %v", live)
	}
	k.check(d)
}

func TestUndeleteWhatWasDropped(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.forget(d, ForgetOptions{IDs: []string{ids[1].String()}})
	k.prune(d, PruneOptions{MaxUnused: Allowance{NoLimit: true}})
	k.now += 40 * aDay
	k.forget(d, ForgetOptions{IDs: []string{ids[0].String()}})
	if r := k.prune(d, PruneOptions{MaxUnused: Allowance{NoLimit: true}}); r.Dropped != 1 {
		t.Fatalf("dropped %d", r.Dropped)
	}
	k.on(d, func(v *Vault) {
		_, err := v.Undelete(context.Background(), UndeleteOptions{IDs: []string{ids[1].String()}})
		wantKind(t, err, protocol.KindNotFound)
		r, err := v.Undelete(context.Background(), UndeleteOptions{All: true})
		check(t, err)
		if len(r.Snapshots) != 1 || r.Snapshots[0].ID != ids[0] || len(r.Lost) != 1 {
			t.Errorf("back came %d, lost are %d", len(r.Snapshots), len(r.Lost))
		}
	})
	k.check(d)
}

func TestUndeletePacks(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	k.history(d)
	check(t, retire(k, d, slices.Clone(k.order)...))
	k.on(d, func(v *Vault) {
		r, err := v.Undelete(context.Background(), UndeleteOptions{Packs: true})
		check(t, err)
		if r.Packs != 3 || len(r.Snapshots) != 0 {
			t.Errorf("it brought back %+v", r)
		}
	})
	k.check(d)
}

// TestUndeleteVouches brings back what a removed device signed too late.
func TestUndeleteVouches(t *testing.T) {
	owner := newFakeAccount(t)
	laptop := owner.add(protocol.RoleOwner)
	k := newKeeper(t, owner)
	dir, ids := k.history(laptop)
	owner.edit(removing(laptop, ids[1], 2))
	if live := k.live(owner); !slices.Equal(live, ids[:2]) {
		t.Fatalf("live are %v", live)
	}
	k.on(owner, func(v *Vault) {
		r, err := v.Undelete(context.Background(), UndeleteOptions{All: true})
		check(t, err)
		if len(r.Snapshots) != 0 {
			t.Error("a void snapshot came back unnamed")
		}
		_, err = v.Undelete(context.Background(), UndeleteOptions{IDs: []string{ids[2].String()}})
		check(t, err)
	})
	if live := k.live(owner); !slices.Equal(live, ids) {
		t.Errorf("live are %v", live)
	}
	k.check(owner)
	k.backup(owner, dir)
	k.check(owner)
}
