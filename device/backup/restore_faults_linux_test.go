// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// wantTrue demands that every file in the target is the source's, whole.
func wantTrue(t *testing.T, source, target string) (files int) {
	t.Helper()
	for _, name := range leaves(t, target, "") {
		if strings.HasSuffix(name, "/") {
			continue
		}
		got, err := os.ReadFile(filepath.Join(target, name))
		check(t, err)
		want, err := os.ReadFile(filepath.Join(source, name))
		check(t, err)
		if !bytes.Equal(got, want) {
			t.Fatalf("%s is in place with wrong content", name)
		}
		files++
	}
	return files
}

// someFiles makes small and large files, and a further name of a large one.
func someFiles(t *testing.T) (dir string, count int) {
	t.Helper()
	dir = t.TempDir()
	for i := range 40 {
		put(t, dir, fmt.Sprintf("small/%d/%d", i%4, i), noise(uint64(i), 3000))
	}
	for i := range 5 {
		put(t, dir, fmt.Sprintf("large/%d", i), noise(uint64(100+i), 6<<20))
	}
	check(t, os.Link(filepath.Join(dir, "large/3"), filepath.Join(dir, "large/3 too")))
	return dir, 46
}

// TestRestoreDamaged damages each pack in turn. What lies in it is told and not
// in place, all else is restored, and after the repair the rest is.
func TestRestoreDamaged(t *testing.T) {
	source, count := someFiles(t)
	w := newRestoreWorld(t)
	w.backup(source)
	for name, damage := range map[string]func(pack []byte) []byte{
		"gone":    func([]byte) []byte { return nil },
		"flipped": func(pack []byte) []byte { pack[len(pack)/3] ^= 1; return pack },
		"cut":     func(pack []byte) []byte { return pack[:len(pack)/2] },
		"zeroed":  func(pack []byte) []byte { clear(pack[len(pack)/4 : len(pack)/2]); return pack },
		"swapped": func(pack []byte) []byte { return noise(9, len(pack)) },
		"version": func(pack []byte) []byte { pack[7]++; return pack },
	} {
		t.Run(name, func(t *testing.T) {
			for id, pack := range w.copyOfPacks() {
				w.damage(id, damage(bytes.Clone(pack)))
				target := newTarget(t)
				got := w.restore(target)
				if got.err == nil && exists(target) {
					files := wantTrue(t, source, target)
					if files < count && (got.Lost == 0 || len(got.problems) == 0) {
						t.Fatalf("%d of %d files are there, and nothing was told", files, count)
					}
				}
				w.damage(id, pack)
				w.mustRestore(target)
				wantSame(t, source, target)
			}
		})
	}
}

func (w *restoreWorld) copyOfPacks() map[protocol.PackID][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	packs := map[protocol.PackID][]byte{}
	for id, pack := range w.stored {
		packs[id] = pack
	}
	return packs
}

// damage serves other bytes for a pack, none for nil.
func (w *restoreWorld) damage(id protocol.PackID, pack []byte) {
	w.mu.Lock()
	if pack == nil {
		delete(w.stored, id)
	} else {
		w.stored[id] = pack
	}
	w.mu.Unlock()
	w.fresh()
}

// TestRestoreOneChunkMissing loses one chunk of one file of many in a folder.
func TestRestoreOneChunkMissing(t *testing.T) {
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		missing := h.file("missing", "x")
		missing.Content.Pieces[0].Name[0] ^= 1
		half := h.file("half", "the first half, ")
		half.Content.Pieces = append(half.Content.Pieces, tree.Piece{Name: protocol.Hash{7}, Length: 4})
		half.Size += 4
		lying := h.file("lying", "another's content")
		lying.Size--
		lying.Content.Pieces[0].Length--
		first, second := h.file("linked 1", "x"), h.file("linked 2", "x")
		for _, e := range []*tree.Entry{&first, &second} {
			e.Links, e.Content = &tree.LinkGroup{Device: 1, Inode: 2}, missing.Content
		}
		lost := tree.Entry{Name: []byte("lost"), Type: tree.TypeFolder, Folder: protocol.Hash{9}}
		return h.folder(half, first, second, lost, lying, missing, h.file("right", "content"))
	})
	target := t.TempDir()
	put(t, target, "missing", []byte("mine"))
	put(t, target, "lost/mine", []byte("mine"))
	got := w.restore(target, func(o *RestoreOptions) { o.Delete = true })
	if got.err != nil || got.Lost != 6 || got.Files != 1 {
		t.Errorf("%v %+v %v", got.err, got.RestoreProgress, got.problems)
	}
	if list := fmt.Sprint(leaves(t, target, "")); list != "[lost/mine missing right]" {
		t.Errorf("in the target: %s", list)
	}
	for i, problem := range got.problems {
		if protocol.KindOf(problem) == protocol.KindInternal && !strings.Contains(problem.Error(), "/") {
			t.Errorf("problem %d names no path: %v", i, problem)
		}
	}
}

