// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// trees are kinds of folders that a restore must give back as they were.
var trees = map[string]func(t testing.TB, dir string){
	"empty": func(t testing.TB, dir string) {
		put(t, dir, "a/empty", nil)
		check(t, os.MkdirAll(filepath.Join(dir, "b/c/d"), 0o700))
	},
	"names": func(t testing.TB, dir string) {
		for _, name := range []string{
			"\xff\xfe not UTF-8", strings.Repeat("n", 255), "line\nbreak", "\x1b[31mred", " ", "-rf", "*", "a\\b", "…", "con", ".solekeyignore.not",
		} {
			put(t, dir, name, []byte(name))
			put(t, dir, "below/"+name+"/x", []byte("x"))
			check(t, os.MkdirAll(filepath.Join(dir, "folders", name), 0o755))
		}
	},
	"links": func(t testing.TB, dir string) {
		put(t, dir, "file", []byte("content"))
		for name, target := range map[string]string{
			"dangling": "/nowhere/at/all", "loop": "loop", "relative": "../x/y", "right": "file", "odd": "\xff\n", "up": "../../../../..",
		} {
			check(t, os.Symlink(target, filepath.Join(dir, name)))
		}
	},
	"hard links": func(t testing.TB, dir string) {
		first := put(t, dir, "m/first", noise(1, 3<<20))
		check(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
		for _, name := range []string{"a/earlier", "m/second", "z"} {
			check(t, os.Link(first, filepath.Join(dir, name)))
		}
		check(t, os.Symlink("x", filepath.Join(dir, "link")))
		check(t, os.Link(filepath.Join(dir, "link"), filepath.Join(dir, "link too")))
	},
	"sparse": func(t testing.TB, dir string) {
		sparse(t, filepath.Join(dir, "all hole"), 3<<20)
		sparse(t, filepath.Join(dir, "middle"), 9<<20, 4<<20)
		sparse(t, filepath.Join(dir, "ends"), 9<<20, 0, 9<<20-4096)
		sparse(t, filepath.Join(dir, "many"), 64<<20, 0, 1<<20, 2<<20, 3<<20, 5<<20, 8<<20, 13<<20, 21<<20, 34<<20, 55<<20)
	},
	"large": func(t testing.TB, dir string) {
		put(t, dir, "a list of chunks", noise(2, 48<<20))
		put(t, dir, "zeros", make([]byte, 12<<20))
		put(t, dir, "some", noise(3, 5<<20))
	},
	"many": func(t testing.TB, dir string) {
		for i := range 1500 {
			put(t, dir, fmt.Sprintf("d%d/%d", i%37, i), []byte(fmt.Sprint("file ", i)))
		}
		for i := range 1200 {
			put(t, dir, fmt.Sprintf("wide/%04d", i), noise(uint64(i), i))
		}
	},
	"modes and times": func(t testing.TB, dir string) {
		for i, mode := range []uint32{0o4755, 0o2755, 0o1777, 0o400, 0o000, 0o222, 0o7777} {
			path := put(t, dir, fmt.Sprint("file", i), []byte("x"))
			check(t, unix.Chmod(path, mode))
			sub := filepath.Join(dir, fmt.Sprint("folder", i))
			put(t, sub, "x", nil)
			check(t, unix.Chmod(sub, mode|0o700))
		}
		for i, at := range []time.Time{time.Unix(-1e9, 7), time.Unix(0, 0), time.Unix(1, 999999999), time.Unix(4e9, 1)} {
			path := put(t, dir, fmt.Sprint("time", i), nil)
			check(t, os.Chtimes(path, at, at))
			sub := filepath.Join(dir, fmt.Sprint("old", i))
			put(t, sub, "new", nil)
			check(t, os.Chtimes(sub, at, at))
		}
	},
	"attributes": func(t testing.TB, dir string) {
		path := put(t, dir, "file", []byte("x"))
		check(t, unix.Setxattr(path, "user.one", []byte("\x00\xff"), 0))
		check(t, unix.Setxattr(path, "user.empty", nil, 0))
		check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
		check(t, unix.Setxattr(filepath.Join(dir, "folder"), "user.two", []byte("2"), 0))
	},
	"pipes": func(t testing.TB, dir string) {
		check(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o640))
	},
}

