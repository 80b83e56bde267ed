// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

// readable reads every chunk that the device's live snapshots refer to, and
// returns the content of all files by path.
func (d *fakeDevice) readable() map[string]string {
	d.t.Helper()
	content := map[string]string{}
	d.with(func(v *Vault) {
		list, err := v.Snapshots()
		check(d.t, err)
		for _, s := range list {
			r := &treeReader{t: d.t, reader: v.mustBrowse(d.t), content: content}
			r.folder("", s.Root)
		}
	})
	return content
}

func TestRunStoresAndGoesOn(t *testing.T) {
	d := newFakeAccount(t)
	dir := makeTree(t, map[string]string{"a/1": "one", "a/b/2": strings.Repeat("two", 1<<20), "empty/": "", "3": ""})
	first := d.mustBackup(dir)
	if first.Files != 3 || first.PacksSent == 0 || first.Seq != 1 {
		t.Fatalf("first: %+v", first)
	}
	second := d.mustBackup(dir)
	if second.Seq != 2 || second.Unchanged != 3 || second.Read != 0 || second.Added > 1<<16 {
		t.Fatalf("second: %+v", second)
	}
	got := d.readable()
	if len(got) != 3 || got[dir+"/a/1"] != "one" || len(got[dir+"/a/b/2"]) != 3<<20 {
		t.Errorf("read back %d files", len(got))
	}
}

// TestRunEmptySources backs up folders in which there is nothing to wait for: the
// assembler is through with them before the walk is.
func TestRunEmptySources(t *testing.T) {
	d := newFakeAccount(t)
	for range 30 {
		dir := makeTree(t, map[string]string{"a/": "", "b/": "", "c/": ""})
		r := d.mustBackup(filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c"))
		if want := int64(3 + strings.Count(dir, "/")); r.Folders != want {
			t.Fatalf("%d folders, want %d", r.Folders, want)
		}
	}
}

func TestRunWithoutSources(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"there": "x"})
	_, err := d.backup(RunOptions{Paths: []string{filepath.Join(dir, "missing/too"), filepath.Join(dir, "missing")}})
	wantKind(t, err, protocol.KindNotFound)
	r, err := d.backup(RunOptions{Paths: []string{filepath.Join(dir, "missing/too"), filepath.Join(dir, "there")}})
	check(t, err)
	if r.Problems != 1 || r.Files != 1 || len(d.server.records) != 1 {
		t.Errorf("one of two: %+v", r)
	}
}

// TestRunHardLinkOutlivesItsFirstName removes a file's first name between the
// listing and the reading.
func TestRunHardLinkOutlivesItsFirstName(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "linked", "0": "first"})
	check(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	s := &scan{}
	folder, err := files.OpenFolder(dir)
	check(t, err)
	defer folder.Close()
	first := &fileJob{folder: folder, name: []byte("a"), done: make(chan struct{})}
	close(first.done) // it was not there any more: no entry
	if s.isLinked(&fileJob{folder: folder, name: []byte("b"), first: first, done: make(chan struct{})}) {
		t.Error("nothing was taken over from a name that is gone")
	}
	d.mustBackup(dir)
	if got := d.readable(); got[dir+"/a"] != "linked" || got[dir+"/b"] != "linked" {
		t.Errorf("read back %v", got)
	}
}

// TestRunPruned retires what a snapshot that was forgotten left: what the next
// run needs of it is sent again, by owners and writers.
func TestRunPruned(t *testing.T) {
	for _, role := range []protocol.Role{protocol.RoleOwner, protocol.RoleWriter} {
		for _, act := range []snapshot.PruneAct{snapshot.PruneRetire, snapshot.PruneDrop} {
			owner := newFakeAccount(t)
			d, dir := owner, makeTree(t, map[string]string{"a": "one", "b/c": "two"})
			if role == protocol.RoleWriter {
				d = owner.add(role)
			}
			d.mustBackup(dir)
			packs := owner.server.order
			owner.prune(snapshot.PruneRetire, append([]protocol.PackID(nil), packs...)...)
			if act == snapshot.PruneDrop {
				owner.prune(snapshot.PruneDrop, append([]protocol.PackID(nil), packs...)...)
			}
			before := len(owner.server.records)
			r := d.mustBackup(dir)
			if r.PacksSent == 0 {
				t.Errorf("%v after %v: what was retired is relied on", role, act)
			}
			if len(owner.server.records) != before+1 {
				t.Errorf("%v after %v: %d records", role, act, len(owner.server.records))
			}
		}
	}
}

