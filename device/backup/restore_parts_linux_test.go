// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// TestPlannerLimits fills batches up to each of their limits.
func TestPlannerLimits(t *testing.T) {
	for name, c := range map[string]struct {
		length  uint64
		several bool
		files   int
		want    int // pieces in the first batch
	}{
		"pieces":           {length: 1, files: 1, want: batchPieces},
		"bytes":            {length: batchBytes / 4, files: 1, want: 4},
		"open files":       {length: 1, several: true, files: 1 << 20, want: batchOpen},
		"one file of many": {length: 1, several: true, files: 1, want: batchPieces},
	} {
		var sent []*restoreBatch
		p := planner{send: func(b *restoreBatch) { sent = append(sent, b) }}
		var file *plannedFile
		for i := range batchPieces + 10 {
			if file == nil || i%max(1, (batchPieces+10)/c.files) == 0 {
				file = &plannedFile{}
			}
			p.add(asked{file: file, piece: tree.Piece{Length: c.length}}, c.several)
		}
		p.flush()
		p.flush()
		total := 0
		for _, b := range sent {
			total += len(b.asked)
		}
		if len(sent[0].asked) != c.want || total != batchPieces+10 {
			t.Errorf("%s: %d in the first of %d batches, %d in all", name, len(sent[0].asked), len(sent), total)
		}
	}
}

// TestLinkGroups demands that one name of a group is restored at a time.
func TestLinkGroups(t *testing.T) {
	g := &linkGroups{groups: map[tree.LinkGroup]*linkGroup{}}
	var mu sync.Mutex
	busy, most, done := 0, 0, 0
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			j := &restoreJob{entry: &tree.Entry{Links: &tree.LinkGroup{Inode: uint64(i % 2)}}}
			if i%2 == 1 || !g.enter(j) {
				return
			}
			for ; j != nil; j = g.next(j) {
				mu.Lock()
				busy++
				most = max(most, busy)
				mu.Unlock()
				mu.Lock()
				busy--
				done++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if most != 1 || done != 100 {
		t.Errorf("%d at a time, %d in all", most, done)
	}
}

func TestFolderNames(t *testing.T) {
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		return h.folder(h.file("b", "1"), h.file("d", "1"), h.file("dd", "1"), h.file("z", "1"))
	})
	n := &folderNames{ctx: t.Context(), reader: w.browser.folder(w.shot.root())}
	for _, c := range []struct {
		name string
		want bool
	}{{"a", false}, {"b", true}, {"b", true}, {"c", false}, {"d", true}, {"dd", true}, {"e", false}, {"z", true}, {"zz", false}, {"zzz", false}} {
		if got := n.has([]byte(c.name)); got != c.want {
			t.Errorf("%q: %v", c.name, got)
		}
	}
	lost := &folderNames{ctx: t.Context(), reader: w.browser.folder(&tree.Entry{Folder: protocol.Hash{1}})}
	if !lost.has([]byte("anything")) {
		t.Error("in doubt a name is taken for one that stays")
	}
}

func TestMeans(t *testing.T) {
	for _, c := range []struct {
		in, out     []string
		path        string
		meant, down bool
	}{
		{nil, nil, "/x", true, true},
		{[]string{"/a/b"}, nil, "/a", false, true},
		{[]string{"/a/b"}, nil, "/a/b", true, true},
		{[]string{"/a/b"}, nil, "/a/b/c", true, true},
		{[]string{"/a/b"}, nil, "/c", false, false},
		{[]string{"x"}, nil, "/deep/down", false, true},
		{nil, []string{"/a"}, "/a", false, false},
		{nil, []string{"/a"}, "/b", true, true},
		{nil, []string{"*.o"}, "/b/c.o", false, false},
	} {
		choice, err := NewChoice(c.in, nil, c.out, nil)
		check(t, err)
		if meant, down := choice.Means([]byte(c.path)); meant != c.meant || down != c.down {
			t.Errorf("%+v: %v, %v", c, meant, down)
		}
	}
}

// TestRestoreKeepsFewFilesOpen restores more files of several pieces, all mixed
// in the packs, than may be open at a time.
func TestRestoreKeepsFewFilesOpen(t *testing.T) {
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 1024
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	t.Cleanup(func() { check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })
	const many = 3000
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		pieces := make([]tree.Piece, 2*many)
		for i := range pieces {
			content := fmt.Appendf(nil, "piece %d", i)
			pieces[i] = tree.Piece{Name: h.store(tree.KindFile, content), Length: uint64(len(content))}
		}
		var folders []tree.Entry
		for d := range 3 {
			var entries []tree.Entry
			for i := range many / 3 {
				first, second := pieces[d*many/3+i], pieces[2*many-1-d*many/3-i]
				entries = append(entries, tree.Entry{
					Name: fmt.Appendf(nil, "%04d", i), Type: tree.TypeFile, Mode: 0o600, Size: first.Length + second.Length,
					UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Content: tree.Content{Pieces: []tree.Piece{first, second}},
				})
			}
			folders = append(folders, h.dir(fmt.Sprint(d), entries...))
		}
		return h.folder(folders...)
	})
	target := newTarget(t)
	if got := w.mustRestore(target, func(o *RestoreOptions) { o.Verify = true }); got.Files != many || got.Verified != many {
		t.Errorf("%+v", got.RestoreProgress)
	}
	b, err := os.ReadFile(filepath.Join(target, "0/0000"))
	if want := fmt.Sprintf("piece 0piece %d", 2*many-1); err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
}

