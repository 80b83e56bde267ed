// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func fileEntry(name string, size int) *tree.Entry {
	return &tree.Entry{
		Name: []byte(name), Type: tree.TypeFile, Mode: 0o640, Size: uint64(size), Modified: 1_500_000_000_000_000_001,
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
	}
}

func folderEntry(name string) *tree.Entry {
	e := fileEntry(name, 0)
	e.Type, e.Mode = tree.TypeFolder, 0o755
	return e
}

func restoreFile(t *testing.T, target *Target, e *tree.Entry, content string) error {
	t.Helper()
	w, err := target.Create(e)
	if err != nil {
		return err
	}
	if _, err := w.WriteAt([]byte(content), 0); err != nil {
		w.Abort()
		return err
	}
	problems, err := w.Commit()
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	return err
}

// TestHostileNames tries every way of writing under a name that leads elsewhere.
func TestHostileNames(t *testing.T) {
	root := t.TempDir()
	target := openRestorer(t, filepath.Join(root, "target"), RestoreOptions{}).Root()
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/x", "x\x00y"} {
		e := fileEntry(name, 0)
		e.Links = &tree.LinkGroup{Device: 1, Inode: 1}
		_, create := target.Create(e)
		_, link := target.Link(e)
		_, decide := target.Decide(e)
		_, same := target.Same(e, nil)
		e.Type, e.Target = tree.TypeLink, []byte("/etc")
		_, place := target.Place(e)
		_, folder := target.Folder(folderEntry(name))
		for i, err := range []error{create, link, decide, same, place, folder} {
			if CauseOf(err) != Refused {
				t.Errorf("name %q, way %d: %v", name, i, err)
			}
		}
	}
	if left, _ := os.ReadDir(root); len(left) != 1 {
		t.Errorf("%d entries stand beside the target", len(left))
	}
}

// TestSymlinkInTheWay has links in the target that lead out of it, at the place
// of a folder, of a file, and of a folder that was entered before.
func TestSymlinkInTheWay(t *testing.T) {
	root := t.TempDir()
	path, outside := filepath.Join(root, "target"), filepath.Join(root, "outside")
	put(t, filepath.Join(outside, "file"), "untouched")
	put(t, filepath.Join(path, "entered", "old"), "x")
	must(t, os.Symlink(outside, filepath.Join(path, "folder")))
	must(t, os.Symlink(filepath.Join(outside, "file"), filepath.Join(path, "file")))

	never := openRestorer(t, path, RestoreOptions{Overwrite: Never}).Root()
	if _, err := never.Folder(folderEntry("folder")); CauseOf(err) != Exists {
		t.Errorf("under never, a link gave way: %v", err)
	}
	target := openRestorer(t, path, RestoreOptions{}).Root()
	folder, err := target.Folder(folderEntry("folder"))
	must(t, err)
	must(t, restoreFile(t, folder, fileEntry("file", 3), "new"))
	must(t, restoreFile(t, target, fileEntry("file", 3), "new"))

	entered, err := target.Folder(folderEntry("entered"))
	must(t, err)
	target.r.root.pool.limit = 0
	must(t, folder.Close())
	_, _, err = target.folder.List() // makes the pool drop what is idle
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(path, "entered")))
	must(t, os.Symlink(outside, filepath.Join(path, "entered")))
	if other, err := target.Folder(folderEntry("other")); err == nil {
		must(t, other.Close())
	}
	if err := restoreFile(t, entered, fileEntry("file", 3), "new"); CauseOf(err) != Replaced && CauseOf(err) != Vanished {
		t.Errorf("the entered folder's place was taken, and: %v", err)
	}
	if got := read(t, filepath.Join(outside, "file")); got != "untouched" {
		t.Errorf("outside of the target stands %q", got)
	}
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("%d entries are outside", len(left))
	}
	if got := read(t, filepath.Join(path, "folder", "file")); got != "new" {
		t.Errorf("the link was not replaced: %q", got)
	}
}

