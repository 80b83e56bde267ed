// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print the completion script for a shell",
		Long: "Completion prints a script that lets a shell complete commands and flags.",
		Example: "  source <(solekey completion bash)\n" +
			"  solekey completion zsh > \"${fpath[1]}/_solekey\"\n" +
			"  solekey completion fish > ~/.config/fish/completions/solekey.fish",
		Args:      terminal.Exactly(1, "a shell: bash, zsh, fish or powershell"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Out, true)
			case "zsh":
				return root.GenZshCompletion(a.Out)
			case "fish":
				return root.GenFishCompletion(a.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.Out)
			}
			return protocol.Errorf(protocol.KindUsage, "usage: no completion for %q; there is bash, zsh, fish and powershell", args[0])
		},
	}
}
