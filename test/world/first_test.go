// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// photos writes a folder of small files and a few larger ones and returns it.
func photos(d *Device) string {
	d.w.T.Helper()
	for i := range 40 {
		d.Write(fmt.Sprintf("photos/notes/%02d.txt", i), strings.Repeat(fmt.Sprintf("note %d\n", i), 20+i))
	}
	d.Write("photos/a/large", string(Noise(1, 3<<20)))
	d.Write("photos/a/empty", "")
	if err := os.Symlink("large", d.Path("photos", "a", "link")); err != nil {
		d.w.T.Fatal(err)
	}
	return d.Path("photos")
}

// number reads a number of a summary.
func number(t *testing.T, summary map[string]any, field string) int64 {
	t.Helper()
	n, ok := summary[field].(float64)
	if !ok {
		t.Fatalf("no number %q in %v", field, summary)
	}
	return int64(n)
}

// restored restores the newest snapshot into a new folder and returns where what
// was at path is now.
func (d *Device) restored(path string) string {
	d.w.T.Helper()
	target, err := os.MkdirTemp(d.Dir, "restored-*")
	if err != nil {
		d.w.T.Fatal(err)
	}
	d.Must("restore", "latest", "--target", target)
	return filepath.Join(target, path)
}

// TestFirstRun: up, join, backup, and the same again, in the words of README.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	if kit, err := os.ReadFile(d.Kit()); err != nil || !strings.Contains(string(kit), "Recovery key:") {
		t.Errorf("the kit: %v: %s", err, kit)
	}
	source := photos(d)
	Settle()
	first := d.Backup(source)
	if number(t, first, "files") != 42 || number(t, first, "error_count") != 0 || first["partial"] != false {
		t.Errorf("first backup: %v", first)
	}
	packs, stored := w.Provider.Stored()
	if packs == 0 || number(t, first, "bytes_stored") != stored {
		t.Errorf("the provider holds %d bytes in %d packs, the device sent %v", stored, packs, first["bytes_stored"])
	}
	second := d.Backup(source)
	if number(t, second, "files_unmodified") != 42 || number(t, second, "bytes_read") != 0 {
		t.Errorf("an unchanged folder: %v", second)
	}
	// The folders above the source belong to the machine that runs the tests and
	// may have got new times.
	if now, _ := w.Provider.Stored(); number(t, second, "bytes_added") > 4096 || now > packs+1 {
		t.Errorf("an unchanged folder took %d packs: %v", now-packs, second)
	}
	if list := d.Snapshots(); len(list) != 2 {
		t.Errorf("snapshots: %v", list)
	}
	Same(t, source, d.restored(source))
	w.Provider.Must("doctor", "--read-data")
}
