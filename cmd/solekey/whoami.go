// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/state"
)

// peek reads who this device is, without its secrets.
func (a *app) peek() (*state.Device, *state.State, error) {
	kept, err := state.OpenReader(a.flags.stateDir, a.flags.cacheDir)
	if err != nil {
		return nil, nil, err
	}
	if err := mustBeFinished(kept); err != nil {
		return nil, nil, err
	}
	d, err := kept.Device()
	return d, kept, err
}

func newWhoami(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Say which account and device this is",
		Long:    "Whoami says which account this machine is a device of, and prints the link with which further\ndevices join. It asks nobody and needs no password.",
		Example: "  solekey whoami\n  solekey whoami --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(*cobra.Command, []string) error { return a.whoami() },
	}
}

func (a *app) whoami() error {
	d, kept, err := a.peek()
	if err != nil {
		return err
	}
	method, err := kept.Method()
	if err != nil {
		return err
	}
	w, err := kept.World()
	if err != nil {
		return err
	}
	link, err := serverLink(kept, d)
	if err != nil {
		return err
	}
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "summary", "name": d.Name, "account": d.Account, "server": d.Server, "url": link,
			"device": d.Member, "role": d.Role.String(), "vault": d.BackupVault, "joined": d.Created.String(),
			"protected_by": string(method), "state_dir": kept.Dir(), "log": w.Log().Origin(), "world": w.Hash(),
		})
		return nil
	}
	a.say("account    %s (%s)", d.Name, d.Account)
	a.say("server     %s", d.Server)
	a.say("log        %s; cosigned by %s", w.Log().Origin(), demandWords(w))
	a.say("link       %s", link)
	a.say("device     %s (%s), joined %s", d.Member.String()[:shortID], d.Role, moment(d.Created))
	a.say("protected  by %s", method)
	a.say("state      %s", kept.Dir())
	return nil
}
