// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the manual pages from the same source as --help.
func (p *program) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write manual pages into a folder", Args: exactly(1, "a folder"), Hidden: true,
		Long:    "man writes one manual page for each command, from the same source as --help.",
		Example: "  solekeyd man /usr/local/share/man/man1",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make folder: %w", err)
			}
			return writePages(root, args[0])
		},
	}
}

func writePages(cmd *cobra.Command, dir string) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	if err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(manPage(cmd, name)), 0o644); err != nil {
		return fmt.Errorf("write manual page: %w", err)
	}
	for _, sub := range cmd.Commands() {
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
func hasPage(cmd *cobra.Command) bool { return cmd.IsAvailableCommand() && cmd.Name() != "help" }

// manPage is one page in roff, with the macros of man(7).
func manPage(cmd *cobra.Command, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(roff(long), "\n\n", "\n.PP\n"))
	manOptions(&b, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	manList(&b, "EXIT STATUS", exitWords)
	manList(&b, "ENVIRONMENT", variables)
	manRelated(&b, cmd)
	return b.String()
}

func manOptions(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString(".SH OPTIONS\n")
	option := func(flag *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(flag)
		fmt.Fprintf(b, ".TP\n.B %s\n%s (%senvironment: %s)\n", roff(strings.TrimSpace("--"+flag.Name+" "+value)), roff(usage), roff(manDefault(flag)), variable(flag.Name))
	}
	cmd.NonInheritedFlags().VisitAll(option)
	cmd.InheritedFlags().VisitAll(option)
}

// exitWords say what each exit code means, in their order.
var exitWords = [][2]string{
	{"0", "done; of doctor: all is well"},
	{"1", "failed, for any other reason; the message says which"},
	{"2", "wrong usage"},
	{"10", "there is no such server, account or key"},
	{"11", "a server runs on the data folder"},
	{"12", "wrong secret"},
	{"20", "something stored is missing or damaged, or another server answers"},
	{"21", "a quota is used up"},
	{"22", "the server does not answer"},
	{"130", "interrupted"},
}

// variables are what is read from the environment.
var variables = [][2]string{
	{"SOLEKEYD_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEYD_DATA is that of --data. " +
		"What the command line says counts more."},
	{"XDG_DATA_HOME, HOME", "where the data folder lies if --data does not name it and the user is not root."},
}

func manList(b *strings.Builder, title string, list [][2]string) {
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, item := range list {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(item[0]), roff(item[1]))
	}
}

func manRelated(b *strings.Builder, cmd *cobra.Command) {
	var names []string
	if cmd.HasParent() {
		names = append(names, cmd.Parent().CommandPath())
	}
	for _, sub := range cmd.Commands() {
		if hasPage(sub) {
			names = append(names, sub.CommandPath())
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
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(strings.ReplaceAll(name, " ", "-")), end)
	}
}

// manDefault says what holds where a flag is not given, unless it depends on the
// machine or goes without saying.
func manDefault(f *pflag.Flag) string {
	ofMachine := []string{"data"}
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
