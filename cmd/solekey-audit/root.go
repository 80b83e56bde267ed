// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
)

// program is what every command shares: how it speaks.
type program struct {
	json bool
	out  io.Writer
	err  io.Writer
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	p := &program{out: out, err: errs}
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitCode(err)
	p.complain(err, code)
	return code
}

// complain writes a fatal error, as a line for people or as one for programs.
func (p *program) complain(err error, code int) {
	if p.json {
		p.line(p.err, map[string]any{"message_type": "exit_error", "code": code, "kind": protocol.KindOf(err), "message": err.Error()})
		return
	}
	fmt.Fprintln(p.err, "solekey-audit: "+err.Error())
}

// warn writes what does not end the program.
func (p *program) warn(err error) {
	if p.json {
		p.line(p.err, map[string]any{"message_type": "error", "kind": protocol.KindOf(err), "message": err.Error()})
		return
	}
	fmt.Fprintln(p.err, "solekey-audit: "+err.Error()+"; will try again")
}

func (p *program) line(to io.Writer, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	fmt.Fprintln(to, string(data))
}

// say writes a result: an object for programs, words for people.
func (p *program) say(object map[string]any, format string, args ...any) {
	if p.json {
		p.line(p.out, object)
		return
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// exitCode returns the code of conventions for an error.
func exitCode(err error) int {
	if errors.Is(err, context.Canceled) {
		return 130
	}
	codes := map[protocol.Kind]int{
		protocol.KindUsage: 2, protocol.KindNotFound: 10, protocol.KindUntrusted: 20,
		protocol.KindUnreachable: 22, protocol.KindTooOld: 25, protocol.KindInterrupted: 130,
	}
	if code, ok := codes[protocol.KindOf(err)]; ok {
		return code
	}
	return 1
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "solekey-audit",
		Short: "Check a Solekey provider by its public log, without asking it",
		Long: "solekey-audit replays a provider's public log from its first entry, recomputes every\n" +
			"root of its directory, and says in words what does not hold and who signed it. What\n" +
			"it finds it writes into a file that others can check offline. It needs no account and\n" +
			"no secret, and believes nothing that the provider serves.",
		Example:           "  solekey-audit follow https://cloud.example.org:8443/v1/log --log 'cloud.example.org+1b2c…'\n  solekey-audit follow … --watch --every 10m\n  solekey-audit evidence found.txt",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return terminal.FromEnvironment("solekey-audit", cmd.Flags())
		},
	}
	root.PersistentFlags().BoolVar(&p.json, "json", false, "write JSON, one object a line")
	root.AddCommand(p.followCommand(), p.statusCommand(), p.evidenceCommand(), p.versionCommand(), manPages().Command())
	root.SetOut(p.out) // before the completion command takes it
	root.SetErr(p.err)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		cmd.DisableAutoGenTag = true
		if cmd.Name() == "completion" {
			completionExamples(cmd)
		}
	}
	terminal.AsUsage(root)
	return root
}

// completionExamples gives the commands that cobra makes what ours have.
func completionExamples(completion *cobra.Command) {
	completion.Example = "  source <(solekey-audit completion bash)"
	for _, shell := range completion.Commands() {
		shell.Example = "  solekey-audit completion " + shell.Name()
	}
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: terminal.AtMost(0, "no arguments"),
		Example: "  solekey-audit version --json",
		RunE: func(*cobra.Command, []string) error {
			version, revision := buildVersion()
			p.say(map[string]any{"message_type": "version", "program": "solekey-audit", "version": version, "revision": revision},
				"solekey-audit %s %s", version, revision)
			return nil
		},
	}
}

func buildVersion() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	return info.Main.Version, revision
}
