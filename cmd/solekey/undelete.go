// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

func newUndelete(a *app) *cobra.Command {
	o := &backup.UndeleteOptions{}
	c := &cobra.Command{
		Use:   "undelete [flags] [SNAPSHOT...]",
		Short: "Bring back what was forgotten and pruned",
		Long: "Undelete brings forgotten snapshots back, together with the retired packs that they need, as long as\n" +
			"the server keeps these: its retention time, 30 days unless it says otherwise. So what a thief with one of\n" +
			"your devices forgot and pruned is undone by another device; remove the stolen one first.\n\n" +
			"A snapshot that a removed device made after the last one that its removal names comes back only by its\n" +
			"name: look at what is in it first.",
		Example: "  solekey undelete --snapshots --dry-run\n" +
			"  solekey undelete 4be1a2c7\n" +
			"  solekey undelete --packs",
		RunE: func(c *cobra.Command, args []string) error {
			o.IDs = args
			return a.undelete(c.Context(), *o)
		},
	}
	c.Flags().BoolVar(&o.All, "snapshots", false, "every forgotten snapshot of which everything is still there")
	c.Flags().BoolVar(&o.Packs, "packs", false, "every retired pack, whether a snapshot needs it or not")
	c.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "change nothing, say what would come back")
	return c
}

// undelete brings back and says what.
func (a *app) undelete(ctx context.Context, o backup.UndeleteOptions) error {
	return a.withVault(ctx, true, func(_ *session, v *backup.Vault) error {
		r, err := v.Undelete(ctx, o)
		if err != nil {
			return err
		}
		if a.flags.json {
			a.undeleteJSON(o, r)
			return nil
		}
		if a.flags.quiet {
			return nil
		}
		for _, s := range r.Snapshots {
			a.snapshotLine(v, &snapshotsFlags{}, s)
		}
		word := "brought back"
		if o.DryRun {
			word = "would bring back"
		}
		a.say("%s %d snapshots and %d packs", word, len(r.Snapshots), r.Packs)
		if len(r.Lost) > 0 {
			a.say("%d forgotten snapshots cannot come back: packs of theirs were dropped", len(r.Lost))
		}
		return nil
	})
}

func (a *app) undeleteJSON(o backup.UndeleteOptions, r *backup.UndeleteResult) {
	ids := func(list []*backup.Snapshot) []protocol.Hash {
		names := make([]protocol.Hash, 0, len(list))
		for _, s := range list {
			names = append(names, s.ID)
		}
		return names
	}
	a.emit(map[string]any{
		"message_type": "summary", "snapshots": ids(r.Snapshots), "lost": ids(r.Lost), "packs_revived": r.Packs, "dry_run": o.DryRun,
	})
}
