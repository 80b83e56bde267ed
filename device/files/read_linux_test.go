// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

func TestListIsSorted(t *testing.T) {
	path := t.TempDir()
	names := []string{"b", "a", "a.", "a b", "B", "\xff", "é", "a\x01", strings.Repeat("z", 255)}
	for i := range 3000 { // more than one block of the system's answer
		names = append(names, fmt.Sprintf("%x", i*2654435761))
	}
	for _, name := range names {
		put(t, filepath.Join(path, name), name)
	}
	slices.Sort(names)
	root := openRoot(t, path)
	for range 2 {
		items, problems, err := root.List()
		must(t, err)
		if len(problems) > 0 || len(items) != len(names) {
			t.Fatalf("%d items, %d problems", len(items), len(problems))
		}
		for i, item := range items {
			if string(item.Name) != names[i] || item.Size != uint64(len(names[i])) || item.Type != tree.TypeFile {
				t.Fatalf("item %d is %q, %d bytes, want %q", i, item.Name, item.Size, names[i])
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "four")
	must(t, os.Symlink("target", filepath.Join(path, "link")))
	must(t, unix.Setxattr(filepath.Join(path, "file"), "user.b", []byte("2"), 0))
	must(t, unix.Setxattr(filepath.Join(path, "file"), "user.a", []byte("1"), 0))
	must(t, os.Chmod(filepath.Join(path, "file"), 0o640))
	setTime(t, filepath.Join(path, "file"), -1)
	root := openRoot(t, path)
	item, err := root.Lookup([]byte("file"))
	must(t, err)
	entry, problems := root.Describe(&item, nil)
	if len(problems) > 0 || entry.Size != 4 || entry.Mode != 0o640 || entry.Modified != -1 || entry.Links != nil ||
		entry.UID != uint32(os.Geteuid()) || len(entry.Xattrs) < 2 || string(entry.Xattrs[0].Name) != "user.a" {
		t.Errorf("described as %+v, %v", entry, problems)
	}
	known := &tree.Entry{Xattrs: []tree.Xattr{{Name: []byte("user.known")}}}
	if entry, _ := root.Describe(&item, known); len(entry.Xattrs) != 1 || string(entry.Xattrs[0].Name) != "user.known" {
		t.Errorf("what was known was asked again: %v", entry.Xattrs)
	}
	item, err = root.Lookup([]byte("link"))
	must(t, err)
	if entry, _ = root.Describe(&item, nil); string(entry.Target) != "target" || entry.Size != 0 {
		t.Errorf("link described as %+v", entry)
	}
	if self, problems := root.DescribeSelf(); len(problems) > 0 || self.Type != tree.TypeFolder {
		t.Errorf("folder described as %+v, %v", self, problems)
	}
}

func TestIdentityChanges(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "four")
	root := openRoot(t, path)
	first, err := root.Lookup([]byte("file"))
	must(t, err)
	second, err := root.Lookup([]byte("file"))
	must(t, err)
	if first.Identity() != second.Identity() {
		t.Error("an untouched file changed")
	}
	put(t, filepath.Join(path, "file"), "longer")
	third, err := root.Lookup([]byte("file"))
	must(t, err)
	if first.Identity() == third.Identity() {
		t.Error("a longer file is the same")
	}
}

// TestSwappedEntries opens what was something else when it was listed.
func TestSwappedEntries(t *testing.T) {
	tests := []struct {
		name string
		swap func(path string) error
		want Cause
	}{
		{"gone", os.Remove, Vanished},
		{"a symlink", func(p string) error { os.Remove(p); return os.Symlink("/etc/passwd", p) }, Replaced},
		{"a fifo", func(p string) error { os.Remove(p); return unix.Mkfifo(p, 0o600) }, Replaced},
		{"a folder", func(p string) error { os.Remove(p); return os.Mkdir(p, 0o700) }, Replaced},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir()
			put(t, filepath.Join(path, "file"), "x")
			root := openRoot(t, path)
			must(t, tt.swap(filepath.Join(path, "file")))
			if _, err := root.Open([]byte("file")); CauseOf(err) != tt.want {
				t.Errorf("open: %v, want %s", err, tt.want)
			}
		})
	}
	path := t.TempDir()
	must(t, os.Mkdir(filepath.Join(path, "folder"), 0o700))
	root := openRoot(t, path)
	must(t, os.Remove(filepath.Join(path, "folder")))
	must(t, os.Symlink("/etc", filepath.Join(path, "folder")))
	if _, err := root.Child([]byte("folder")); CauseOf(err) != Replaced {
		t.Errorf("a symlink was entered: %v", err)
	}
}