// TestRestoreSockets leaves out what means nothing without its program.
func TestRestoreSockets(t *testing.T) {
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		return h.folder(h.file("file", "1"), tree.Entry{Name: []byte("socket"), Type: tree.TypeSocket, Mode: 0o600})
	})
	for _, dry := range []bool{true, false} {
		got := w.mustRestore(newTarget(t), func(o *RestoreOptions) { o.DryRun = dry })
		if got.Skipped != 1 || got.Files != 1 {
			t.Errorf("%+v", got.RestoreProgress)
		}
	}
	var left []string
	out := new(bytes.Buffer)
	check(t, w.browser.Archive(t.Context(), w.shot.root(), "tar", out, func(path []byte) { left = append(left, string(path)) }))
	if fmt.Sprint(left) != "[/socket]" {
		t.Errorf("left out of the archive: %v", left)
	}
}

func TestRestoreReport(t *testing.T) {
	var told []error
	r := restoreReport{onProblem: func(err error) { told = append(told, err) }}
	r.warn([]*files.Problem{
		{Act: files.ActSetOwner, Cause: files.Denied, Path: []byte("/a")},
		{Act: files.ActSetXattr, Cause: files.Unsupported, Path: []byte("/b")},
		{Act: files.ActRemove, Cause: files.Denied, Path: []byte("/c")},
	})
	r.lost(errors.New("x"))
	if p := r.progress(); p.Warnings != 2 || p.Lost != 2 || len(told) != 4 {
		t.Errorf("%+v %v", p, told)
	}
	named := asProblem(files.ActWrite, []byte("/a\n"), errors.New("lost"))
	if got := named.Error(); got != fmt.Sprintf(`%s "/a\n": lost`, files.ActWrite) {
		t.Errorf("%s", got)
	}
	if again := asProblem(files.ActRead, []byte("/b"), named); again != named {
		t.Errorf("%v", again)
	}
}

// TestArchiveHolds demands modes, types and numbers as archives have them.
func TestArchiveHolds(t *testing.T) {
	for want, e := range map[fs.FileMode]tree.Entry{
		0o644:                                 {Type: tree.TypeFile, Mode: 0o644},
		fs.ModeDir | fs.ModeSticky | 0o777:    {Type: tree.TypeFolder, Mode: 0o1777},
		fs.ModeSetuid | fs.ModeSetgid | 0o755: {Type: tree.TypeFile, Mode: 0o6755},
		fs.ModeSymlink | 0o777:                {Type: tree.TypeLink, Mode: 0o777},
		fs.ModeNamedPipe | 0o600:              {Type: tree.TypePipe, Mode: 0o600},
		fs.ModeSocket | 0o600:                 {Type: tree.TypeSocket, Mode: 0o600},
		fs.ModeDevice | 0o600:                 {Type: tree.TypeBlkDev, Mode: 0o600},
		fs.ModeDevice | fs.ModeCharDevice:     {Type: tree.TypeCharDev},
	} {
		if got := fileMode(&e); got != want {
			t.Errorf("%v %o: %v, not %v", e.Type, e.Mode, got, want)
		}
	}
	for _, numbers := range [][2]uint32{{1, 3}, {259, 70000}, {4095, 1<<20 - 1}, {1 << 20, 255}} {
		n := unix.Mkdev(numbers[0], numbers[1])
		if deviceMajor(n) != int64(numbers[0]) || deviceMinor(n) != int64(numbers[1]) {
			t.Errorf("%v: %d, %d", numbers, deviceMajor(n), deviceMinor(n))
		}
	}
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		return h.folder(tree.Entry{Name: []byte("char"), Type: tree.TypeCharDev, Device: unix.Mkdev(1, 3), Modified: -5})
	})
	out := new(bytes.Buffer)
	check(t, w.browser.Archive(t.Context(), w.shot.root(), "tar", out, nil))
	h, err := tar.NewReader(out).Next()
	if err != nil || h.Typeflag != tar.TypeChar || h.Devmajor != 1 || h.Devminor != 3 || h.ModTime.UnixNano() != -5 {
		t.Errorf("%+v %v", h, err)
	}
}

// TestRestoreIntoWhatIsNoFolder fails before anything is fetched.
func TestRestoreIntoWhatIsNoFolder(t *testing.T) {
	source := t.TempDir()
	put(t, source, "x", []byte("x"))
	file := put(t, t.TempDir(), "file", []byte("mine"))
	w := newRestoreWorld(t)
	w.backup(source)
	for _, target := range []string{file, filepath.Join(file, "below")} {
		if got := w.restore(target); got.err == nil || got.Files != 0 {
			t.Errorf("%s: %v %+v", target, got.err, got.RestoreProgress)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestRestoreThroughLinkToTarget restores into a folder that the user names by a
// link, which is followed.
func TestRestoreThroughLinkToTarget(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	put(t, source, "a/x", []byte("x"))
	w := newRestoreWorld(t)
	w.backup(source)
	check(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	check(t, os.Symlink("real", filepath.Join(dir, "link")))
	w.mustRestore(filepath.Join(dir, "link"), func(o *RestoreOptions) { o.Verify = true })
	wantSame(t, source, filepath.Join(dir, "real"))
}

// TestBrowserIsNotForWriters refuses a device that cannot open anything.
func TestBrowserIsNotForWriters(t *testing.T) {
	if _, err := new(Vault).Browser(); protocol.KindOf(err) != protocol.KindDenied {
		t.Errorf("%v", err)
	}
}
