// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
)

func newLogCompare(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "compare FILE", Short: "Hold what another device was shown against what this one was",
		Long: "Compare takes what `solekey log status --export` printed on another device, of this account or of\n" +
			"anybody else at the same server, brought here by a way that the server does not control: a stick,\n" +
			"a mail, another provider. If the server shows the two of you different pasts, this is an alarm\n" +
			"with a proof. With - it reads from standard input.",
		Example: "  solekey log compare laptop.view\n  solekey log compare - <phone.view",
		Args:    terminal.Exactly(1, "a file, or -"),
		RunE:    func(c *cobra.Command, args []string) error { return a.logCompare(c.Context(), args[0]) },
	}
}

// maxView bounds what another device printed.
const maxView = 4 << 20

func (a *app) logCompare(ctx context.Context, name string) error {
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return protocol.Wrap(protocol.KindUsage, err, "open what the other device printed")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxView))
	if err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "read what the other device printed")
	}
	shown, err := parseView(data)
	if err != nil {
		return err
	}
	return a.withBeliefs(func(b *believer) error {
		c, err := b.trust.Compare(ctx, b.client, []byte(shown.Note), shown.Statements)
		if err != nil {
			return err
		}
		if a.flags.json {
			a.emit(map[string]any{
				"message_type": "summary", "same": true, "own_size": c.Own.Size, "other_size": c.Other.Size, "statements": c.Statements,
			})
			return nil
		}
		a.say("One past: the log of %d entries that this device was shown and the one of %d that the other was are the same log.", c.Own.Size, c.Other.Size)
		if c.Statements > 0 {
			a.say("%s of the server, about the same things, agree.", plural(c.Statements, "statement"))
		}
		return nil
	})
}
