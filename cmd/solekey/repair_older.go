// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
)

func newAcceptOlder(a *app) *cobra.Command {
	yes := false
	c := &cobra.Command{
		Use: "accept-older", Short: "Take what the server shows for the newest, against a proof in the public log",
		Long: "A device that came back holds the server to the newest proofs in the public log. A proof is made\n" +
			"with the account's secret: whoever had an owner device in his hands can have made one up, so that\n" +
			"nothing the server has is new enough. Accept-older lists such proofs and forgets them, so that you\n" +
			"can come back and remove that device.\n\n" +
			"What a proof says there was, and the server does not show, is given up with it. Do this only when\n" +
			"you know which device made it up, or that those snapshots are lost. No server can do it for you.",
		Example: "  solekey repair accept-older\n  solekey repair accept-older --yes",
		Args:    terminal.Exactly(0, "no argument"),
		RunE:    func(*cobra.Command, []string) error { return a.acceptOlder(yes) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// acceptOlder works also while a join is not finished: these proofs may be why it is
// not.
func (a *app) acceptOlder(yes bool) error {
	kept, err := a.memory()
	if err != nil {
		return err
	}
	heads, err := trust.Anchored(kept)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if a.flags.json {
			a.emit(map[string]any{"message_type": "proof", "vault": h.Vault, "seq": h.Seq, "hash": h.Hash, "period": h.Period})
			continue
		}
		a.say("The public log says that vault %s had record %d on %s.", h.Vault.String()[:shortID], h.Seq, h.Period)
	}
	if len(heads) == 0 {
		return protocol.Errorf(protocol.KindNotFound, "the public log proves nothing that this device has not come by: there is nothing to accept")
	}
	if !yes {
		if !a.asksOnTerminal() {
			return protocol.Errorf(protocol.KindUsage, "there is nobody to ask whether older snapshots shall do: give --yes; nothing was changed")
		}
		answer, err := a.readLine("Type yes to give up what the server does not show of it: ")
		if err != nil || strings.TrimSpace(answer) != "yes" {
			return protocol.Errorf(protocol.KindUsage, "not confirmed; nothing was changed")
		}
	}
	for _, h := range heads {
		if err := trust.MetAnchored(kept, h.Vault); err != nil {
			return err
		}
	}
	if a.flags.json {
		a.emit(map[string]any{"message_type": "summary", "forgotten": len(heads)})
		return nil
	}
	a.say("Forgotten. What the server shows is taken for the newest; look at it (solekey snapshots), and remove the devices that you do not trust.")
	return nil
}