// TestSwappedFolder replaces a folder while its descriptor is closed.
func TestSwappedFolder(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "a", "b", "file"), "right")
	put(t, filepath.Join(path, "other", "b", "file"), "wrong")
	root := openRoot(t, path)
	root.pool.limit = 0
	a, err := root.Child([]byte("a"))
	must(t, err)
	b, err := a.Child([]byte("b"))
	must(t, err)
	if file, err := b.Open([]byte("file")); err != nil {
		t.Fatal(err)
	} else {
		must(t, file.Close())
	}
	must(t, os.Rename(filepath.Join(path, "a"), filepath.Join(path, "old")))
	must(t, os.Rename(filepath.Join(path, "other"), filepath.Join(path, "a")))
	if _, err := b.Open([]byte("file")); CauseOf(err) != Replaced {
		t.Errorf("another folder was entered: %v", err)
	}
	must(t, os.RemoveAll(filepath.Join(path, "a")))
	if _, _, err := b.List(); CauseOf(err) != Vanished {
		t.Errorf("a folder that is gone was listed: %v", err)
	}
}

func TestFileChangesWhileRead(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
		want   Cause
		length int
	}{
		{"nothing", func(*testing.T, string) {}, "", 8},
		{"appended", func(t *testing.T, p string) { must(t, os.WriteFile(p, []byte("12345678more"), 0o600)) }, Changed, 8},
		{"shortened", func(t *testing.T, p string) { must(t, os.Truncate(p, 5)) }, Changed, 5},
		{"rewritten, old time", func(t *testing.T, p string) {
			must(t, os.WriteFile(p, []byte("ABCDEFGH"), 0o600))
			setTime(t, p, 1)
		}, Changed, 8},
		{"removed", func(t *testing.T, p string) { must(t, os.Remove(p)) }, "", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			put(t, path, "12345678")
			setTime(t, path, 1)
			file, err := openRoot(t, filepath.Dir(path)).Open([]byte("file"))
			must(t, err)
			defer file.Close()
			head := make([]byte, 4)
			_, err = io.ReadFull(file, head)
			must(t, err)
			pastTick(t, filepath.Dir(path), file)
			tt.change(t, path)
			rest, err := io.ReadAll(file)
			must(t, err)
			if len(head)+len(rest) != tt.length {
				t.Errorf("read %d bytes, want %d", len(head)+len(rest), tt.length)
			}
			if err := file.Check(); CauseOf(err) != tt.want {
				t.Errorf("check says %v, want %q", err, tt.want)
			}
		})
	}
}

// pastTick returns when the file system's clock has passed the file's time of
// change, which the kernel only moves some hundred times a second.
func pastTick(t *testing.T, dir string, file *File) {
	for was := file.Stat().Changed; ; {
		probe := filepath.Join(dir, "tick")
		put(t, probe, "x")
		folder, err := OpenFolder(dir)
		must(t, err)
		item, err := folder.Lookup([]byte("tick"))
		must(t, err)
		must(t, folder.Close())
		must(t, os.Remove(probe))
		if item.Changed > was {
			return
		}
	}
}

func TestReadAt(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "0123456789")
	file, err := openRoot(t, path).Open([]byte("file"))
	must(t, err)
	defer file.Close()
	for _, tt := range []struct {
		at, length int64
		want       string
		end        bool
	}{{0, 10, "0123456789", false}, {3, 4, "3456", false}, {8, 4, "89", true}, {10, 1, "", true}, {99, 1, "", true}} {
		buf := make([]byte, tt.length)
		n, err := file.ReadAt(buf, tt.at)
		if string(buf[:n]) != tt.want || (err == io.EOF) != tt.end {
			t.Errorf("%d bytes at %d: %q, %v", tt.length, tt.at, buf[:n], err)
		}
	}
}

