// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
)

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this device, its account and its server",
		Long: "Doctor looks at the state folder, opens the device's secrets, asks the server, verifies the ledger\n" +
			"and the vault's keys, and says in words what it found. It changes nothing. Exit code 1 says that\n" +
			"something is wrong; a warning alone is no failure.",
		Example: "  solekey doctor\n  solekey doctor --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

// finding is what one check found.
type finding string

// What a check can find.
const (
	fine    finding = "ok"
	warning finding = "warning"
	wrong   finding = "wrong"
)

// checkup collects findings.
type checkup struct {
	*app
	kept     *state.State
	device   *state.Device
	warnings int
	errors   int
}

// found says what a check found.
func (c *checkup) found(check string, f finding, format string, args ...any) {
	switch f {
	case warning:
		c.warnings++
	case wrong:
		c.errors++
	}
	if c.flags.json {
		c.emit(map[string]any{"message_type": "check", "check": check, "finding": string(f), "message": text(format, args...)})
		return
	}
	if f == fine && c.flags.quiet {
		return
	}
	c.say("%-8s %-11s %s", f, check, text(format, args...))
}

// failed says that a check failed, and reports whether it did.
func (c *checkup) failed(check string, err error) bool {
	if err != nil {
		c.found(check, wrong, "%v", err)
	}
	return err != nil
}

func (a *app) doctor(ctx context.Context) error {
	c := &checkup{app: a}
	var err error
	if c.kept, err = state.OpenReader(a.flags.stateDir, a.flags.cacheDir); err != nil {
		return err
	}
	if c.device, err = c.kept.Device(); err != nil {
		return err
	}
	c.folder()
	c.protectedBy()
	c.backups()
	c.alarms()
	if !c.failed("join", mustBeFinished(c.kept)) {
		err = a.withSession(func(s *session) error { c.opened(ctx, s); return nil })
		c.failed("secrets", err)
	}
	if c.flags.json {
		c.emit(map[string]any{"message_type": "summary", "errors": c.errors, "warnings": c.warnings})
	} else if !c.flags.quiet || c.errors > 0 {
		c.say("%s, %s", plural(c.errors, "error"), plural(c.warnings, "warning"))
	}
	if c.errors > 0 {
		return errSilent{protocol.Errorf(protocol.KindInternal, "something is wrong")}
	}
	return nil
}

// opened checks what needs the device's secrets; each part only where the one
// before it held.
func (c *checkup) opened(ctx context.Context, s *session) {
	c.found("secrets", fine, "the device's secrets open")
	if !c.server(ctx, s) {
		return
	}
	synced, ok := c.ledger(ctx, s)
	if !ok {
		return
	}
	c.publicLog()
	c.waysBack(synced)
	c.pending(synced)
	if c.rights(s, synced) {
		c.vault(ctx, s)
	}
}