// TestRestoreUnreachable loses the provider after some reads, again and again,
// each time later. What is in place is whole at every moment, and a restore goes
// on from there.
func TestRestoreUnreachable(t *testing.T) {
	source, count := someFiles(t)
	w := newRestoreWorld(t)
	w.backup(source)
	target := newTarget(t)
	whole := w.mustRestore(newTarget(t)).Fetched
	last := 0
	for limit := 1; ; limit++ {
		w.fresh()
		reads := 0
		w.before = func(tree.Read) error {
			if reads++; reads > limit {
				return protocol.Errorf(protocol.KindUnreachable, "no answer")
			}
			return nil
		}
		got := w.restore(target)
		w.before = nil
		if got.err == nil {
			break
		}
		if protocol.KindOf(got.err) != protocol.KindUnreachable || got.Lost > 0 {
			t.Fatalf("%v %+v %v", got.err, got.RestoreProgress, got.problems)
		}
		if exists(target) {
			now := wantTrue(t, source, target)
			if now < last {
				t.Fatalf("%d files are left of %d", now, last)
			}
			last = now
		}
	}
	wantSame(t, source, target)
	if got := w.mustRestore(target); last > 0 && got.Fetched >= whole || got.Unchanged < int64(count)-1 {
		t.Errorf("%+v", got.RestoreProgress)
	}
	noLeftovers(t, target)
}

// noLeftovers demands that there are no temporary names.
func noLeftovers(t *testing.T, target string) {
	t.Helper()
	for _, name := range leaves(t, target, "") {
		if strings.Contains(name, ".solekey-restore-") {
			t.Fatalf("%s was left", name)
		}
	}
}

// TestRestoreInterrupted cancels a restore at each of its reads.
func TestRestoreInterrupted(t *testing.T) {
	source, _ := someFiles(t)
	w := newRestoreWorld(t)
	w.backup(source)
	target := newTarget(t)
	for limit := 1; limit < 12; limit++ {
		w.fresh()
		ctx, cancel := context.WithCancel(t.Context())
		reads := 0
		w.before = func(tree.Read) error {
			if reads++; reads == limit {
				cancel()
			}
			return nil
		}
		_, err := w.browser.NewRestore(RestoreOptions{Snapshot: w.shot, Path: []byte(source), Target: target}).Do(ctx)
		w.before = nil
		if err == nil && reads >= limit || err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d reads: %v", reads, err)
		}
		cancel()
		if exists(target) {
			wantTrue(t, source, target)
			noLeftovers(t, target)
		}
	}
	w.mustRestore(target)
	wantSame(t, source, target)
}

// TestRestoreAfterKill leaves what a kill leaves: temporary names, files half
// the way, folders that are not finished.
func TestRestoreAfterKill(t *testing.T) {
	source, _ := someFiles(t)
	w := newRestoreWorld(t)
	w.backup(source)
	target := newTarget(t)
	w.mustRestore(target)
	put(t, target, "small/1/.solekey-restore-0123456789abcdef", []byte("half"))
	put(t, target, "large/.solekey-restore-ffffffffffffffff", noise(1, 1<<20))
	check(t, os.Remove(filepath.Join(target, "large/3 too")))
	check(t, os.RemoveAll(filepath.Join(target, "small/2")))
	check(t, os.Chmod(filepath.Join(target, "small"), 0o700))
	got := w.mustRestore(target)
	wantSame(t, source, target)
	if got.Fetched > 1<<20 { // the removed name is a link to the one that is there
		t.Errorf("%d bytes fetched", got.Fetched)
	}
}

// TestRestoreHostile restores what only a hostile device would store.
func TestRestoreHostile(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "victim", []byte("untouched"))
	link := func(name, to string) tree.Entry {
		return tree.Entry{Name: []byte(name), Type: tree.TypeLink, Target: []byte(to)}
	}
	for name, build := range map[string]func(h *handmade) protocol.Hash{
		"dots": func(h *handmade) protocol.Hash { return h.folder(h.dir("..", h.file("victim", "planted"))) },
		"dot":  func(h *handmade) protocol.Hash { return h.folder(h.dir(".", h.file("victim", "planted"))) },
		"path": func(h *handmade) protocol.Hash {
			return h.folder(h.file(filepath.Join("..", filepath.Base(outside), "victim"), "planted"))
		},
		"absolute":  func(h *handmade) protocol.Hash { return h.folder(h.file(filepath.Join(outside, "victim"), "planted")) },
		"no name":   func(h *handmade) protocol.Hash { return h.folder(h.file("", "planted")) },
		"zero byte": func(h *handmade) protocol.Hash { return h.folder(h.file("victim\x00x", "planted")) },
		"twice": func(h *handmade) protocol.Hash {
			return h.folder(link("x", outside), h.dir("x", h.file("victim", "planted")))
		},
		"twice, apart": func(h *handmade) protocol.Hash {
			return h.folder(link("x", outside), h.file("y", "1"), h.dir("x", h.file("victim", "planted")))
		},
		"order":    func(h *handmade) protocol.Hash { return h.folder(h.file("b", "1"), h.file("a", "1")) },
		"no node":  func(h *handmade) protocol.Hash { return h.store(tree.KindNode, []byte("\xff\x00")) },
		"no entry": func(h *handmade) protocol.Hash { return h.folder(tree.Entry{Name: []byte("x"), Type: 99}) },
		"a file as a folder": func(h *handmade) protocol.Hash {
			return h.folder(tree.Entry{Name: []byte("x"), Type: tree.TypeFolder, Folder: h.store(tree.KindFile, []byte("content"))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRestoreWorld(t)
			w.handmake(build)
			target := newTarget(t)
			got := w.restore(target, func(o *RestoreOptions) { o.Delete = true })
			if got.err == nil && got.Lost == 0 {
				t.Errorf("nothing was told: %+v", got.RestoreProgress)
			}
			wantUntouched(t, outside)
		})
	}
}

