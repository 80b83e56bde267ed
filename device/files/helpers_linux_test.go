// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func openRoot(t testing.TB, path string) *Folder {
	t.Helper()
	root, err := OpenFolder(path)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func openRestorer(t testing.TB, path string, options RestoreOptions) *Restorer {
	t.Helper()
	r, err := NewRestorer(path, options)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// removable lets the test's own cleaning into folders without the right to write.
func removable(t testing.TB, root string) {
	t.Cleanup(func() {
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				_ = os.Chmod(path, 0o700)
			}
			return nil
		})
	})
}

// setTime sets the time of content, of a symlink itself too.
func setTime(t testing.TB, path string, at protocol.Time) {
	t.Helper()
	times := []unix.Timespec{unix.NsecToTimespec(int64(at)), unix.NsecToTimespec(int64(at))}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW))
}

// copier is the smallest engine: it restores what it reads.
type copier struct {
	t        testing.TB
	problems []*Problem
	written  int // contents written, not found to be there
}

// copyTree restores the tree at from into to and returns what it met.
func copyTree(t testing.TB, from, to string, options RestoreOptions) *copier {
	t.Helper()
	removable(t, to)
	source := openRoot(t, from)
	r := openRestorer(t, to, options)
	c := &copier{t: t}
	c.folder(source, r.Root())
	entry, problems := source.DescribeSelf()
	c.problems = append(c.problems, problems...)
	c.note(r.Root().Finish(entry))
	return c
}

func (c *copier) note(problems []*Problem, errs ...error) {
	c.problems = append(c.problems, problems...)
	for _, err := range errs {
		if err == nil {
			continue
		}
		var p *Problem
		if !errors.As(err, &p) {
			c.t.Fatalf("an error that is no problem: %v", err)
		}
		c.problems = append(c.problems, p)
	}
}

func (c *copier) folder(source *Folder, target *Target) {
	items, problems, err := source.List()
	c.note(problems, err)
	names := map[string]bool{}
	for i := range items {
		names[string(items[i].Name)] = true
		c.item(source, target, &items[i])
	}
	if target.r.options.Delete {
		c.note(target.Prune(func(name []byte) bool { return names[string(name)] }, nil))
	}
}

func (c *copier) item(source *Folder, target *Target, item *Item) {
	if item.Type == tree.TypeFile {
		c.file(source, target, item)
		return
	}
	entry, problems := source.Describe(item, nil)
	c.note(problems)
	if entry == nil {
		return
	}
	if item.Type == tree.TypeFolder {
		c.child(source, target, entry)
		return
	}
	if done, err := target.Link(entry); done || err != nil {
		c.note(nil, err)
		return
	}
	decision, err := target.Decide(entry)
	c.note(nil, err)
	switch decision {
	case Write:
		problems, err := target.Place(entry)
		c.note(problems, err)
	case Adjust:
		c.note(target.Adjust(entry))
	}
}

func (c *copier) child(source *Folder, target *Target, entry *tree.Entry) {
	from, err := source.Child(entry.Name)
	if err != nil {
		c.note(nil, err)
		return
	}
	defer from.Close()
	to, err := target.Folder(entry)
	if err != nil {
		c.note(nil, err)
		return
	}
	defer to.Close()
	c.folder(from, to)
	c.note(to.Finish(entry))
}

func (c *copier) file(source *Folder, target *Target, item *Item) {
	file, err := source.Open(item.Name)
	if err != nil {
		c.note(nil, err)
		return
	}
	defer file.Close()
	entry, problems := file.Describe(nil)
	c.note(problems)
	if done, err := target.Link(entry); done || err != nil {
		c.note(nil, err)
		return
	}
	decision, err := target.Decide(entry)
	c.note(nil, err)
	if decision == Look {
		decision = c.look(file, target, entry)
	}
	switch decision {
	case Write:
		c.written++
		c.write(file, target, entry)
	case Adjust:
		c.note(target.Adjust(entry))
	}
}

func (c *copier) look(file *File, target *Target, entry *tree.Entry) Decision {
	old, err := target.Existing().Open(entry.Name)
	if err != nil {
		return Write
	}
	defer old.Close()
	want, _ := io.ReadAll(io.NewSectionReader(file, 0, int64(entry.Size)))
	have, _ := io.ReadAll(old)
	if bytes.Equal(want, have) {
		return Adjust
	}
	return Write
}

// write copies the data between the holes, the last range first.
func (c *copier) write(file *File, target *Target, entry *tree.Entry) {
	w, err := target.Create(entry)
	if err != nil {
		c.note(nil, err)
		return
	}
	end := entry.Size
	for i := len(entry.Holes); i >= 0; i-- {
		at := uint64(0)
		if i > 0 {
			at = entry.Holes[i-1].Offset + entry.Holes[i-1].Length
		}
		data := make([]byte, end-at)
		if _, err := file.ReadAt(data, int64(at)); err != nil && err != io.EOF {
			c.t.Fatal(err)
		}
		if _, err := w.WriteAt(data, int64(at)); err != nil {
			w.Abort()
			c.note(nil, err)
			return
		}
		if i > 0 {
			end = entry.Holes[i-1].Offset
		}
	}
	problems, err := w.Commit()
	c.note(problems, err)
	c.note(nil, file.Check())
}

// clean fails the test if the copy met any problem.
func (c *copier) clean() {
	c.t.Helper()
	for _, p := range c.problems {
		c.t.Errorf("problem: %v", p)
	}
}

// identical fails the test with every difference between two trees.
func identical(t testing.TB, a, b string, ignore ...Property) *Comparison {
	t.Helper()
	result, err := Compare(a, b, CompareOptions{Ignore: ignore})
	must(t, err)
	for _, d := range result.Differences {
		t.Error(d)
	}
	return result
}