// sparse writes a file of that size with a block of data at each offset.
func sparse(t testing.TB, path string, size int64, data ...int64) {
	t.Helper()
	f, err := os.Create(path)
	check(t, err)
	defer f.Close()
	check(t, f.Truncate(size))
	for i, at := range data {
		_, err := f.WriteAt(noise(uint64(i), 4096), at)
		check(t, err)
	}
}

func TestRestoreGivesBack(t *testing.T) {
	for name, build := range trees {
		t.Run(name, func(t *testing.T) {
			source, target := t.TempDir(), newTarget(t)
			build(t, source)
			w := newRestoreWorld(t)
			w.backup(source)
			first := w.mustRestore(target, func(o *RestoreOptions) { o.Verify = true })
			wantSame(t, source, target)
			if first.Unchanged != 0 {
				t.Errorf("%d entries counted as unchanged in a new folder", first.Unchanged)
			}
			again := w.mustRestore(target)
			wantSame(t, source, target)
			if again.Written != 0 || again.Unchanged == 0 && first.Files+first.Others > 0 {
				t.Errorf("the second restore: %+v", again.RestoreProgress)
			}
		})
	}
}

func TestRestoreWholeSnapshot(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	put(t, source, "a/b", []byte("x"))
	w := newRestoreWorld(t)
	w.backup(source)
	w.mustRestore(target, func(o *RestoreOptions) { o.Path = nil })
	wantSame(t, source, filepath.Join(target, source))
	if got := w.restore(newTarget(t), func(o *RestoreOptions) { o.Path = []byte(source + "/a/b") }); got.err == nil {
		t.Error("a file as the path to restore is an error")
	}
	if got := w.restore(newTarget(t), func(o *RestoreOptions) { o.Path = []byte("/nowhere") }); got.err == nil {
		t.Error("a path that is not there is an error")
	}
}

// deep makes folders in each other until their path is longer than the system
// takes, and returns how many.
func deep(t testing.TB, dir string) {
	t.Helper()
	name := strings.Repeat("d", 200)
	at, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	check(t, err)
	for range 30 {
		check(t, unix.Mkdirat(at, name, 0o755))
		next, err := unix.Openat(at, name, unix.O_DIRECTORY|unix.O_RDONLY, 0)
		check(t, err)
		check(t, unix.Close(at))
		at = next
	}
	fd, err := unix.Openat(at, "bottom", unix.O_CREAT|unix.O_WRONLY, 0o644)
	check(t, err)
	_, err = unix.Write(fd, []byte("reached"))
	check(t, err)
	check(t, unix.Close(fd))
	check(t, unix.Close(at))
}

func TestRestoreDeep(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	deep(t, source)
	w := newRestoreWorld(t)
	w.backup(source)
	w.mustRestore(target, func(o *RestoreOptions) { o.Verify, o.Delete = true, true })
	wantSame(t, source, target)
	w.mustRestore(target)
}

func TestRestoreLargeSparse(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	sparse(t, filepath.Join(source, "5 GiB"), 5<<30, 1<<30, 5<<30-4096)
	w := newRestoreWorld(t)
	w.backup(source)
	got := w.mustRestore(target, func(o *RestoreOptions) { o.Verify = true })
	if got.Written > 1<<20 {
		t.Errorf("%d bytes written", got.Written)
	}
	stat := unix.Stat_t{}
	check(t, unix.Stat(filepath.Join(target, "5 GiB"), &stat))
	if stat.Size != 5<<30 || stat.Blocks > 4096 {
		t.Errorf("size %d in %d blocks", stat.Size, stat.Blocks)
	}
}

