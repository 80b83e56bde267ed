// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

func (v *Vault) mustBrowse(t testing.TB) *tree.Reader {
	t.Helper()
	b, err := v.Browser()
	check(t, err)
	return b.reader
}

// treeReader reads trees whole.
type treeReader struct {
	t       testing.TB
	reader  *tree.Reader
	content map[string]string // of files by path
}

func (r *treeReader) folder(path string, root protocol.Hash) {
	r.t.Helper()
	ctx := context.Background()
	for entries := tree.NewFolderReader(root, r.reader.Chunk); ; {
		e, err := entries.Next(ctx)
		if err == io.EOF {
			return
		}
		check(r.t, err)
		at := path + "/" + string(e.Name)
		switch e.Type {
		case tree.TypeFolder:
			r.folder(at, e.Folder)
		case tree.TypeFile:
			r.content[at] = r.file(e)
		}
	}
}

func (r *treeReader) file(e *tree.Entry) string {
	r.t.Helper()
	ctx := context.Background()
	var content []byte
	for pieces := tree.NewContentReader(e.Content, r.reader.Chunk); ; {
		p, _, err := pieces.Next(ctx)
		if err == io.EOF {
			return string(content)
		}
		check(r.t, err)
		chunk, err := r.reader.Chunk(ctx, tree.KindFile, p.Name)
		check(r.t, err)
		content = append(content, chunk...)
	}
}

func newRun(t testing.TB, v *Vault) *seal.Run {
	t.Helper()
	to, err := v.recipient()
	check(t, err)
	run, err := seal.NewRun(to)
	check(t, err)
	return run
}

// someSnapshots makes an account with a few snapshots.
func someSnapshots(t *testing.T, n int) (*fakeDevice, string) {
	t.Helper()
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "0"})
	for i := range n {
		check(t, os.WriteFile(filepath.Join(dir, "a"), fmt.Append(nil, i), 0o644))
		d.mustBackup(dir)
	}
	return d, dir
}

// wantUntrusted demands that the vault does not open.
func (d *fakeDevice) wantUntrusted(what string) {
	d.t.Helper()
	_, done, err := d.open()
	if err == nil {
		done()
	}
	if protocol.KindOf(err) != protocol.KindUntrusted {
		d.t.Errorf("%s: %v", what, err)
	}
}

// TestSyncRollback serves old, cut and other states; the true one is taken again
// afterwards.
func TestSyncRollback(t *testing.T) {
	d, _ := someSnapshots(t, 3)
	other, _ := someSnapshots(t, 3)
	good := d.server.records
	for what, records := range map[string][][]byte{
		"nothing":       nil,
		"newest hidden": good[:2],
		"another past":  other.server.records,
		"a gap":         {good[0], good[2]},
	} {
		d.server.records = records
		d.wantUntrusted(what)
	}
	d.server.records = good
	d.with(func(v *Vault) {
		if v.head.Seq != 3 || len(v.chain.Live()) != 3 {
			t.Errorf("head %d", v.head.Seq)
		}
	})
}

// TestSyncPrunesRollback hides a step of the prune chain.
func TestSyncPrunesRollback(t *testing.T) {
	d, _ := someSnapshots(t, 2)
	d.prune(snapshot.PruneRetire, d.server.order[0])
	d.prune(snapshot.PruneRevive, d.server.order[0])
	d.with(func(*Vault) {})
	good := d.server.generations
	d.server.generations = good[:1]
	d.wantUntrusted("a step hidden")
	d.server.generations = good
	d.with(func(v *Vault) {
		if p, known, err := v.index.Pack(d.server.order[0]); err != nil || !known || !p.Usable {
			t.Errorf("a revived pack: %+v, %v", p, err)
		}
	})
}

// TestSyncPruneShowsHiddenRecords gives a device without memory a prune that was
// computed from records which it is not shown.
func TestSyncPruneShowsHiddenRecords(t *testing.T) {
	d, _ := someSnapshots(t, 3)
	fresh := d.add(protocol.RoleOwner)
	d.prune(snapshot.PruneRetire, d.server.order[0])
	good := d.server.records
	d.server.records = good[:2]
	fresh.wantUntrusted("the newest record hidden")
	d.server.records = good
	fresh.with(func(*Vault) {})
}

