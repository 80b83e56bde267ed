// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func TestEntry(t *testing.T) {
	source := t.TempDir()
	put(t, source, "a/b", []byte("x"))
	w := newRestoreWorld(t)
	w.backup(source)
	for path, want := range map[string]string{"": "", "/": "", ".": "", source: filepath.Base(source), source + "//a/./b": "b"} {
		e, err := w.browser.Entry(t.Context(), w.shot, []byte(path))
		if err != nil || string(e.Name) != want {
			t.Errorf("%q: %v, %v", path, e, err)
		}
	}
	for _, path := range []string{"/nowhere", source + "/a/b/c", source + "/a/..", "/../etc"} {
		if _, err := w.browser.Entry(t.Context(), w.shot, []byte(path)); protocol.KindOf(err) != protocol.KindNotFound {
			t.Errorf("%q: %v", path, err)
		}
	}
	lost := &Snapshot{RunDetails: RunDetails{Root: protocol.Hash{1}}}
	if _, err := w.browser.Entry(t.Context(), lost, []byte("/x")); protocol.KindOf(err) != protocol.KindUnreadable {
		t.Errorf("in a snapshot without its root: %v", err)
	}
	if _, err := w.browser.Folder(t.Context(), w.shot, []byte(source+"/a/b")); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("a file as a folder: %v", err)
	}
}

func TestWalk(t *testing.T) {
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		lost := tree.Entry{Name: []byte("lost"), Type: tree.TypeFolder, Folder: protocol.Hash{1}}
		return h.folder(h.dir("a", h.dir("b", h.file("c", "1")), h.file("d", "2")), h.file("b", "3"), lost, h.dir("skipped", h.file("x", "4")), h.file("z", "5"))
	})
	var visited, missing []string
	visit := func(path []byte, _ *tree.Entry) error {
		visited = append(visited, string(path))
		if string(path) == "/skipped" {
			return ErrSkip
		}
		return nil
	}
	lost := func(path []byte, err error) { missing = append(missing, string(path)) }
	check(t, w.browser.Walk(t.Context(), []byte("/"), w.shot.root(), visit, lost))
	if got := strings.Join(visited, " "); got != "/a /a/b /a/b/c /a/d /b /lost /skipped /z" {
		t.Errorf("visited %s", got)
	}
	if !slices.Equal(missing, []string{"/lost"}) {
		t.Errorf("lost %v", missing)
	}
	if err := w.browser.Walk(t.Context(), nil, w.shot.root(), visit, nil); protocol.KindOf(err) != protocol.KindUnreadable {
		t.Errorf("without lost: %v", err)
	}
	stop := fmt.Errorf("stop")
	if err := w.browser.Walk(t.Context(), nil, w.shot.root(), func([]byte, *tree.Entry) error { return stop }, nil); err != stop {
		t.Errorf("a visitor's error: %v", err)
	}
}

func TestDump(t *testing.T) {
	for name, build := range trees {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			build(t, source)
			w := newRestoreWorld(t)
			w.backup(source)
			all := leaves(t, source, "")
			for i := 0; i < len(all); i += 1 + len(all)/200 {
				file := all[i]
				info, err := os.Lstat(filepath.Join(source, file))
				check(t, err)
				e, err := w.browser.Entry(t.Context(), w.shot, []byte(source+"/"+file))
				check(t, err)
				var out bytes.Buffer
				err = w.browser.Dump(t.Context(), e, &out)
				if !info.Mode().IsRegular() {
					if protocol.KindOf(err) != protocol.KindUsage {
						t.Errorf("%q: %v", file, err)
					}
					continue
				}
				want, _ := os.ReadFile(filepath.Join(source, file))
				if err != nil || !bytes.Equal(out.Bytes(), want) {
					t.Fatalf("%q: %d bytes of %d, %v", file, out.Len(), len(want), err)
				}
			}
		})
	}
}

