// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

func newDeviceList(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List the account's devices, and requests to join",
		Long:    "List shows the devices that the verified ledger has, and who asks to be added. A device that you\ndo not know should be removed at once: solekey device revoke.",
		Example: "  solekey device list\n  solekey device list --all --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.listDevices(c.Context(), all) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also show devices that were removed")
	return c
}

// deviceRow is a device as it is listed.
type deviceRow struct {
	*ledger.Member
	label   string
	added   protocol.Time // as its entry claims
	removed protocol.Time
	this    bool
}

func (s *session) listDevices(ctx context.Context, all bool) error {
	if err := s.mustOwn(); err != nil {
		return err
	}
	ring, err := s.editor().ring(ctx)
	if err != nil {
		return err
	}
	rows, err := s.deviceRows(ring, all)
	if err != nil {
		return err
	}
	asking, err := s.member.Enrolments(ctx)
	if err != nil {
		return err
	}
	if s.a.flags.json {
		s.devicesJSON(rows, asking)
		return nil
	}
	s.devicesWords(rows, asking)
	return nil
}

// deviceRows reads the devices out of the ledger.
func (s *session) deviceRows(ring *keyring.Ring, all bool) ([]deviceRow, error) {
	times := map[uint64]protocol.Time{}
	err := s.state.Entries(func(e *ledger.Entry) error {
		times[e.Seq()] = e.Time()
		return nil
	})
	if err != nil {
		return nil, err
	}
	var rows []deviceRow
	for _, m := range ring.State().AllMembers() {
		if m.Kind != ledger.KindDevice || !m.Present() && !all {
			continue
		}
		label, err := ring.Label(m.ID)
		if err != nil {
			return nil, err
		}
		row := deviceRow{Member: m, label: label, added: times[m.Added], this: m.ID == s.device.Member}
		if !m.Present() {
			row.removed = times[m.Removed]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *session) devicesJSON(rows []deviceRow, asking []api.Enrolment) {
	for _, r := range rows {
		m := map[string]any{
			"message_type": "device", "id": r.ID, "label": r.label, "role": r.Role.String(),
			"added": r.added.String(), "this": r.this, "present": r.Present(),
		}
		if !r.Present() {
			m["removed"] = r.removed.String()
		}
		s.a.emit(m)
	}
	for _, e := range asking {
		s.a.emit(map[string]any{"message_type": "request", "id": e.Enrolment, "state": e.State, "asked": e.Created.String(), "expires": e.Expires.String()})
	}
}

func (s *session) devicesWords(rows []deviceRow, asking []api.Enrolment) {
	table := tabwriter.NewWriter(s.a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tROLE\tADDED\t")
	for _, r := range rows {
		note := ""
		switch {
		case r.this:
			note = "this device"
		case !r.Present():
			note = "removed " + moment(r.removed)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.ID.String()[:shortID], printable([]byte(r.label)), r.Role, moment(r.added), note)
	}
	_ = table.Flush() // as with every line to stdout
	for _, e := range asking {
		s.a.say("asks to join: request %s, %s, since %s; `solekey device approve` takes it on", e.Enrolment.String()[:shortID], e.State, moment(e.Created))
	}
}
