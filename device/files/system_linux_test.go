// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func TestCauses(t *testing.T) {
	tests := []struct {
		err  error
		want Cause
		kind protocol.Kind
	}{
		{unix.ENOENT, Vanished, protocol.KindUnreadable},
		{unix.ESTALE, Vanished, protocol.KindUnreadable},
		{os.ErrNotExist, Vanished, protocol.KindUnreadable},
		{unix.ELOOP, Replaced, protocol.KindUnreadable},
		{unix.ENOTDIR, Replaced, protocol.KindUnreadable},
		{unix.EACCES, Denied, protocol.KindUnreadable},
		{unix.EPERM, Denied, protocol.KindUnreadable},
		{unix.EROFS, Denied, protocol.KindUnreadable},
		{os.ErrPermission, Denied, protocol.KindUnreadable},
		{unix.ENOSPC, Full, protocol.KindFull},
		{unix.EDQUOT, Full, protocol.KindFull},
		{unix.EEXIST, Exists, protocol.KindExists},
		{unix.ENOTEMPTY, Exists, protocol.KindExists},
		{os.ErrExist, Exists, protocol.KindExists},
		{unix.EOPNOTSUPP, Unsupported, protocol.KindUnreadable},
		{unix.EXDEV, Unsupported, protocol.KindUnreadable}, // a hard link across file systems
		{unix.EMLINK, Unsupported, protocol.KindUnreadable},
		{unix.EIO, Failed, protocol.KindUnreadable},
		{io.ErrUnexpectedEOF, Failed, protocol.KindUnreadable},
	}
	folder := openRoot(t, t.TempDir())
	for _, tt := range tests {
		p := folder.problem(ActRead, []byte("x"), tt.err)
		if p.Cause != tt.want || p.Kind() != tt.kind || !errors.Is(p, tt.err) || !bytes.HasSuffix(p.Path, []byte("/x")) {
			t.Errorf("%v: %+v, %v", tt.err, p, p.Kind())
		}
		if folder.problem(ActWrite, nil, fmt.Errorf("again: %w", p)) != p {
			t.Errorf("%v: a problem became another one", tt.err)
		}
	}
	if (&Problem{Cause: Refused}).Kind() != protocol.KindUntrusted {
		t.Error("a hostile name is not untrusted")
	}
}

// fakeXattrs are attributes that fail in chosen ways.
type fakeXattrs struct {
	names   []string
	listErr error
	getErr  map[string]error
	value   []byte
	interrupts,
	asked int
}

func (f *fakeXattrs) list(buf []byte) (int, error) {
	if f.interrupts > 0 {
		f.interrupts--
		return 0, unix.EINTR
	}
	if f.listErr != nil || len(f.names) == 0 {
		return 0, f.listErr
	}
	return copy(buf, strings.Join(f.names, "\x00")+"\x00"), nil
}

func (f *fakeXattrs) get(name string, buf []byte) (int, error) {
	f.asked++
	if err := f.getErr[name]; err != nil {
		return 0, err
	}
	return copy(buf, f.value), nil
}

func (f *fakeXattrs) set(string, []byte) error { return unix.EPERM }
func (f *fakeXattrs) remove(string) error      { return unix.EPERM }

func TestXattrsOf(t *testing.T) {
	many := make([]string, tree.MaxXattrs+1)
	for i := range many {
		many[i] = fmt.Sprint("user.", i)
	}
	tests := []struct {
		name   string
		holder fakeXattrs
		want   int
		err    error
	}{
		{"none", fakeXattrs{}, 0, nil},
		{"no such thing", fakeXattrs{listErr: unix.EOPNOTSUPP}, 0, nil},
		{"not to be listed", fakeXattrs{listErr: unix.EACCES}, 0, unix.EACCES},
		{"interrupted", fakeXattrs{names: []string{"user.a"}, interrupts: 3}, 1, nil},
		{"gone meanwhile", fakeXattrs{names: []string{"user.b", "user.a"}, getErr: map[string]error{"user.a": unix.ENODATA}}, 1, nil},
		{"one denied", fakeXattrs{names: []string{"user.c", "user.a", "user.b"}, getErr: map[string]error{"user.b": unix.EPERM}}, 2, unix.EPERM},
		{"too many", fakeXattrs{names: many}, tree.MaxXattrs, errTooMany},
		{"too large", fakeXattrs{names: many[:40], value: make([]byte, xattrRoom)}, 15, errTooMany},
	}
	for _, tt := range tests {
		got, err := xattrsOf(&tt.holder)
		if len(got) != tt.want || err != tt.err {
			t.Errorf("%s: %d attributes, %v, want %d, %v", tt.name, len(got), err, tt.want, tt.err)
		}
		for i := 1; i < len(got); i++ {
			if bytes.Compare(got[i-1].Name, got[i].Name) >= 0 {
				t.Errorf("%s: out of order", tt.name)
			}
		}
	}
}

