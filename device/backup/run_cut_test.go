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

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

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
