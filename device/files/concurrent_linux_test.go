// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/solekey/solekey/device/tree"
)

// TestConcurrentReading has many readers walk the same folders with hardly any
// descriptor to keep, so that folders are closed and opened all the time.
func TestConcurrentReading(t *testing.T) {
	path := t.TempDir()
	for i := range 6 {
		for j := range 6 {
			put(t, filepath.Join(path, fmt.Sprint("a", i), fmt.Sprint("b", j), "file"), fmt.Sprint(i, j))
		}
	}
	root := openRoot(t, path)
	root.pool.limit = 2
	before := countDescriptors(t)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for round := range 20 {
				if err := readOne(root, (worker+round)%6, round%6); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if now := countDescriptors(t); now > before+2 {
		t.Errorf("%d descriptors are left open", now-before)
	}
}

func readOne(root *Folder, i, j int) error {
	a, err := root.Child(fmt.Append(nil, "a", i))
	if err != nil {
		return err
	}
	b, err := a.Child(fmt.Append(nil, "b", j))
	if err != nil {
		return err
	}
	if err := a.Close(); err != nil { // b can still be opened again
		return err
	}
	if _, _, err := a.List(); err != nil {
		return err
	}
	items, problems, err := b.List()
	if err != nil || len(items) != 1 || len(problems) > 0 {
		return fmt.Errorf("listed %v, %v, %w", items, problems, err)
	}
	file, err := b.Open(items[0].Name)
	if err != nil {
		return err
	}
	buf := make([]byte, 10)
	n, _ := file.Read(buf)
	if got := string(buf[:n]); got != fmt.Sprint(i, j) {
		return fmt.Errorf("read %q in %s", got, b.Path())
	}
	if err := file.Close(); err != nil {
		return err
	}
	return b.Close()
}

// TestConcurrentListing lists one folder from several sides at once.
func TestConcurrentListing(t *testing.T) {
	path := t.TempDir()
	for i := range 2000 {
		put(t, filepath.Join(path, fmt.Sprint("file-with-a-long-name-", i)), "")
	}
	root := openRoot(t, path)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if items, _, err := root.List(); err != nil || len(items) != 2000 {
				t.Errorf("%d items, %v", len(items), err)
			}
		})
	}
	all.Wait()
}

// TestConcurrentRestore writes into one folder, and into one file, from
// several sides at once.
func TestConcurrentRestore(t *testing.T) {
	path := t.TempDir()
	target := openRestorer(t, path, RestoreOptions{}).Root()
	w, err := target.Create(fileEntry("large", 64*1000))
	must(t, err)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			block := make([]byte, 1000)
			for at := range block {
				block[at] = byte(i)
			}
			if _, err := w.WriteAt(block, int64(i)*1000); err != nil {
				t.Error(err)
			}
			folder, err := target.Folder(folderEntry(fmt.Sprint("folder-", i%8)))
			if err != nil {
				t.Error(err)
				return
			}
			if err := restoreFile(t, folder, fileEntry(fmt.Sprint("file-", i), 1), "x"); err != nil {
				t.Error(err)
			}
			if err := folder.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err = w.Commit()
	must(t, err)
	data := read(t, filepath.Join(path, "large"))
	for i := range 64 {
		if data[i*1000] != byte(i) || data[i*1000+999] != byte(i) {
			t.Fatalf("block %d holds %d", i, data[i*1000])
		}
	}
	for i := range 64 {
		if _, err := os.Stat(filepath.Join(path, fmt.Sprint("folder-", i%8), fmt.Sprint("file-", i))); err != nil {
			t.Error(err)
		}
	}
}

