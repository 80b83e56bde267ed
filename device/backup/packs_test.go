// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/snapshot"
)

// known returns the packs that a device's index knows, and how many it relies on.
func (d *fakeDevice) known() (packs []protocol.PackID, usable int) {
	d.t.Helper()
	d.with(func(v *Vault) {
		for p, err := range v.index.Packs() {
			check(d.t, err)
			packs = append(packs, p.ID)
			if p.Usable {
				usable++
			}
		}
	})
	return packs, usable
}

// TestLearnWhatAProviderBreaks changes a pack at each place that a device without
// an index reads. It is left out and said, and learnt when it is whole again.
func TestLearnWhatAProviderBreaks(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one", "b": "two"})
	d.mustBackup(dir)
	id := d.server.order[0]
	pack := d.server.pack(id)
	good := slices.Clone(pack.bytes)
	for what, bad := range map[string]func(b []byte){
		"magic":  func(b []byte) { b[0] ^= 1 },
		"header": func(b []byte) { b[100] ^= 1 },
		"wrap":   func(b []byte) { b[700] ^= 1 },
		"index":  func(b []byte) { b[len(b)-3] ^= 1 },
		"zeros":  func(b []byte) { clear(b) },
	} {
		fresh := d.add(protocol.RoleOwner)
		pack.bytes = slices.Clone(good)
		bad(pack.bytes)
		if packs, _ := fresh.known(); len(packs) != 0 || len(fresh.warned) != 1 {
			t.Errorf("%s: %d packs, warned of %v", what, len(packs), fresh.warned)
		}
		pack.bytes = good
		if packs, usable := fresh.known(); len(packs) != 1 || usable != 1 {
			t.Errorf("%s, whole again: %d packs, %d usable", what, len(packs), usable)
		}
	}
}

// TestLearnWhatAProviderHides lists a pack and does not have it.
func TestLearnWhatAProviderHides(t *testing.T) {
	d := newFakeAccount(t)
	for i := range 3 {
		d.mustBackup(makeTree(t, map[string]string{"a": fmt.Sprint(i)}))
	}
	fresh := d.add(protocol.RoleOwner)
	hidden := d.server.order[1]
	pack := d.server.packs[hidden]
	d.server.packs[hidden] = &fakePack{statement: pack.statement, state: api.PackStored}
	if packs, _ := fresh.known(); len(packs) != len(d.server.order)-1 || slices.Contains(packs, hidden) {
		t.Errorf("%d packs, warned of %v", len(packs), fresh.warned)
	}
	d.server.packs[hidden] = pack
	if packs, _ := fresh.known(); len(packs) != len(d.server.order) {
		t.Errorf("shown again: %d packs", len(packs))
	}
}

// TestLearnNothingOfStrangers lists packs that nobody of the account signed for,
// and one whose statement names another run than its header.
func TestLearnNothingOfStrangers(t *testing.T) {
	d, stranger := newFakeAccount(t), keys.GenerateMemberSecrets()
	d.mustBackup(makeTree(t, map[string]string{"a": "one"}))
	fresh := d.add(protocol.RoleOwner)
	good := d.server.pack(d.server.order[0])
	st, err := snapshot.ParsePackStatement(good.statement)
	check(t, err)
	byStranger := *st
	raw := byStranger.Sign(stranger)
	good.statement, raw = raw, good.statement
	if packs, _ := fresh.known(); len(packs) != 0 || len(fresh.warned) != 1 {
		t.Errorf("a stranger's: %d packs, warned of %v", len(packs), fresh.warned)
	}
	otherRun := *st
	otherRun.Run[0] ^= 1
	good.statement = otherRun.Sign(d.self)
	if packs, _ := fresh.known(); len(packs) != 0 || len(fresh.warned) != 2 {
		t.Errorf("another run's: %d packs, warned of %v", len(packs), fresh.warned)
	}
	good.statement = raw
	if packs, _ := fresh.known(); len(packs) != 1 {
		t.Errorf("its own: %d packs", len(packs))
	}
}

