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

const programName = "solekey-witness"

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
	if p.json {
		p.line(p.err, map[string]any{"message_type": "exit_error", "code": code, "kind": protocol.KindOf(err), "message": err.Error()})
	} else {
		fmt.Fprintln(p.err, programName+": "+err.Error())
	}
	return code
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

// exitCode returns the code of an error, as all programs have it.
func exitCode(err error) int {
	if errors.Is(err, context.Canceled) {
		return 130
	}
	codes := map[protocol.Kind]int{
		protocol.KindUsage: 2, protocol.KindNotFound: 10, protocol.KindBusy: 11, protocol.KindUntrusted: 20,
		protocol.KindUnsupported: 20, protocol.KindUnreachable: 22, protocol.KindInterrupted: 130,
	}
	if code, ok := codes[protocol.KindOf(err)]; ok {
		return code
	}
	return 1
}

// pages are the manual pages; they say which exit codes there are.
var pages = terminal.Pages{
	Program: programName,
	Exit: [][2]string{
		{"0", "done"},
		{"1", "failed, for any other reason; the message says which"},
		{"2", "wrong usage"},
		{"10", "there is no witness in the data folder"},
		{"11", "a witness runs on the data folder"},
		{"20", "what is stored is missing or damaged; of status: a log did what it must not"},
		{"22", "the witness does not answer"},
		{"130", "interrupted"},
	},
	Environment: [][2]string{
		{"SOLEKEY_WITNESS_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEY_WITNESS_DATA is that of --data. What the command line says counts more."},
		{"XDG_DATA_HOME, HOME", "where the data folder lies if --data does not name it and the user is not root."},
	},
	OfMachine: []string{"data", "name"},
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "Cosign public logs that only grow",
		Long: "solekey-witness is a witness of public logs (C2SP tlog-witness): it cosigns a\n" +
			"checkpoint of a log only if that extends every one that it cosigned before. Whoever\n" +
			"demands its cosignature sees the log that everybody sees. Of Solekey logs it can also\n" +
			"read every entry, and cosign only what follows the rules of the directory.",
		Example:           "  solekey-witness up --log 'log.example+4144a247+AU84…=https://cloud.example.org/v1/log' --audit all\n  solekey-witness key\n  solekey-witness status",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return terminal.FromEnvironment(programName, c.Flags()) },
	}
	root.PersistentFlags().StringVar(&p.data, "data", defaultData(), "data folder")
	root.PersistentFlags().BoolVar(&p.json, "json", false, "write JSON, one object a line")
	root.AddCommand(p.upCommand(), p.statusCommand(), p.keyCommand(), p.versionCommand(), pages.Command())
	root.SetOut(p.out) // before the completion command takes it
	root.SetErr(p.err)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		c.DisableAutoGenTag = true
		if c.Name() == "completion" {
			completionExamples(c)
		}
	}
	terminal.AsUsage(root)
	return root
}

// completionExamples gives the commands that cobra makes what ours have.
func completionExamples(completion *cobra.Command) {
	completion.Example = "  source <(solekey-witness completion bash)"
	for _, shell := range completion.Commands() {
		shell.Example = "  solekey-witness completion " + shell.Name()
	}
}

// defaultData is /var/lib/solekey-witness for root, else below XDG_DATA_HOME.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/" + programName
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, programName)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", programName)
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: terminal.Exactly(0, "no arguments"),
		Example: "  solekey-witness version --json",
		RunE: func(*cobra.Command, []string) error {
			version, revision := "unknown", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						revision = setting.Value
					}
				}
			}
			p.say(map[string]any{"message_type": "version", "program": programName, "version": version, "revision": revision}, "%s %s %s", programName, version, revision)
			return nil
		},
	}
}
