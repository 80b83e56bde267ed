// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
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

// TestRunKilled ends a run at each of its writes, and lets the next one go on.
func TestRunKilled(t *testing.T) {
	dir := makeTree(t, map[string]string{})
	for i := range 4 {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), bytesOf(9<<20, byte(i)), 0o644))
	}
	killed := errors.New("killed")
	for _, at := range []int{1, 2, 3} {
		d := newFakeAccount(t)
		d.server.onPut = func(protocol.PackID) error {
			if d.server.puts.Load() >= int64(at) {
				return killed
			}
			return nil
		}
		_, err := d.backup(RunOptions{Paths: []string{dir}})
		if !errors.Is(err, killed) {
			t.Fatalf("put %d: %v", at, err)
		}
		stored := len(d.server.packs)
		d.server.onPut = nil
		d.server.puts.Store(0)
		d.mustBackup(dir)
		if d.server.puts.Load()+int64(stored) > 5 {
			t.Errorf("put %d: %d packs were stored, %d sent after", at, stored, d.server.puts.Load())
		}
		if got := d.readable(); len(got) != 4 {
			t.Errorf("put %d: read back %d files", at, len(got))
		}
	}
}

// bytesOf returns bytes that do not shrink.
func bytesOf(n int, seed byte) []byte {
	b, x := make([]byte, n), uint64(seed)+88172645463325252
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// TestRunKilledAfterPut leaves packs that the index does not know: the journal
// does, and asks for them.
func TestRunKilledAfterPut(t *testing.T) {
	for _, role := range []protocol.Role{protocol.RoleOwner, protocol.RoleWriter} {
		owner := newFakeAccount(t)
		d, dir := owner, makeTree(t, map[string]string{"a": strings.Repeat("one", 1<<18)})
		if role == protocol.RoleWriter {
			d = owner.add(role)
		}
		stop := errors.New("killed")
		d.server.onCommit = func() error { return stop }
		if _, err := d.backup(RunOptions{Paths: []string{dir}}); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		d.server.onCommit = nil
		check(t, os.RemoveAll(filepath.Join(d.dir, "cache/vaults", d.is.BackupVault.String(), state.CacheIndex)))
		// Folders on the way to the source may have changed, and are new then.
		if r := d.mustBackup(dir); r.Added > 1<<16 {
			t.Errorf("%v: sent again: %+v", role, r)
		}
		if got := owner.readable(); len(got[dir+"/a"]) != 3<<18 {
			t.Errorf("%v: read back %d bytes", role, len(got[dir+"/a"]))
		}
	}
}

// TestRunDamagedJournal goes on without a journal that nobody can read, and
// without another device's.
func TestRunDamagedJournal(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one"})
	journal := filepath.Join(d.dir, "cache/vaults", d.is.BackupVault.String(), state.CacheJournal)
	check(t, os.MkdirAll(filepath.Dir(journal), 0o700))
	check(t, os.WriteFile(journal, make([]byte, 100), 0o600))
	d.mustBackup(dir)
	if len(d.warned) != 1 {
		t.Errorf("warned of %v", d.warned)
	}
	other, err := tree.CreateJournal(journal, tree.JournalAbout{Account: d.is.Account, Vault: d.is.BackupVault, Run: protocol.RunID{1}})
	check(t, err)
	index := &tree.PackIndex{Frames: []tree.Frame{{Kind: tree.KindFile, Sealed: 20, Raw: 4, Chunks: []tree.PackedChunk{{Length: 4}}}}}
	check(t, other.Add(tree.JournalPack{ID: protocol.PackID{7}, Size: 4096, Index: index}))
	check(t, other.Close())
	d.server.packs[protocol.PackID{7}] = &fakePack{state: api.PackStored}
	d.mustBackup(dir)
	d.with(func(v *Vault) {
		if _, known, err := v.index.Pack(protocol.PackID{7}); known || err != nil {
			t.Errorf("another device's pack was adopted: %v", err)
		}
	})
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

// TestRunDamagedIndex flips bytes all over the local index: it is built anew, and
// the run goes on.
func TestRunDamagedIndex(t *testing.T) {
	for _, role := range []protocol.Role{protocol.RoleOwner, protocol.RoleWriter} {
		owner := newFakeAccount(t)
		d, dir := owner, makeTree(t, map[string]string{"a": "one", "b/c": "two"})
		if role == protocol.RoleWriter {
			d = owner.add(role)
		}
		d.mustBackup(dir)
		list, err := filepath.Glob(filepath.Join(d.dir, "cache/vaults", d.is.BackupVault.String(), state.CacheIndex, "*"))
		check(t, err)
		for _, path := range list {
			data, err := os.ReadFile(path)
			check(t, err)
			for i := 40; i < len(data); i += 16 {
				data[i] ^= 1
			}
			check(t, os.WriteFile(path, data, 0o600))
		}
		r, err := d.backup(RunOptions{Paths: []string{dir}, Force: true})
		check(t, err)
		if r.Files != 2 || len(d.warned) == 0 {
			t.Errorf("%v: %+v, %v", role, r, d.warned)
		}
		if got := owner.readable(); got[dir+"/b/c"] != "two" {
			t.Errorf("%v: read back %v", role, got)
		}
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

// TestRunStopped makes a partial snapshot, and does not forget what an earlier
// run knew.
func TestRunStopped(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{})
	for i := range 50 {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), bytesOf(1<<10, byte(i)), 0o644))
	}
	stop := make(chan struct{})
	close(stop)
	_, err := d.backup(RunOptions{Paths: []string{dir}, Stop: stop})
	wantKind(t, err, protocol.KindInterrupted)
	d.mustBackup(dir)
	last := lastFiles(t, d)
	half := make(chan struct{})
	var once sync.Once
	check(t, os.WriteFile(filepath.Join(dir, "00"), bytesOf(20<<20, 77), 0o644))
	d.server.onPut = func(protocol.PackID) error { once.Do(func() { close(half) }); return nil }
	r, err := d.backup(RunOptions{Paths: []string{dir}, Stop: half, Force: true, Readers: 1})
	check(t, err)
	d.server.onPut = nil
	if after := lastFiles(t, d); r.Partial && after != last {
		t.Errorf("a partial run put %d bytes in the place of %d", after, last)
	}
	if r.Partial {
		if kept, err := stateOf(d); err != nil || kept.Seq != 1 {
			t.Errorf("the last complete backup is %+v, %v", kept, err)
		}
	}
	d.mustBackup(dir)
}

