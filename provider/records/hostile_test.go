// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/test/faults"
)

// TestCopyWhileJoining: who copies the blobs lists them first. That batches are
// joined meanwhile takes none of the list away, whose volume is not in it.
func TestCopyWhileJoining(t *testing.T) {
	b := newJoinable(t)
	seen := slices.Clone(*b.seen)
	c := &world{t: t, dir: t.TempDir(), secret: b.secret, now: b.now, keys: b.keys, worlds: b.worlds, signer: b.signer, seen: &seen}
	if err := b.db.Backup(ctx, c.database()); err != nil {
		t.Fatal(err)
	}
	var listed []blob.Ref
	for _, kind := range blob.Kinds() {
		if err := b.store.blobs.List(ctx, nil, kind, func(ref blob.Ref, _ int64) error { listed = append(listed, ref); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	b.store.volumes = small()
	b.store.volumes.keep = time.Hour
	if joined, err := b.store.JoinBatches(ctx); err != nil || !joined {
		t.Fatalf("joined %v, %v", joined, err)
	}
	b.copyTo(c, listed)
	c.open()
	c.integrate()
	c.publish()
	c.wantSound()
	c.restart(ends()[3]) // what was copied is enough to rebuild from
	c.publish()
	if got := c.version("anna"); got != 4 {
		t.Errorf("version %d", got)
	}
	t.Cleanup(func() { _ = c.db.Close() })
	b.store.volumes.keep = 0
	if _, err := b.store.JoinBatches(ctx); err != nil {
		t.Fatal(err)
	}
	for from, batch := range b.batches() {
		if batch.Last.IsZero() && batch.End() <= b.batches()[0].End() {
			t.Errorf("the batch at %d was not deleted later", from)
		}
	}
	b.wantSound()
}

// copyTo copies those blobs that are still there.
func (w *world) copyTo(c *world, list []blob.Ref) {
	w.t.Helper()
	root := filepath.Join(c.dir, "blobs")
	if err := os.Mkdir(root, 0o700); err != nil {
		w.t.Fatal(err)
	}
	target, err := disk.Open(root)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, ref := range list {
		data, err := blob.ReadAll(ctx, w.store.blobs, ref)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err == nil {
			err = target.Put(ctx, ref, data)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if c.disk, err = faults.NewDisk(root); err != nil {
		w.t.Fatal(err)
	}
}
