// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build root

package files

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

const nobody = 65534

// needRoot fails the test of whoever is not root: what is not run is not known.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: sudo make test-root")
	}
}

// mountSmall mounts a file system of its own.
func mountSmall(t *testing.T, path, options string) {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755))
	must(t, unix.Mount("tmpfs", path, "tmpfs", 0, options))
	t.Cleanup(func() {
		if err := unix.Unmount(path, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// capability is cap_net_bind_service, effective and permitted, as the kernel keeps it.
var capability = append([]byte{1, 0, 0, 2, 0, 4, 0, 0}, make([]byte, 12)...)

// TestRootCopyIsIdentical copies what only root can make.
func TestRootCopyIsIdentical(t *testing.T) {
	needRoot(t)
	source, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	at := func(name string) string { return filepath.Join(source, name) }
	for i, mode := range []uint32{0o755, 0o4755, 0o2755, 0o6755, 0o600, 0} {
		name := at("owned-" + string(rune('a'+i)))
		put(t, name, "x")
		must(t, os.Lchown(name, 1234+i, 4_000_000_000))
		must(t, unix.Chmod(name, mode))
	}
	put(t, at("folder/inside"), "x")
	must(t, os.Lchown(at("folder"), 1, 2))
	must(t, unix.Chmod(at("folder"), 0o3770))
	put(t, at("folder/inherits the group"), "x")
	must(t, os.Symlink("folder", at("link")))
	must(t, os.Lchown(at("link"), 77, 78))
	must(t, unix.Lsetxattr(at("link"), "trusted.on-a-link", []byte("x"), 0))
	put(t, at("capable"), "program")
	must(t, os.Chown(at("capable"), 5, 6))
	must(t, unix.Setxattr(at("capable"), "security.capability", capability, 0))
	must(t, unix.Setxattr(at("capable"), "trusted.x", []byte("y"), 0))
	must(t, unix.Setxattr(at("capable"), "system.posix_acl_access", acl(9), 0))
	must(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(at("block"), unix.S_IFBLK|0o640, int(unix.Mkdev(259, 1_000_000))))
	must(t, os.Lchown(at("block"), 0, 6))
	must(t, unix.Mknod(at("fifo"), unix.S_IFIFO|0o600, 0))
	must(t, os.Lchown(at("fifo"), 8, 9))
	setTime(t, at("null"), -5)
	setTime(t, at("fifo"), 5)

	copyTree(t, source, target, RestoreOptions{NumericOwner: true}).clean()
	if result := identical(t, source, target); result.Entries != 14 {
		t.Errorf("%d entries were compared", result.Entries)
	}
	rootRepairs(t, source, target)
}

// rootRepairs breaks what only root can break, and restores.
func rootRepairs(t *testing.T, source, target string) {
	must(t, os.Chown(filepath.Join(target, "owned-b"), 1, 1)) // clears setuid
	must(t, os.Chown(filepath.Join(target, "capable"), 1, 1)) // clears the capability
	must(t, os.Remove(filepath.Join(target, "null")))
	must(t, unix.Mknod(filepath.Join(target, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	result, err := Compare(source, target, CompareOptions{})
	must(t, err)
	var seen []string
	for _, d := range result.Differences {
		seen = append(seen, string(d.Path)+" "+string(d.Property))
	}
	for _, want := range []string{"capable attributes", "capable owner", "null device", "owned-b mode", "owned-b owner"} {
		if !slices.Contains(seen, want) {
			t.Errorf("%s was not seen in %q", want, seen)
		}
	}
	for _, policy := range []Overwrite{Always, IfChanged} {
		copyTree(t, source, target, RestoreOptions{NumericOwner: true, Overwrite: policy}).clean()
	}
	identical(t, source, target)
}

func TestRootOwnersByName(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	tests := []struct {
		user, group string
		numeric     bool
		uid, gid    uint32
	}{
		{"daemon", "daemon", false, systemAccounts.userID("daemon", 0), systemAccounts.groupID("daemon", 0)},
		{"daemon", "daemon", true, 5_000, 6_000},
		{"no such user", "no such group", false, 5_000, 6_000},
		{"", "", false, 5_000, 6_000},
	}
	if tests[0].uid == 0 {
		t.Fatal("this system has no user called daemon")
	}
	for _, tt := range tests {
		e := fileEntry("file", 1)
		e.User, e.Group, e.UID, e.GID = tt.user, tt.group, 5_000, 6_000
		r := openRestorer(t, path, RestoreOptions{NumericOwner: tt.numeric})
		must(t, restoreFile(t, r.Root(), e, "x"))
		item, err := r.Root().Existing().Lookup(e.Name)
		must(t, err)
		if item.UID != tt.uid || item.GID != tt.gid {
			t.Errorf("%+v: owned by %d:%d", tt, item.UID, item.GID)
		}
	}
}

// TestRootFullDisk fills a file system of one MiB.
func TestRootFullDisk(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "small")
	mountSmall(t, path, "size=1m")
	put(t, filepath.Join(path, "file"), "old")
	content := bytes.Repeat([]byte("x"), 1<<19)
	for _, sparse := range []bool{false, true} {
		r := openRestorer(t, path, RestoreOptions{Sparse: sparse})
		w, err := r.Root().Create(fileEntry("file", 3<<20))
		for at := int64(0); err == nil && at < 3<<20; at += int64(len(content)) {
			if _, err = w.WriteAt(content, at); err != nil {
				w.Abort()
			}
		}
		if CauseOf(err) != Full {
			t.Errorf("sparse %v: %v", sparse, err)
		}
		if left, _ := os.ReadDir(path); len(left) != 1 || read(t, filepath.Join(path, "file")) != "old" {
			t.Errorf("left are %v", left)
		}
		must(t, r.Close())
	}
}

func TestRootOneFileSystem(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	put(t, filepath.Join(path, "a", "file"), "x")
	mountSmall(t, filepath.Join(path, "other"), "size=1m")
	put(t, filepath.Join(path, "other", "file"), "x")
	if kept := walked(t, path, Rules{OneFileSystem: true}); !slices.Equal(kept, []string{"a", "a/file", "other"}) {
		t.Errorf("kept %q", kept)
	}
	if kept := walked(t, path, Rules{}); !slices.Equal(kept, []string{"a", "a/file", "other", "other/file"}) {
		t.Errorf("without the rule, kept %q", kept)
	}
	problems := openRestorer(t, path, RestoreOptions{}).Root().Prune(func([]byte) bool { return false }, nil)
	if len(problems) != 1 || problems[0].Cause != Exists || read(t, filepath.Join(path, "other", "file")) != "x" {
		t.Errorf("another file system was emptied: %v", problems)
	}
}

// TestRootAsNobody runs itself again without any rights.
func TestRootAsNobody(t *testing.T) {
	if root := os.Getenv("SOLEKEY_TEST_NOBODY"); root != "" {
		nobodyReads(t, filepath.Join(root, "source"))
		nobodyPasses(t, filepath.Join(root, "passage"))
		nobodyRestores(t, filepath.Join(root, "target"))
		return
	}
	needRoot(t)
	root, err := os.MkdirTemp("", "solekey-nobody-") // every folder above may be searched, unlike t.TempDir's
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	must(t, os.Chmod(root, 0o755))
	put(t, filepath.Join(root, "source", "secret"), "x")
	must(t, os.Chmod(filepath.Join(root, "source", "secret"), 0o600))
	put(t, filepath.Join(root, "source", "closed", "file"), "x")
	must(t, os.Chmod(filepath.Join(root, "source", "closed"), 0o700))
	put(t, filepath.Join(root, "source", "open"), "x")
	put(t, filepath.Join(root, "passage", "home", "file"), "x")
	must(t, os.Chmod(filepath.Join(root, "passage"), 0o711))
	must(t, os.Mkdir(filepath.Join(root, "target"), 0o755))
	must(t, os.Chown(filepath.Join(root, "target"), nobody, nobody))

	child := exec.Command("/proc/self/exe", "-test.run=^TestRootAsNobody$")
	child.Env = []string{"SOLEKEY_TEST_NOBODY=" + root, "TMPDIR=" + filepath.Join(root, "target")}
	child.Dir = root
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// nobodyReads meets what it may not read, and goes on.
func nobodyReads(t *testing.T, path string) {
	root := openRoot(t, path)
	items, problems, err := root.List()
	must(t, err)
	if len(items) != 3 || len(problems) > 0 {
		t.Errorf("%d items, %v", len(items), problems)
	}
	if _, err := root.Open([]byte("secret")); CauseOf(err) != Denied {
		t.Errorf("secret: %v", err)
	}
	if _, err := root.Child([]byte("closed")); CauseOf(err) != Denied {
		t.Errorf("closed: %v", err)
	}
	file, err := root.Open([]byte("open")) // not its owner: O_NOATIME is not for it
	must(t, err)
	must(t, file.Close())
}

// nobodyPasses goes through a folder that nobody may list.
func nobodyPasses(t *testing.T, path string) {
	if _, err := OpenFolder(path); CauseOf(err) != Denied {
		t.Errorf("opened to be listed: %v", err)
	}
	passage, err := OpenPassage(path)
	must(t, err)
	defer passage.Close()
	item, err := passage.Lookup([]byte("home"))
	must(t, err)
	entry, problems := passage.DescribeSelf()
	if item.Type != tree.TypeFolder || entry == nil || entry.Mode != 0o711 || len(problems) > 0 {
		t.Errorf("%+v, %+v, %v", item, entry, problems)
	}
	if _, _, err := passage.List(); err == nil {
		t.Error("a passage was listed")
	}
}

// nobodyRestores is warned of what it cannot set, and restores the rest.
func nobodyRestores(t *testing.T, path string) {
	target := openRestorer(t, path, RestoreOptions{NumericOwner: true}).Root()
	e := fileEntry("file", 1)
	e.UID, e.GID, e.Mode = 0, 0, 0o6755
	e.Xattrs = []tree.Xattr{
		{Name: []byte("security.capability"), Value: capability},
		{Name: []byte("user.fine"), Value: []byte("x")},
	}
	w, err := target.Create(e)
	must(t, err)
	_, err = w.WriteAt([]byte("x"), 0)
	must(t, err)
	problems, err := w.Commit()
	must(t, err)
	var acts []Act
	for _, p := range problems {
		acts = append(acts, p.Act)
		if p.Cause != Denied || !p.Warning() {
			t.Errorf("%v: %s", p, p.Cause)
		}
	}
	if !slices.Equal(acts, []Act{ActSetOwner, ActSetMode, ActSetXattr}) {
		t.Errorf("warned of %v", problems)
	}
	item, err := target.Existing().Lookup(e.Name)
	must(t, err)
	if item.Mode != 0o755 || item.UID != nobody || item.Modified != e.Modified {
		t.Errorf("restored as %+v", item.Stat)
	}
	device := fileEntry("device", 0)
	device.Type, device.Device = tree.TypeCharDev, unix.Mkdev(1, 3)
	if _, err := target.Place(device); CauseOf(err) != Denied {
		t.Errorf("a device: %v", err)
	}
	nobodyUnlocks(t, path)
}

// nobodyUnlocks restores into a folder of its own that it may not write to.
func nobodyUnlocks(t *testing.T, path string) {
	must(t, os.Mkdir(filepath.Join(path, "locked"), 0))
	target := openRestorer(t, path, RestoreOptions{NumericOwner: true}).Root()
	e := folderEntry("locked")
	e.Mode = 0o500
	locked, err := target.Folder(e)
	must(t, err)
	readOnly := fileEntry("read only", 1)
	readOnly.Mode = 0o400
	readOnly.Xattrs = []tree.Xattr{{Name: []byte("user.x"), Value: []byte("y")}}
	must(t, restoreFile(t, locked, readOnly, "x"))
	for _, p := range locked.Finish(e) {
		t.Error(p)
	}
	if got := openRoot(t, filepath.Join(path, "locked")).Stat(); got.Mode != 0o500 || got.Modified != e.Modified {
		t.Errorf("the folder is %+v", got)
	}
	readOnly.Xattrs[0].Value = []byte("z")
	for _, p := range locked.Adjust(readOnly) {
		t.Error(p)
	}
}