func wantUntouched(t *testing.T, outside string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(outside, "victim"))
	if err != nil || string(b) != "untouched" || len(namesIn(t, outside)) != 1 {
		t.Fatalf("outside of the target: %q, %v, %v", b, err, namesIn(t, outside))
	}
}

// TestRestoreLinksAreNotFollowed restores links that lead out, and then, with
// another snapshot, files below them.
func TestRestoreLinksAreNotFollowed(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "victim", []byte("untouched"))
	w := newRestoreWorld(t)
	target := newTarget(t)
	w.handmake(func(h *handmade) protocol.Hash {
		return h.folder(
			tree.Entry{Name: []byte("file"), Type: tree.TypeLink, Target: []byte(filepath.Join(outside, "victim"))},
			tree.Entry{Name: []byte("x"), Type: tree.TypeLink, Target: []byte(outside)},
		)
	})
	if got := w.restore(target); got.Lost != 0 || got.Others != 2 {
		t.Fatalf("%+v %v", got.RestoreProgress, got.problems)
	}
	for _, dry := range []bool{true, false} {
		w.handmake(func(h *handmade) protocol.Hash {
			return h.folder(h.file("file", "planted!!"), h.dir("x", h.file("victim", "planted!!")))
		})
		got := w.restore(target, func(o *RestoreOptions) { o.Delete, o.DryRun, o.Verify = true, dry, true })
		if got.err != nil || got.Lost != 0 {
			t.Fatalf("%v %v", got.err, got.problems)
		}
		wantUntouched(t, outside)
	}
	if b, err := os.ReadFile(filepath.Join(target, "x/victim")); err != nil || string(b) != "planted!!" {
		t.Errorf("in the target: %q, %v", b, err)
	}
}

// TestRestoreStrangeLinkGroups has groups whose names are not one thing.
func TestRestoreStrangeLinkGroups(t *testing.T) {
	w := newRestoreWorld(t)
	w.handmake(func(h *handmade) protocol.Hash {
		group := &tree.LinkGroup{Device: 1, Inode: 1}
		var entries []tree.Entry
		for i := range 50 {
			e := h.file(fmt.Sprintf("%02d", i), "same")
			e.Links = group
			entries = append(entries, e)
		}
		pipe := tree.Entry{Name: []byte("pipe"), Type: tree.TypePipe, Mode: 0o600, Links: group}
		return h.folder(append(entries, pipe)...)
	})
	target := newTarget(t)
	got := w.restore(target)
	if got.err != nil || got.Lost != 0 || got.Fetched != 4 {
		t.Errorf("%v %+v %v", got.err, got.RestoreProgress, got.problems)
	}
	if n := len(namesIn(t, target)); n != 51 {
		t.Errorf("%d names", n)
	}
}

// TestVerifyFindsDamage changes files behind the restore's back.
func TestVerifyFindsDamage(t *testing.T) {
	source, target := t.TempDir(), newTarget(t)
	put(t, source, "right", noise(1, 3<<20))
	put(t, source, "flipped", noise(2, 3<<20))
	put(t, source, "cut", noise(3, 3<<20))
	sparse(t, filepath.Join(source, "hole"), 4<<20, 0)
	w := newRestoreWorld(t)
	w.backup(source)
	w.mustRestore(target)
	for name, at := range map[string]int64{"flipped": 2 << 20, "hole": 3 << 20} {
		f, err := os.OpenFile(filepath.Join(target, name), os.O_WRONLY, 0)
		check(t, err)
		_, err = f.WriteAt([]byte{1}, at)
		check(t, err)
		check(t, f.Close())
	}
	check(t, os.Truncate(filepath.Join(target, "cut"), 1<<20))
	var told []error
	r := w.browser.NewRestore(RestoreOptions{
		Snapshot: w.shot, Target: target, OnProblem: func(err error) { told = append(told, err) },
	})
	top, err := w.browser.Folder(t.Context(), w.shot, []byte(source))
	check(t, err)
	r.root = top
	r.ctx, r.cancel = context.WithCancelCause(t.Context())
	defer r.cancel(nil)
	check(t, r.verify())
	if p := r.Progress(); p.Verified != 1 || p.Lost != 3 || len(told) != 3 {
		t.Errorf("%+v %v", p, told)
	}
}
