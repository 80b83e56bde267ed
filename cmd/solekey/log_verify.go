// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol/tlog"
)

func newLogVerify(a *app) *cobra.Command {
	whole := false
	c := &cobra.Command{
		Use: "verify", Short: "Check from the beginning what is else checked step by step",
		Long: "Verify checks the account's ledger again from its first entry, opens every version of the\n" +
			"account's name from the first, and holds both against each other and against the newest\n" +
			"checkpoint of the log, which must extend what this device knew.\n\n" +
			"With --whole-log it also fetches every entry of the public log, holds each to the log's rules and\n" +
			"computes every root of the directory again, as an auditor does. That takes a while and a few\n" +
			"hundred bytes of memory for each name at the server.\n\n" +
			"Exit code 20: something does not hold. It is an alarm then.",
		Example: "  solekey log verify\n  solekey log verify --whole-log --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return a.logVerify(c.Context(), whole) },
	}
	c.Flags().BoolVar(&whole, "whole-log", false, "read the whole public log and compute its directory again")
	return c
}

func (a *app) logVerify(ctx context.Context, whole bool) error {
	return a.withBeliefs(func(b *believer) error {
		var tiles tlog.TileReader
		if whole {
			tiles = b.client
		}
		var done, all atomic.Uint64
		stop := a.tick(func() { a.verifying(done.Load(), all.Load()) })
		v, err := b.trust.Verify(ctx, tiles, func(d, n uint64) { done.Store(d); all.Store(n) })
		stop()
		if err != nil {
			return err
		}
		if a.flags.json {
			a.emit(map[string]any{
				"message_type": "summary", "ledger_entries": v.Ledger, "versions": v.Versions, "size": v.Log.Size, "root": v.Log.Root,
				"log_entries": v.Replayed, "roots": v.Roots,
			})
			return standingAlarm(b.state)
		}
		a.say("ledger    entries 0 to %d: every signature and every rule holds", v.Ledger-1)
		a.say("name      versions 1 to %d: each opens to this ledger, and to no other", v.Versions)
		a.say("log       the checkpoint of %d entries is signed, cosigned as demanded, and extends what was known", v.Log.Size)
		if whole {
			a.say("directory %d entries of the log keep to its rules; %s computed again", v.Replayed, plural(int(v.Roots), "root"))
		}
		return standingAlarm(b.state)
	})
}

// verifying shows how far the reading of the log is.
func (a *app) verifying(done, all uint64) {
	switch {
	case all == 0:
	case a.flags.json:
		a.emit(map[string]any{"message_type": "status", "done": done, "entries": all})
	default:
		a.progress(fmt.Sprintf("%d of %d entries of the log", done, all))
	}
}
