// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/blob/blobtest"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/test/faults"
)

func open(t *testing.T, root string) *disk.Store {
	t.Helper()
	s, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, filepath.Join(t.TempDir(), "a", "b")) })
}

func TestContractOnFaultyDiskWithoutFault(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		_, s := faulty(t)
		return s
	})
}

func faulty(t *testing.T) (*faults.Disk, *disk.Store) {
	t.Helper()
	d, err := faults.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := disk.OpenFS(d.Root, d)
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

// reopen opens the store as the next process does.
func reopen(t *testing.T, d *faults.Disk) *disk.Store {
	t.Helper()
	d.Break(0, faults.Fail)
	s, err := disk.OpenFS(d.Root, d)
	if err != nil {
		t.Fatalf("open after the fault: %v", err)
	}
	if err := s.Sweep(); err != nil {
		t.Fatalf("sweep after the fault: %v", err)
	}
	return s
}

var ctx = context.Background()

// present reports whether a blob is there; one that is there must be whole.
func present(t *testing.T, s *disk.Store, ref blob.Ref) bool {
	t.Helper()
	_, err := blob.ReadAll(ctx, s, ref)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("half a blob is visible: %v", err)
	}
	return err == nil
}

// TestPutFaults breaks each step of a put in each way, with a crash and with a
// power cut after it: what was acknowledged stays, what was not is whole or absent.
func TestPutFaults(t *testing.T) {
	before, data := []byte("acknowledged before"), bytes.Repeat([]byte("new"), 1000)
	old := blob.NewRef(protocol.AccountID{1}, blob.KindPack, before)
	ref := blob.NewRef(protocol.AccountID{2}, blob.KindPack, data)
	for _, mode := range faults.Modes() {
		for _, cut := range []bool{false, true} {
			for step := 1; ; step++ {
				d, s := faulty(t)
				if err := s.Put(ctx, old, before); err != nil {
					t.Fatal(err)
				}
				d.Break(step, mode)
				err := s.Put(ctx, ref, data)
				hit := d.Hit()
				if hit && err == nil {
					t.Fatalf("%v at step %d: acknowledged", mode, step)
				}
				if err != nil && mode == faults.Full && protocol.KindOf(err) != protocol.KindFull {
					t.Fatalf("full disk at step %d: %v, want kind full", step, err)
				}
				if mode == faults.Fail && hit && present(t, s, ref) {
					t.Fatalf("%v at step %d: refused, but visible", mode, step)
				}
				if cut {
					if err := d.PowerCut(); err != nil {
						t.Fatal(err)
					}
				}
				s = reopen(t, d)
				if !present(t, s, old) || err == nil && !present(t, s, ref) {
					t.Fatalf("%v at step %d, power cut %v: an acknowledged blob is gone", mode, step, cut)
				}
				present(t, s, ref)
				if err := s.Put(ctx, ref, data); err != nil || !present(t, s, ref) {
					t.Fatalf("%v at step %d: put again: %v", mode, step, err)
				}
				if !hit {
					break
				}
			}
		}
	}
}

func TestPutAgainMakesDurable(t *testing.T) {
	data := []byte("renamed, but its folder was not flushed")
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindPack, data)
	d, s := faulty(t)
	steps := countSteps(t, d, s, ref, data)
	d, s = faulty(t)
	d.Break(steps, faults.Stop)
	if err := s.Put(ctx, ref, data); err == nil {
		t.Fatal("acknowledged without the last flush")
	}
	s = reopen(t, d)
	if err := s.Put(ctx, ref, data); err != nil {
		t.Fatal(err)
	}
	if err := d.PowerCut(); err != nil {
		t.Fatal(err)
	}
	if !present(t, reopen(t, d), ref) {
		t.Fatal("a second put acknowledged what was not durable")
	}
}

func countSteps(t *testing.T, d *faults.Disk, s *disk.Store, ref blob.Ref, data []byte) int {
	t.Helper()
	d.Break(0, faults.Fail)
	if err := s.Put(ctx, ref, data); err != nil {
		t.Fatal(err)
	}
	return d.Steps()
}

func TestDeleteFaults(t *testing.T) {
	data := []byte("to be deleted")
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindPack, data)
	for step := 1; ; step++ {
		d, s := faulty(t)
		if err := s.Put(ctx, ref, data); err != nil {
			t.Fatal(err)
		}
		d.Break(step, faults.Stop)
		err := s.Delete(ctx, ref)
		hit := d.Hit()
		if (err != nil) != hit {
			t.Fatalf("step %d: fault %v, error %v", step, hit, err)
		}
		if err := d.PowerCut(); err != nil {
			t.Fatal(err)
		}
		if there := present(t, reopen(t, d), ref); there && err == nil {
			t.Fatal("a deleted blob is back after a power cut")
		}
		if !hit {
			return
		}
	}
}

func TestSweepRemovesTemporaryFiles(t *testing.T) {
	root := t.TempDir()
	open(t, root)
	left := filepath.Join(root, "tmp", "left-by-a-crash")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, root).Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("temporary file is still there: %v", err)
	}
}

func TestPutHealsADamagedBlob(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	data := []byte("as it should be")
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindPack, data)
	if err := s.Put(ctx, ref, data); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{"as it should bE", "short"} {
		path := filepath.Join(root, ref.Account.String(), string(ref.Kind), ref.Name.String())
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(ctx, ref, data); err != nil || !present(t, s, ref) {
			t.Fatalf("put over damage: %v", err)
		}
	}
}

func TestListPassesOverWhatIsNoBlob(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindPack, []byte("x"))
	if err := s.Put(ctx, ref, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lost+found", ref.Account.String() + "/pack/README", "ABCD"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []blob.Ref
	err := s.List(ctx, nil, blob.KindPack, func(r blob.Ref, _ int64) error { got = append(got, r); return nil })
	if err != nil || len(got) != 1 || got[0] != ref {
		t.Fatalf("list: %v, %v", got, err)
	}
}

func TestPermissions(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	s := open(t, root)
	ref := blob.NewRef(protocol.AccountID{1}, blob.KindPack, []byte("x"))
	if err := s.Put(ctx, ref, []byte("x")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLink(t *testing.T) {
	s := open(t, t.TempDir())
	var refs []blob.Ref
	for _, kind := range blob.Kinds() {
		ref := blob.NewRef(protocol.AccountID{3}, kind, []byte(kind))
		if err := s.Put(ctx, ref, []byte(kind)); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	into := filepath.Join(t.TempDir(), "copy")
	for range 2 {
		if err := s.Link(ctx, into); err != nil {
			t.Fatal(err)
		}
	}
	target := open(t, into)
	for _, ref := range refs {
		if !present(t, target, ref) {
			t.Errorf("%v was not copied", ref)
		}
		if err := s.Delete(ctx, ref); err != nil {
			t.Fatal(err)
		}
		if !present(t, target, ref) {
			t.Errorf("%v went away with the original", ref)
		}
	}
}