// TestRestoreFetchesWhatDiffers changes one byte of a large file in the target.
func TestRestoreFetchesWhatDiffers(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	put(t, source, "large", noise(1, 40<<20))
	put(t, source, "other", noise(2, 1000))
	w := newRestoreWorld(t)
	w.backup(source)
	w.mustRestore(target)
	for name, change := range map[string]func(f *os.File) error{
		"changed": func(f *os.File) error { _, err := f.WriteAt([]byte("!!!"), 20<<20); return err },
		"cut":     func(f *os.File) error { return f.Truncate(30 << 20) },
		"longer":  func(f *os.File) error { return f.Truncate(50 << 20) },
	} {
		f, err := os.OpenFile(filepath.Join(target, "large"), os.O_RDWR, 0)
		check(t, err)
		check(t, change(f))
		check(t, f.Close())
		got := w.mustRestore(target)
		wantSame(t, source, target)
		if got.Fetched > 16<<20 || got.Files != 1 || got.Unchanged != 1 {
			t.Errorf("%s: %+v", name, got.RestoreProgress)
		}
	}
	// Touched, and otherwise the same: nothing is written.
	check(t, os.Chtimes(filepath.Join(target, "large"), time.Now(), time.Unix(1, 0)))
	if got := w.mustRestore(target); got.Written != 0 || got.Fetched != 0 {
		t.Errorf("touched: %+v", got.RestoreProgress)
	}
	wantSame(t, source, target)
}

func TestRestoreOverwrite(t *testing.T) {
	newer, older := time.Now().Add(time.Hour), time.Unix(1e9, 0)
	for _, c := range []struct {
		policy  files.Overwrite
		content string
		time    time.Time
		want    string
	}{
		{files.Always, "mine!", newer, "saved"},
		{files.Always, "longer than it", older, "saved"},
		{files.IfChanged, "mine!", newer, "saved"},
		{files.IfChanged, "mine!", older, "saved"},
		{files.IfNewer, "mine!", older, "saved"},
		{files.IfNewer, "mine!", newer, "mine!"},
		{files.Never, "mine!", older, "mine!"},
		{files.Never, "", older, ""},
	} {
		source, target := t.TempDir(), t.TempDir()
		put(t, source, "file", []byte("saved"))
		put(t, source, "missing", []byte("also"))
		w := newRestoreWorld(t)
		w.backup(source)
		mine := put(t, target, "file", []byte(c.content))
		check(t, os.Chtimes(mine, c.time, c.time))
		got := w.mustRestore(target, func(o *RestoreOptions) { o.Overwrite, o.Verify = c.policy, true })
		now, err := os.ReadFile(mine)
		check(t, err)
		if string(now) != c.want {
			t.Errorf("%s over %q of %s: %q, not %q", c.policy, c.content, c.time, now, c.want)
		}
		if kept := c.want != "saved"; kept != (got.Kept == 1) {
			t.Errorf("%s: %+v", c.policy, got.RestoreProgress)
		}
		if also, err := os.ReadFile(filepath.Join(target, "missing")); err != nil || string(also) != "also" {
			t.Errorf("%s: the missing file: %q, %v", c.policy, also, err)
		}
	}
}

