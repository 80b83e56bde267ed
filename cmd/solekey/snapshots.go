// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
)

func newSnapshots(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "snapshots", Short: "List the snapshots of the backup vault", Args: exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withVault(c.Context(), false, func(_ *session, v *backup.Vault) error {
				list, err := v.Snapshots()
				if err != nil {
					return err
				}
				for _, s := range list {
					a.say("%s  %s  %s", s.ID.String()[:8], s.Began, s.Host)
				}
				return nil
			})
		},
	}
}
