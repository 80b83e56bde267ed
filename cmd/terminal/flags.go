// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/protocol"
)

// Variable returns the environment variable of a program's flag: SOLEKEY_DRY_RUN
// of solekey's --dry-run.
func Variable(program, flag string) string {
	name := strings.NewReplacer("-", "_").Replace(program + "-" + flag)
	return strings.ToUpper(name)
}

// FromEnvironment sets each flag that was not given from its variable.
func FromEnvironment(program string, f *pflag.FlagSet) (err error) {
	f.VisitAll(func(flag *pflag.Flag) {
		name := Variable(program, flag.Name)
		value, set := os.LookupEnv(name)
		if flag.Changed || !set || err != nil {
			return
		}
		if e := f.Set(flag.Name, value); e != nil {
			err = protocol.Wrap(protocol.KindUsage, e, "environment variable %s", name)
		}
	})
	return err
}

// Exactly demands a number of arguments, as an error of usage.
func Exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return protocol.Errorf(protocol.KindUsage, "usage: needs %s", what)
		}
		return nil
	}
}

// AtLeast demands at least a number of arguments, as an error of usage.
func AtLeast(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return protocol.Errorf(protocol.KindUsage, "usage: needs %s", what)
		}
		return nil
	}
}

// AtMost demands at most a number of arguments, as an error of usage.
func AtMost(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return protocol.Errorf(protocol.KindUsage, "usage: takes %s", what)
		}
		return nil
	}
}

// AsUsage makes every wrong command, flag or number of arguments, in the command
// and all below it, an error of usage.
func AsUsage(c *cobra.Command) {
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return protocol.Wrap(protocol.KindUsage, err, "usage")
	})
	argumentsAsUsage(c)
}

func argumentsAsUsage(c *cobra.Command) {
	if c.HasSubCommands() && !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() } // or arguments are not looked at
	}
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
		argumentsAsUsage(sub)
	}
}

// unknownCommand says that there is no such command, and which is near.
func unknownCommand(c *cobra.Command, name string) error {
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	near := c.SuggestionsFor(name)
	if len(near) > 0 {
		return protocol.Errorf(protocol.KindUsage, "usage: there is no command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return protocol.Errorf(protocol.KindUsage, "usage: there is no command %q; %s --help lists them", name, c.CommandPath())
}
