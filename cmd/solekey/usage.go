// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/protocol"
)

// asUsage makes every wrong command or number of arguments, in the command and
// all below it, an error of usage.
func asUsage(c *cobra.Command) {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if c.HasSubCommands() && len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		if check == nil {
			return nil
		}
		if err := check(c, args); err != nil {
			if protocol.KindOf(err) == protocol.KindUsage {
				return err
			}
			return protocol.Wrap(protocol.KindUsage, err, "usage: see %s --help", c.CommandPath())
		}
		return nil
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}

// unknownCommand says that there is no such command, and which is near.
func unknownCommand(c *cobra.Command, name string) error {
	near := c.SuggestionsFor(name)
	if len(near) > 0 {
		return protocol.Errorf(protocol.KindUsage, "usage: there is no command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return protocol.Errorf(protocol.KindUsage, "usage: there is no command %q; %s --help lists them", name, c.CommandPath())
}