// TestDescribedPassesTheFormat holds entries of odd trees to the sealed format.
func TestDescribedPassesTheFormat(t *testing.T) {
	root := openRoot(t, oddTree(t))
	var walk func(f *Folder)
	count := 0
	walk = func(f *Folder) {
		items, problems, err := f.List()
		must(t, err)
		for i := range items {
			entry, more := f.Describe(&items[i], nil)
			problems = append(problems, more...)
			if entry.Type == tree.TypeFolder {
				entry.Folder = protocol.Hash{1}
				child, err := f.Child(entry.Name)
				must(t, err)
				walk(child)
				must(t, child.Close())
			}
			if entry.Type == tree.TypeFile {
				file, err := f.Open(entry.Name)
				must(t, err)
				entry, more = file.Describe(nil)
				problems = append(problems, more...)
				must(t, file.Close())
				if data := entry.Data(); data > 0 {
					entry.Content.Pieces = []tree.Piece{{Name: protocol.Hash{1}, Length: data}}
				}
			}
			if err := entry.Check(); err != nil {
				t.Errorf("%q: %v", entry.Name, err)
			}
			count++
		}
		for _, p := range problems {
			t.Error(p)
		}
	}
	walk(root)
	if count < 80 {
		t.Errorf("only %d entries", count)
	}
}

// TestIgnoreFileThatGoes has an ignore file that cannot be read when it is its turn.
func TestIgnoreFileThatGoes(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, IgnoreName), "file\n")
	put(t, filepath.Join(path, cacheTagName), cacheTagHeader)
	put(t, filepath.Join(path, "file"), "x")
	root := openRoot(t, path)
	items, _, err := root.List()
	must(t, err)
	must(t, os.Remove(filepath.Join(path, IgnoreName)))
	must(t, os.Remove(filepath.Join(path, cacheTagName)))
	must(t, os.Symlink("/etc/passwd", filepath.Join(path, IgnoreName)))
	selection, err := Rules{Caches: true}.Compile()
	must(t, err)
	scope, problems := selection.Enter(root, items)
	if len(problems) != 2 || problems[0].Cause != Replaced || problems[1].Cause != Vanished {
		t.Errorf("problems are %v", problems)
	}
	for i := range items {
		if !scope.Keeps(&items[i]) {
			t.Errorf("%q is left out by rules that nobody read", items[i].Name)
		}
	}
}

func TestRestorerRoot(t *testing.T) {
	path := t.TempDir()
	put(t, filepath.Join(path, "file"), "x")
	if _, err := NewRestorer(filepath.Join(path, "file", "below"), RestoreOptions{}); err == nil {
		t.Error("a restore below a file")
	}
	put(t, filepath.Join(path, "to", temporaryPrefix+"0123456789abcdef"), "left over")
	must(t, os.Symlink("to", filepath.Join(path, "link")))
	r := openRestorer(t, filepath.Join(path, "link"), RestoreOptions{}) // the user's own link is followed
	if temporaryNames(t, filepath.Join(path, "to")) != 0 {
		t.Error("the root was not cleaned")
	}
	must(t, r.Sync())
	if got := string(r.Root().Path()); got != filepath.Join(path, "link") {
		t.Errorf("the root is called %q", got)
	}
	must(t, r.Root().Close())
	must(t, restoreFile(t, r.Root(), fileEntry("after", 1), "x")) // closing its target does not end the restore
	must(t, r.Close())
	if err := r.Sync(); err == nil {
		t.Error("a closed restore goes on")
	}
}
