// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/tree"
)

func newDiff(a *app) *cobra.Command {
	metadata := false
	c := &cobra.Command{
		Use:   "diff [flags] SNAPSHOT[:PATH] SNAPSHOT[:PATH]",
		Short: "Show what differs between two snapshots",
		Long: "Diff compares two snapshots, or two folders in them. Each line is a letter and a path:\n\n" +
			"  +  only in the second\n" +
			"  -  only in the first\n" +
			"  M  the content of the file changed\n" +
			"  T  it became something else, as a link where a file was\n" +
			"  U  only owner, mode, time or attributes changed (with --metadata)",
		Example: "  solekey diff 4be1a2c7 latest\n" +
			"  solekey diff --metadata 4be1a2c7:/etc latest:/etc",
		Args: terminal.Exactly(2, "two snapshots"),
		RunE: func(c *cobra.Command, args []string) error { return a.diff(c.Context(), args[0], args[1], metadata) },
	}
	c.Flags().BoolVar(&metadata, "metadata", false, "show entries of which only owner, mode, time or attributes changed")
	return c
}

// diff compares two snapshots.
func (a *app) diff(ctx context.Context, from, to string, metadata bool) error {
	return a.withBrowser(ctx, func(v *backup.Vault, b *backup.Browser) error {
		var sides [2]*tree.Entry
		var snapshots [2]*backup.Snapshot
		for i, id := range []string{from, to} {
			s, path, err := v.Find(id, backup.Filter{})
			if err != nil {
				return err
			}
			if sides[i], err = b.Folder(ctx, s, []byte(path)); err != nil {
				return err
			}
			snapshots[i] = s
		}
		if err := backup.Comparable(snapshots[0], snapshots[1]); err != nil {
			return err
		}
		stats, err := b.Diff(ctx, sides[0], sides[1], metadata, a.diffLine)
		if err != nil {
			return err
		}
		a.diffSummary(snapshots, stats)
		return nil
	})
}

func (a *app) diffLine(path []byte, change backup.Change, e *tree.Entry) error {
	if e.Type == tree.TypeFolder {
		path = append(path[:len(path):len(path)], '/')
	}
	if !a.flags.json {
		a.say("%-4s %s", change, a.name(path))
		return nil
	}
	m := map[string]any{"message_type": "change", "path": string(path), "modifier": change}
	addBase64(m, "path", path)
	a.emit(m)
	return nil
}

func (a *app) diffSummary(of [2]*backup.Snapshot, d *backup.DiffStats) {
	if a.flags.json {
		side := func(s *backup.DiffSide) map[string]any {
			return map[string]any{"files": s.Files, "dirs": s.Folders, "others": s.Others, "bytes": s.Bytes}
		}
		a.emit(map[string]any{
			"message_type": "statistics", "source_snapshot": of[0].ID, "target_snapshot": of[1].ID,
			"changed_files": d.Changed, "added": side(&d.Added), "removed": side(&d.Removed),
		})
		return
	}
	if a.flags.quiet {
		return
	}
	a.say("")
	a.say("Files:   %5d new, %5d removed, %5d changed", d.Added.Files, d.Removed.Files, d.Changed)
	a.say("Folders: %5d new, %5d removed", d.Added.Folders, d.Removed.Folders)
	a.say("Others:  %5d new, %5d removed", d.Added.Others, d.Removed.Others)
	a.say("Bytes:   %s added, %s removed", size(d.Added.Bytes), size(d.Removed.Bytes))
}
