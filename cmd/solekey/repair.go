// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
)

func newRepair(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "repair",
		Short:   "Build anew what this device keeps, or give up what stands in the way",
		Example: "  solekey repair index",
		Args:    terminal.Exactly(1, "what to repair: index or accept-older"),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "index",
		Short: "Build the local index anew from the packs",
		Long: "The index says which pack holds a piece of content. It lies in the cache of this device and nowhere\n" +
			"else; this forgets it and reads the sealed index of every pack again.",
		Example: "  solekey repair index",
		Args:    terminal.Exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withVault(c.Context(), true, func(_ *session, v *backup.Vault) error {
				packs, err := v.RepairIndex(c.Context())
				if err != nil {
					return err
				}
				if a.flags.json {
					a.emit(map[string]any{"message_type": "summary", "packs": packs})
				} else if !a.flags.quiet {
					a.say("the index holds %d packs", packs)
				}
				return nil
			})
		},
	})
	c.AddCommand(newAcceptOlder(a))
	return c
}
