// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestTwoDevicesAtOnce: two devices of one account back up at the same time, and
// nothing of either is lost.
func TestTwoDevicesAtOnce(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	first := w.Joined("anna")
	second := w.Device("second")
	first.Add(second, "anna")
	devices := []*Device{first, second}
	for _, d := range devices {
		photos(d)
		d.Write("photos/of", d.Name)
	}
	const rounds = 3
	var wait sync.WaitGroup
	for _, d := range devices {
		wait.Go(func() {
			for i := range rounds {
				d.Write("photos/round", fmt.Sprintf("%s, round %d", d.Name, i))
				if r := d.Run("backup", "--host", d.Name, d.Path("photos")); r.Code != 0 {
					t.Errorf("%s, round %d: %s", d.Name, i, r)
				}
			}
		})
	}
	wait.Wait()
	for _, d := range devices {
		if list := d.Snapshots(); len(list) != len(devices)*rounds {
			t.Errorf("%s sees %d snapshots: %v", d.Name, len(list), list)
		}
		for _, other := range devices {
			target := d.Path("of-" + other.Name)
			d.Must("restore", "latest", "--host", other.Name, "--target", target)
			Same(t, other.Path("photos"), filepath.Join(target, other.Path("photos")))
		}
		d.Must("check", "--read-data")
	}
}

// TestRemovedDevice: a device that was removed is told so, and what it kept
// opens nothing that was written afterwards.
func TestRemovedDevice(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	owner := w.Joined("anna")
	lost := w.Device("lost")
	owner.Add(lost, "anna")
	source := photos(lost)
	lost.Backup(source)
	before := w.Provider.packs(t)
	owner.Must("device", "revoke", "lost")
	for _, args := range [][]string{{"backup", source}, {"snapshots"}, {"restore", "latest", "--target", lost.Path("out")}} {
		lost.Exits(23, args...)
	}
	owner.Write("photos/afterwards", "nobody else reads this")
	owner.Backup(owner.Path("photos"))
	Same(t, owner.Path("photos"), owner.restored(owner.Path("photos")))
	thief := lost.thief(t, owner.newest(t))
	for path, pack := range w.Provider.packs(t) {
		_, old := before[path]
		if opens := thief.opens(pack); opens != old {
			t.Errorf("what the removed device kept opens %s: %v; it was there before the removal: %v", filepath.Base(path), opens, old)
		}
	}
}

// TestWriterDevice: a writer backs up; with everything on its disk nothing that
// is stored opens; it can neither list nor read nor retire.
func TestWriterDevice(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	owner := w.Joined("anna")
	owner.Backup(photos(owner))
	writer := w.Device("web")
	owner.Add(writer, "anna", "--writer")
	source := photos(writer)
	writer.Write("photos/on-the-server", "only the owner reads this back")
	writer.Backup("--host", "of-web", source)
	writer.Backup("--host", "of-web", source)
	for _, args := range [][]string{
		{"snapshots"},
		{"ls", "latest"},
		{"restore", "latest", "--target", writer.Path("out")},
		{"forget", "--keep-last", "1"},
		{"prune"},
		{"device", "revoke", "anna"},
		{"recovery", "kit", "--out", writer.Path("kit")},
	} {
		if r := writer.Run(args...); r.Code == 0 {
			t.Errorf("a writer may %q: %s", args, r)
		}
	}
	if _, err := os.Stat(writer.Path("out")); err == nil {
		t.Error("a writer restored something")
	}
	ofWriter, ofOwner := writer.thief(t, owner.newest(t)), owner.thief(t, owner.newest(t))
	for path, pack := range w.Provider.packs(t) {
		if ofWriter.opens(pack) {
			t.Errorf("the writer's disk opens %s", filepath.Base(path))
		}
		if !ofOwner.opens(pack) {
			t.Errorf("the owner's disk does not open %s: the attempt proves nothing", filepath.Base(path))
		}
	}
	for i, raw := range w.Provider.records(t) {
		if ofWriter.reads(raw) {
			t.Errorf("the writer's disk reads record %d", i)
		}
		if !ofOwner.reads(raw) {
			t.Errorf("the owner's disk does not read record %d: the attempt proves nothing", i)
		}
	}
	Same(t, source, owner.restoredOf(writer))
	owner.Must("device", "revoke", "web")
	writer.Exits(23, "backup", source)
	Same(t, source, owner.restoredOf(writer))
}

// restoredOf restores the newest snapshot with the other device's folder.
func (d *Device) restoredOf(other *Device) string {
	d.w.T.Helper()
	target, err := os.MkdirTemp(d.Dir, "restored-*")
	if err != nil {
		d.w.T.Fatal(err)
	}
	d.Must("restore", "latest", "--host", "of-"+other.Name, "--target", target)
	return filepath.Join(target, other.Path("photos"))
}

// TestRecovery: with the kit alone, on an empty machine, everything comes back.
func TestRecovery(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	lost := w.Joined("anna")
	source := photos(lost)
	lost.Backup(source)
	fresh := w.Device("fresh")
	kit, err := os.ReadFile(lost.Kit())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(fresh.Path("password")); err != nil { // the kit is enough
		t.Fatal(err)
	}
	fresh.Must("join", "--recovery-kit", fresh.Write("typed-off", string(kit)), "--remove-others", "--device-name", "fresh")
	Same(t, source, fresh.restored(source))
	fresh.Backup(photos(fresh))
	lost.Exits(23, "backup", source)
	wrong := w.Device("wrong")
	broken := strings.Replace(string(kit), "Recovery key: ", "Recovery key: A", 1)
	if r := wrong.Run("join", "--recovery-kit", wrong.Write("typed-off", broken)); r.Code == 0 {
		t.Errorf("a mistyped kit: %s", r)
	}
	if r := wrong.Run("snapshots"); r.Code != 10 {
		t.Errorf("a mistyped kit left a device behind: %s", r)
	}
}