// TestConcurrentRestores has several restores write into one folder, each of
// which cleans it all the time.
func TestConcurrentRestores(t *testing.T) {
	path := t.TempDir()
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for j := range 30 {
				r, err := NewRestorer(path, RestoreOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := restoreFile(t, r.Root(), fileEntry(fmt.Sprint("file-", i, "-", j), 1), "x"); err != nil {
					t.Error(err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, _ := os.ReadDir(path); len(left) != 180 {
		t.Errorf("%d entries are there", len(left))
	}
}

// TestLinksAcrossFolders links names in folders that were closed long ago.
func TestLinksAcrossFolders(t *testing.T) {
	path := t.TempDir()
	r := openRestorer(t, path, RestoreOptions{})
	r.root.pool.limit = 1
	group := &tree.LinkGroup{Device: 7, Inode: 8}
	for i := range 5 {
		folder, err := r.Root().Folder(folderEntry(fmt.Sprint("folder-", i)))
		must(t, err)
		e := fileEntry("name", 4)
		e.Links = group
		done, err := folder.Link(e)
		must(t, err)
		if done != (i > 0) {
			t.Errorf("name %d: linked is %v", i, done)
		}
		if !done {
			must(t, restoreFile(t, folder, e, "once"))
		}
		must(t, folder.Close())
	}
	var first os.FileInfo
	for i := range 5 {
		info, err := os.Stat(filepath.Join(path, fmt.Sprint("folder-", i), "name"))
		must(t, err)
		if first == nil {
			first = info
		}
		if !os.SameFile(first, info) {
			t.Errorf("name %d is another file", i)
		}
	}
	other := fileEntry("other", 4)
	other.Links = &tree.LinkGroup{Device: 7, Inode: 9}
	if done, err := r.Root().Link(other); done || err != nil {
		t.Errorf("another group: %v, %v", done, err)
	}
	must(t, os.Remove(filepath.Join(path, "folder-0", "name")))
	put(t, filepath.Join(path, "folder-0", "name"), "planted")
	e := fileEntry("late", 4)
	e.Links = group
	if done, err := r.Root().Link(e); done || CauseOf(err) != Replaced {
		t.Errorf("linked to what took the first name's place: %v, %v", done, err)
	}
}

// TestFolderPolicies sets a folder's properties, or leaves those it had.
func TestFolderPolicies(t *testing.T) {
	tests := []struct {
		policy Overwrite
		was    int64
		want   uint32
	}{
		{Always, 1, 0o755},
		{IfChanged, 1, 0o755},
		{IfNewer, 1, 0o755},
		{IfNewer, 1_900_000_000_000_000_000, 0o700},
		{Never, 1, 0o700},
	}
	for _, tt := range tests {
		path := t.TempDir()
		must(t, os.Mkdir(filepath.Join(path, "folder"), 0o700))
		setTime(t, filepath.Join(path, "folder"), 0)
		e := folderEntry("folder")
		setTime(t, filepath.Join(path, "folder"), e.Modified-1)
		if tt.was > 1 {
			setTime(t, filepath.Join(path, "folder"), e.Modified+1)
		}
		target, err := openRestorer(t, path, RestoreOptions{Overwrite: tt.policy}).Root().Folder(e)
		must(t, err)
		must(t, restoreFile(t, target, fileEntry("file", 1), "x"))
		for _, p := range target.Finish(e) {
			t.Error(p)
		}
		if got := openRoot(t, filepath.Join(path, "folder")).Stat(); got.Mode != tt.want || (got.Modified == e.Modified) != (tt.want == 0o755) {
			t.Errorf("%v, was at %d: mode %o, time %v", tt.policy, tt.was, got.Mode, got.Modified)
		}
	}
}

// TestTimelessFolder restores a folder of which no time is kept, and keeps one of a folder whose time is 0.
func TestTimelessFolder(t *testing.T) {
	path := t.TempDir()
	folder := filepath.Join(path, "folder")
	must(t, os.Mkdir(folder, 0o700))
	setTime(t, folder, 12345)
	e := folderEntry("folder")
	e.Modified = 0
	target, err := openRestorer(t, path, RestoreOptions{}).Root().Folder(e)
	must(t, err)
	for _, p := range target.Finish(e) {
		t.Error(p)
	}
	if got := openRoot(t, folder).Stat(); got.Mode != e.Mode || got.Modified != 12345 {
		t.Errorf("mode %o, time %d", got.Mode, got.Modified)
	}
	setTime(t, folder, 0)
	if entry, problems := openRoot(t, folder).DescribeSelf(); entry.Timeless() || entry.Modified != 1 || len(problems) > 0 {
		t.Errorf("%+v, %v", entry, problems)
	}
}

// TestReopenedTwice has two users open a folder that lost its descriptor at the
// same time: the second finds it idle again, and must not leave it in the list
// of idle folders twice.
func TestReopenedTwice(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "a", "file"), "x")
	root := openRoot(t, path)
	a, err := root.Child([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := root.pin()
	if err != nil {
		t.Fatal(err)
	}
	fd, _, err := openFolderAt(dir, "a")
	root.unpin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.install(fd); err != nil { // another call was faster, and is done already
		t.Fatal(err)
	}
	a.unpin()
	if n := root.pool.idle.Len(); n != 1 {
		t.Fatalf("the folder is idle %d times", n)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
}
