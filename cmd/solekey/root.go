// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/cmd/terminal"
)

// globals are the flags that every command has.
type globals struct {
	stateDir, cacheDir            string
	json, quiet, verbose          bool
	passwordFile, passwordCommand string
	keyFile, cacert               string
	limitUpload, limitDownload    int

	orderly atomic.Bool // the running command ends in order after an interrupt
}

// newRoot returns the command line with all its commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "solekey",
		Short: "End-to-end encrypted backups that only you can open",
		Long: "Solekey backs up files and folders to a provider that cannot open them: everything is sealed on this\n" +
			"machine. `solekey join` makes this machine a device of an account, `solekey backup` makes a\n" +
			"snapshot, `solekey restore` writes one back. Begin with the invite that the server prints.",
		Example:       "  solekey backup ~\n  solekey snapshots\n  solekey restore latest --target /tmp/restored",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return terminal.FromEnvironment(c.Root().Name(), c.Flags())
		},
	}
	a.addGlobals(root.PersistentFlags())
	for _, add := range commands {
		root.AddCommand(add(a))
	}
	root.CompletionOptions.DisableDefaultCmd = true // ours has examples
	terminal.AsUsage(root)
	return root
}

// commands make the commands, in the order in which help lists them.
var commands = []func(*app) *cobra.Command{
	newJoin, newStatus, newWhoami, newDoctor, newDevice, newRecovery, newLog, newKey, newVersion, newCompletion, newMan,
	newBackup, newRestore, newSnapshots, newLs, newFind, newDiff, newDump,
	newForget, newTag, newPrune, newUndelete, newCheck, newStats, newRepair,
}

func (a *app) addGlobals(f *pflag.FlagSet) {
	g := &a.flags
	f.StringVar(&g.stateDir, "state-dir", defaultDir("XDG_STATE_HOME", ".local/state"), "folder of what this device must remember")
	f.StringVar(&g.cacheDir, "cache-dir", defaultDir("XDG_CACHE_HOME", ".cache"), "folder of what can be lost and fetched again")
	f.BoolVar(&g.json, "json", false, "write one JSON object a line instead of text")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "say only what failed")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "say more")
	f.StringVar(&g.passwordFile, "password-file", "", "file whose first line is the password")
	f.StringVar(&g.passwordCommand, "password-command", "", "command whose first line of output is the password")
	f.StringVar(&g.keyFile, "key-file", "", "file that unlocks this device without a password")
	f.StringVar(&g.cacert, "cacert", "", "file of certificates to trust instead of the system's")
	f.IntVar(&g.limitUpload, "limit-upload", 0, "most KiB a second to send; 0: no limit")
	f.IntVar(&g.limitDownload, "limit-download", 0, "most KiB a second to fetch; 0: no limit")
}

// defaultDir returns this program's folder below a base folder of the XDG Base
// Directory Specification.
func defaultDir(variable, below string) string {
	if base := os.Getenv(variable); filepath.IsAbs(base) {
		return filepath.Join(base, "solekey")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join("/var/lib/solekey", filepath.Base(below))
	}
	return filepath.Join(home, below, "solekey")
}
