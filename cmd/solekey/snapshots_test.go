// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/backup"
)

// shot returns a snapshot of a host and paths.
func shot(seq uint64, host, tags string, paths ...string) *backup.Snapshot {
	s := &backup.Snapshot{Seq: seq}
	s.Host = host
	if tags != "" {
		s.Tags = strings.Split(tags, ",")
	}
	for _, p := range paths {
		s.Paths = append(s.Paths, []byte(p))
	}
	return s
}

func someShots() []*backup.Snapshot {
	return []*backup.Snapshot{
		shot(1, "web", "", "/srv"), shot(2, "mail", "b,a", "/var"), shot(3, "web", "a,b", "/srv"),
		shot(4, "web", "", "/etc", "/srv"), shot(5, "web", "", "/srv", "/etc"), shot(6, "mail", "", "/var"),
	}
}

func TestGroupSnapshots(t *testing.T) {
	for text, want := range map[string]string{
		"":           "=1,2,3,4,5,6",
		"host":       "host mail=2,6 host web=1,3,4,5",
		"tags":       "tags =1,4,5,6 tags a, b=2,3",
		"paths":      "paths /etc, /srv=4,5 paths /srv=1,3 paths /var=2,6",
		"host,paths": "host mail; paths /var=2,6 host web; paths /etc, /srv=4,5 host web; paths /srv=1,3",
	} {
		by, err := parseGroupBy(text)
		if err != nil {
			t.Fatal(err)
		}
		var groups []string
		for _, g := range groupSnapshots(someShots(), by) {
			groups = append(groups, g.title+"="+seqs(g.list))
		}
		if got := strings.Join(groups, " "); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
	if _, err := parseGroupBy("host,colour"); exitCode(err) != exitUsage {
		t.Errorf("%v", err)
	}
}

func seqs(list []*backup.Snapshot) string {
	var all []string
	for _, s := range list {
		all = append(all, fmt.Sprint(s.Seq))
	}
	return strings.Join(all, ",")
}

func TestNewestOf(t *testing.T) {
	for n, want := range map[int]string{0: "1,2,3,4,5,6", 1: "3,5,6", 2: "1,2,3,4,5,6"} {
		if got := seqs(newestOf(someShots(), n)); got != want {
			t.Errorf("%d: %s, not %s", n, got, want)
		}
	}
}

func TestSnapshotLine(t *testing.T) {
	s := shot(1, "web\x1b[2J", "daily,\nodd", "/srv/\xff")
	s.Partial, s.Void, s.Counts.Bytes = true, true, 4096
	v := new(backup.Vault)
	for _, compact := range []bool{false, true} {
		a, out, _ := newTestApp()
		a.snapshotLine(v, &snapshotsFlags{compact: compact}, s)
		line := out.String()
		for _, want := range []string{`web\x1b[2J`, `daily,\nodd`, "(partial: its run was interrupted)", "was removed"} {
			if !strings.Contains(line, want) {
				t.Errorf("%q is not in %q", want, line)
			}
		}
		if strings.Count(line, "\n") != 1 || compact == strings.Contains(line, `/srv/\xff`) {
			t.Errorf("%q", line)
		}
	}
}

func TestSnapshotObject(t *testing.T) {
	s := shot(7, "web", "", "/srv")
	s.Began, s.Partial, s.Counts.Files = 1, true, 3
	a, out, _ := newTestApp()
	a.flags.json = true
	a.snapshotGroup(new(backup.Vault), &snapshotsFlags{}, &snapshotGroup{title: "host web", list: []*backup.Snapshot{s}})
	m := object(t, out)
	if m["time"] != "1970-01-01T00:00:00.000000001Z" || m["partial"] != true || m["seq"] != float64(7) || m["group"] != "host web" ||
		fmt.Sprint(m["tags"]) != "[]" || m["summary"].(map[string]any)["files"] != float64(3) {
		t.Errorf("%v", m)
	}
}
