// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/test/world"
)

// programs is set before any test runs and then read only.
var programs *world.Programs

func TestMain(m *testing.M) {
	os.Exit(world.Main(m, func(p *world.Programs) { programs = p }))
}

// device is a device with two snapshots, and what it backs up.
func device(t *testing.T) (*world.World, *world.Device, string) {
	t.Helper()
	w := world.New(t, programs)
	d := w.Joined("anna")
	return w, d, settled(d)
}

// settled makes the two snapshots and returns their source.
func settled(d *world.Device) string {
	d.Write("files/noise", string(world.Noise(1, 300_000)))
	d.Write("files/text", strings.Repeat("some text ", 500))
	d.Backup(d.Path("files"))
	d.Write("files/text", strings.Repeat("other text ", 500))
	d.Backup(d.Path("files"))
	return d.Path("files")
}

// regular returns the paths of the files below a folder, but for locks.
func regular(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.Contains(entry.Name(), "lock") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// damages are what a disk or a killed program may leave of a file.
var damages = []struct {
	name string
	of   func(whole []byte) []byte
}{
	{"half", func(whole []byte) []byte { return whole[:len(whole)/2] }},
	{"empty", func([]byte) []byte { return nil }},
	{"zeros", func(whole []byte) []byte { return make([]byte, len(whole)) }},
	{"flipped", func(whole []byte) []byte {
		changed := bytes.Clone(whole)
		for i := len(changed) / 2; i < len(changed); i += 1 + len(changed)/4 {
			changed[i] ^= 0x20
		}
		return changed
	}},
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestStateDamaged: a state folder of which a file is damaged is mended from the
// provider or refused with exit code 20; it is never taken for a good one.
func TestStateDamaged(t *testing.T) {
	t.Parallel()
	w, d, source := device(t)
	good := filepath.Join(w.Dir, "good")
	world.CopyTree(t, d.State(), good)
	for _, path := range regular(t, d.State()) {
		name, err := filepath.Rel(d.State(), path)
		if err != nil {
			t.Fatal(err)
		}
		for _, damage := range damages {
			whole := read(t, path)
			if len(whole) == 0 || bytes.Equal(whole, damage.of(whole)) {
				continue
			}
			put(t, path, damage.of(whole))
			r := d.Run("snapshots", "--json")
			switch {
			case r.Code == 0:
				if n := len(world.Lines(t, r.Out)); n != 2 {
					t.Errorf("%s, %s: %d snapshots: %s", name, damage.name, n, r)
				}
			case r.Code == 12 && filepath.Base(name) == "device.sealed":
			case r.Code != 20:
				t.Errorf("%s, %s: %s", name, damage.name, r)
			}
			if err := os.RemoveAll(d.State()); err != nil {
				t.Fatal(err)
			}
			world.CopyTree(t, good, d.State())
		}
	}
	d.Backup(source)
	d.Must("check")
}

// TestRollbackIsSeenWithDamagedRecords: what certifies the records is the mark,
// so that losing them forgets nothing.
func TestRollbackIsSeenWithDamagedRecords(t *testing.T) {
	t.Parallel()
	w, d, source := device(t)
	w.Provider.Stop()
	yesterday := filepath.Join(w.Dir, "yesterday")
	world.CopyTree(t, w.Provider.Data, yesterday)
	w.Provider.Start()
	d.Write("files/today", "today")
	d.Backup(source)
	w.Provider.Stop()
	if err := os.RemoveAll(w.Provider.Data); err != nil {
		t.Fatal(err)
	}
	world.CopyTree(t, yesterday, w.Provider.Data)
	w.Provider.Start()
	for _, path := range regular(t, d.State()) {
		if base := filepath.Base(path); base == "records" || base == "ledger" {
			put(t, path, nil)
		}
	}
	if err := os.RemoveAll(d.Cache()); err != nil {
		t.Fatal(err)
	}
	d.Exits(20, "snapshots")
	d.Exits(20, "backup", source)
}

// TestCacheDamaged: whatever becomes of the cache costs time, and at most one
// command that the error names.
func TestCacheDamaged(t *testing.T) {
	t.Parallel()
	w, d, source := device(t)
	good := filepath.Join(w.Dir, "good")
	world.CopyTree(t, d.Cache(), good)
	for _, path := range regular(t, good) {
		name, err := filepath.Rel(good, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, damage := range damages {
			if err := os.RemoveAll(d.Cache()); err != nil {
				t.Fatal(err)
			}
			world.CopyTree(t, good, d.Cache())
			put(t, filepath.Join(d.Cache(), name), damage.of(read(t, path)))
			target := filepath.Join(t.TempDir(), "target")
			r := d.Run("restore", "latest", "--target", target)
			if r.Code != 0 && strings.Contains(r.Err, "solekey repair index") {
				d.Must("repair", "index")
				r = d.Run("restore", "latest", "--target", target)
			}
			if r.Code != 0 {
				t.Errorf("%s, %s: %s", name, damage.name, r)
				continue
			}
			world.Same(t, source, filepath.Join(target, source))
		}
		d.Backup(source)
	}
	d.Must("check", "--read-data")
}

// TestStateNewer: a file of a newer program is refused and left as it is.
func TestStateNewer(t *testing.T) {
	t.Parallel()
	_, d, source := device(t)
	for _, path := range regular(t, d.State()) {
		whole := read(t, path)
		newer := bytes.Replace(whole, []byte("\"version\": 1"), []byte("\"version\": 2"), 1)
		switch base := filepath.Base(path); {
		case bytes.Equal(newer, whole), base == "session.json":
			continue // binary files carry theirs elsewhere; a session is only ever replaced
		case base == "last.json":
			continue // says when the last backup was, and is replaced by the next
		}
		put(t, path, newer)
		r := d.Run("backup", source)
		if r.Code != 1 || !strings.Contains(r.Err, "newer") {
			t.Errorf("%s: %s", path, r)
		}
		if !bytes.Equal(read(t, path), newer) {
			t.Errorf("%s was overwritten", path)
		}
		put(t, path, whole)
	}
	d.Backup(source)
}
