// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol/api"
)

// unmoved runs a command that must be refused with exit code 20, and demands
// that the device remembers what it did before and no more.
func (d *Device) unmoved(args ...string) Result {
	d.w.T.Helper()
	before := d.Remembered()
	r := d.Exits(20, args...)
	if differ := Differences(before, d.Remembered()); len(differ) > 0 {
		d.w.T.Errorf("solekey %s moved what the device remembers: %q", strings.Join(args, " "), differ)
	}
	return r
}

// saved is the provider's folder of some day.
func (p *Provider) saved() string {
	p.w.T.Helper()
	p.Stop()
	to, err := os.MkdirTemp(p.w.Dir, "yesterday-*")
	if err != nil {
		p.w.T.Fatal(err)
	}
	CopyTree(p.w.T, p.Data, to)
	p.Start()
	return to
}

// backTo puts the provider into a saved state.
func (p *Provider) backTo(saved string) {
	p.w.T.Helper()
	p.Stop()
	if err := os.RemoveAll(p.Data); err != nil {
		p.w.T.Fatal(err)
	}
	CopyTree(p.w.T, saved, p.Data)
	p.Start()
}

// TestRollback: a provider that is put back to yesterday is noticed by a device
// with a memory, which uses nothing and forgets nothing.
func TestRollback(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	yesterday := w.Provider.saved()
	d.Write("photos/today", "of today")
	d.Backup(source)
	today := w.Provider.saved()
	w.Provider.backTo(yesterday)
	for _, args := range [][]string{{"backup", source}, {"snapshots"}, {"restore", "latest", "--target", d.Path("out")}} {
		if r := d.unmoved(args...); !strings.Contains(r.Err, "rollback") {
			t.Errorf("%v: it does not say what happened: %s", args, r)
		}
	}
	w.Provider.backTo(today)
	Same(t, source, d.restored(source))
}

// TestFork: a provider that shows a device another past than it has seen.
func TestFork(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	yesterday := w.Provider.saved()
	twin := w.Device("twin") // the same device, as it was yesterday
	CopyTree(t, d.Dir, twin.Dir)
	d.Write("photos/today", "of today")
	d.Backup(source)
	w.Provider.backTo(yesterday)
	twin.Write("photos/other", "of another today")
	twin.Backup(twin.Path("photos"))
	for _, args := range [][]string{{"backup", source}, {"snapshots"}} {
		if r := d.unmoved(args...); !strings.Contains(r.Err, "fork") {
			t.Errorf("%v: it does not say what happened: %s", args, r)
		}
	}
}

// records changes the records of an answer.
func records(below string, change func([][]byte) [][]byte) Step {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, below) {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var list [][]byte
		for {
			one, err := api.ReadRecord(rec.Body, 1<<24)
			if err == io.EOF {
				break
			}
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			list = append(list, one)
		}
		var body []byte
		for _, one := range change(list) {
			body = api.AppendRecord(body, one)
		}
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		_, _ = w.Write(body) // a device that went away is no matter here
	}
}

