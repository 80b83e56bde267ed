// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

// snapshotsFlags are the flags of snapshots.
type snapshotsFlags struct {
	chosen
	compact bool
	latest  int
	groupBy string
}

func newSnapshots(a *app) *cobra.Command {
	f := &snapshotsFlags{}
	c := &cobra.Command{
		Use:   "snapshots [flags] [SNAPSHOT...]",
		Short: "List snapshots",
		Long: "Snapshots lists the snapshots of the vault that this device backs up to, of all its devices. One that\n" +
			"is marked partial is of a run that was interrupted: what it did not reach is not in it.",
		Example: "  solekey snapshots\n" +
			"  solekey snapshots --host web --latest 3\n" +
			"  solekey snapshots --group-by host,paths --json",
		RunE: func(c *cobra.Command, args []string) error { return a.snapshots(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.BoolVarP(&f.compact, "compact", "c", false, "one short line for each")
	fl.IntVar(&f.latest, "latest", 0, "only the newest n of each host and paths; 0: all")
	fl.StringVarP(&f.groupBy, "group-by", "g", "", "group by host, paths, tags or several of these, as in host,paths")
	f.chosen.add(fl, "")
	return c
}

// snapshots lists snapshots.
func (a *app) snapshots(ctx context.Context, f *snapshotsFlags, ids []string) error {
	by, err := parseGroupBy(f.groupBy)
	if err != nil {
		return err
	}
	return a.withVault(ctx, false, func(_ *session, v *backup.Vault) error {
		list, err := snapshotsOf(v, ids, f.filter())
		if err != nil {
			return err
		}
		list = newestOf(list, f.latest)
		for _, g := range groupSnapshots(list, by) {
			a.snapshotGroup(v, f, g)
		}
		if !a.flags.json && !a.flags.quiet {
			a.say("%d snapshots", len(list))
		}
		return nil
	})
}

// grouping says what the snapshots of one group have in common.
type grouping struct{ host, paths, tags bool }

func parseGroupBy(text string) (g grouping, err error) {
	for _, word := range strings.Split(text, ",") {
		switch word {
		case "":
		case "host", "hosts":
			g.host = true
		case "path", "paths":
			g.paths = true
		case "tag", "tags":
			g.tags = true
		default:
			return g, protocol.Errorf(protocol.KindUsage, "--group-by %q: it is host, paths or tags", word)
		}
	}
	return g, nil
}

// snapshotGroup is a group in the order of commits.
type snapshotGroup struct {
	title string
	list  []*backup.Snapshot
}

// groupSnapshots puts snapshots into groups, in the order of their titles.
func groupSnapshots(list []*backup.Snapshot, by grouping) []*snapshotGroup {
	groups := map[string]*snapshotGroup{}
	var titles []string
	for _, s := range list {
		title := groupTitle(s, by)
		if groups[title] == nil {
			groups[title] = &snapshotGroup{title: title}
			titles = append(titles, title)
		}
		groups[title].list = append(groups[title].list, s)
	}
	sort.Strings(titles)
	var sorted []*snapshotGroup
	for _, title := range titles {
		sorted = append(sorted, groups[title])
	}
	return sorted
}

func groupTitle(s *backup.Snapshot, by grouping) string {
	var parts []string
	if by.host {
		parts = append(parts, "host "+printable([]byte(s.Host)))
	}
	if by.tags {
		tags := append([]string(nil), s.Tags...)
		sort.Strings(tags)
		parts = append(parts, "tags "+printable([]byte(strings.Join(tags, ", "))))
	}
	if by.paths {
		parts = append(parts, "paths "+strings.Join(printablePaths(s), ", "))
	}
	return strings.Join(parts, "; ")
}

// newestOf returns the newest n of each host and set of paths; all for 0.
func newestOf(list []*backup.Snapshot, n int) []*backup.Snapshot {
	if n <= 0 {
		return list
	}
	seen := map[string]int{}
	var kept []*backup.Snapshot
	for i := len(list) - 1; i >= 0; i-- {
		key := groupTitle(list[i], grouping{host: true, paths: true})
		if seen[key]++; seen[key] <= n {
			kept = append([]*backup.Snapshot{list[i]}, kept...)
		}
	}
	return kept
}

func printablePaths(s *backup.Snapshot) []string {
	var paths []string
	for _, p := range s.Paths {
		paths = append(paths, printable(p))
	}
	sort.Strings(paths)
	return paths
}

// snapshotGroup writes a group.
func (a *app) snapshotGroup(v *backup.Vault, f *snapshotsFlags, g *snapshotGroup) {
	if a.flags.json {
		for _, s := range g.list {
			m := snapshotObject(v, s, "snapshot")
			if g.title != "" {
				m["group"] = g.title
			}
			a.emit(m)
		}
		return
	}
	if g.title != "" {
		a.say("%s:", g.title)
	}
	for _, s := range g.list {
		a.snapshotLine(v, f, s)
	}
}

func (a *app) snapshotLine(v *backup.Vault, f *snapshotsFlags, s *backup.Snapshot) {
	marks := ""
	if s.Partial {
		marks += "  (partial: its run was interrupted)"
	}
	if s.Void {
		marks += "  (its device was removed before it was made)"
	}
	head := fmt.Sprintf("%s  %s  %-12s", s.ID.String()[:shortID], localTime(s.Began), printable([]byte(s.Host)))
	if f.compact {
		a.say("%s  %s%s", head, printable([]byte(strings.Join(s.Tags, ","))), marks)
		return
	}
	line := fmt.Sprintf("%s  %10s  %s", head, size(int64(s.Counts.Bytes)), strings.Join(printablePaths(s), " "))
	if len(s.Tags) > 0 {
		line += "  [" + printable([]byte(strings.Join(s.Tags, ","))) + "]"
	}
	if label := deviceLabel(v, s); label != "" && label != s.Host {
		line += "  by " + printable([]byte(label))
	}
	a.say("%s%s", line, marks)
}

// deviceLabel returns the word by which people know a snapshot's device.
func deviceLabel(v *backup.Vault, s *backup.Snapshot) string {
	if v.Ring() == nil {
		return ""
	}
	label, err := v.Ring().Label(s.Device)
	if err != nil {
		return ""
	}
	return label
}

// snapshotObject describes a snapshot for --json.
func snapshotObject(v *backup.Vault, s *backup.Snapshot, messageType string) map[string]any {
	paths := []string{}
	for _, p := range s.Paths {
		paths = append(paths, string(p))
	}
	tags := s.Tags
	if tags == nil {
		tags = []string{}
	}
	return map[string]any{
		"message_type": messageType, "struct_type": "snapshot", "id": s.ID, "short_id": s.ID.String()[:shortID], "seq": s.Seq,
		"time": s.Began.String(), "time_end": s.Ended.String(), "hostname": s.Host, "username": s.User, "paths": paths, "tags": tags,
		"device": s.Device, "device_label": deviceLabel(v, s), "partial": s.Partial, "void": s.Void,
		"program_version": s.Program, "excludes": s.Excludes,
		"summary": map[string]any{
			"files": s.Counts.Files, "dirs": s.Counts.Folders, "others": s.Counts.Others, "total_bytes_processed": s.Counts.Bytes,
			"error_count": s.Counts.Problems, "bytes_read": s.Counts.Read, "bytes_stored": s.Counts.Stored,
		},
	}
}
