// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// findFlags are the flags of find.
type findFlags struct {
	chosen
	snapshots        []string
	ignoreCase, long bool
	oldest, newest   string
}

func newFind(a *app) *cobra.Command {
	f := &findFlags{}
	c := &cobra.Command{
		Use:   "find [flags] PATTERN...",
		Short: "Find files in snapshots",
		Long: "Find looks through all snapshots, or those that are named, for entries whose name matches a pattern.\n" +
			"A pattern with a leading slash is matched against the whole path.",
		Example: "  solekey find '*.odt'\n" +
			"  solekey find --newest 2026-01-31 -i letter.txt\n" +
			"  solekey find -s latest -l '/home/*/.ssh'",
		Args: terminal.AtLeast(1, "a pattern"),
		RunE: func(c *cobra.Command, args []string) error { return a.find(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.StringArrayVarP(&f.snapshots, "snapshot", "s", nil, "look in this snapshot only (can be repeated)")
	fl.BoolVarP(&f.ignoreCase, "ignore-case", "i", false, "match whatever the case")
	fl.BoolVarP(&f.long, "long", "l", false, "show mode, owner, size and time")
	fl.StringVarP(&f.oldest, "oldest", "O", "", "only what was modified at or after this time")
	fl.StringVarP(&f.newest, "newest", "N", "", "only what was modified at or before this time")
	f.chosen.add(fl, "")
	return c
}

// find looks through snapshots, the newest first.
func (a *app) find(ctx context.Context, f *findFlags, patterns []string) error {
	finding, err := a.finding(f, patterns)
	if err != nil {
		return err
	}
	return a.withBrowser(ctx, func(v *backup.Vault, b *backup.Browser) error {
		list, err := snapshotsOf(v, f.snapshots, f.filter())
		if err != nil {
			return err
		}
		l := &lister{a: a, b: b, f: &lsFlags{long: f.long}}
		for i := len(list) - 1; i >= 0; i-- {
			if err := a.findIn(ctx, b, list[i], finding, l); err != nil {
				return err
			}
		}
		return l.end()
	})
}

func (a *app) finding(f *findFlags, patterns []string) (*backup.Finding, error) {
	oldest, err := parseTime(f.oldest, false)
	if err != nil {
		return nil, err
	}
	newest, err := parseTime(f.newest, true)
	if err != nil {
		return nil, err
	}
	return backup.NewFinding(patterns, f.ignoreCase, oldest, newest)
}

// findIn writes what is found in one snapshot, with a line before the first.
func (a *app) findIn(ctx context.Context, b *backup.Browser, s *backup.Snapshot, finding *backup.Finding, l *lister) error {
	var matches []map[string]any
	hits := 0
	err := b.Find(ctx, s, finding, func(path []byte, e *tree.Entry) error {
		hits++
		if a.flags.json {
			matches = append(matches, nodeObject(path, e, "match"))
			return nil
		}
		if hits == 1 {
			a.say("in snapshot %s of %s:", s.ID.String()[:shortID], localTime(s.Began))
		}
		l.entry(path, e)
		return nil
	}, l.missing)
	if err == nil && a.flags.json && hits > 0 {
		a.emit(map[string]any{"message_type": "matches", "snapshot": s.ID, "hits": hits, "matches": matches})
	}
	return err
}

// snapshotsOf returns the snapshots that are named, or all that the filter
// chooses.
func snapshotsOf(v *backup.Vault, ids []string, filter backup.Filter) ([]*backup.Snapshot, error) {
	var list []*backup.Snapshot
	for _, id := range ids {
		s, _, err := v.Find(id, filter)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(ids) > 0 {
		return list, nil
	}
	all, err := v.Snapshots()
	for _, s := range all {
		if filter.Matches(s) {
			list = append(list, s)
		}
	}
	return list, err
}

// timeLayouts are the ways in which times are written.
var timeLayouts = []string{
	"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.999999999 -0700 MST",
	"02.01.2006", "2006-01-02T15:04:05", time.RFC3339Nano,
}

// parseTime reads a time, where it names no zone in that of this machine; 0 for
// an empty text. With end, a day stands for its last moment.
func parseTime(text string, end bool) (protocol.Time, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range timeLayouts {
		t, err := time.ParseInLocation(layout, text, time.Local)
		if err != nil {
			continue
		}
		if end && !strings.Contains(layout, "15") {
			t = t.AddDate(0, 0, 1).Add(-1)
		}
		return protocol.TimeOf(t), nil
	}
	return 0, protocol.Errorf(protocol.KindUsage, "%q is no time; write it as in 2026-01-31 or 2026-01-31 14:00", text)
}
