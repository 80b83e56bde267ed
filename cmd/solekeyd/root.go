// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
)

// program is what every command shares: where it works and how it speaks.
type program struct {
	data string
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
	fmt.Fprintln(p.err, "solekeyd: "+err.Error())
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
		protocol.KindUsage: 2, protocol.KindNotFound: 10, protocol.KindBusy: 11, protocol.KindWrongSecret: 12,
		protocol.KindUntrusted: 20, protocol.KindQuota: 21, protocol.KindUnreachable: 22, protocol.KindInterrupted: 130,
	}
	if code, ok := codes[protocol.KindOf(err)]; ok {
		return code
	}
	return 1
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "solekeyd",
		Short: "Run a Solekey provider: it keeps what devices sealed and can open none of it",
		Long: "solekeyd is a Solekey provider in one program: it makes its keys, database and blob\n" +
			"folder in one data folder, serves everything from one port, and backs itself up every\n" +
			"night. It keeps what devices sealed and can open none of it.",
		Example:           "  solekeyd up                     # the first start prints an invite\n  solekeyd invite                 # one more account, while the server runs\n  solekeyd doctor --read-data     # check everything that is stored",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return terminal.FromEnvironment("solekeyd", cmd.Flags()) },
	}
	root.PersistentFlags().StringVar(&p.data, "data", defaultData(), "data folder")
	root.PersistentFlags().BoolVar(&p.json, "json", false, "write JSON, one object a line")
	root.AddCommand(
		p.upCommand(), p.inviteCommand(), p.accountCommand(), p.quotaCommand(),
		p.backupCommand(), p.restoreCommand(), p.doctorCommand(), p.logCommand(), p.versionCommand(), manPages().Command(),
	)
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
	completion.Example = "  source <(solekeyd completion bash)"
	for _, shell := range completion.Commands() {
		shell.Example = "  solekeyd completion " + shell.Name()
	}
}

// defaultData is /var/lib/solekeyd for root, else below XDG_DATA_HOME.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/solekeyd"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "solekeyd")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "solekeyd")
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: terminal.AtMost(0, "no arguments"),
		Example: "  solekeyd version --json",
		RunE: func(*cobra.Command, []string) error {
			version, revision := buildVersion()
			p.say(map[string]any{"message_type": "version", "program": "solekeyd", "version": version, "revision": revision},
				"solekeyd %s %s", version, revision)
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
