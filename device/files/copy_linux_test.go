// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/protocol"
)

// oddTree makes what any user can make and careless programs break on.
func oddTree(t testing.TB) string {
	root := filepath.Join(t.TempDir(), "odd")
	removable(t, root)
	for _, name := range []string{
		"plain", "invalid \xff\xfe", "new\nline", "tab\there", "back\\slash", " leading", "trailing ", "-rf", ".hidden",
		"*star?", "e\u0301", "\u00e9", strings.Repeat("n", 255), "...", "..a", "quote\"'$(x)",
	} {
		put(t, filepath.Join(root, "names", name), "content of "+name)
		must(t, os.Mkdir(filepath.Join(root, "names", "d"+name[1:]), 0o755))
	}
	put(t, filepath.Join(root, "empty-file"), "")
	must(t, os.MkdirAll(filepath.Join(root, "empty-folder", "a", "b"), 0o755))
	oddLinks(t, root)
	oddModesAndTimes(t, root)
	oddSparse(t, filepath.Join(root, "sparse"))
	oddXattrs(t, root)
	must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o620))
	put(t, filepath.Join(root, "large"), strings.Repeat("0123456789abcdef", 200_000))
	return root
}

func oddLinks(t testing.TB, root string) {
	must(t, os.Symlink("plain", filepath.Join(root, "link")))
	must(t, os.Symlink("/nowhere/at/all", filepath.Join(root, "dangling")))
	must(t, os.Symlink("loop-b", filepath.Join(root, "loop-a")))
	must(t, os.Symlink("loop-a", filepath.Join(root, "loop-b")))
	must(t, os.Symlink(".", filepath.Join(root, "self")))
	must(t, os.Symlink("names", filepath.Join(root, "to-folder")))
	must(t, os.Symlink("invalid \xff\n"+strings.Repeat("x", 4000), filepath.Join(root, "long-target")))
	setTime(t, filepath.Join(root, "link"), 1_000_000_000_000_000_001)
	put(t, filepath.Join(root, "hard", "one"), "hard")
	must(t, os.Mkdir(filepath.Join(root, "hard", "sub"), 0o755))
	must(t, os.Link(filepath.Join(root, "hard", "one"), filepath.Join(root, "hard", "two")))
	must(t, os.Link(filepath.Join(root, "hard", "one"), filepath.Join(root, "hard", "sub", "three")))
	must(t, os.Link(filepath.Join(root, "dangling"), filepath.Join(root, "hard", "dangling-too")))
}

func oddModesAndTimes(t testing.TB, root string) {
	for i, mode := range []uint32{0o400, 0o755, 0o4755, 0o2750, 0o6711, 0o1666, 0o444} {
		path := filepath.Join(root, "modes", fmt.Sprintf("file-%o", mode))
		put(t, path, "mode")
		must(t, unix.Chmod(path, mode))
		path = filepath.Join(root, "modes", fmt.Sprintf("folder-%o", mode))
		put(t, filepath.Join(path, "inside"), "mode")
		must(t, unix.Chmod(path, mode|0o500))
		setTime(t, path, protocol.Time(int64(i)*1_000_000_007))
	}
	for _, at := range []protocol.Time{-1, -1_000_000_000, -1_500_000_001, 0, 1, 999_999_999, 1_700_000_000_123_456_789, -2_000_000_000_000_000_003, 4_000_000_000_000_000_007} {
		path := filepath.Join(root, "times", fmt.Sprint(int64(at)))
		put(t, path, "time")
		setTime(t, path, at)
	}
	setTime(t, filepath.Join(root, "times"), -86_400_000_000_001)
}

// oddSparse makes files with holes at the start, in the middle and at the end.
func oddSparse(t testing.TB, dir string) {
	const block = 1 << 16
	for name, data := range map[string][]int64{"start": {3}, "end": {0}, "middle": {0, 7}, "only-hole": {}, "many": {1, 3, 5, 40}} {
		path := filepath.Join(dir, name)
		put(t, path, "")
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(t, err)
		size := int64(48 * block)
		if name == "start" {
			size = 4 * block
		}
		must(t, file.Truncate(size))
		for _, at := range data {
			_, err := file.WriteAt(bytes.Repeat([]byte{'d'}, block), at*block)
			must(t, err)
		}
		must(t, file.Sync())
		must(t, file.Close())
	}
}

func oddXattrs(t testing.TB, root string) {
	path := filepath.Join(root, "attributes", "file")
	put(t, path, "attributes")
	must(t, unix.Setxattr(path, "user.comment", []byte("größe"), 0))
	must(t, unix.Setxattr(path, "user.binary", []byte{0, 1, 255, 0}, 0))
	must(t, unix.Setxattr(path, "user.empty", nil, 0))
	must(t, unix.Setxattr(path, "user.large", bytes.Repeat([]byte("v"), 2000), 0))
	must(t, unix.Chmod(path, 0o444))
	must(t, unix.Setxattr(filepath.Dir(path), "user.on a folder", []byte("x"), 0))
}

// TestCopyIsIdentical restores what it reads, and finds no difference. Then it
// restores again, under each policy, and nothing is written.
func TestCopyIsIdentical(t *testing.T) {
	source := oddTree(t)
	target := filepath.Join(t.TempDir(), "deep", "target")
	copyTree(t, source, target, RestoreOptions{}).clean()
	result := identical(t, source, target)
	if result.Entries < 80 || result.Bytes < 3_000_000 {
		t.Errorf("only %d entries and %d bytes were compared", result.Entries, result.Bytes)
	}
	for _, policy := range []Overwrite{Always, IfChanged, IfNewer, Never} {
		again := copyTree(t, source, target, RestoreOptions{Overwrite: policy, Delete: true})
		again.clean()
		if again.written != 0 {
			t.Errorf("%v: %d files were written that were there", policy, again.written)
		}
		identical(t, source, target)
	}
}

