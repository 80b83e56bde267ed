// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// unprovenFor is how long snapshots may be without a proof in the log.
const unprovenFor = 48 * time.Hour

// logStanding is what this device remembers of the log.
type logStanding struct {
	device   *state.Device
	world    *directory.World
	view     *directory.View // nil: nothing was proven yet
	pin      *directory.Pin  // of the own name; nil as the view
	anchors  *state.Anchors
	alarms   []*state.Alarm
	watchers []watcher
	age      time.Duration // of what is proven
	behind   time.Duration // since when snapshots are without proof
	evidence func(*state.Alarm) string
}

// logStanding reads what is remembered, and asks nobody.
func (a *app) logStanding(kept *state.State, d *state.Device) (*logStanding, error) {
	l := &logStanding{device: d, evidence: kept.EvidencePath}
	var err error
	if l.world, err = kept.World(); err != nil {
		return nil, err
	}
	if l.view, err = kept.View(); err != nil {
		return nil, err
	}
	if l.pin, err = kept.Pin(d.Name); err != nil {
		return nil, err
	}
	if l.anchors, err = kept.Anchors(); err != nil {
		return nil, err
	}
	if l.alarms, err = kept.Alarms(); err != nil {
		return nil, err
	}
	clock, err := kept.Clock()
	if err != nil {
		return nil, err
	}
	now := max(a.now(), clock.High)
	if l.view != nil {
		l.age = l.view.Age(now)
	}
	if l.anchors.Behind > 0 {
		l.behind = time.Duration(max(now-l.anchors.Behind, 0))
	}
	l.watchers = watchersOf(l.world, l.view, d.Server)
	return l, nil
}

// status is how far what is newest is proven.
func (l *logStanding) status() trust.Status {
	for _, alarm := range l.alarms {
		if alarm.Noted == 0 {
			return trust.StatusAlarmed
		}
	}
	switch {
	case l.view == nil || l.age > directory.HardAge:
		return trust.StatusHeld
	case l.age > directory.SoftAge:
		return trust.StatusAging
	}
	return trust.StatusFresh
}

// failure is what a command that only looks ends with: an alarm, or a proof that is
// too old to go on as if nothing were; nil where all is well.
func (l *logStanding) failure(kept *state.State) error {
	if err := standingAlarm(kept); err != nil {
		return err
	}
	switch {
	case l.view != nil && l.age > directory.HardAge:
		return protocol.Errorf(protocol.KindTooOld, "what is newest is proven as of %s only, %s", moment(l.view.AsOf()), age(l.age))
	case l.behind > unprovenFor:
		return protocol.Errorf(protocol.KindTooOld, "no proof of the newest snapshots has entered the public log since %s", moment(l.anchors.Behind))
	}
	return nil
}

// warnings say what happened, what is safe all the same, and what to do.
func (l *logStanding) warnings() []string {
	var texts []string
	for _, alarm := range l.alarms {
		if alarm.Noted == 0 {
			texts = append(texts, (&trust.Held{Alarm: alarm, Evidence: l.evidence(alarm)}).Error())
		}
	}
	if l.view == nil {
		texts = append(texts, "nothing of the server's public log is proven to this device yet: backups go on under the keys that it knows, and nobody new is let in; "+
			"the next command that reaches the server looks again")
	} else if text := l.old(); text != "" {
		texts = append(texts, text)
	}
	if l.behind > unprovenFor {
		texts = append(texts, fmt.Sprintf("since %s no proof of the newest snapshots has entered the public log. They are stored and can be restored by this device; "+
			"a device that comes back with nothing but the recovery key could be shown older ones. Ask the provider why its log takes nothing in", moment(l.anchors.Behind)))
	}
	return append(texts, lacks(l.world.Policy(), l.device.Server)...)
}

// old says that what is newest was proven long ago.
func (l *logStanding) old() string {
	const why = "either the log stands still, or too few of its witnesses cosign, or this device's clock is wrong"
	switch {
	case l.age > directory.HardAge:
		return fmt.Sprintf("what is newest is proven as of %s only, %s: %s. What this device knows stays safe, and its own backups go on under known keys; "+
			"nobody new is let in until it is proven again. Look at this machine's clock, then ask the provider about its witnesses", moment(l.view.AsOf()), age(l.age), why)
	case l.age > directory.SoftAge:
		return fmt.Sprintf("what is newest is proven as of %s, %s: %s. Nothing is held back before %s; look at this machine's clock, then ask the provider",
			moment(l.view.AsOf()), age(l.age), why, directory.HardAge)
	}
	return ""
}

// object is the standing for --json.
func (l *logStanding) object() map[string]any {
	m := map[string]any{
		"log": l.world.Log().Origin(), "log_key": l.world.Log().String(), "world": l.world.Hash(), "proof": string(l.status()),
		"witness_demanded": l.world.Policy().NeedsWitness(), "auditor_demanded": demandsAuditor(l.world.Policy()), "witnesses": l.watchers,
		"alarms": alarmObjects(l.alarms, l.evidence), "anchors_pending": len(l.anchors.Pending),
	}
	if l.view != nil {
		m["size"], m["root"], m["log_time"] = l.view.Size(), l.view.Checkpoint().Root, l.view.LogTime().String()
		m["as_of"], m["age_seconds"] = l.view.AsOf().String(), int64(l.age.Seconds())
		if l.view.Witnessed() {
			m["cosigned"] = l.view.Time().String()
		}
	}
	if l.pin != nil {
		m["name"], m["version"], m["position"] = l.pin.Name, l.pin.Version, l.pin.Position
	}
	for key, at := range map[string]protocol.Time{"anchor_last": l.anchors.Last, "anchor_proven": l.anchors.Proven, "anchors_behind": l.anchors.Behind} {
		if at > 0 {
			m[key] = at.String()
		}
	}
	return m
}

// words shows the standing to people.
func (l *logStanding) words(a *app) {
	a.say("log       %s", l.world.Log().Origin())
	if l.view == nil {
		a.say("proven    nothing yet")
	} else {
		a.say("proven    the newest as of %s, %s: %d entries", moment(l.view.AsOf()), age(l.age), l.view.Size())
	}
	a.say("demanded  %s", demandWords(l.world))
	for _, w := range l.watchers {
		if w.at > 0 {
			a.say("witness   %s cosigned %s", w.Name, moment(w.at))
		} else {
			a.say("witness   %s has not cosigned what this device saw last", w.Name)
		}
	}
	if l.pin != nil {
		a.say("name      %s, version %d, in entry %d of the log", l.pin.Name, l.pin.Version, l.pin.Position)
	}
	a.say("anchors   %s", l.anchorWords())
	for _, alarm := range l.alarms {
		noted := "holds every write"
		if alarm.Noted > 0 {
			noted = "you took note of it on " + moment(alarm.Noted)
		}
		a.say("alarm     %d of %s (%s): %s", alarm.Number, moment(alarm.Time), alarm.Kind, noted)
	}
	for _, text := range l.warnings() {
		a.say("note      %s", text)
	}
}

func (l *logStanding) anchorWords() string {
	text := "none of this device in the log yet"
	if l.anchors.Proven > 0 {
		text = "one of this device seen in the log, " + moment(l.anchors.Proven)
	}
	if n := len(l.anchors.Pending); n > 0 {
		text += fmt.Sprintf("; %d sent and not seen there yet", n)
	}
	return text
}
