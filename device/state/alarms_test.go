// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func someAlarm(n byte) *Alarm {
	return &Alarm{Time: 7, Kind: "fork", Text: "two pasts", Same: protocol.Hash{n}}
}

// TestAlarmsStay raises alarms and looks for them in another process.
func TestAlarmsStay(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	first, err := s.RaiseAlarm(someAlarm(1), []byte("proof"))
	must(t, err)
	again, err := s.RaiseAlarm(someAlarm(1), []byte("another proof"))
	must(t, err)
	second, err := s.RaiseAlarm(someAlarm(2), nil)
	must(t, err)
	if first.Number != 1 || again.Number != 1 || second.Number != 2 {
		t.Fatalf("alarms %d, %d, %d", first.Number, again.Number, second.Number)
	}
	later := w.again()
	list, err := later.Alarms()
	must(t, err)
	if len(list) != 2 || list[0].Text != "two pasts" || later.EvidencePath(list[1]) != "" {
		t.Fatalf("%d alarms: %+v", len(list), list)
	}
	if got, err := os.ReadFile(later.EvidencePath(list[0])); string(got) != "proof" {
		t.Fatalf("evidence %q, %v", got, err)
	}
	standing, err := later.StandingAlarm()
	must(t, err)
	if standing == nil || standing.Number != 1 {
		t.Fatalf("standing %+v", standing)
	}
	must(t, later.NoteAlarm(1, 9))
	must(t, later.NoteAlarm(2, 9))
	if standing, err = s.StandingAlarm(); standing != nil || err != nil {
		t.Fatalf("standing %+v, %v", standing, err)
	}
	raised, err := s.RaiseAlarm(someAlarm(1), nil)
	must(t, err)
	if raised.Noted != 9 {
		t.Fatal("an alarm that was noted holds again")
	}
	wantKind(t, s.NoteAlarm(3, 9), protocol.KindNotFound)
}

// TestAlarmCutOff stops the raising of an alarm at each step: before it there is
// none, after the first step there is one that holds.
func TestAlarmCutOff(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	must(t, os.MkdirAll(s.path(nameAlarms), 0o700))
	must(t, os.WriteFile(filepath.Join(s.path(nameAlarms), tempPrefix+"0001.evidence-1"), []byte("half"), 0o600))
	if list, err := s.Alarms(); len(list) != 0 || err != nil {
		t.Fatalf("half a file of evidence is %d alarms, %v", len(list), err)
	}
	must(t, os.WriteFile(s.alarmPath(1, suffixEvidence), []byte("proof"), 0o600))
	standing, err := w.again().StandingAlarm()
	must(t, err)
	if standing == nil || standing.Kind != "cut off" {
		t.Fatalf("evidence without its alarm: %+v", standing)
	}
	next, err := s.RaiseAlarm(someAlarm(1), []byte("proof"))
	must(t, err)
	if next.Number != 2 {
		t.Fatalf("the next alarm has number %d", next.Number)
	}
	must(t, s.NoteAlarm(1, 1))
	must(t, s.NoteAlarm(2, 1))
	if standing, err = s.StandingAlarm(); standing != nil || err != nil {
		t.Fatalf("standing %+v, %v", standing, err)
	}
}

// TestAlarmDamaged finds a changed alarm, and one in the place of another.
func TestAlarmDamaged(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	_, err := s.RaiseAlarm(someAlarm(1), nil)
	must(t, err)
	whole, err := os.ReadFile(s.alarmPath(1, suffixAlarm))
	must(t, err)
	must(t, os.WriteFile(s.alarmPath(2, suffixAlarm), whole, 0o600))
	_, err = s.StandingAlarm()
	wantKind(t, err, protocol.KindUntrusted)
	must(t, os.Remove(s.alarmPath(2, suffixAlarm)))
	spoil(t, s.alarmPath(1, suffixAlarm), func(b []byte) []byte { return b[:len(b)/2] })
	_, err = s.StandingAlarm()
	wantKind(t, err, protocol.KindUntrusted)
	_, err = s.RaiseAlarm(someAlarm(3), nil)
	wantKind(t, err, protocol.KindUntrusted)
}

// TestAlarmOnFullDisk has no place for alarms: it says so, and none is half there.
func TestAlarmOnFullDisk(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	must(t, os.WriteFile(s.path(nameAlarms), nil, 0o600))
	if _, err := s.RaiseAlarm(someAlarm(1), []byte("proof")); err == nil {
		t.Fatal("an alarm was raised where nothing can be")
	}
	must(t, os.Remove(s.path(nameAlarms)))
	if _, err := s.RaiseAlarm(someAlarm(1), make([]byte, MaxEvidence+1)); err != nil {
		t.Fatalf("an alarm fell with its evidence: %v", err)
	}
}

// TestClockIsKept moves the clock's memory.
func TestClockIsKept(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	c, err := s.Clock()
	must(t, err)
	if c != (Clock{}) {
		t.Fatalf("clock %+v at first", c)
	}
	_, err = s.ChangeClock(func(c *Clock) { c.High, c.Back = 5, 3 })
	must(t, err)
	if c, err = w.again().Clock(); c != (Clock{High: 5, Back: 3}) || err != nil {
		t.Fatalf("clock %+v, %v", c, err)
	}
}

// TestAnchorsAreKept remembers anchors, at most so many.
func TestAnchorsAreKept(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	a, err := s.Anchors()
	must(t, err)
	if len(a.Pending) != 0 {
		t.Fatal("anchors at first")
	}
	for slot := range uint64(maxPending + 3) {
		must(t, s.ChangeAnchors(func(a *Anchors) {
			a.Last = protocol.Time(slot)
			a.Pending = append(a.Pending, Anchor{Period: "2026-11-21", Slot: slot})
		}))
	}
	a, err = w.again().Anchors()
	must(t, err)
	if len(a.Pending) != maxPending || a.Pending[0].Slot != 3 || a.Last != maxPending+2 {
		t.Fatalf("%d pending from %d, last %d", len(a.Pending), a.Pending[0].Slot, a.Last)
	}
}
