// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCompareSees makes one difference at a time.
func TestCompareSees(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, b string)
		want   []string
	}{
		{"nothing", func(*testing.T, string) {}, nil},
		{"missing", func(t *testing.T, b string) { must(t, os.Remove(filepath.Join(b, "dir", "file"))) }, []string{"dir/file presence"}},
		{"extra, first", func(t *testing.T, b string) { put(t, filepath.Join(b, "a"), "") }, []string{"a presence"}},
		{"extra, last", func(t *testing.T, b string) { put(t, filepath.Join(b, "zz"), "") }, []string{"zz presence"}},
		{"type", func(t *testing.T, b string) {
			must(t, os.Remove(filepath.Join(b, "fifo")))
			must(t, os.Symlink("x", filepath.Join(b, "fifo")))
		}, []string{"fifo type"}},
		{"file to folder", func(t *testing.T, b string) {
			must(t, os.Remove(filepath.Join(b, "dir", "file")))
			must(t, os.Mkdir(filepath.Join(b, "dir", "file"), 0o755))
		}, []string{"dir/file type"}},
		{"content", func(t *testing.T, b string) { put(t, filepath.Join(b, "large"), strings.Repeat("x", 299_999)+"y") }, []string{"large content"}},
		{"size", func(t *testing.T, b string) { put(t, filepath.Join(b, "large"), "x") }, []string{"large content", "large size"}},
		{"mode", func(t *testing.T, b string) { must(t, os.Chmod(filepath.Join(b, "dir"), 0o711)) }, []string{"dir mode"}},
		{"sticky", func(t *testing.T, b string) { must(t, unix.Chmod(filepath.Join(b, "dir"), 0o1755)) }, []string{"dir mode"}},
		{"time", func(t *testing.T, b string) { setTime(t, filepath.Join(b, "dir", "file"), 2) }, []string{"dir/file time"}},
		{"time of a link", func(t *testing.T, b string) { setTime(t, filepath.Join(b, "link"), 2) }, []string{"link time"}},
		{"target", func(t *testing.T, b string) {
			must(t, os.Remove(filepath.Join(b, "link")))
			must(t, os.Symlink("other", filepath.Join(b, "link")))
		}, []string{"link target"}},
		{"attribute", func(t *testing.T, b string) {
			must(t, unix.Setxattr(filepath.Join(b, "dir", "file"), "user.a", []byte("2"), 0))
		}, []string{"dir/file attributes"}},
		{"attribute gone", func(t *testing.T, b string) {
			must(t, unix.Removexattr(filepath.Join(b, "dir", "file"), "user.a"))
		}, []string{"dir/file attributes"}},
		{"not linked", func(t *testing.T, b string) {
			must(t, os.Remove(filepath.Join(b, "one")))
			put(t, filepath.Join(b, "one"), "linked")
		}, []string{"two hard links"}},
		{"linked", func(t *testing.T, b string) {
			must(t, os.Remove(filepath.Join(b, "dir", "empty")))
			must(t, os.Link(filepath.Join(b, "also empty"), filepath.Join(b, "dir", "empty")))
		}, []string{"dir/empty hard links"}},
		{"hole filled", func(t *testing.T, b string) {
			must(t, os.WriteFile(filepath.Join(b, "sparse"), make([]byte, 1<<20), 0o644))
		}, []string{"sparse holes"}},
		{"the root", func(t *testing.T, b string) { must(t, os.Chmod(b, 0o711)) }, []string{". mode"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := comparedTrees(t)
			tt.change(t, b)
			for name, at := range map[string]string{"dir": "dir", ".": "", "fifo": "fifo"} {
				if tt.name != "time" && name != "" {
					setTime(t, filepath.Join(b, at), 1) // changed by the change within it
				}
			}
			var seen []string
			for pass, roots := range [][2]string{{a, b}, {b, a}} {
				result, err := Compare(roots[0], roots[1], CompareOptions{})
				must(t, err)
				seen = nil
				for _, d := range result.Differences {
					if d.Property != PropertyTime || strings.HasPrefix(tt.name, "time") {
						seen = append(seen, string(d.Path)+" "+string(d.Property))
					}
				}
				slices.Sort(seen)
				if !slices.Equal(seen, tt.want) {
					t.Errorf("pass %d saw %q, want %q", pass, seen, tt.want)
				}
			}
		})
	}
}

// comparedTrees returns two equal trees.
func comparedTrees(t *testing.T) (a, b string) {
	parent := t.TempDir()
	for _, root := range []string{filepath.Join(parent, "a"), filepath.Join(parent, "b")} {
		put(t, filepath.Join(root, "dir", "file"), "content")
		put(t, filepath.Join(root, "dir", "empty"), "")
		put(t, filepath.Join(root, "also empty"), "")
		put(t, filepath.Join(root, "large"), strings.Repeat("x", 300_000))
		put(t, filepath.Join(root, "one"), "linked")
		must(t, os.Link(filepath.Join(root, "one"), filepath.Join(root, "two")))
		must(t, os.Symlink("target", filepath.Join(root, "link")))
		must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o644))
		put(t, filepath.Join(root, "sparse"), "")
		must(t, os.Truncate(filepath.Join(root, "sparse"), 1<<20))
		must(t, unix.Setxattr(filepath.Join(root, "dir", "file"), "user.a", []byte("1"), 0))
		for _, name := range []string{"dir/file", "dir/empty", "dir", "also empty", "large", "one", "link", "fifo", "sparse", ""} {
			setTime(t, filepath.Join(root, name), 1)
		}
	}
	return filepath.Join(parent, "a"), filepath.Join(parent, "b")
}

func TestCompareOptions(t *testing.T) {
	a, b := comparedTrees(t)
	must(t, os.Chmod(b, 0o711))
	must(t, os.Chmod(filepath.Join(b, "large"), 0o711))
	tests := []struct {
		options CompareOptions
		want    int
	}{
		{CompareOptions{}, 2},
		{CompareOptions{IgnoreRoot: true}, 1},
		{CompareOptions{Ignore: []Property{PropertyMode}}, 0},
		{CompareOptions{Ignore: []Property{PropertyTime}}, 2},
	}
	for _, tt := range tests {
		result, err := Compare(a, b, tt.options)
		if err != nil || len(result.Differences) != tt.want || result.Entries != 10 {
			t.Errorf("%+v: %+v, %v", tt.options, result, err)
		}
	}
	result, _ := Compare(a, b, CompareOptions{IgnoreRoot: true})
	if got := result.Differences[0].String(); got != `"large": mode: 0644, 0711` {
		t.Errorf("says %s", got)
	}
	if _, err := Compare(a, filepath.Join(b, "none"), CompareOptions{}); CauseOf(err) != Vanished {
		t.Errorf("a missing root: %v", err)
	}
	if _, err := Compare(filepath.Join(b, "none"), a, CompareOptions{}); CauseOf(err) != Vanished {
		t.Errorf("a missing root: %v", err)
	}
}