// lastFiles returns the size of the device's only file of a last run.
func lastFiles(t *testing.T, d *fakeDevice) int64 {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(d.dir, "cache/vaults", d.is.BackupVault.String(), state.CacheRun+"*"))
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("files of last runs: %v", list)
	}
	info, err := os.Stat(list[0])
	check(t, err)
	return info.Size()
}

func stateOf(d *fakeDevice) (last *state.LastBackup, err error) {
	d.with(func(v *Vault) { last, err = v.kept.LastBackup() })
	return last, err
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
	again := first
	for tries := 0; !again.Snapshot.IsZero(); tries++ { // folders on the way to the source may change meanwhile
		if first = again; tries == 50 {
			t.Fatal("nothing changed, and a snapshot was made")
		}
		again = skip(one)
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

func TestRunStdin(t *testing.T) {
	d := newFakeAccount(t)
	stdin := func(in io.Reader, stop <-chan struct{}) (*Result, error) {
		return d.backup(RunOptions{Paths: []string{"/dumps/shop.sql"}, Stdin: &Stdin{Reader: in, Mode: 0o600}, Stop: stop})
	}
	r, err := stdin(strings.NewReader(strings.Repeat("dump", 1<<19)), nil)
	check(t, err)
	if r.Files != 1 || r.Bytes != 2<<20 || r.Snapshot.IsZero() {
		t.Errorf("%+v", r)
	}
	if got := d.readable(); len(got["/dumps/shop.sql"]) != 2<<20 {
		t.Errorf("read back %d bytes", len(got["/dumps/shop.sql"]))
	}
	_, err = stdin(io.MultiReader(strings.NewReader("begin"), brokenReader{}), nil)
	if !errors.Is(err, errBroken) {
		t.Errorf("a broken stream: %v", err)
	}
	// A stream that never ends is left at the interrupt, as is one that ends by it.
	stop := make(chan struct{})
	waiting, _ := io.Pipe()
	close(stop)
	_, err = stdin(waiting, stop)
	wantKind(t, err, protocol.KindInterrupted)
	later := make(chan struct{})
	_, err = stdin(io.MultiReader(strings.NewReader("begin"), endsWith(func() { close(later) })), later)
	wantKind(t, err, protocol.KindInterrupted)
	if len(d.server.records) != 1 {
		t.Errorf("%d records", len(d.server.records))
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// endsWith is a stream whose end comes with the interrupt.
type endsWith func()

func (f endsWith) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// TestRunStdinIsReadOnce moves the ground under a stream: there is nothing to do
// it again with.
func TestRunStdinIsReadOnce(t *testing.T) {
	d := newFakeAccount(t)
	d.server.onPut = func(protocol.PackID) error { return protocol.Errorf(protocol.KindConflict, "new keys") }
	_, err := d.backup(RunOptions{Paths: []string{"/dump"}, Stdin: &Stdin{Reader: strings.NewReader("content")}})
	wantKind(t, err, protocol.KindBusy)
	if len(d.server.records) != 0 {
		t.Error("an empty stream was committed")
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

// TestRunCancelled ends without a deadlock wherever the context does.
func TestRunCancelled(t *testing.T) {
	dir := makeTree(t, map[string]string{})
	for i := range 600 {
		path := filepath.Join(dir, fmt.Sprint(i%20), fmt.Sprint(i))
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, bytesOf(4<<10, byte(i)), 0o644))
	}
	d := newFakeAccount(t)
	d.with(func(v *Vault) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := v.NewRun(RunOptions{Paths: []string{dir}}).Do(ctx); err == nil {
			t.Error("a cancelled run succeeds")
		}
	})
	d.with(func(v *Vault) {
		ctx, cancel := context.WithCancel(context.Background())
		d.server.onPut = func(protocol.PackID) error { cancel(); return ctx.Err() }
		if _, err := v.NewRun(RunOptions{Paths: []string{dir}}).Do(ctx); err == nil {
			t.Error("a cancelled run succeeds")
		}
	})
	d.server.onPut = nil
	d.mustBackup(dir)
}
