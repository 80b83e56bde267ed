// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
)

func newLogAlarms(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "alarms", Short: "List the alarms, and say where their evidence lies",
		Long: "An alarm says that the server did what no honest server does. While one stands this device writes\n" +
			"nothing, and reads what it verified before. Alarms lists them all; where one can be proven to\n" +
			"others, the file with the proof is named: it holds no secret, and whoever gets it checks it with\n" +
			"`solekey-audit evidence`.\n\n" +
			"Exit code 20: an alarm stands.",
		Example: "  solekey log alarms\n  solekey log alarms --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(*cobra.Command, []string) error { return a.listAlarms() },
	}
	c.AddCommand(&cobra.Command{
		Use: "note NUMBER", Short: "Take note of an alarm, so that this device writes again",
		Long: "Note says that you have read an alarm, kept its evidence, and want this device to go on. What was\n" +
			"refused stays refused: nothing that raised the alarm is believed afterwards. The alarm stays in\n" +
			"the list. No server can do this for you.",
		Example: "  solekey log alarms note 1",
		Args:    terminal.Exactly(1, "the number of an alarm"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.noteAlarm(args[0]) },
	})
	return c
}

// memory opens what this device remembers, also of a join that is not finished: an
// alarm may be why it is not.
func (a *app) memory() (*state.State, error) {
	return state.OpenReader(a.flags.stateDir, a.flags.cacheDir)
}

func (a *app) listAlarms() error {
	kept, err := a.memory()
	if err != nil {
		return err
	}
	list, err := kept.Alarms()
	if err != nil {
		return err
	}
	for i, m := range alarmObjects(list, kept.EvidencePath) {
		if a.flags.json {
			m["message_type"] = "alarm"
			a.emit(m)
			continue
		}
		a.showAlarm(list[i], kept.EvidencePath(list[i]))
	}
	if len(list) == 0 && !a.flags.json {
		a.say("There are no alarms.")
	}
	return standingAlarm(kept)
}

func (a *app) showAlarm(alarm *state.Alarm, evidence string) {
	state := "holds every write until `solekey log alarms note " + strconv.FormatUint(alarm.Number, 10) + "`"
	if alarm.Noted > 0 {
		state = "noted on " + moment(alarm.Noted)
	}
	a.say("%d  %s  %s  (%s)", alarm.Number, moment(alarm.Time), alarm.Kind, state)
	a.say("   %s", alarm.Text)
	if evidence != "" {
		a.say("   proof for others: %s", evidence)
	}
}

// alarmObjects are alarms for --json.
func alarmObjects(list []*state.Alarm, evidence func(*state.Alarm) string) []map[string]any {
	objects := []map[string]any{}
	for _, alarm := range list {
		m := map[string]any{
			"number": alarm.Number, "time": alarm.Time.String(), "kind": alarm.Kind, "text": alarm.Text, "stands": alarm.Noted == 0,
		}
		if alarm.Noted > 0 {
			m["noted"] = alarm.Noted.String()
		}
		if path := evidence(alarm); path != "" {
			m["evidence"] = path
		}
		objects = append(objects, m)
	}
	return objects
}

func (a *app) noteAlarm(text string) error {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return protocol.Errorf(protocol.KindUsage, "usage: %q is no number of an alarm; solekey log alarms lists them", text)
	}
	kept, err := a.memory()
	if err != nil {
		return err
	}
	if err := kept.NoteAlarm(number, a.now()); err != nil {
		return err
	}
	next, err := kept.StandingAlarm()
	if err != nil {
		return err
	}
	if a.flags.json {
		a.emit(map[string]any{"message_type": "summary", "number": number, "writes": next == nil})
		return nil
	}
	if next != nil {
		a.say("You took note of alarm %d. Alarm %d still holds every write.", number, next.Number)
		return nil
	}
	a.say("You took note of alarm %d. This device writes again; what raised the alarm is refused as before.", number)
	return nil
}
