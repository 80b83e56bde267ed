// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Noise returns n bytes that do not compress, the same for the same seed.
func Noise(seed byte, n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{seed})
	_, _ = source.Read(data) // never fails
	return data
}

// Settle waits until what was just written counts as old: a file that changed in
// the second before it was looked at is read again by the next run.
func Settle() { time.Sleep(1100 * time.Millisecond) }

// CopyTree copies a folder with its modes. What vanishes meanwhile is left out.
func CopyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(at, info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Contents returns the paths below a folder with a digest of what is at each.
func Contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[rel], err = describe(path, entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func describe(path string, entry fs.DirEntry) (string, error) {
	switch {
	case entry.IsDir():
		return "folder", nil
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "link to " + target, err
	}
	data, err := os.ReadFile(path)
	return fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data)), err
}

// Differences names what two results of Contents do not agree on.
func Differences(a, b map[string]string) []string {
	var found []string
	for path, what := range a {
		if other, there := b[path]; !there || other != what {
			found = append(found, fmt.Sprintf("%s: %s, then %s", path, what, other))
		}
	}
	for path, what := range b {
		if _, there := a[path]; !there {
			found = append(found, fmt.Sprintf("%s: nothing, then %s", path, what))
		}
	}
	slices.Sort(found)
	return found
}

// Same demands that two folders hold the same.
func Same(t testing.TB, a, b string) {
	t.Helper()
	if differ := Differences(Contents(t, a), Contents(t, b)); len(differ) > 0 {
		t.Errorf("%s and %s differ: %q", a, b, differ)
	}
}

// Remembered returns what a device remembers and relies on: the contents of its
// state folder but for locks and for its session with the server, which prove
// nothing, and for what it notes also when it refuses: how late it was, what the
// server signed, and alarms.
func (d *Device) Remembered() map[string]string {
	d.w.T.Helper()
	all := Contents(d.w.T, d.State())
	maps.DeleteFunc(all, func(path, _ string) bool {
		return path == "lock" || path == "lock.update" || path == "session.json" || path == "clock.json" ||
			strings.HasPrefix(path, "statements") || strings.HasPrefix(path, "alarms")
	})
	return all
}