// TestCopyRepairs breaks each property of the copy and restores over it.
func TestCopyRepairs(t *testing.T) {
	source := oddTree(t)
	target := filepath.Join(t.TempDir(), "target")
	copyTree(t, source, target, RestoreOptions{}).clean()
	at := func(name string) string { return filepath.Join(target, name) }

	must(t, os.WriteFile(at("names/plain"), []byte("CONTENT of plain"), 0o644)) // the same length
	must(t, os.Remove(at("names/..a")))
	put(t, at("names/extra/deep/file"), "extra")
	must(t, os.Symlink("/etc", at("names/extra link")))
	must(t, os.Chmod(at("modes/file-755"), 0o700))
	must(t, os.Remove(at("link")))
	must(t, os.Symlink("elsewhere", at("link")))
	must(t, os.Remove(at("fifo")))
	put(t, at("fifo"), "a file")
	must(t, os.Remove(at("empty-file")))
	put(t, at("empty-file/in the way"), "a folder")
	must(t, os.RemoveAll(at("empty-folder")))
	put(t, at("empty-folder"), "a file")
	must(t, os.Remove(at("hard/two")))
	put(t, at("hard/two"), "hard")
	must(t, unix.Removexattr(at("attributes"), "user.on a folder"))
	must(t, unix.Setxattr(at("attributes"), "user.more", []byte("x"), 0))
	setTime(t, at("dangling"), 5)
	setTime(t, at("large"), 7)

	if result, err := Compare(source, target, CompareOptions{}); err != nil || len(result.Differences) < 14 {
		t.Fatalf("the breaks were not seen: %v, %v", result.Differences, err)
	}
	copyTree(t, source, target, RestoreOptions{Delete: true}).clean()
	identical(t, source, target)
}

// TestDeepPaths copies, compares and removes a tree whose paths are longer than
// any system call takes, with few descriptors.
func TestDeepPaths(t *testing.T) {
	root := t.TempDir()
	source, target := filepath.Join(root, "source"), filepath.Join(root, "target")
	must(t, os.Mkdir(source, 0o755))
	const depth = 400
	name := []byte(strings.Repeat("long-folder-name-", 3))
	makeDeep(t, source, name, depth)

	before := countDescriptors(t)
	copyTree(t, source, target, RestoreOptions{}).clean()
	result := identical(t, source, target)
	if want := uint64(2*depth + 1); result.Entries != want || depth*len(name) < 4*4096 {
		t.Errorf("%d entries compared, want %d", result.Entries, want)
	}
	if most := before + 4*openFolders; countDescriptors(t) > most {
		t.Errorf("%d descriptors are open, at most %d should be", countDescriptors(t), most)
	}
	deepest := strings.Repeat("/"+string(name), 100)
	far, err := OpenFolder(source + deepest)
	must(t, err)
	if items, _, err := far.List(); err != nil || len(items) != 2 {
		t.Errorf("the folder at a path of %d bytes has %d items, %v", len(far.Path()), len(items), err)
	}
	must(t, far.Close())

	r := openRestorer(t, target, RestoreOptions{})
	for _, p := range r.Root().Prune(func([]byte) bool { return false }, nil) {
		t.Error(p)
	}
	if left, err := os.ReadDir(target); err != nil || len(left) != 0 {
		t.Errorf("%d entries are left, %v", len(left), err)
	}
	for _, p := range openRestorer(t, source, RestoreOptions{}).Root().Prune(func([]byte) bool { return false }, nil) {
		t.Error(p) // or the test's own cleaning would have to
	}
}

// makeDeep makes folders within folders, with a file in each.
func makeDeep(t *testing.T, root string, name []byte, depth int) {
	fd, err := unix.Open(root, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for range depth {
		must(t, unix.Mkdirat(fd, string(name), 0o755))
		next, err := unix.Openat(fd, string(name), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = next
		file, err := unix.Openat(fd, "file", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		must(t, err)
		must(t, unix.Close(file))
	}
	must(t, unix.Mkdirat(fd, "last", 0o700))
	must(t, unix.Close(fd))
}

func countDescriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}

// TestManyFolders holds more folders than descriptors, and uses all of them.
func TestManyFolders(t *testing.T) {
	path := t.TempDir()
	root := openRoot(t, path)
	var all []*Folder
	before := countDescriptors(t)
	for i := range 3 * openFolders {
		name := fmt.Sprint("folder-", i)
		put(t, filepath.Join(path, name, "file"), name)
		child, err := root.Child([]byte(name))
		must(t, err)
		all = append(all, child)
	}
	if now := countDescriptors(t); now > before+openFolders+8 {
		t.Errorf("%d descriptors are open", now-before)
	}
	for i, child := range all {
		file, err := child.Open([]byte("file"))
		must(t, err)
		buf := make([]byte, 32)
		n, _ := file.Read(buf)
		if string(buf[:n]) != fmt.Sprint("folder-", i) {
			t.Errorf("folder %d holds %q", i, buf[:n])
		}
		must(t, file.Close())
		must(t, child.Close())
	}
	if now := countDescriptors(t); now > before {
		t.Errorf("%d descriptors are left open", now-before)
	}
}