// TestRunPrunedMeanwhile retires packs between a run's scan and its commit.
func TestRunPrunedMeanwhile(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one", "b/c": "two"})
	d.mustBackup(dir)
	other := d.add(protocol.RoleOwner)
	pruned := false
	d.server.onCommit = func() error {
		if !pruned {
			pruned = true
			other.prune(snapshot.PruneRetire, append([]protocol.PackID(nil), d.server.order...)...)
		}
		return nil
	}
	check(t, os.WriteFile(filepath.Join(dir, "new"), []byte("three"), 0o644))
	r := d.mustBackup(dir)
	if r.Files != 3 || r.PacksSent < 2 {
		t.Errorf("done again: %+v", r)
	}
	d.server.onCommit = nil
	d.with(func(v *Vault) {
		for id := range v.prunes.Retired() {
			if p, known, err := v.index.Pack(id); err != nil || known && p.Usable {
				t.Errorf("pack %s is relied on: %v", id, err)
			}
		}
	})
}

// TestRunNewKeysMeanwhile removes a device while a run is sending: the provider
// refuses packs of the old epoch, and the run is done again under the new one.
func TestRunNewKeysMeanwhile(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one"})
	other := d.add(protocol.RoleOwner)
	second := d.add(protocol.RoleOwner)
	moved := false
	d.server.onPut = func(protocol.PackID) error {
		if moved {
			return nil
		}
		moved = true
		second.remove(other)
		return protocol.Errorf(protocol.KindConflict, "the vault has new keys")
	}
	d.mustBackup(dir)
	if got := d.readable(); got[dir+"/a"] != "one" {
		t.Errorf("read back %v", got)
	}
}

// TestRunConflictForEver ends with an error where the provider only ever refuses.
func TestRunConflictForEver(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one"})
	conflict := protocol.Errorf(protocol.KindConflict, "no")
	d.server.onPut = func(protocol.PackID) error { return conflict }
	_, err := d.backup(RunOptions{Paths: []string{dir}})
	wantKind(t, err, protocol.KindBusy)
	d.server.onPut, d.server.onCommit = nil, func() error { return conflict }
	_, err = d.backup(RunOptions{Paths: []string{dir}})
	wantKind(t, err, protocol.KindBusy)
}

// TestRunReliesOnPresentDevicesOnly removes a device whose packs another one
// deduplicated against.
func TestRunReliesOnPresentDevicesOnly(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one", "b/c": "two"})
	thief := d.add(protocol.RoleOwner)
	thief.mustBackup(dir)
	if r := d.mustBackup(dir); r.PacksSent > 1 { // of its own there may be a node
		t.Fatalf("nothing was deduplicated: %+v", r)
	}
	d.remove(thief)
	thiefs := len(d.server.order)
	d.mustBackup(dir)
	for i, id := range d.server.order {
		st, err := snapshot.ParsePackStatement(d.server.pack(id).statement)
		check(t, err)
		if i < thiefs && st.Device == thief.self.ID() {
			d.server.pack(id).state = api.PackDropped
		}
	}
	d.with(func(v *Vault) {
		list, err := v.Snapshots()
		check(t, err)
		r := &treeReader{t: t, reader: v.mustBrowse(t), content: map[string]string{}}
		r.folder("", list[len(list)-1].Root)
		if len(r.content) != 2 {
			t.Errorf("read back %v", r.content)
		}
	})
}

