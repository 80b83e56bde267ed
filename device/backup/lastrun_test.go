// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

func someFolder(n int) *lastFolder {
	f := &lastFolder{node: protocol.Hash{byte(n), 1}}
	for i := range n {
		f.items = append(f.items, lastItem{
			name: fmt.Appendf(nil, "name %03d", i), unsure: i%3 == 0, child: int64(i % 2 * 100),
			identity: appendIdentity(nil, &files.Stat{Device: 1, Inode: uint64(i), Size: 7, Modified: -3, Changed: 9}),
			entry:    []byte{byte(i), 2, 3},
		})
	}
	return f
}

func writeLastRun(t *testing.T, path string, folders ...*lastFolder) []int64 {
	t.Helper()
	w := newLastRunWriter(path)
	var places []int64
	for _, f := range folders {
		places = append(places, w.folder(f))
	}
	check(t, w.finish(places[len(places)-1], lastRunEnd{ground: protocol.Hash{42}, snapshot: protocol.Hash{43}}))
	return places
}

func TestLastRunRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last")
	folders := []*lastFolder{someFolder(0), someFolder(1), someFolder(300)}
	places := writeLastRun(t, path, folders...)
	l := openLastRun(path)
	if l == nil || l.ground != (protocol.Hash{42}) || l.snapshot != (protocol.Hash{43}) || l.root != places[2] {
		t.Fatalf("opened %+v", l)
	}
	defer l.close()
	for i, want := range folders {
		got := l.folder(places[i])
		if got == nil || got.node != want.node || len(got.items) != len(want.items) {
			t.Fatalf("folder %d: %+v", i, got)
		}
		for j := range want.items {
			if !reflect.DeepEqual(got.items[j], want.items[j]) {
				t.Errorf("folder %d, item %d: %+v", i, j, got.items[j])
			}
		}
	}
}

// TestLastRunDamaged flips each byte and cuts at each length: what is damaged is
// not known, and nothing else is said.
func TestLastRunDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last")
	want := someFolder(5)
	places := writeLastRun(t, path, want)
	good, err := os.ReadFile(path)
	check(t, err)
	try := func(what string, data []byte) {
		check(t, os.WriteFile(path, data, 0o600))
		l := openLastRun(path)
		if l == nil {
			return
		}
		defer l.close()
		if got := l.folder(places[0]); got != nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: other content was believed", what)
		}
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x41
		try(fmt.Sprintf("byte %d flipped", i), bad)
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
}

func TestLastRunUnfinishedLeavesTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last")
	writeLastRun(t, path, someFolder(2))
	w := newLastRunWriter(path)
	w.folder(someFolder(9))
	w.discard()
	l := openLastRun(path)
	if l == nil {
		t.Fatal("the old file is gone")
	}
	defer l.close()
	if f := l.folder(l.root); f == nil || len(f.items) != 2 {
		t.Errorf("the old file holds %+v", f)
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFindFollowsHint(t *testing.T) {
	f, hint := someFolder(10), 0
	for _, c := range []struct {
		name string
		want int
	}{{"a", -1}, {"name 000", 0}, {"name 004", 4}, {"name 004x", -1}, {"name 009", 9}, {"z", -1}} {
		got := f.find([]byte(c.name), &hint)
		if (got == nil) != (c.want < 0) || got != nil && got != &f.items[c.want] {
			t.Errorf("find %q: %v", c.name, got)
		}
	}
	var none *lastFolder
	if none.find([]byte("x"), &hint) != nil {
		t.Error("an unknown folder knows something")
	}
}

func TestParseLastFolderHostile(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 32), append(make([]byte, 32), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), append(make([]byte, 32), 1, 200)} {
		if parseLastFolder(b) != nil {
			t.Errorf("%x was understood", b)
		}
	}
}
