// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/protocol"
)

func newMan(*app) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write manual pages into a folder", Hidden: true,
		Long:    "Man writes one manual page for each command, from the same source as --help.",
		Example: "  solekey man /usr/local/share/man/man1",
		Args:    exactly(1, "a folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return protocol.Wrap(protocol.KindUsage, err, "make folder")
			}
			return writePages(c.Root(), args[0])
		},
	}
}

func writePages(c *cobra.Command, dir string) error {
	name := pageName(c)
	if err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(manPage(c)), 0o644); err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "write manual page")
	}
	for _, sub := range c.Commands() {
		if !hasPage(sub) {
			continue
		}
		if err := writePages(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// hasPage reports whether a command gets a page: not the hidden ones, and not
// help, which is what the pages are.
func hasPage(c *cobra.Command) bool { return c.IsAvailableCommand() && c.Name() != "help" }

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is one page in roff, with the macros of man(7).
func manPage(c *cobra.Command) string {
	var b strings.Builder
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), roff(name), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	long := c.Long
	if long == "" {
		long = c.Short
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(roff(long), "\n\n", "\n.PP\n"))
	if !c.NonInheritedFlags().HasAvailableFlags() {
		b.WriteString(".SH OPTIONS\nNone but those of every command.\n")
	}
	manFlags(&b, "OPTIONS", c.NonInheritedFlags())
	manFlags(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	manExitCodes(&b)
	manEnvironment(&b)
	manRelated(&b, c)
	return b.String()
}

func manFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		short := ""
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s (%senvironment: %s)\n", roff(strings.TrimSpace(short+"--"+f.Name+" "+value)), roff(usage), roff(manDefault(f)), variable(f.Name))
	})
}

// manExitCodes lists what every command ends with.
func manExitCodes(b *strings.Builder) {
	codes := []int{exitDone, exitFailed}
	for code := range exitWords {
		if code > exitFailed {
			codes = append(codes, code)
		}
	}
	sort.Ints(codes)
	b.WriteString(".SH EXIT STATUS\n")
	for _, code := range codes {
		fmt.Fprintf(b, ".TP\n.B %d\n%s\n", code, roff(exitWords[code]))
	}
}

// manEnvironment says which variables every command reads.
func manEnvironment(b *strings.Builder) {
	variables := [][2]string{
		{"SOLEKEY_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEY_STATE_DIR is that of " +
			"--state-dir. What the command line says counts more. Of an option that can be repeated it is one value."},
		{"XDG_STATE_HOME, XDG_CACHE_HOME, HOME", "where the folders of --state-dir and --cache-dir lie if they are not named."},
		{"USER", "the account's name if there is nobody to ask, and the user that a snapshot names."},
		{"TZ", "the time zone in which times are shown."},
	}
	b.WriteString(".SH ENVIRONMENT\n")
	for _, v := range variables {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(v[0]), roff(v[1]))
	}
}

func manRelated(b *strings.Builder, c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, pageName(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if hasPage(sub) {
			names = append(names, pageName(sub))
		}
	}
	if len(names) == 0 {
		return
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, name := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(name), end)
	}
}

// manDefault says what holds where a flag is not given, unless it depends on the
// machine or goes without saying.
func manDefault(f *pflag.Flag) string {
	ofMachine := []string{"state-dir", "cache-dir", "device-name", "host", "read-concurrency"}
	silent := []string{"", "false", "0", "[]"}
	if slices.Contains(ofMachine, f.Name) || slices.Contains(silent, f.DefValue) {
		return ""
	}
	return "default: " + f.DefValue + "; "
}

// roff escapes text: backslashes and hyphens, and dots that begin a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