func TestDecide(t *testing.T) {
	const old, recent = protocol.Time(1_000_000_000), protocol.Time(9_000_000_000)
	tests := []struct {
		name  string
		size  int
		at    protocol.Time
		wants map[Overwrite]Decision
	}{
		{"missing", 4, old, map[Overwrite]Decision{Always: Write, IfChanged: Write, IfNewer: Write, Never: Write}},
		{"file", 4, 5_000_000_000, map[Overwrite]Decision{Always: Look, IfChanged: Adjust, IfNewer: Keep, Never: Keep}},
		{"file", 4, recent, map[Overwrite]Decision{Always: Look, IfChanged: Look, IfNewer: Look, Never: Keep}},
		{"file", 4, old, map[Overwrite]Decision{Always: Look, IfChanged: Look, IfNewer: Keep, Never: Keep}},
		{"file", 5, recent, map[Overwrite]Decision{Always: Write, IfChanged: Write, IfNewer: Write, Never: Keep}},
		{"link", 4, recent, map[Overwrite]Decision{Always: Write, IfChanged: Write, IfNewer: Write, Never: Keep}},
		{"two", 4, recent, map[Overwrite]Decision{Always: Write, IfChanged: Write, IfNewer: Write, Never: Keep}},
	}
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "four")
	put(t, filepath.Join(path, "two"), "four")
	must(t, os.Link(filepath.Join(path, "two"), filepath.Join(path, "names")))
	must(t, os.Symlink("file", filepath.Join(path, "link")))
	for _, name := range []string{"file", "link", "two"} {
		setTime(t, filepath.Join(path, name), 5_000_000_000)
	}
	for _, tt := range tests {
		for policy, want := range tt.wants {
			e := fileEntry(tt.name, tt.size)
			e.Modified = tt.at
			got, err := openRestorer(t, path, RestoreOptions{Overwrite: policy}).Root().Decide(e)
			if err != nil || got != want {
				t.Errorf("%s of %d bytes at %v, %v: %v, %v, want %v", tt.name, tt.size, tt.at, policy, got, err, want)
			}
		}
	}
}

// TestSharedNameIsNotChanged restores over one of two names of a file; the
// other one, which is not in the snapshot, stays as it is.
func TestSharedNameIsNotChanged(t *testing.T) {
	source, path := t.TempDir(), t.TempDir()
	put(t, filepath.Join(source, "file"), "same")
	put(t, filepath.Join(path, "file"), "same")
	must(t, os.Chmod(filepath.Join(path, "file"), 0o600))
	must(t, os.Link(filepath.Join(path, "file"), filepath.Join(path, "other")))
	copyTree(t, source, path, RestoreOptions{}).clean()
	info, err := os.Stat(filepath.Join(path, "other"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the other name's mode became %v", info.Mode())
	}
}

func TestNeverKeepsWhatAppears(t *testing.T) {
	path := t.TempDir()
	target := openRestorer(t, path, RestoreOptions{Overwrite: Never}).Root()
	w, err := target.Create(fileEntry("file", 3))
	must(t, err)
	_, err = w.WriteAt([]byte("new"), 0)
	must(t, err)
	put(t, filepath.Join(path, "file"), "mine")
	if _, err := w.Commit(); CauseOf(err) != Exists {
		t.Errorf("commit: %v", err)
	}
	if got := read(t, filepath.Join(path, "file")); got != "mine" {
		t.Errorf("the file holds %q", got)
	}
	if left, _ := os.ReadDir(path); len(left) != 1 {
		t.Errorf("%d entries are left", len(left))
	}
}

func TestFolderInTheWay(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "full", "file"), "x")
	must(t, os.Mkdir(filepath.Join(path, "empty"), 0o755))
	target := openRestorer(t, path, RestoreOptions{}).Root()
	must(t, restoreFile(t, target, fileEntry("empty", 3), "new"))
	if err := restoreFile(t, target, fileEntry("full", 3), "new"); CauseOf(err) != Exists {
		t.Errorf("a full folder gave way: %v", err)
	}
	deleting := openRestorer(t, path, RestoreOptions{Delete: true}).Root()
	must(t, restoreFile(t, deleting, fileEntry("full", 3), "new"))
	if got := read(t, filepath.Join(path, "full")); got != "new" {
		t.Errorf("the file holds %q", got)
	}
	if left, _ := os.ReadDir(path); len(left) != 2 {
		t.Errorf("%d entries are left", len(left))
	}
}

func TestPruneSpares(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"way", "gone"} {
		must(t, os.MkdirAll(filepath.Join(path, name, "sub"), 0o755))
		put(t, filepath.Join(path, name, "sub", "spared"), "x")
		put(t, filepath.Join(path, name, "sub", "other"), "x")
	}
	spare := func(path []byte) bool { return strings.HasSuffix(string(path), "/sub/spared") }
	target := openRestorer(t, path, RestoreOptions{Delete: true, Spare: spare}).Root()
	if err := restoreFile(t, target, fileEntry("way", 3), "new"); CauseOf(err) != Exists && CauseOf(err) != Replaced {
		t.Errorf("a folder with what is spared gave way: %v", err)
	}
	removed := 0
	if problems := target.Prune(func(name []byte) bool { return string(name) == "way" }, func([]byte) { removed++ }); len(problems) > 0 || removed != 1 {
		t.Errorf("it removed %d with %v", removed, problems)
	}
	for _, name := range []string{"way", "gone"} {
		if left, _ := os.ReadDir(filepath.Join(path, name, "sub")); len(left) != 1 || left[0].Name() != "spared" {
			t.Errorf("in %s there are left %v", name, left)
		}
	}
}