// TestRestoreOverOthers restores where something of another type stands.
func TestRestoreOverOthers(t *testing.T) {
	source, outside := t.TempDir(), t.TempDir()
	put(t, source, "file", []byte("content"))
	put(t, source, "folder/in", []byte("content"))
	check(t, os.Symlink("there", filepath.Join(source, "link")))
	put(t, outside, "in", []byte("not yours"))
	put(t, outside, "victim", []byte("not yours"))
	w := newRestoreWorld(t)
	w.backup(source)
	for name, prepare := range map[string]func(target string){
		"links": func(target string) {
			check(t, os.Symlink(filepath.Join(outside, "victim"), filepath.Join(target, "file")))
			check(t, os.Symlink(outside, filepath.Join(target, "folder")))
			put(t, target, "link", []byte("a file"))
		},
		"folders": func(target string) {
			check(t, os.Mkdir(filepath.Join(target, "file"), 0o755))
			check(t, os.Mkdir(filepath.Join(target, "link"), 0o755))
			put(t, target, "folder", []byte("a file"))
		},
		"pipes": func(target string) {
			for _, n := range []string{"file", "folder", "link"} {
				check(t, unix.Mkfifo(filepath.Join(target, n), 0o600))
			}
		},
		"hard links": func(target string) {
			check(t, os.Link(filepath.Join(outside, "victim"), filepath.Join(target, "file")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := t.TempDir()
			prepare(target)
			w.mustRestore(target)
			wantSame(t, source, target)
			for _, n := range []string{"in", "victim"} {
				if b, err := os.ReadFile(filepath.Join(outside, n)); err != nil || string(b) != "not yours" {
					t.Fatalf("%s outside of the target: %q, %v", n, b, err)
				}
			}
		})
	}
}

func TestRestoreFullFolderInTheWay(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	put(t, source, "file", []byte("content"))
	put(t, source, "other", []byte("content"))
	put(t, target, "file/mine", []byte("mine"))
	w := newRestoreWorld(t)
	w.backup(source)
	got := w.restore(target)
	if got.err != nil || got.Lost != 1 || got.Files != 1 || !exists(filepath.Join(target, "file/mine")) {
		t.Errorf("%v %+v %v", got.err, got.RestoreProgress, got.problems)
	}
	w.mustRestore(target, func(o *RestoreOptions) { o.Delete = true })
	wantSame(t, source, target)
}

func TestRestoreDelete(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	put(t, source, "a/kept", []byte("1"))
	put(t, source, "b/kept", []byte("1"))
	check(t, os.Mkdir(filepath.Join(source, "empty"), 0o755))
	w := newRestoreWorld(t)
	w.backup(source)
	fill := func() {
		for _, name := range []string{"0", "a/a", "a/z.log", "b/x/y/z", "empty/1", "zz/1"} {
			put(t, target, name, []byte("mine"))
		}
	}
	fill()
	if got := w.mustRestore(target); got.Deleted != 0 || !exists(filepath.Join(target, "zz/1")) {
		t.Errorf("something was deleted unasked: %+v", got.RestoreProgress)
	}
	choice, err := NewChoice(nil, nil, []string{"*.log", "/zz"}, nil)
	check(t, err)
	put(t, target, "gone/sub/z.log", []byte("mine"))
	put(t, target, "gone/sub/z", []byte("mine"))
	would := w.mustRestore(target, func(o *RestoreOptions) { o.Delete, o.Choice, o.DryRun = true, choice, true })
	got := w.mustRestore(target, func(o *RestoreOptions) { o.Delete, o.Choice = true, choice })
	if got.Deleted != 7 || would.Deleted != 7 || exists(filepath.Join(target, "b/x")) || exists(filepath.Join(target, "gone/sub/z")) {
		t.Errorf("with exclude: %+v, and before it was to be %+v", got.RestoreProgress, would.RestoreProgress)
	}
	for _, name := range []string{"a/z.log", "zz/1", "gone/sub/z.log"} {
		if !exists(filepath.Join(target, name)) {
			t.Errorf("%s was deleted, which is left out", name)
		}
	}
	fill()
	w.mustRestore(target, func(o *RestoreOptions) { o.Delete = true })
	wantSame(t, source, target)
}

func TestRestoreChoice(t *testing.T) {
	source := t.TempDir()
	for _, name := range []string{"a/1.txt", "a/2.TXT", "a/3.log", "b/c/4.txt", "d/5.log", "e/6.log"} {
		put(t, source, name, []byte(name))
	}
	w := newRestoreWorld(t)
	w.backup(source)
	for _, c := range []struct {
		name                     string
		in, inFold, out, outFold []string
		want                     string
	}{
		{name: "include", in: []string{"*.txt"}, want: "a/1.txt b/c/4.txt"},
		{name: "include in any case", inFold: []string{"*.txt"}, want: "a/1.txt a/2.TXT b/c/4.txt"},
		{name: "include a folder", in: []string{"/b"}, want: "b/c/4.txt"},
		{name: "include a path", in: []string{"/a/*.log", "/d"}, want: "a/3.log d/5.log"},
		{name: "exclude", out: []string{"*.log"}, want: "a/1.txt a/2.TXT b/c/4.txt d/ e/"},
		{name: "exclude in any case", out: []string{"/d", "e"}, outFold: []string{"*.TXT"}, want: "a/3.log b/c/"},
		{name: "nothing", in: []string{"/nowhere"}, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice, err := NewChoice(c.in, c.inFold, c.out, c.outFold)
			check(t, err)
			target := newTarget(t)
			w.mustRestore(target, func(o *RestoreOptions) { o.Choice = choice })
			if got := strings.Join(leaves(t, target, ""), " "); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
	if _, err := NewChoice([]string{"a"}, nil, nil, []string{"b"}); err == nil {
		t.Error("both to include and to exclude is an error")
	}
	if _, err := NewChoice([]string{"[a"}, nil, nil, nil); err == nil {
		t.Error("a bad pattern is an error")
	}
}

// leaves lists files, and folders in which nothing is, with a slash behind.
func leaves(t testing.TB, dir, below string) (list []string) {
	t.Helper()
	names := namesIn(t, filepath.Join(dir, below))
	if len(names) == 0 && below != "" {
		return []string{below + "/"}
	}
	for _, name := range names {
		path := filepath.Join(below, name)
		if info, err := os.Lstat(filepath.Join(dir, path)); err == nil && info.IsDir() {
			list = append(list, leaves(t, dir, path)...)
			continue
		}
		list = append(list, path)
	}
	return list
}

func TestRestoreDryRun(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	put(t, source, "a/new", []byte("12345"))
	put(t, source, "b/same", []byte("1"))
	put(t, source, "c", []byte("other"))
	check(t, os.Symlink("x", filepath.Join(source, "link")))
	w := newRestoreWorld(t)
	w.backup(source)
	dry := func(o *RestoreOptions) { o.DryRun, o.Delete = true, true }
	got := w.mustRestore(target, dry)
	if exists(target) || got.Files != 3 || got.Others != 1 || got.Written != 11 {
		t.Errorf("into nothing: %+v", got.RestoreProgress)
	}
	w.mustRestore(target)
	check(t, os.Remove(filepath.Join(target, "a/new")))
	put(t, target, "c", []byte("mine, and longer"))
	put(t, target, "a/extra", nil)
	got = w.mustRestore(target, dry)
	if got.Files != 2 || got.Unchanged != 2 || got.Deleted != 1 || !exists(filepath.Join(target, "a/extra")) {
		t.Errorf("into a folder: %+v %v", got.RestoreProgress, got.items)
	}
	if b, _ := os.ReadFile(filepath.Join(target, "c")); string(b) != "mine, and longer" || exists(filepath.Join(target, "a/new")) {
		t.Error("a dry run wrote something")
	}
	for policy, want := range map[files.Overwrite]int64{files.Never: 1, files.IfNewer: 1, files.Always: 3} {
		got := w.mustRestore(target, func(o *RestoreOptions) { o.DryRun, o.Overwrite = true, policy })
		if got.Files != want {
			t.Errorf("%s: %+v", policy, got.RestoreProgress)
		}
	}
}

func TestRestoreItems(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	put(t, source, "a/\xff", []byte("12345"))
	put(t, source, "kept", []byte("1"))
	put(t, target, "gone", nil)
	w := newRestoreWorld(t)
	w.backup(source)
	put(t, target, "kept", []byte("9"))
	got := w.mustRestore(target, func(o *RestoreOptions) { o.Delete, o.Overwrite = true, files.Never })
	want := map[string]RestoredItem{
		"/a/\xff":                     {Action: ActionRestored, Type: tree.TypeFile, Size: 5},
		"/kept":                       {Action: ActionKept, Type: tree.TypeFile, Size: 1},
		filepath.Join(target, "gone"): {Action: ActionDeleted},
	}
	for _, it := range got.items {
		w := want[string(it.Path)]
		if it.Action != w.Action || it.Type != w.Type || it.Size != w.Size {
			t.Errorf("%q: %+v", it.Path, it)
		}
		delete(want, string(it.Path))
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
}
