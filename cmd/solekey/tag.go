// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
)

// tagFlags are the flags of tag.
type tagFlags struct {
	chosen
	set, add, remove []string
}

func newTag(a *app) *cobra.Command {
	f := &tagFlags{}
	c := &cobra.Command{
		Use:   "tag [flags] [SNAPSHOT...]",
		Short: "Change the tags of snapshots",
		Long: "Tag changes the tags of the named snapshots, or of all that the filter chooses where none is named.\n" +
			"The snapshots keep their names. Tags are sealed like everything else about a snapshot.",
		Example: "  solekey tag --add keep 4be1a2c7\n" +
			"  solekey tag --set weekly,offsite --host web\n" +
			"  solekey tag --set '' latest",
		RunE: func(c *cobra.Command, args []string) error {
			return a.tag(c.Context(), f, c.Flags().Changed("set"), args)
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.set, "set", nil, "the tags in the place of all others, as in a,b (can be repeated)")
	fl.StringArrayVar(&f.add, "add", nil, "tags to add (can be repeated)")
	fl.StringArrayVar(&f.remove, "remove", nil, "tags to take away (can be repeated)")
	f.chosen.add(fl, "")
	return c
}

// tag changes tags and says of how many snapshots.
func (a *app) tag(ctx context.Context, f *tagFlags, replace bool, ids []string) error {
	o := backup.TagOptions{
		IDs: ids, Filter: f.filter(), Replace: replace,
		Set: splitTags(f.set), Add: splitTags(f.add), Remove: splitTags(f.remove),
	}
	return a.withVault(ctx, true, func(_ *session, v *backup.Vault) error {
		changed, err := v.Tag(ctx, o)
		if err != nil {
			return err
		}
		switch {
		case a.flags.json:
			for _, s := range changed {
				a.emit(snapshotObject(v, s, "changed"))
			}
			a.emit(map[string]any{"message_type": "summary", "changed_snapshots": len(changed)})
		case !a.flags.quiet:
			a.say("changed the tags of %d snapshots", len(changed))
		}
		return nil
	})
}

func splitTags(lists []string) []string {
	var tags []string
	for _, list := range lists {
		tags = append(tags, strings.Split(list, ",")...)
	}
	return tags
}