func TestPrune(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "target")
	put(t, filepath.Join(root, "outside", "file"), "untouched")
	put(t, filepath.Join(path, "keep", "file"), "x")
	put(t, filepath.Join(path, "go", "deep", "file"), "x")
	put(t, filepath.Join(path, "go too"), "x")
	must(t, os.Symlink(filepath.Join(root, "outside"), filepath.Join(path, "go", "link")))
	must(t, os.Symlink(filepath.Join(root, "outside"), filepath.Join(path, "go-link")))
	must(t, os.Chmod(filepath.Join(path, "go", "deep"), 0o500))
	var removed []string
	problems := openRestorer(t, path, RestoreOptions{Delete: true}).Root().Prune(
		func(name []byte) bool { return string(name) == "keep" },
		func(path []byte) { removed = append(removed, filepath.Base(string(path))) })
	if len(problems) > 0 || fmt.Sprint(removed) != "[go go too go-link]" {
		t.Errorf("removed %q, %v", removed, problems)
	}
	if got := read(t, filepath.Join(root, "outside", "file")) + read(t, filepath.Join(path, "keep", "file")); got != "untouchedx" {
		t.Errorf("left is %q", got)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "old")
	target := openRestorer(t, path, RestoreOptions{}).Root()
	w, err := target.Create(fileEntry("file", 3))
	must(t, err)
	w.Abort()
	w, err = target.Create(fileEntry("file", 3))
	must(t, err)
	must(t, os.Truncate(procFile(w.fd), 9)) // not what the entry says
	if _, err := w.Commit(); err == nil {
		t.Error("a file of another size was committed")
	}
	if left, _ := os.ReadDir(path); len(left) != 1 || read(t, filepath.Join(path, "file")) != "old" {
		t.Errorf("left are %v", left)
	}
}

func TestCopyFrom(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), strings.Repeat("a", 10000)+strings.Repeat("b", 10000)+strings.Repeat("c", 10000))
	target := openRestorer(t, path, RestoreOptions{}).Root()
	old, err := target.Existing().Open([]byte("file"))
	must(t, err)
	defer old.Close()
	w, err := target.Create(fileEntry("file", 30000))
	must(t, err)
	must(t, w.CopyFrom(old, 20000, 10000))
	_, err = w.WriteAt([]byte(strings.Repeat("X", 10000)), 10000)
	must(t, err)
	must(t, w.CopyFrom(old, 0, 10000))
	_, err = w.Commit()
	must(t, err)
	want := strings.Repeat("a", 10000) + strings.Repeat("X", 10000) + strings.Repeat("c", 10000)
	if read(t, filepath.Join(path, "file")) != want {
		t.Error("the file is not put together right")
	}
}

func TestSame(t *testing.T) {
	source, path := t.TempDir(), t.TempDir()
	put(t, filepath.Join(source, "file"), "four")
	copyTree(t, source, path, RestoreOptions{}).clean()
	root := openRoot(t, source)
	item, err := root.Lookup([]byte("file"))
	must(t, err)
	entry, _ := root.Describe(&item, nil)
	target := openRestorer(t, path, RestoreOptions{}).Root()
	content := func(want string) func(*File) (bool, error) {
		return func(f *File) (bool, error) {
			data, err := io.ReadAll(f)
			return string(data) == want, err
		}
	}
	for want, same := range map[string]bool{"four": true, "FOUR": false} {
		if got, err := target.Same(entry, content(want)); err != nil || got != same {
			t.Errorf("content %q: %v, %v", want, got, err)
		}
	}
	entry.Mode ^= 0o100
	if got, err := target.Same(entry, content("four")); err != nil || got {
		t.Errorf("another mode: %v, %v", got, err)
	}
	entry.Name = []byte("missing")
	if got, err := target.Same(entry, content("four")); err != nil || got {
		t.Errorf("missing: %v, %v", got, err)
	}
}

