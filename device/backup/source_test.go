// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
)

// named returns the paths that a tree of sources takes whole.
func (s *source) all() (paths []string) {
	if s.named {
		return []string{s.path}
	}
	for _, c := range s.children {
		paths = append(paths, c.all()...)
	}
	return paths
}

func TestNewSources(t *testing.T) {
	for _, c := range []struct{ paths, want []string }{
		{[]string{"/b", "/a"}, []string{"/a", "/b"}},
		{[]string{"/a/b/c", "/a"}, []string{"/a"}},
		{[]string{"/a", "/a/b/c"}, []string{"/a"}},
		{[]string{"/a/b", "/a/c/", "/a/b/../d"}, []string{"/a/b", "/a/c", "/a/d"}},
		{[]string{"/"}, []string{"/"}},
		{[]string{"/x", "/"}, []string{"/"}},
	} {
		root, err := newSources(c.paths)
		check(t, err)
		if got := root.all(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.paths, got, c.want)
		}
	}
	if _, err := newSources([]string{"relative"}); protocol.KindOf(err) != protocol.KindInternal {
		t.Errorf("a relative path: %v", err)
	}
}

// TestScanSeveralSources backs up a file and two folders below a common one.
func TestScanSeveralSources(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	for _, name := range []string{"a/1", "b/2", "c/3", "file"} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	last := filepath.Join(t.TempDir(), "last")
	_, p := v.scan(t, last, filepath.Join(dir, "a"), filepath.Join(dir, "c"), filepath.Join(dir, "file"))
	if p.Files != 3 || p.Problems != 0 {
		t.Errorf("%+v", p)
	}
	_, p = v.scan(t, last, filepath.Join(dir, "a"), filepath.Join(dir, "missing"))
	if p.Files != 1 || p.Problems != 1 {
		t.Errorf("with one missing: %+v", p)
	}
}

// TestScanPassages holds folders on the way to a source to what counts of them: not their times, but their rights and
// names.
func TestScanPassages(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	way, source, last := filepath.Join(dir, "way"), filepath.Join(dir, "way", "source"), filepath.Join(t.TempDir(), "last")
	check(t, os.MkdirAll(source, 0o755))
	check(t, os.WriteFile(filepath.Join(source, "file"), []byte("content"), 0o644))
	root, _ := v.scan(t, last, source)
	moved := time.Unix(1_500_000_000, 0)
	check(t, os.Chtimes(way, moved, moved))
	if again, _ := v.scan(t, last, source); again != root {
		t.Error("another time of a folder on the way, another root")
	}
	if again, _ := v.scan(t, filepath.Join(t.TempDir(), "none"), source); again != root {
		t.Error("another root without what the last run remembered")
	}
	check(t, os.Chmod(way, 0o711))
	closed, _ := v.scan(t, last, source)
	if closed == root {
		t.Error("other rights of a folder on the way, the same root")
	}
	check(t, os.Chtimes(source, moved, moved))
	if again, _ := v.scan(t, last, source); again == closed {
		t.Error("another time of the source itself, the same root")
	}
}