// TestRunHealsWhatIsBroken stores what a check found broken again, without being
// told to read everything.
func TestRunHealsWhatIsBroken(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one", "b/c": "two"})
	d.mustBackup(dir)
	lost := d.server.order[0]
	d.with(func(v *Vault) { check(t, v.setBroken(map[protocol.PackID]bool{lost: true})) })
	d.server.pack(lost).state = api.PackDropped
	if r := d.mustBackup(dir); r.PacksSent == 0 {
		t.Fatalf("nothing was sent: %+v", r)
	}
	d.forget(snapshot.HashOf(d.server.records[0]))
	if got := d.readable(); got[dir+"/a"] != "one" || got[dir+"/b/c"] != "two" {
		t.Errorf("read back %v", got)
	}
}

// TestCloseWithoutIndex closes a vault whose index could not be built anew.
func TestCloseWithoutIndex(t *testing.T) {
	d := newFakeAccount(t)
	d.with(func(v *Vault) {
		check(t, v.index.Close())
		v.index = nil
		check(t, v.Close())
	})
}

func TestRunSkipsWhatIsUnchanged(t *testing.T) {
	d := newFakeAccount(t)
	one, two := makeTree(t, map[string]string{"a": "one"}), makeTree(t, map[string]string{"b": "two"})
	skip := func(dir string) *Result {
		r, err := d.backup(RunOptions{Paths: []string{dir}, SkipIfUnchanged: true})
		check(t, err)
		return r
	}
	first := skip(one)
	if first.Snapshot.IsZero() || skip(two).Snapshot.IsZero() {
		t.Fatal("a first run makes a snapshot")
	}
	if !skip(one).Snapshot.IsZero() {
		t.Fatal("nothing changed, and a snapshot was made")
	}
	d.forget(first.Snapshot)
	if skip(one).Snapshot.IsZero() {
		t.Error("the snapshot of these sources was forgotten, and none was made")
	}
}

// forget lets a device state that a snapshot is not live any more.
func (d *fakeDevice) forget(gone protocol.Hash) {
	d.t.Helper()
	d.with(func(v *Vault) {
		var live []protocol.Hash
		for id := range v.chain.Live() {
			if id != gone {
				live = append(live, id)
			}
		}
		slices.SortFunc(live, func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
		_, err := v.propose(context.Background(), newRun(d.t, v), snapshot.ActList, &details{List: &ListDetails{Time: 1}}, live)
		check(d.t, err)
	})
}

func TestRunDry(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one", "b": "two"})
	r, err := d.backup(RunOptions{Paths: []string{dir}, DryRun: true})
	check(t, err)
	if r.Files != 2 || r.Added == 0 || len(d.server.packs)+len(d.server.records) != 0 {
		t.Errorf("dry: %+v, %d packs", r, len(d.server.packs))
	}
	d.mustBackup(dir)
	r, err = d.backup(RunOptions{Paths: []string{dir}, DryRun: true})
	check(t, err)
	if r.Unchanged != 2 || r.Read != 0 || len(d.server.records) != 1 {
		t.Errorf("dry after a run: %+v", r)
	}
	if left, err := filepath.Glob("/dev/null.new*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRunCountsWhileItRuns reads the progress of a run that is done again.
func TestRunCountsWhileItRuns(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one"})
	times := 0
	d.server.onCommit = func() error {
		if times++; times == 1 {
			d.server.onCommit = nil
			return protocol.Errorf(protocol.KindConflict, "moved")
		}
		return nil
	}
	d.with(func(v *Vault) {
		run := v.NewRun(RunOptions{Paths: []string{dir}})
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				default:
					run.Progress()
				}
			}
		}()
		r, err := run.Do(context.Background())
		close(done)
		<-ended
		check(t, err)
		if r.Files != 1 || r.PacksSent == 0 {
			t.Errorf("%+v", r)
		}
		run.startOver()
		if p := run.Progress(); p.Files != 0 || p.PacksSent != r.PacksSent {
			t.Errorf("after starting over: %+v", p)
		}
	})
}
