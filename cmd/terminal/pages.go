// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/protocol"
)

// Pages is what the manual pages of a program say beside what its help says.
type Pages struct {
	Program     string      // whose name heads its environment variables
	Exit        [][2]string // exit codes and what each means, in their order
	Environment [][2]string // variables and what each is for
	OfMachine   []string    // flags whose default depends on the machine; it is not told
}

// Command returns the command that writes the pages. It is for packagers and
// hidden from people.
func (p *Pages) Command() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write manual pages into a folder", Hidden: true,
		Long:    "Man writes one manual page for each command, from the same source as --help.",
		Example: "  " + p.Program + " man /usr/local/share/man/man1",
		Args:    Exactly(1, "a folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return protocol.Wrap(protocol.KindUsage, err, "make folder")
			}
			return p.write(c.Root(), args[0])
		},
	}
}

func (p *Pages) write(c *cobra.Command, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(p.page(c)), 0o644); err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "write manual page")
	}
	for _, sub := range c.Commands() {
		if !hasPage(sub) {
			continue
		}
		if err := p.write(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// hasPage reports whether a command gets a page: not the hidden ones, and not
// help, which is what the pages are.
func hasPage(c *cobra.Command) bool { return c.IsAvailableCommand() && c.Name() != "help" }

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// page is one page in roff, with the macros of man(7).
func (p *Pages) page(c *cobra.Command) string {
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
	p.flags(&b, "OPTIONS", c.NonInheritedFlags())
	p.flags(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	list(&b, "EXIT STATUS", p.Exit)
	list(&b, "ENVIRONMENT", p.Environment)
	related(&b, c)
	return b.String()
}

func (p *Pages) flags(b *strings.Builder, title string, flags *pflag.FlagSet) {
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
		fmt.Fprintf(b, ".TP\n.B %s\n%s (%senvironment: %s)\n",
			roff(strings.TrimSpace(short+"--"+f.Name+" "+value)), roff(usage), roff(p.unless(f)), Variable(p.Program, f.Name))
	})
}

// unless says what holds where a flag is not given, where that does not depend on
// the machine and does not go without saying.
func (p *Pages) unless(f *pflag.Flag) string {
	silent := []string{"", "false", "0", "[]", "0s"}
	if slices.Contains(p.OfMachine, f.Name) || slices.Contains(silent, f.DefValue) {
		return ""
	}
	return "default: " + f.DefValue + "; "
}

func list(b *strings.Builder, title string, items [][2]string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, item := range items {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(item[0]), roff(item[1]))
	}
}

func related(b *strings.Builder, c *cobra.Command) {
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
