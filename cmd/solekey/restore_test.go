// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

// newTestApp returns an app that writes to memory.
func newTestApp() (a *app, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return &app{streams: &streams{In: strings.NewReader(""), Out: out, Err: errs}, interrupted: make(chan struct{})}, out, errs
}

func TestRestoreOptions(t *testing.T) {
	a, _, _ := newTestApp()
	o, err := a.restoreOptions(&restoreFlags{
		target: "x/../y", overwrite: "if-newer", include: []string{"*.txt"}, delete: true, verify: true, dryRun: true, numericOwner: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Overwrite != files.IfNewer || !o.Delete || !o.Verify || !o.DryRun || !o.NumericOwner || o.Choice == nil ||
		!strings.HasSuffix(o.Target, "/y") || o.OnItem != nil {
		t.Errorf("%+v", o)
	}
	for name, f := range map[string]restoreFlags{
		"no target":     {overwrite: "always"},
		"no policy":     {target: "/x", overwrite: "sometimes"},
		"both":          {target: "/x", overwrite: "always", include: []string{"a"}, iexclude: []string{"b"}},
		"bad pattern":   {target: "/x", overwrite: "always", exclude: []string{"["}},
		"delete from /": {target: "//", overwrite: "always", delete: true},
	} {
		if _, err := a.restoreOptions(&f); exitCode(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.restoreOptions(&restoreFlags{target: "/", overwrite: "always", delete: true, include: []string{"/etc"}}); err != nil {
		t.Errorf("delete from / what was chosen: %v", err)
	}
}

func TestRestoreSummary(t *testing.T) {
	o := &backup.RestoreOptions{Snapshot: &backup.Snapshot{}, Target: "/target"}
	for name, c := range map[string]struct {
		progress backup.RestoreProgress
		partial  bool
		code     int
		want     string
	}{
		"all":      {backup.RestoreProgress{Files: 3, Written: 2048}, false, exitDone, "3 files (2.0 KiB)"},
		"lost":     {backup.RestoreProgress{Files: 3, Lost: 2}, false, exitUnreadable, "2 entries could not be restored whole"},
		"warnings": {backup.RestoreProgress{Warnings: 4}, false, exitDone, "4 owners, modes or attributes"},
		"verified": {backup.RestoreProgress{Verified: 5}, false, exitDone, "5 files read back"},
		"partial":  {backup.RestoreProgress{}, true, exitDone, "this snapshot is partial"},
	} {
		o.Snapshot.Partial = c.partial
		a, out, _ := newTestApp()
		err := a.restoreSummary(o, &c.progress, time.Now())
		if code := codeOf(err); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: code %d, %s", name, code, out)
		}
		a, out, _ = newTestApp()
		a.flags.json = true
		_ = a.restoreSummary(o, &c.progress, time.Now())
		m := object(t, out)
		if m["message_type"] != "summary" || m["error_count"] != float64(c.progress.Lost) || m["target"] != "/target" {
			t.Errorf("%s: %v", name, m)
		}
		a, out, _ = newTestApp()
		a.flags.quiet = true
		if _ = a.restoreSummary(o, &c.progress, time.Now()); out.Len() > 0 {
			t.Errorf("%s: not quiet: %s", name, out)
		}
	}
	o.DryRun = true
	a, out, _ := newTestApp()
	a.restoreWords(o, &backup.RestoreProgress{}, time.Second)
	if !strings.HasPrefix(out.String(), "would restore") {
		t.Errorf("dry: %s", out)
	}
}

// codeOf is the exit code of a command's outcome.
func codeOf(err error) int {
	if err == nil {
		return exitDone
	}
	return exitCode(err)
}

// object reads the one line of JSON that was written.
func object(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	return m
}

func TestRestoredItem(t *testing.T) {
	it := backup.RestoredItem{Path: []byte("/a/\xff"), Size: 7, Action: backup.ActionUnchanged}
	a, out, _ := newTestApp()
	a.restoredItem(it)
	if got := out.String(); got != "unchanged /a/\xff\n" {
		t.Errorf("%q", got)
	}
	a, out, _ = newTestApp()
	a.flags.json = true
	a.restoredItem(it)
	if m := object(t, out); m["action"] != "unchanged" || m["item_base64"] != "L2Ev/w==" || m["size"] != float64(7) {
		t.Errorf("%v", m)
	}
}

func TestRestoreProgress(t *testing.T) {
	o := &backup.RestoreOptions{Snapshot: &backup.Snapshot{}}
	o.Snapshot.Counts.Bytes = 100
	r := new(backup.Browser).NewRestore(*o)
	a, out, errs := newTestApp()
	a.restoreProgress(r, o, time.Now())
	if !strings.Contains(errs.String(), "0%  0 files, 0 B restored of 100 B") {
		t.Errorf("%q", errs)
	}
	o.Path = []byte("/a")
	a.restoreProgress(r, o, time.Now())
	if !strings.Contains(errs.String(), "\r0 files, 0 B restored; 0 unchanged") {
		t.Errorf("%q", errs)
	}
	a.flags.json = true
	a.restoreProgress(r, o, time.Now())
	if m := object(t, out); m["message_type"] != "status" || m["percent_done"] != 0.0 {
		t.Errorf("%v", m)
	}
}

func TestErrSilentKeepsItsKind(t *testing.T) {
	err := errSilent{protocol.Errorf(protocol.KindUnreadable, "said before")}
	a, out, errs := newTestApp()
	a.complain(err, exitCode(err))
	if out.Len()+errs.Len() > 0 || exitCode(err) != exitUnreadable || errors.Unwrap(err) == nil {
		t.Errorf("%s %s %v", out, errs, err)
	}
}