// TestHiddenSnapshot: records that are hidden, swapped, doubled or of nobody.
func TestHiddenSnapshot(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	for _, day := range []string{"one", "two", "three"} {
		d.Write("photos/day", day)
		d.Backup(source)
	}
	// What the device has seen of the chain is dropped from this twin, all but
	// its ledger: it takes the whole chain in anew.
	twin := w.Device("twin")
	CopyTree(t, d.Dir, twin.Dir)
	if err := os.RemoveAll(filepath.Join(twin.State(), "vaults")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(twin.Cache()); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(l [][]byte) [][]byte
	}{
		{"the first hidden", func(l [][]byte) [][]byte { return l[1:] }},
		{"one within hidden", func(l [][]byte) [][]byte { return [][]byte{l[0], l[2]} }},
		{"two swapped", func(l [][]byte) [][]byte { return [][]byte{l[1], l[0], l[2]} }},
		{"one twice", func(l [][]byte) [][]byte { return [][]byte{l[0], l[0], l[1], l[2]} }},
		{"a bit flipped", func(l [][]byte) [][]byte {
			l[1] = bytes.Clone(l[1])
			l[1][len(l[1])/2] ^= 1
			return l
		}},
		{"one cut", func(l [][]byte) [][]byte { l[2] = l[2][:len(l[2])-1]; return l }},
		{"something behind one", func(l [][]byte) [][]byte { l[2] = append(bytes.Clone(l[2]), 0); return l }},
	}
	for _, c := range cases {
		w.Net.Use(records(api.BelowSnapshots, c.change))
		if r := twin.Run("snapshots"); r.Code != 20 {
			t.Errorf("%s: %s", c.name, r)
		}
		if err := os.RemoveAll(filepath.Join(twin.State(), "vaults")); err != nil {
			t.Fatal(err)
		}
	}
	w.Net.Use(records(api.BelowSnapshots, func(l [][]byte) [][]byte { return nil }))
	d.unmoved("snapshots")
	w.Net.Use(nil)
	if list := twin.Snapshots(); len(list) != 3 {
		t.Errorf("%d snapshots: %v", len(list), list)
	}
}

// TestSwappedPacks: stored bytes that were changed, swapped or cut never become
// a file.
func TestSwappedPacks(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	d.Write("photos/second", string(Noise(7, 300_000)))
	d.Backup(source)
	var paths []string
	w.Provider.Blobs("pack", func(path string, _ int64) { paths = append(paths, path) })
	if len(paths) < 2 {
		t.Fatalf("%d packs", len(paths))
	}
	var packs [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		packs = append(packs, data)
	}
	flipped := func(pack []byte, at int) []byte {
		changed := bytes.Clone(pack)
		changed[at] ^= 0x10
		return changed
	}
	cases := map[string][2][]byte{
		"swapped":   {packs[1], packs[0]},
		"zeroed":    {make([]byte, len(packs[0])), make([]byte, len(packs[1]))},
		"flipped":   {flipped(packs[0], 5000), flipped(packs[1], 5000)},
		"no header": {flipped(packs[0], 1200), flipped(packs[1], 1200)},
	}
	for name, put := range cases {
		for i := range put {
			if err := os.WriteFile(paths[i], put[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		target := d.Path("target-" + name)
		r := d.Run("restore", "latest", "--target", target)
		if r.Code != 3 && r.Code != 20 {
			t.Errorf("%s: %s", name, r)
		}
		holdsNothingWrong(t, source, filepath.Join(target, source))
	}
	if r := w.Provider.Run("doctor", "--read-data"); r.Code != 20 {
		t.Errorf("doctor sees nothing: %s", r)
	}
}

// holdsNothingWrong demands that what there is of a restore is as in the source.
func holdsNothingWrong(t testing.TB, source, target string) {
	t.Helper()
	if _, err := os.Stat(target); os.IsNotExist(err) {
		return
	}
	want := Contents(t, source)
	for path, what := range Contents(t, target) {
		if want[path] != what {
			t.Errorf("%s is %s, it was %s", path, what, want[path])
		}
	}
}

// TestStranger: another server at the same address gets nothing.
func TestStranger(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	w.Net.PresentStranger()
	w.Net.Cut()
	w.Net.Requests()
	for _, args := range [][]string{{"backup", source}, {"snapshots"}, {"restore", "latest", "--target", d.Path("out")}} {
		d.unmoved(args...)
	}
	late := w.Device("late")
	if r := late.Run("join", "--name", "late", "--recovery-out", late.Kit(), w.Provider.Invite()); r.Code != 20 {
		t.Errorf("join: %s", r)
	}
	if came := w.Net.Requests(); len(came) > 0 {
		t.Errorf("the stranger was sent %q", came)
	}
}
