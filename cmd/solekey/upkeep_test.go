// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

func wantUsage(t *testing.T, text string, err error, ok bool) {
	t.Helper()
	if ok != (err == nil) || err != nil && protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("%q: %v", text, err)
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0": 0, "7": 7, "unlimited": backup.All, "-1": backup.All} {
		if n, err := parseCount(text); n != want || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"-2", "x", "1.5", "7d", " 7"} {
		_, err := parseCount(text)
		wantUsage(t, text, err, false)
	}
}

func TestParseAllowance(t *testing.T) {
	for text, want := range map[string]backup.Allowance{
		"5%": {Percent: 5}, "0%": {}, "0": {}, "2G": {Bytes: 2 << 30}, "unlimited": {NoLimit: true}, "99.5%": {Percent: 99.5},
	} {
		if a, err := parseAllowance(text); a != want || err != nil {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
	for _, text := range []string{"100%", "-1%", "x%", "NaN%", "", "5 %", "all"} {
		_, err := parseAllowance(text)
		wantUsage(t, text, err, false)
	}
}

func TestParseSubset(t *testing.T) {
	for text, want := range map[string]backup.Subset{
		"": {}, "5%": {Percent: 5}, "1/7": {Part: 1, Of: 7}, "2G": {Bytes: 2 << 30},
	} {
		if s, err := parseSubset(text); s != want || err != nil {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	for _, text := range []string{"0", "0%", "8/7", "1/0", "x", "-5%", "1/7/3"} {
		_, err := parseSubset(text)
		wantUsage(t, text, err, false)
	}
}

func TestForgetFlagsBecomeAPolicy(t *testing.T) {
	f := &forgetFlags{}
	c := newForget(&app{})
	f.last, f.weekly, f.within, f.withinYearly, f.keepTags = "3", "unlimited", "1y2d", "5y", []string{"a,b"}
	p, err := f.policy()
	if err != nil || p.Last != 3 || p.Weekly != backup.All || p.Daily != 0 ||
		p.Within != (backup.Span{Years: 1, Days: 2}) || p.WithinYearly.Years != 5 || !slices.Equal(p.Tags, []string{"a,b"}) || p.Zone == nil {
		t.Errorf("%+v, %v", p, err)
	}
	for _, broken := range []forgetFlags{{last: "x"}, {within: "3"}, {withinDaily: "d"}} {
		_, err := broken.policy()
		wantUsage(t, "a broken rule", err, false)
	}
	for short, long := range map[string]string{"l": "keep-last", "H": "keep-hourly", "d": "keep-daily", "w": "keep-weekly", "m": "keep-monthly", "y": "keep-yearly", "g": "group-by", "n": "dry-run", "c": "compact"} {
		if flag := c.Flags().ShorthandLookup(short); flag == nil || flag.Name != long {
			t.Errorf("-%s is not --%s", short, long)
		}
	}
}

func TestGroupWords(t *testing.T) {
	for text, want := range map[string]string{"": "", "host": "host", "paths,host": "host paths", "tags": "tags", "host,paths,tags": "host paths tags"} {
		if words, err := groupWords(text); strings.Join(words, " ") != want || err != nil {
			t.Errorf("%q: %v, %v", text, words, err)
		}
	}
	_, err := groupWords("user")
	wantUsage(t, "user", err, false)
}

func TestSplitTags(t *testing.T) {
	if got := splitTags([]string{"a,b", "c", ""}); !slices.Equal(got, []string{"a", "b", "c", ""}) {
		t.Errorf("%q", got)
	}
}

// TestUpkeepOfNoDevice runs the commands where nothing was joined: usage is
// checked before anything else, and each says what is missing.
func TestUpkeepOfNoDevice(t *testing.T) {
	dir := t.TempDir()
	for line, code := range map[string]int{
		"forget --keep-last x":          exitUsage,
		"forget --group-by user -l 1":   exitUsage,
		"forget --max-unused x -l 1":    exitUsage,
		"prune --max-unused 100%":       exitUsage,
		"prune extra":                   exitUsage,
		"check --read-data-subset 8/7":  exitUsage,
		"check extra":                   exitUsage,
		"stats --mode blobs-per-file":   exitUsage,
		"repair":                        exitUsage,
		"forget -l 1":                   exitNotFound,
		"prune":                         exitNotFound,
		"check --read-data":             exitNotFound,
		"stats":                         exitNotFound,
		"tag --add a":                   exitNotFound,
		"undelete --snapshots":          exitNotFound,
		"repair index":                  exitNotFound,
		"undelete --no-such-flag":       exitUsage,
		"forget --keep-within 5 --json": exitUsage,
	} {
		var out, errs bytes.Buffer
		args := append(strings.Fields(line), "--state-dir", dir+"/state", "--cache-dir", dir+"/cache")
		if got := run(context.Background(), args, &streams{In: strings.NewReader(""), Out: &out, Err: &errs}); got != code {
			t.Errorf("%s: exit code %d, want %d: %s", line, got, code, errs.String())
		}
		if errs.Len() == 0 {
			t.Errorf("%s: says nothing", line)
		}
	}
}

func TestUpkeepHasHelp(t *testing.T) {
	for _, c := range []string{"forget", "prune", "check", "stats", "tag", "undelete", "repair"} {
		var out bytes.Buffer
		if code := run(context.Background(), []string{c, "--help"}, &streams{In: strings.NewReader(""), Out: &out, Err: &out}); code != exitDone {
			t.Errorf("%s --help: exit code %d", c, code)
		}
		if !strings.Contains(out.String(), "Examples:") {
			t.Errorf("%s --help has no example", c)
		}
	}
}

func TestDamageIsSaidInBothForms(t *testing.T) {
	d := backup.Damage{
		What: backup.DamageFile, Snapshot: &backup.Snapshot{ID: protocol.Hash{0xab}}, Path: []byte("/a\x1b[31m\xff"),
		Err: protocol.Errorf(protocol.KindUntrusted, "it was changed"),
	}
	for _, json := range []bool{false, true} {
		var out bytes.Buffer
		a := &app{streams: &streams{Out: &out, Err: &out}}
		a.flags.json = json
		a.damage(d)
		text := out.String()
		if !strings.Contains(text, "it was changed") || strings.ContainsRune(text, '\x1b') || json != strings.Contains(text, `"path_base64"`) {
			t.Errorf("json %v: %s", json, text)
		}
	}
}

func TestPrunePlanInWords(t *testing.T) {
	p := &backup.PrunePlan{Packs: 9, Stored: 9 << 20, Retire: 2, RetireSize: 2 << 20, Repack: 1, RepackSize: 1 << 20, Move: 1 << 19, InFlight: 1, Retired: 3, Revive: 4}
	var out bytes.Buffer
	a := &app{streams: &streams{Out: &out, Err: &out}}
	a.prunePlan(p, true)
	for _, want := range []string{"9 packs", "to retire whole: 2 packs, 2.0 MiB", "512.0 KiB are moved", "frees about 2.5 MiB", "left alone: 1", "retired before: 3", "to revive: 4", "nothing was changed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	out.Reset()
	a.flags.quiet = true
	a.prunePlan(p, false)
	if out.Len() != 0 {
		t.Errorf("quiet says %s", out.String())
	}
}