// TestSyncGoesOnAfterLostRecords loses the file of records while it is fetched
// again: what is there is no rollback.
func TestSyncGoesOnAfterLostRecords(t *testing.T) {
	d, _ := someSnapshots(t, 3)
	good := d.server.records
	check(t, os.Remove(filepath.Join(d.dir, "state/vaults", d.is.BackupVault.String(), "records")))
	d.server.records = good[:2]
	d.wantUntrusted("fewer than were seen") // two are kept now
	d.server.records = good
	d.with(func(v *Vault) {
		if v.head.Seq != 3 {
			t.Errorf("head %d", v.head.Seq)
		}
	})
}

// TestSyncLedgerBehind lets a device join and back up while another one opens the
// vault, between its look at the ledger and at the records.
func TestSyncLedgerBehind(t *testing.T) {
	d, dir := someSnapshots(t, 1)
	helper := d.add(protocol.RoleOwner)
	late := &lateLedger{fakeServer: d.server}
	late.after = func() { helper.add(protocol.RoleOwner).mustBackup(dir) }
	v, done, err := d.openWith(late)
	check(t, err)
	defer done()
	if v.head.Seq != 2 || late.asked != 2 {
		t.Errorf("head %d after %d looks at the ledger", v.head.Seq, late.asked)
	}
}

// lateLedger does something between the first look at the ledger and the next.
type lateLedger struct {
	*fakeServer
	after func()
	asked int
}

func (l *lateLedger) Ledger(ctx context.Context, from uint64) ([]*ledger.Entry, [][]byte, error) {
	l.asked++
	entries, objects, err := l.fakeServer.Ledger(ctx, from)
	if l.asked == 1 {
		l.after()
	}
	return entries, objects, err
}

// TestSyncPlantedRun seals a writer's pack under the name of an owner's run: the
// owner's own packs must still open.
func TestSyncPlantedRun(t *testing.T) {
	d, dir := newFakeAccount(t), makeTree(t, map[string]string{"a": "one"})
	d.mustBackup(dir)
	fresh := d.add(protocol.RoleOwner)
	fresh.with(func(v *Vault) {
		rec, err := snapshot.Parse(d.server.records[0])
		check(t, err)
		h := &seal.PackHeader{Account: rec.Account, Vault: rec.Vault, Epoch: rec.Epoch, Run: rec.Run, Wrap: rec.Wrap}
		planted := newRun(t, v)
		_, err = v.openRun(&seal.PackHeader{Account: rec.Account, Vault: rec.Vault, Epoch: rec.Epoch, Run: rec.Run, Wrap: planted.Wrapped()})
		if err == nil {
			t.Error("a wrap opens under another run's name")
		}
		_, err = v.openRun(h)
		check(t, err)
		if len(v.runs) == 0 {
			t.Error("no run is kept at hand")
		}
		for key := range v.runs {
			if key.run == rec.Run && key.wrap.IsZero() {
				t.Error("a run is kept by its name alone")
			}
		}
	})
}

// TestWriterSync follows heads and holds them to its marks.
func TestWriterSync(t *testing.T) {
	owner := newFakeAccount(t)
	d, dir := owner.add(protocol.RoleWriter), makeTree(t, map[string]string{"a": "one"})
	d.mustBackup(dir)
	owner.mustBackup(dir)
	d.mustBackup(dir)
	good := d.server.records
	d.server.records = good[:2]
	d.wantUntrusted("a head behind the mark")
	d.server.records = good
	d.with(func(v *Vault) {
		if _, err := v.Snapshots(); protocol.KindOf(err) != protocol.KindDenied {
			t.Errorf("a writer lists: %v", err)
		}
	})
	if got := owner.readable(); got[dir+"/a"] != "one" {
		t.Errorf("read back %v", got)
	}
}
