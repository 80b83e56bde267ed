// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func TestModeOf(t *testing.T) {
	for want, e := range map[string]tree.Entry{
		"-rw-r--r--": {Type: tree.TypeFile, Mode: 0o644},
		"drwxrwxrwt": {Type: tree.TypeFolder, Mode: 0o1777},
		"drwxrwxrwT": {Type: tree.TypeFolder, Mode: 0o1776},
		"-rwsr-sr-x": {Type: tree.TypeFile, Mode: 0o6755},
		"-rwSr-Sr--": {Type: tree.TypeFile, Mode: 0o6644},
		"lrwxrwxrwx": {Type: tree.TypeLink, Mode: 0o777},
		"prw-------": {Type: tree.TypePipe, Mode: 0o600},
		"srw-------": {Type: tree.TypeSocket, Mode: 0o600},
		"crw-rw----": {Type: tree.TypeCharDev, Mode: 0o660},
		"brw-rw----": {Type: tree.TypeBlkDev, Mode: 0o660},
	} {
		got := modeOf(&e)
		if got != want {
			t.Errorf("%v %o: %s, not %s", e.Type, e.Mode, got, want)
		}
	}
}

func TestNodeObject(t *testing.T) {
	file := nodeObject([]byte("/a/\xff"), &tree.Entry{
		Name: []byte("\xff"), Type: tree.TypeFile, Mode: 0o640, Size: 7, UID: 1, GID: 2, User: "ann", Group: "users", Modified: 5,
	}, "node")
	for key, want := range map[string]any{
		"message_type": "node", "type": "file", "size": uint64(7), "name_base64": "/w==", "path_base64": "L2Ev/w==", "user": "ann", "group": "users",
		"permissions": "-rw-r-----", "mtime": "1970-01-01T00:00:00.000000005Z",
	} {
		if file[key] != want {
			t.Errorf("%s: %v, not %v", key, file[key], want)
		}
	}
	link := nodeObject([]byte("/l"), &tree.Entry{Name: []byte("l"), Type: tree.TypeLink, Target: []byte("\xfe")}, "match")
	if link["linktarget_base64"] != "/g==" || link["type"] != "symlink" || link["size"] != nil || link["user"] != nil || link["name_base64"] != nil {
		t.Errorf("%v", link)
	}
}

