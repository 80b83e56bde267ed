// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
)

func newLog(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "log", Short: "See and check what the server's public log proves",
		Long: "The server keeps a public log, in which every change of an account's keys stands. This device\n" +
			"checks by it that it is shown the newest state, and the same that everybody is shown, and\n" +
			"demands that witnesses have seen it too. What does not hold is an alarm.",
		Example: "  solekey log status\n  solekey log verify\n  solekey log alarms",
	}
	c.AddCommand(newLogStatus(a), newLogVerify(a), newLogCompare(a), newLogAlarms(a), newLogQuorum(a))
	return c
}

// believer is an opened device with what it believes of its provider.
type believer struct {
	*session
	trust *trust.Trust
}

// withBeliefs opens the device and what it believes, for one command.
func (a *app) withBeliefs(do func(*believer) error) error {
	return a.withSession(func(s *session) error {
		t, err := a.beliefs(s.state, s.member, s.device.Member)
		if err != nil {
			return err
		}
		return do(&believer{session: s, trust: t})
	})
}

// standingAlarm returns the error of an alarm that holds writes, nil where there is
// none. Commands that show what there is to know end with it.
func standingAlarm(kept *state.State) error {
	alarm, err := kept.StandingAlarm()
	if err != nil || alarm == nil {
		return err
	}
	return errSilent{&trust.Held{Alarm: alarm, Evidence: kept.EvidencePath(alarm)}}
}

// lookNow brings what this device knows of the log up to date, and reports whether
// the server answered. An alarm is no failure of looking: it is remembered.
func (b *believer) lookNow(ctx context.Context) (*trust.Outcome, error) {
	out, err := b.trust.Read(ctx)
	if trust.HeldBy(err) != nil {
		return nil, nil
	}
	return out, protocol.Wrap(protocol.KindOf(err), err, "look at the server's public log")
}