// TestDumpDamaged demands that what comes out before the error is right.
func TestDumpDamaged(t *testing.T) {
	source := t.TempDir()
	content := noise(1, 60<<20)
	put(t, source, "file", content)
	w := newRestoreWorld(t)
	w.backup(source)
	e, err := w.browser.Entry(t.Context(), w.shot, []byte(source+"/file"))
	check(t, err)
	for id, pack := range w.copyOfPacks() {
		w.damage(id, nil)
		var out bytes.Buffer
		err := w.browser.Dump(t.Context(), e, &out)
		if err == nil && out.Len() != len(content) || !bytes.HasPrefix(content, out.Bytes()) {
			t.Errorf("%d bytes, %v", out.Len(), err)
		}
		if err != nil && protocol.KindOf(err) != protocol.KindUnreadable {
			t.Errorf("the kind of %v", err)
		}
		w.damage(id, pack)
	}
	full := fmt.Errorf("no space")
	if err := w.browser.Dump(t.Context(), e, failing{full}); err != full {
		t.Errorf("into nowhere: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestArchiveTar(t *testing.T) {
	source := t.TempDir()
	for _, name := range []string{"names", "links", "hard links", "pipes", "modes and times", "attributes"} {
		dir := filepath.Join(source, name)
		check(t, os.Mkdir(dir, 0o755))
		trees[name](t, dir)
	}
	w := newRestoreWorld(t)
	w.backup(source)
	out := w.archive("tar")
	reader := tar.NewReader(out)
	linked, attributes, seen := 0, 0, 0
	for {
		h, err := reader.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		seen++
		path := filepath.Join(source, h.Name)
		info, err := os.Lstat(path)
		check(t, err)
		if h.Typeflag == tar.TypeLink {
			linked++
			continue
		}
		if got := h.FileInfo().Mode(); got != info.Mode() {
			t.Errorf("%q: mode %v, not %v", h.Name, got, info.Mode())
		}
		if len(h.PAXRecords) > 0 && h.PAXRecords["SCHILY.xattr.user.one"] == "\x00\xff" {
			attributes++
		}
		if info.Mode().IsRegular() {
			got, err := io.ReadAll(reader)
			check(t, err)
			if want, _ := os.ReadFile(path); !bytes.Equal(got, want) {
				t.Errorf("%q: %d bytes, not %d", h.Name, len(got), len(want))
			}
		}
	}
	if linked != 3 || attributes != 1 || seen < 60 {
		t.Errorf("%d hard links, %d attributes in %d entries", linked, attributes, seen)
	}
}

// archive returns the archive of what was backed up.
func (w *restoreWorld) archive(format string) *bytes.Buffer {
	w.t.Helper()
	folder, err := w.browser.Folder(w.t.Context(), w.shot, []byte(w.source))
	check(w.t, err)
	out := new(bytes.Buffer)
	check(w.t, w.browser.Archive(w.t.Context(), folder, format, out, func(path []byte) { w.t.Errorf("%q was left out", path) }))
	return out
}

func TestArchiveZip(t *testing.T) {
	source := t.TempDir()
	put(t, source, "a/b", noise(1, 100))
	put(t, source, "a/c", make([]byte, 1<<20))
	check(t, os.Symlink("a/b", filepath.Join(source, "link")))
	w := newRestoreWorld(t)
	w.backup(source)
	out := w.archive("zip")
	reader, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	check(t, err)
	var names []string
	for _, f := range reader.File {
		names = append(names, f.Name)
		in, err := f.Open()
		check(t, err)
		got, err := io.ReadAll(in)
		check(t, err)
		want, _ := os.ReadFile(filepath.Join(source, f.Name))
		if f.Name == "link" {
			want = []byte("a/b")
		}
		if !f.FileInfo().IsDir() && !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes", f.Name, len(got))
		}
	}
	if got := strings.Join(names, " "); got != "a/ a/b a/c link" {
		t.Errorf("in the archive: %s", got)
	}
	if err := w.browser.Archive(t.Context(), w.shot.root(), "rar", out, nil); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("another format: %v", err)
	}
}

