// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/statement"
)

// logStatusFlags are the flags of log status.
type logStatusFlags struct {
	online, export bool
}

func newLogStatus(a *app) *cobra.Command {
	f := &logStatusFlags{}
	c := &cobra.Command{
		Use: "status", Short: "Say how far what this device sees is proven to be the newest",
		Long: "Status says how old the newest proof is, which witnesses cosigned it, which version of the\n" +
			"account's name stands in the log, whether the proofs of the newest snapshots went in, and\n" +
			"which alarms there are. It looks at the server first if it can do so without asking you for a\n" +
			"password.\n\n" +
			"--export prints what this device was shown, for another device to compare: solekey log compare.\n\n" +
			"Exit code 20: an alarm stands. 25: the newest proof is more than 72 hours old, or for 48 hours\n" +
			"no proof of the newest snapshots went in.",
		Example: "  solekey log status\n  solekey log status --online --json\n  solekey log status --export >laptop.view",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return a.logStatus(c.Context(), f) },
	}
	c.Flags().BoolVar(&f.online, "online", false, "fail where the server cannot be asked")
	c.Flags().BoolVar(&f.export, "export", false, "print the newest checkpoint and the server's signed statements, for log compare")
	return c
}

func (a *app) logStatus(ctx context.Context, f *logStatusFlags) error {
	d, kept, err := a.peek()
	if err != nil {
		return err
	}
	var note string
	if f.online || a.unlocksQuietly(kept) {
		err = a.withBeliefs(func(b *believer) error {
			_, err := b.lookNow(ctx)
			return err
		})
		if protocol.KindOf(err) == protocol.KindUnreachable && !f.online {
			note, err = "the server was not reached; this is what the device knew before", nil
		}
		if err != nil {
			return err
		}
	} else {
		note = "the server was not asked, because this device is protected by a passphrase: --online asks for it"
	}
	l, err := a.logStanding(kept, d)
	if err != nil {
		return err
	}
	if f.export {
		return a.exportView(l, kept)
	}
	a.showLog(l, note)
	return l.failure(kept)
}

func (a *app) showLog(l *logStanding, note string) {
	if a.flags.json {
		m := l.object()
		m["message_type"], m["online"], m["warnings"] = "summary", note == "", append([]string{}, l.warnings()...)
		a.emit(m)
		return
	}
	if a.flags.quiet {
		return
	}
	l.words(a)
	if note != "" {
		a.say("note      %s", note)
	}
}

// shownView is what a device was shown, for another one to compare. Nothing in it
// is secret; the statements tell whose account it is.
type shownView struct {
	MessageType string   `json:"message_type"` // "view"
	Note        string   `json:"note"`         // the newest checkpoint, with its cosignatures
	Statements  [][]byte `json:"statements"`   // what the server signed on ledger and vaults
}

func (a *app) exportView(l *logStanding, kept *state.State) error {
	if l.view == nil {
		return protocol.Errorf(protocol.KindUnreachable, "nothing of the log was ever proven to this device: there is nothing to compare")
	}
	v := shownView{MessageType: "view", Note: string(l.view.Note()), Statements: [][]byte{}}
	for _, kind := range []statement.Kind{statement.KindLedger, statement.KindVault} {
		said, err := kept.AllSaid(kind)
		if err != nil {
			return err
		}
		for _, one := range said {
			v.Statements = append(v.Statements, one.Bytes())
		}
	}
	a.emit(v)
	return nil
}

// parseView reads what another device printed.
func parseView(data []byte) (*shownView, error) {
	var v shownView
	if err := json.Unmarshal(data, &v); err != nil || v.MessageType != "view" || v.Note == "" {
		return nil, protocol.Errorf(protocol.KindUsage, "that is not what `solekey log status --export` prints")
	}
	return &v, nil
}
