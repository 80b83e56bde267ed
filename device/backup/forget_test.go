// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

func TestForgetByPolicyAndByName(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	dry := k.forget(d, ForgetOptions{Policy: Policy{Last: 1}, DryRun: true})
	if len(dry.Forgotten) != 2 || dry.Kept != 1 || !dry.Record.IsZero() || len(k.live(d)) != 3 {
		t.Fatalf("a dry run: %+v", dry)
	}
	r := k.forget(d, ForgetOptions{Policy: Policy{Last: 2}, GroupBy: []string{"host", "paths"}})
	if len(r.Forgotten) != 1 || r.Forgotten[0].ID != ids[0] || r.Record.IsZero() || len(r.Groups) != 1 || r.Groups[0].Host != "host" {
		t.Fatalf("it forgot %+v", r)
	}
	if again := k.forget(d, ForgetOptions{Policy: Policy{Last: 2}}); len(again.Forgotten) != 0 || !again.Record.IsZero() || len(k.records) != 4 {
		t.Errorf("again: %+v", again)
	}
	k.forget(d, ForgetOptions{IDs: []string{ids[1].String()[:10], Latest, ids[2].String()}})
	if live := k.live(d); len(live) != 0 {
		t.Errorf("live are %v", live)
	}
}

func TestForgetRefuses(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	for name, test := range map[string]struct {
		o    ForgetOptions
		kind protocol.Kind
	}{
		"no rule":            {ForgetOptions{}, protocol.KindUsage},
		"rules and names":    {ForgetOptions{IDs: []string{ids[0].String()}, Policy: Policy{Last: 1}}, protocol.KindUsage},
		"a strange group":    {ForgetOptions{Policy: Policy{Last: 1}, GroupBy: []string{"user"}}, protocol.KindUsage},
		"an unknown name":    {ForgetOptions{IDs: []string{strings.Repeat("0", 64)}}, protocol.KindNotFound},
		"an empty name":      {ForgetOptions{IDs: []string{""}}, protocol.KindNotFound},
		"one unknown of two": {ForgetOptions{IDs: []string{ids[0].String(), "zz"}}, protocol.KindNotFound},
	} {
		k.on(d, func(v *Vault) {
			_, err := v.Forget(context.Background(), test.o)
			if protocol.KindOf(err) != test.kind {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	k.now = 0 // a clock that was reset
	k.on(d, func(v *Vault) {
		_, err := v.Forget(context.Background(), ForgetOptions{Policy: Policy{Last: 1}})
		wantKind(t, err, protocol.KindUsage)
	})
	if len(k.live(d)) != 3 {
		t.Error("something was forgotten")
	}
}

// TestForgetLooksAgain commits a backup of another device in between: its
// snapshot must not be lost, and rules are applied to what is there then.
func TestForgetLooksAgain(t *testing.T) {
	a := newFakeAccount(t)
	b := a.add(protocol.RoleOwner)
	k := newKeeper(t, a)
	dir, ids := k.history(a)
	var came protocol.Hash
	testingOnlyBeforeList = func() {
		if came.IsZero() {
			came = k.backup(b, dir)
		}
	}
	defer func() { testingOnlyBeforeList = nil }()
	r := k.forget(a, ForgetOptions{Policy: Policy{Last: 2}})
	if len(r.Forgotten) != 2 {
		t.Errorf("it forgot %d", len(r.Forgotten))
	}
	if live := k.live(b); !slices.Equal(live, []protocol.Hash{ids[2], came}) {
		t.Errorf("live are %v", live)
	}
}

func TestForgetMeansTheSnapshotThatItSaw(t *testing.T) {
	a := newFakeAccount(t)
	b := a.add(protocol.RoleOwner)
	k := newKeeper(t, a)
	dir, ids := k.history(a)
	var came protocol.Hash
	testingOnlyBeforeList = func() {
		if came.IsZero() {
			came = k.backup(b, dir)
		}
	}
	defer func() { testingOnlyBeforeList = nil }()
	r := k.forget(a, ForgetOptions{IDs: []string{Latest}})
	if len(r.Forgotten) != 1 || r.Forgotten[0].ID != ids[2] {
		t.Errorf("it forgot %d, the first is %s", len(r.Forgotten), r.Forgotten[0].ID)
	}
	if live := k.live(b); !slices.Equal(live, []protocol.Hash{ids[0], ids[1], came}) {
		t.Errorf("live are %v", live)
	}
}

func TestForgetGivesUpAtLast(t *testing.T) {
	a := newFakeAccount(t)
	b := a.add(protocol.RoleOwner)
	k := newKeeper(t, a)
	dir, _ := k.history(a)
	testingOnlyBeforeList = func() { k.backup(b, dir) }
	defer func() { testingOnlyBeforeList = nil }()
	k.on(a, func(v *Vault) {
		_, err := v.Forget(context.Background(), ForgetOptions{Policy: Policy{Last: 1}})
		wantKind(t, err, protocol.KindBusy)
	})
	testingOnlyBeforeList = nil
	if n := len(k.live(a)); n != 3+maxTries {
		t.Errorf("%d snapshots are live", n)
	}
}

func TestForgetGroups(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	one, two := makeTree(t, map[string]string{"a": "1"}), makeTree(t, map[string]string{"b": "2"})
	for _, dir := range []string{one, two, one, two} {
		k.backup(d, dir, "x")
	}
	k.backup(d, one, "y")
	for _, test := range []struct {
		by     []string
		filter Filter
		keep   int
		groups int
	}{
		{nil, Filter{}, 1, 1},
		{[]string{"host"}, Filter{}, 1, 1},
		{[]string{"host", "paths"}, Filter{}, 2, 2},
		{[]string{"tags"}, Filter{}, 2, 2},
		{[]string{"paths", "tags"}, Filter{}, 3, 3},
		{nil, Filter{Paths: []string{one}}, 3, 1},
		{nil, Filter{Tags: []string{"y"}}, 5, 1},
		{nil, Filter{Hosts: []string{"elsewhere"}}, 5, 0},
	} {
		r := k.forget(d, ForgetOptions{Policy: Policy{Last: 1}, GroupBy: test.by, Filter: test.filter, DryRun: true})
		if r.Kept != test.keep || len(r.Groups) != test.groups {
			t.Errorf("by %v, %+v: %d kept in %d groups", test.by, test.filter, r.Kept, len(r.Groups))
		}
	}
}

// lie commits a snapshot that claims what it likes, as a writer under false
// control would.
func (k *keeper) lie(d *fakeDevice, root protocol.Hash, claims RunDetails) (id protocol.Hash) {
	k.t.Helper()
	k.on(d, func(v *Vault) {
		to, err := v.recipient()
		check(k.t, err)
		run, err := seal.NewRun(to)
		check(k.t, err)
		claims.Root, claims.Namer, claims.Host = root, v.own.Namer, "host"
		raw, err := v.propose(context.Background(), run, snapshot.ActRun, &details{Run: &claims}, nil)
		check(k.t, err)
		id = snapshot.HashOf(raw)
	})
	return id
}

// removing removes a device whose last record that counts is the one given.
func removing(d *fakeDevice, last protocol.Hash, seq uint64) func(*Vault, *keyring.Draft) error {
	return func(v *Vault, draft *keyring.Draft) error {
		head := ledger.VaultHead{Vault: v.o.Vault, Seq: seq, Hash: last}
		return draft.RemoveDevice(d.self.ID(), []ledger.VaultHead{head}, []*keyring.VaultSecrets{v.opens})
	}
}

// TestWritersEvictNothing floods a vault with junk of false hosts and dates.
func TestWritersEvictNothing(t *testing.T) {
	owner := newFakeAccount(t)
	writer, thief := owner.add(protocol.RoleWriter), owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	dir := makeTree(t, map[string]string{"a": "1"})
	var good []protocol.Hash
	for day := range 5 {
		write(t, dir, "day", 100, byte(day))
		good = append(good, k.backup(owner, dir), k.backup(writer, dir))
		k.now += aDay
	}
	for i := range 40 {
		at := k.now + protocol.Time(i-20)*aDay
		k.lie(thief, protocol.Hash{byte(i + 1)}, RunDetails{Began: at, Ended: at, Paths: [][]byte{[]byte(dir)}})
	}
	for _, by := range [][]string{nil, {"host"}, {"host", "paths"}, {"tags"}} {
		for _, p := range []Policy{{Last: 5}, {Daily: 5}, {Hourly: 5}, {Last: 1, Within: Span{Days: 30}}} {
			r := k.forget(owner, ForgetOptions{Policy: p, GroupBy: by, DryRun: true})
			for _, s := range r.Forgotten {
				if slices.Contains(good, s.ID) {
					t.Errorf("%+v by %v: snapshot %d is evicted", p, by, s.Seq)
				}
			}
		}
	}
}

// TestJunkOfTheSameWriterEvictsNothingOfThePast is about a writer that was good
// until today.
func TestJunkOfTheSameWriterEvictsNothingOfThePast(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	dir := makeTree(t, map[string]string{"a": "1"})
	var good []protocol.Hash
	for day := range 5 {
		write(t, dir, "day", 100, byte(day))
		good = append(good, k.backup(writer, dir))
		k.now += aDay - aHour
	}
	k.now -= aDay - 2*aHour
	for i := range 40 {
		at := k.now + protocol.Time(i-20)*aDay
		k.lie(writer, protocol.Hash{byte(i + 1)}, RunDetails{Began: at, Ended: at, Paths: [][]byte{[]byte(dir)}})
	}
	r := k.forget(owner, ForgetOptions{Policy: Policy{Daily: 6}, GroupBy: []string{"host", "paths"}})
	for _, s := range r.Forgotten {
		if slices.Contains(good, s.ID) {
			t.Errorf("snapshot %d is evicted", s.Seq)
		}
	}
	if r.Kept > 8 {
		t.Errorf("%d are kept: the junk stays", r.Kept)
	}
}

func TestForgetWhatDoesNotOpen(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	_, ids := k.history(owner)
	var junk protocol.Hash
	k.on(writer, func(v *Vault) {
		to, err := v.recipient()
		check(t, err)
		run, err := seal.NewRun(to)
		check(t, err)
		raw, err := v.propose(context.Background(), run, snapshot.ActRun, &details{List: &ListDetails{}}, nil)
		check(t, err)
		junk = snapshot.HashOf(raw)
	})
	if live := k.live(owner); !slices.Equal(live, ids) || len(owner.warned) == 0 {
		t.Fatalf("listed are %v", live)
	}
	k.on(owner, func(v *Vault) {
		_, err := v.Prune(context.Background(), PruneOptions{})
		wantKind(t, err, protocol.KindUnreadable)
		if !strings.Contains(err.Error(), junk.String()) {
			t.Errorf("the error does not name it: %v", err)
		}
	})
	r, damage := k.examine(owner, CheckOptions{})
	if r.Untrusted != 1 || damage[0].What != DamageSnapshot {
		t.Errorf("a check finds %s", words(damage))
	}
	k.forget(owner, ForgetOptions{IDs: []string{junk.String()}})
	k.prune(owner, PruneOptions{})
	k.check(owner)
}

func TestTags(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	tag := func(o TagOptions) (n int) {
		k.on(d, func(v *Vault) {
			changed, err := v.Tag(context.Background(), o)
			check(t, err)
			n = len(changed)
		})
		return n
	}
	tagsOf := func(id protocol.Hash) (tags string) {
		k.on(d, func(v *Vault) {
			s, _, err := v.Find(id.String(), Filter{})
			check(t, err)
			tags = strings.Join(s.Tags, ",")
		})
		return tags
	}
	for i, test := range []struct {
		o       TagOptions
		changed int
		tags    string // of the first one
	}{
		{TagOptions{Add: []string{"a", "b", "a", ""}}, 3, "a,b"},
		{TagOptions{Add: []string{"a"}}, 0, "a,b"},
		{TagOptions{IDs: []string{ids[0].String()}, Remove: []string{"a"}}, 1, "b"},
		{TagOptions{Filter: Filter{Tags: []string{"a"}}, Add: []string{"c"}}, 2, "b"},
		{TagOptions{IDs: []string{ids[0].String()}, Replace: true, Set: []string{"x", "y"}}, 1, "x,y"},
		{TagOptions{Add: []string{"z"}, Remove: []string{"x", "z"}}, 1, "y"},
		{TagOptions{IDs: []string{ids[0].String()}, Replace: true, Set: []string{""}}, 1, ""},
	} {
		if n := tag(test.o); n != test.changed {
			t.Errorf("step %d changed %d, want %d", i, n, test.changed)
		}
		if got := tagsOf(ids[0]); got != test.tags {
			t.Errorf("step %d leaves %q, want %q", i, got, test.tags)
		}
	}
	if tagsOf(ids[1]) != "a,b,c" {
		t.Errorf("the second one has %q", tagsOf(ids[1]))
	}
	k.forget(d, ForgetOptions{Policy: Policy{Tags: []string{"a,c"}}})
	if live := k.live(d); !slices.Equal(live, ids[1:]) || tagsOf(ids[1]) != "a,b,c" {
		t.Errorf("after a forget, live are %v, and tags %q", live, tagsOf(ids[1]))
	}
	for _, o := range []TagOptions{{}, {Replace: true, Add: []string{"a"}}} {
		k.on(d, func(v *Vault) {
			_, err := v.Tag(context.Background(), o)
			wantKind(t, err, protocol.KindUsage)
		})
	}
}

func TestTagsThatNoListHolds(t *testing.T) {
	s := &statement{tags: map[protocol.Hash][]string{}}
	long := strings.Repeat("t", 5000)
	for i := range 1000 {
		hash := protocol.Hash{byte(i), byte(i >> 8), 1}
		s.tags[hash] = []string{long}
		if i%100 == 0 {
			s.live = append(s.live, hash)
		}
	}
	d := s.details(7)
	if len(d.List.Tags) != len(s.live) || d.List.Time != 7 {
		t.Errorf("%d tags are restated, and %d are live", len(d.List.Tags), len(s.live))
	}
	s.tags = map[protocol.Hash][]string{{1}: {"a"}, {2}: {"b"}}
	if d := s.details(7); len(d.List.Tags) != 2 || d.List.Tags[0].Snapshot != (protocol.Hash{1}) {
		t.Errorf("restated are %+v", d.List.Tags)
	}
}

func TestRolesInClaims(t *testing.T) {
	owner := newFakeAccount(t)
	writer := owner.add(protocol.RoleWriter)
	k := newKeeper(t, owner)
	dir := makeTree(t, map[string]string{"a": "1"})
	id := k.backup(owner, dir)
	k.backup(writer, dir)
	k.forget(owner, ForgetOptions{IDs: []string{id.String()}})
	k.on(owner, func(v *Vault) {
		claims, err := v.claims()
		check(t, err)
		if len(claims) != 3 || !claims[0].owner || claims[1].owner || !claims[2].owner || claims[2].run || !claims[1].run {
			t.Errorf("claims are %+v", claims)
		}
		if got := v.writer(writer.self.ID()); got != writer.self.ID() || !v.writer(owner.self.ID()).IsZero() {
			t.Errorf("the writer is %s", got)
		}
	})
}
