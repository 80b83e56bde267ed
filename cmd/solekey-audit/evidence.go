// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/tlog"
)

func (p *program) evidenceCommand() *cobra.Command {
	var log string
	cmd := &cobra.Command{
		Use: "evidence FILE|-", Short: "Decide what a file proves, offline", Args: terminal.Exactly(1, "one file of evidence"),
		Long: "evidence decides by the file alone whether somebody signed what they may not sign, and\n" +
			"says what, and whose key it was. It asks nobody. Whose key that is, it cannot know:\n" +
			"with --log it decides only about the log of that key.",
		Example: "  solekey-audit evidence evidence-2f6c0d1e9a8b7c65.txt\n  solekey-audit evidence found.txt --log 'cloud.example.org+1b2c…'",
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readEvidence(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return p.decide(raw, log)
		},
	}
	cmd.Flags().StringVar(&log, "log", "", "the key of the log that it must be about")
	return cmd
}

// readEvidence reads a file, or standard input, of bounded size.
func readEvidence(in io.Reader, name string) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, protocol.Wrap(protocol.KindNotFound, err, "read evidence")
		}
		if err != nil {
			return nil, protocol.Wrap(protocol.KindInternal, err, "read evidence")
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, evidence.MaxText+1))
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read evidence")
	}
	return raw, nil
}

func (p *program) decide(raw []byte, log string) error {
	var options evidence.Options
	if log != "" {
		key, err := tlog.ParseLogKey(log)
		if err != nil {
			return asUsage(err, "--log")
		}
		options.Log = key
	}
	v, err := evidence.Verify(raw, options)
	if err != nil {
		return err
	}
	if p.json {
		p.line(p.out, map[string]any{
			"message_type": "summary", "kind": v.Kind, "broken": v.Broken, "what": v.What, "log": v.Log.String(), "by": v.By,
		})
		return nil
	}
	fmt.Fprintf(p.out, "It proves: %s\nBroken: %s.\nSigned by: %s\n", v.What, v.Broken, strings.Join(v.By, "\n           "))
	if options.Log == nil {
		fmt.Fprintln(p.out, "Compare the key with the one that your devices joined with: anybody can make a log of their own and break its rules.")
	}
	return nil
}
