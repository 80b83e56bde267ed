// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		Long:    "Version prints which program this is, what it was built from, and which formats it speaks.",
		Example: "  solekey version --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			commit := revision()
			if a.flags.json {
				a.emit(map[string]any{
					"message_type": "version", "program": "solekey", "version": version(), "revision": commit,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
					"format": protocol.FormatVersion, "api": api.Version,
				})
				return nil
			}
			a.say("solekey %s %s", version(), commit)
			a.say("%s %s/%s, formats %d, interface %d", runtime.Version(), runtime.GOOS, runtime.GOARCH, protocol.FormatVersion, api.Version)
			return nil
		},
	}
}

// revision returns what the program was built from, as the build recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	commit, changed := "(unknown)", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	return commit + changed
}