func TestLister(t *testing.T) {
	e := &tree.Entry{Name: []byte("x"), Type: tree.TypeLink, Mode: 0o777, Target: []byte("there"), Modified: 1}
	for name, c := range map[string]struct {
		flags lsFlags
		json  bool
		want  string
	}{
		"short": {want: "/x\n"},
		"long":  {flags: lsFlags{long: true}, want: " /x -> there\n"},
		"human": {flags: lsFlags{long: true, human: true}, want: " 0 B "},
		"json":  {json: true, want: `"linktarget":"there"`},
	} {
		a, out, errs := newTestApp()
		a.flags.json = c.json
		l := &lister{a: a, f: &c.flags}
		l.entry([]byte("/x"), e)
		if !strings.Contains(out.String(), c.want) || l.end() != nil {
			t.Errorf("%s: %q", name, out)
		}
		l.missing([]byte("/lost\n"), errors.New("gone"))
		if exitCode(l.end()) != exitUnreadable || !strings.Contains(errs.String(), `/lost\`) {
			t.Errorf("%s: %q", name, errs)
		}
	}
}

func TestParseTime(t *testing.T) {
	local := func(y int, m time.Month, d, h, min, s, ns int) protocol.Time {
		return protocol.TimeOf(time.Date(y, m, d, h, min, s, ns, time.Local))
	}
	for _, c := range []struct {
		text string
		end  bool
		want protocol.Time
	}{
		{"", true, 0},
		{"2026-01-31", false, local(2026, 1, 31, 0, 0, 0, 0)},
		{"2026-01-31", true, local(2026, 1, 31, 23, 59, 59, 999999999)},
		{"31.01.2026", false, local(2026, 1, 31, 0, 0, 0, 0)},
		{"2026-01-31 14:05", true, local(2026, 1, 31, 14, 5, 0, 0)},
		{"2026-01-31 14:05:06", false, local(2026, 1, 31, 14, 5, 6, 0)},
		{"1970-01-01T00:00:01Z", false, 1e9},
		{"1970-01-01T01:00:01.5+01:00", false, 15e8},
	} {
		got, err := parseTime(c.text, c.end)
		if err != nil || got != c.want {
			t.Errorf("%q: %v, %v, not %v", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"yesterday", "2026-13-01", "31.02", "2026-01-31 25:00"} {
		if _, err := parseTime(bad, false); exitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFindingFlags(t *testing.T) {
	a, _, _ := newTestApp()
	for name, f := range map[string]findFlags{"oldest": {oldest: "?"}, "newest": {newest: "?"}} {
		if _, err := a.finding(&f, []string{"x"}); exitCode(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.finding(&findFlags{oldest: "2026-01-01", newest: "2026-01-31"}, []string{"x"}); err != nil {
		t.Error(err)
	}
}

func TestDiffLines(t *testing.T) {
	a, out, _ := newTestApp()
	folder, file := &tree.Entry{Type: tree.TypeFolder}, &tree.Entry{Type: tree.TypeFile}
	if a.diffLine([]byte("/d"), backup.ChangeAdded, folder) != nil || a.diffLine([]byte("/f"), backup.ChangeContent, file) != nil {
		t.Fatal("a line is no error")
	}
	if got := out.String(); got != "+    /d/\nM    /f\n" {
		t.Errorf("%q", got)
	}
	a, out, _ = newTestApp()
	a.flags.json = true
	_ = a.diffLine([]byte("/\xff"), backup.ChangeType, file)
	if m := object(t, out); m["modifier"] != "T" || m["path_base64"] != "L/8=" {
		t.Errorf("%v", m)
	}
	shots := [2]*backup.Snapshot{{}, {}}
	stats := &backup.DiffStats{Changed: 3, Added: backup.DiffSide{Files: 1, Bytes: 2048}, Removed: backup.DiffSide{Folders: 4}}
	a, out, _ = newTestApp()
	a.diffSummary(shots, stats)
	if !strings.Contains(out.String(), "1 new,     0 removed,     3 changed") || !strings.Contains(out.String(), "2.0 KiB added") {
		t.Errorf("%s", out)
	}
	a, out, _ = newTestApp()
	a.flags.json = true
	a.diffSummary(shots, stats)
	if m := object(t, out); m["changed_files"] != float64(3) || m["removed"].(map[string]any)["dirs"] != float64(4) {
		t.Errorf("%v", m)
	}
	a, out, _ = newTestApp()
	a.flags.quiet = true
	if a.diffSummary(shots, stats); out.Len() > 0 {
		t.Errorf("not quiet: %s", out)
	}
}

func TestDumpTo(t *testing.T) {
	file := &tree.Entry{Type: tree.TypeFile}
	write := func(w io.Writer) error { _, err := io.WriteString(w, "content"); return err }
	broken := func(w io.Writer) error { _ = write(w); return protocol.Errorf(protocol.KindUnreadable, "lost") }
	a, out, _ := newTestApp()
	if err := a.dumpTo("", file, write); err != nil || out.String() != "content" {
		t.Errorf("%v %q", err, out)
	}
	a, out, _ = newTestApp()
	if err := a.dumpTo("", file, broken); exitCode(err) != exitUnreadable || out.String() != "content" {
		t.Errorf("%v %q", err, out)
	}
	target := filepath.Join(t.TempDir(), "target")
	if err := a.dumpTo(target, file, broken); exitCode(err) != exitUnreadable {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file was left: %v", err)
	}
	if err := a.dumpTo(target, file, write); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "content" {
		t.Errorf("%q %v", b, err)
	}
	if err := a.dumpTo(target, file, broken); exitCode(err) != exitUsage {
		t.Errorf("over a file: %v", err)
	}
	if b, _ := os.ReadFile(target); string(b) != "content" {
		t.Errorf("a file was replaced: %q", b)
	}
	if err := a.dump(t.Context(), &dumpFlags{archive: "rar"}, "latest", "/x"); exitCode(err) != exitUsage {
		t.Errorf("%v", err)
	}
}