func TestSocketIsReported(t *testing.T) {
	e := fileEntry("socket", 0)
	e.Type = tree.TypeSocket
	path := t.TempDir()
	if _, err := openRestorer(t, path, RestoreOptions{}).Root().Place(e); CauseOf(err) != Unsupported {
		t.Errorf("a socket: %v", err)
	}
	if left, _ := os.ReadDir(path); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestParseOverwrite(t *testing.T) {
	for _, policy := range []Overwrite{Always, IfChanged, IfNewer, Never} {
		if got, ok := ParseOverwrite(policy.String()); !ok || got != policy {
			t.Errorf("%v is read as %v", policy, got)
		}
	}
	if _, ok := ParseOverwrite("sometimes"); ok {
		t.Error("sometimes is a policy")
	}
}

// TestKilledRestore kills a restore between two files, one of them half
// written. The child says when it is there, and waits.
func TestKilledRestore(t *testing.T) {
	if path := os.Getenv("SOLEKEY_TEST_KILLED"); path != "" {
		killedChild(t, path)
		return
	}
	path := t.TempDir()
	put(t, filepath.Join(path, "half"), "the old one")
	child := exec.Command(os.Args[0], "-test.run=^TestKilledRestore$")
	child.Env = append(os.Environ(), "SOLEKEY_TEST_KILLED="+path)
	stdin, err := child.StdinPipe()
	must(t, err)
	defer stdin.Close()
	stdout, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	concurrent := openRestorer(t, path, RestoreOptions{}) // must not take what is in use
	if temporaryNames(t, path) != 1 {
		t.Error("another restore took the temporary name of a living one")
	}
	must(t, concurrent.Close())
	must(t, child.Process.Kill())
	_ = child.Wait()
	if temporaryNames(t, path) != 1 || read(t, filepath.Join(path, "half")) != "the old one" {
		t.Error("the killed restore left more than a temporary name")
	}
	put(t, filepath.Join(path, temporaryPrefix+"not ours"), "x")
	r := openRestorer(t, path, RestoreOptions{})
	if left, _ := os.ReadDir(path); temporaryNames(t, path) != 0 || len(left) != 3 {
		t.Errorf("left are %v", left)
	}
	must(t, restoreFile(t, r.Root(), fileEntry("half", 5), "whole"))
	if read(t, filepath.Join(path, "done"))+read(t, filepath.Join(path, "half")) != "donewhole" {
		t.Error("the next restore did not go on")
	}
}

func killedChild(t *testing.T, path string) {
	r, err := NewRestorer(path, RestoreOptions{})
	must(t, err)
	must(t, restoreFile(t, r.Root(), fileEntry("done", 4), "done"))
	w, err := r.Root().Create(fileEntry("half", 1000))
	must(t, err)
	_, err = w.WriteAt([]byte("half of"), 0)
	must(t, err)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func temporaryNames(t *testing.T, path string) (n int) {
	entries, err := os.ReadDir(path)
	must(t, err)
	for _, e := range entries {
		if isTemporary(e.Name()) {
			n++
		}
	}
	return n
}

// acl encodes an access list as the kernel keeps it: one more user may read and write.
func acl(user uint32) []byte {
	data := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{1, 7, 0xffffffff}, {2, 6, user}, {4, 4, 0xffffffff}, {16, 6, 0xffffffff}, {32, 0, 0xffffffff}} {
		data = append(data, byte(e[0]), 0, byte(e[1]), 0, byte(e[2]), byte(e[2]>>8), byte(e[2]>>16), byte(e[2]>>24))
	}
	return data
}

// TestAccessLists restores ACLs, also default ones, which must not pass on to
// what did not have them.
func TestAccessLists(t *testing.T) {
	source, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	put(t, filepath.Join(source, "before", "without"), "x")
	put(t, filepath.Join(source, "before", "with"), "x")
	must(t, os.Mkdir(filepath.Join(source, "before", "folder"), 0o755))
	must(t, unix.Setxattr(filepath.Join(source, "before", "with"), "system.posix_acl_access", acl(12345), 0))
	must(t, unix.Setxattr(filepath.Join(source, "before"), "system.posix_acl_default", acl(12346), 0))
	must(t, unix.Setxattr(filepath.Join(source, "before"), "system.posix_acl_access", acl(12347), 0))
	put(t, filepath.Join(source, "before", "inherits"), "x")
	for range 2 {
		copyTree(t, source, target, RestoreOptions{}).clean()
		identical(t, source, target)
	}
	must(t, os.RemoveAll(filepath.Join(target, "before", "without")))
	put(t, filepath.Join(target, "before", "without"), "made anew, with the folder's list")
	copyTree(t, source, target, RestoreOptions{}).clean()
	identical(t, source, target)
}