// TestAccessTimeStays reads a file whose time of access a plain read would move.
func TestAccessTimeStays(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "x")
	times := []unix.Timespec{{Sec: 1}, {Sec: 2}}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(path, "file"), times, 0))
	file, err := openRoot(t, path).Open([]byte("file"))
	must(t, err)
	defer file.Close()
	_, err = io.ReadAll(file)
	must(t, err)
	var raw unix.Stat_t
	must(t, unix.Fstat(file.fd, &raw))
	if raw.Atim.Sec != 1 {
		t.Errorf("the time of access became %d", raw.Atim.Sec)
	}
}

func TestHoles(t *testing.T) {
	path := t.TempDir()
	oddSparse(t, path)
	const block = 1 << 16
	want := map[string][]tree.Extent{
		"start":     {{Offset: 0, Length: 3 * block}},
		"end":       {{Offset: block, Length: 47 * block}},
		"middle":    {{Offset: block, Length: 6 * block}, {Offset: 8 * block, Length: 40 * block}},
		"only-hole": {{Offset: 0, Length: 48 * block}},
	}
	root := openRoot(t, path)
	for name, holes := range want {
		file, err := root.Open([]byte(name))
		must(t, err)
		got, err := file.Holes()
		must(t, err)
		must(t, file.Close())
		if !slices.Equal(got, holes) {
			t.Errorf("%s has holes %v, want %v", name, got, holes)
		}
	}
}

func TestLargestHoles(t *testing.T) {
	var many []tree.Extent
	for i := range uint64(tree.MaxHoles + 10) {
		length := uint64(4096)
		if i%7 == 0 && i < 70 {
			length = 1024
		}
		many = append(many, tree.Extent{Offset: i * 10000, Length: length})
	}
	got := largest(many)
	if len(got) != tree.MaxHoles {
		t.Fatalf("%d holes are left", len(got))
	}
	for i, hole := range got {
		if hole.Length < 4096 || i > 0 && got[i-1].Offset >= hole.Offset {
			t.Fatalf("hole %d is %v", i, hole)
		}
	}
}

func TestNamesRefused(t *testing.T) {
	root := openRoot(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "a/b", "/", "a\x00b", "../x"} {
		_, lookup := root.Lookup([]byte(name))
		_, open := root.Open([]byte(name))
		_, child := root.Child([]byte(name))
		for _, err := range []error{lookup, open, child} {
			if CauseOf(err) != Refused {
				t.Errorf("name %q: %v", name, err)
			}
		}
	}
}

func TestClosedRoot(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "a", "file"), "x")
	root, err := OpenFolder(path)
	must(t, err)
	child, err := root.Child([]byte("a"))
	must(t, err)
	must(t, root.Close())
	if _, _, err := child.List(); err == nil {
		t.Error("a folder outlived its root")
	}
	if _, err := OpenFolder(filepath.Join(path, "none")); CauseOf(err) != Vanished {
		t.Errorf("a missing root: %v", err)
	}
	if _, err := OpenFolder(filepath.Join(path, "a", "file")); CauseOf(err) != Replaced {
		t.Errorf("a file as root: %v", err)
	}
}

func TestProblemWords(t *testing.T) {
	p := &Problem{Act: ActOpen, Cause: Denied, Path: []byte("/a\n\xff"), Err: unix.EACCES}
	if got := p.Error(); got != `open "/a\n\xff": permission denied` {
		t.Errorf("says %s", got)
	}
	if p.Warning() || CauseOf(fmt.Errorf("wrapped: %w", p)) != Denied || CauseOf(io.EOF) != Failed || CauseOf(nil) != "" {
		t.Error("causes are mixed up")
	}
	if got := (&Problem{Act: ActRead, Cause: Changed, Path: []byte("x")}); got.Error() != `read "x": changed` || !got.Warning() {
		t.Errorf("says %s", got)
	}
	if !bytes.Contains([]byte((&Problem{Act: ActSetOwner, Cause: Denied}).Error()), []byte("set owner")) {
		t.Error("the act is missing")
	}
}