func TestFind(t *testing.T) {
	source := t.TempDir()
	for _, name := range []string{"a/one.txt", "a/TWO.TXT", "foo/foo", "foo/bar/x", "b/foo.d/y.txt"} {
		put(t, source, name, []byte(name))
	}
	w := newRestoreWorld(t)
	w.backup(source)
	for _, c := range []struct {
		patterns string
		fold     bool
		want     string
	}{
		{"*.txt", false, "a/one.txt b/foo.d/y.txt"},
		{"*.txt", true, "a/TWO.TXT a/one.txt b/foo.d/y.txt"},
		{"foo", false, "foo foo/foo"},
		{source + "/a", false, "a"},
		{source + "/*/*.txt", false, "a/one.txt"},
		{"bar one.txt", false, "a/one.txt foo/bar"},
		{"nothing", false, ""},
		{"foo/bar", false, "foo/bar"},
	} {
		f, err := NewFinding(strings.Fields(c.patterns), c.fold, 0, 0)
		check(t, err)
		var found []string
		check(t, w.browser.Find(t.Context(), w.shot, f, func(path []byte, _ *tree.Entry) error {
			found = append(found, strings.TrimPrefix(string(path), source+"/"))
			return nil
		}, nil))
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("%s: %q, not %q", c.patterns, got, c.want)
		}
	}
	for _, bad := range []string{"[", "!x"} {
		if _, err := NewFinding([]string{bad}, false, 0, 0); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFindInTime(t *testing.T) {
	for _, c := range []struct {
		oldest, newest, at protocol.Time
		want               bool
	}{{0, 0, 5, true}, {5, 0, 5, true}, {6, 0, 5, false}, {0, 5, 5, true}, {0, 4, 5, false}, {1, 9, 5, true}, {1, 9, -5, false}} {
		f, err := NewFinding([]string{"x"}, false, c.oldest, c.newest)
		check(t, err)
		if got := f.inTime(&tree.Entry{Modified: c.at}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if got := f.inTime(&tree.Entry{Type: tree.TypeFolder}); got != (c.oldest == 0 && c.newest == 0) {
			t.Errorf("%+v, a folder without a time: %v", c, got)
		}
	}
}

func TestDiff(t *testing.T) {
	w := newRestoreWorld(t)
	var from, to protocol.Hash
	w.handmake(func(h *handmade) protocol.Hash {
		chmod := h.file("mode", "same")
		same := h.dir("same", h.file("x", "x"))
		from = h.folder(h.file("a gone", "1"), h.file("changed", "old"), h.dir("dir", h.file("in", "1"), h.file("out", "2")),
			h.file("kind", "a file"), chmod, same, h.dir("was folder", h.file("below", "123")), h.dir("z gone", h.file("too", "12345")))
		chmod.Mode = 0o600
		to = h.folder(h.file("changed", "newer"), h.dir("dir", h.file("in", "1"), h.file("new", "22"), h.file("out", "2")),
			tree.Entry{Name: []byte("kind"), Type: tree.TypePipe}, chmod, same, h.file("was folder", "1"), h.dir("zz new", h.dir("empty")))
		return to
	})
	folder := func(node protocol.Hash) *tree.Entry { return &tree.Entry{Type: tree.TypeFolder, Folder: node} }
	for metadata, want := range map[bool]string{
		false: "-/a gone M/changed +/dir/new T/kind T/was folder -/was folder/below -/z gone -/z gone/too +/zz new +/zz new/empty",
		true:  "-/a gone M/changed +/dir/new T/kind U/mode T/was folder -/was folder/below -/z gone -/z gone/too +/zz new +/zz new/empty",
	} {
		var lines []string
		stats, err := w.browser.Diff(t.Context(), folder(from), folder(to), metadata, func(path []byte, c Change, _ *tree.Entry) error {
			lines = append(lines, string(c)+string(path))
			return nil
		})
		check(t, err)
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("%s, not %s", got, want)
		}
		wantStats := DiffStats{
			Changed: 1, Added: DiffSide{Files: 2, Folders: 2, Others: 1, Bytes: 5 + 2 + 1},
			Removed: DiffSide{Files: 4, Folders: 2, Bytes: 3 + 1 + 6 + 3 + 5},
		}
		if *stats != wantStats {
			t.Errorf("%+v", stats)
		}
	}
	stats, err := w.browser.Diff(t.Context(), folder(to), folder(to), true, nil)
	if err != nil || *stats != (DiffStats{}) {
		t.Errorf("with itself: %+v %v", stats, err)
	}
	if _, err := w.browser.Diff(t.Context(), folder(to), folder(protocol.Hash{1}), true, nil); err == nil {
		t.Error("with one that is lost: no error")
	}
	a, b := &Snapshot{}, &Snapshot{RunDetails: RunDetails{Namer: protocol.MemberID{1}}}
	if Comparable(a, a) != nil || Comparable(a, b) == nil {
		t.Error("which snapshots can be compared")
	}
}

func TestLayout(t *testing.T) {
	for _, c := range []struct {
		size  uint64
		holes [][2]uint64
		parts string // of the whole data, in pieces of 3
	}{
		{7, nil, "0+3 3+3 6+1"},
		{10, [][2]uint64{{0, 4}}, "4+3 7+3"},
		{10, [][2]uint64{{4, 2}}, "0+3 3+1 6+2 8+2"},
		{10, [][2]uint64{{1, 1}, {3, 1}, {5, 5}}, "0+1 2+1 4+1"},
		{10, [][2]uint64{{0, 10}}, ""},
	} {
		e := &tree.Entry{Type: tree.TypeFile, Size: c.size}
		for _, h := range c.holes {
			e.Holes = append(e.Holes, tree.Extent{Offset: h[0], Length: h[1]})
		}
		l := newLayout(e)
		var parts []string
		for at, data := uint64(0), e.Data(); at < data; at += 3 {
			next := uint64(0)
			check(t, l.each(at, min(3, data-at), func(from, offset, length uint64) error {
				if from != next {
					t.Errorf("%+v: a part begins at %d, not %d", c, from, next)
				}
				next += length
				parts = append(parts, fmt.Sprintf("%d+%d", offset, length))
				return nil
			}))
		}
		if got := strings.Join(parts, " "); got != c.parts {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