// TestOwnerReliesOnNoWriter plants a writer's pack that claims to hold what the
// owner is about to store: the owner must store it itself.
func TestOwnerReliesOnNoWriter(t *testing.T) {
	d := newFakeAccount(t)
	writer, dir := d.add(protocol.RoleWriter), makeTree(t, map[string]string{"a": "one"})
	var secrets *tree.Secrets
	d.with(func(v *Vault) { secrets = v.own })
	writer.with(func(v *Vault) {
		run, ctx := newRun(t, v), context.Background()
		packer := tree.NewPacker(ctx, tree.PackerOptions{Run: run, Secrets: secrets, Sink: func(ctx context.Context, p *tree.Finished) error {
			return v.store(ctx, run, p)
		}})
		defer packer.Close()
		name := tree.NewNames(secrets.Naming).Name(tree.KindFile, []byte("one"))
		check(t, packer.Add(ctx, tree.KindFile, name, []byte("bad")))
		check(t, packer.Flush(ctx))
	})
	d.mustBackup(dir)
	if packs, _ := d.known(); slices.Contains(packs, d.server.order[0]) {
		t.Error("the planted pack is in the owner's index")
	}
	if got := d.readable(); got[dir+"/a"] != "one" {
		t.Errorf("read back %v", got)
	}
}

// TestLearnLongIndex takes in packs whose index is longer than a block.
func TestLearnLongIndex(t *testing.T) {
	d, dir := newFakeAccount(t), t.TempDir()
	for i := range 4500 {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Append(nil, "content ", i), 0o600))
	}
	d.mustBackup(dir)
	fresh := d.add(protocol.RoleOwner)
	r := fresh.mustBackup(dir)
	if r.Files != 4500 || r.Added > 1<<16 {
		t.Errorf("what the other device stored is not known: %+v", r)
	}
}

// TestSnapshotsAndFind lists, filters and finds; a record that nobody can open
// hides no other.
func TestSnapshotsAndFind(t *testing.T) {
	d := newFakeAccount(t)
	one, two := makeTree(t, map[string]string{"a": "one"}), makeTree(t, map[string]string{"b": "two"})
	for _, o := range []RunOptions{
		{Paths: []string{one}, Host: "laptop", Tags: []string{"daily", "home"}},
		{Paths: []string{two}, Host: "server", Tags: []string{"daily"}},
		{Paths: []string{one, two}, Host: "laptop"},
	} {
		_, err := d.backup(o)
		check(t, err)
	}
	d.with(func(v *Vault) {
		run := newRun(t, v)
		_, err := v.propose(context.Background(), run, snapshot.ActRun, &details{List: &ListDetails{Time: 1}}, nil)
		check(t, err)
	})
	d.with(func(v *Vault) {
		list, err := v.Snapshots()
		check(t, err)
		if len(list) != 3 || len(d.warned) == 0 {
			t.Fatalf("%d snapshots, warned of %v", len(list), d.warned)
		}
		for _, c := range []struct {
			filter Filter
			want   string // positions in the chain
		}{
			{Filter{}, "1 2 3"},
			{Filter{Hosts: []string{"laptop"}}, "1 3"},
			{Filter{Hosts: []string{"laptop", "server"}, Paths: []string{two}}, "2 3"},
			{Filter{Tags: []string{"daily,home"}}, "1"},
			{Filter{Tags: []string{"home", "daily"}}, "1 2"},
			{Filter{Tags: []string{""}}, "3"},
			{Filter{Hosts: []string{"nobody"}}, ""},
		} {
			var got []string
			for _, s := range list {
				if c.filter.Matches(s) {
					got = append(got, fmt.Sprint(s.Seq))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v: %v, want %s", c.filter, got, c.want)
			}
		}
		s, path, err := v.Find("latest:/etc:x", Filter{Hosts: []string{"server"}})
		if err != nil || s.Seq != 2 || path != "/etc:x" {
			t.Errorf("latest of server: %+v, %q, %v", s, path, err)
		}
		s, _, err = v.Find(strings.ToUpper(list[0].ID.String()[:12]), Filter{})
		if err != nil || s.Seq != 1 {
			t.Errorf("by its beginning: %+v, %v", s, err)
		}
		_, _, err = v.Find("0000000000", Filter{})
		wantKind(t, err, protocol.KindNotFound)
		_, _, err = v.Find("", Filter{})
		wantKind(t, err, protocol.KindUsage)
	})
}
