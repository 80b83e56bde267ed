// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// nameAlarms is the folder of alarms.
const nameAlarms = "alarms"

// MaxEvidence bounds the evidence that is kept of one alarm, in bytes.
const MaxEvidence = 64 << 20

// Alarm is a failed check that says that the provider, or somebody with its help,
// did what it must not. It stands until its user has taken note of it.
type Alarm struct {
	Number uint64        `json:"number"`
	Time   protocol.Time `json:"time"` // by this device's clock
	Kind   string        `json:"kind"` // in a word: fork, rollback, ...
	Text   string        `json:"text"` // for people
	// Same tells two alarms about one thing from two things.
	Same protocol.Hash `json:"same"`
	// Noted is when the user took note of it, 0 while it holds writes.
	Noted protocol.Time `json:"noted,omitempty"`
}

// alarmPath returns the path of an alarm's document or evidence.
func (s *State) alarmPath(number uint64, suffix string) string {
	return s.path(filepath.Join(nameAlarms, fmt.Sprintf("%04d%s", number, suffix)))
}

// The two files of an alarm.
const (
	suffixAlarm    = ".json"
	suffixEvidence = ".evidence"
)

// EvidencePath returns where the evidence of an alarm lies, "" where there is
// none that would prove anything to others.
func (s *State) EvidencePath(a *Alarm) string {
	path := s.alarmPath(a.Number, suffixEvidence)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Alarms returns every alarm, in the order in which they were raised.
func (s *State) Alarms() ([]*Alarm, error) {
	entries, err := os.ReadDir(s.path(nameAlarms))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, osError(err, "read %s", s.path(nameAlarms))
	}
	found := map[uint64]*Alarm{}
	for _, e := range entries {
		number, suffix, ok := alarmName(e.Name())
		if !ok || suffix == suffixEvidence && found[number] != nil {
			continue
		}
		if found[number], err = s.alarm(number); err != nil {
			return nil, err
		}
	}
	list := make([]*Alarm, 0, len(found))
	for _, a := range found {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Number < list[j].Number })
	return list, nil
}

// alarmName reads the name of a file of an alarm.
func alarmName(name string) (number uint64, suffix string, ok bool) {
	digits, rest, _ := strings.Cut(name, ".")
	suffix = "." + rest
	if suffix != suffixAlarm && suffix != suffixEvidence {
		return 0, "", false
	}
	_, err := fmt.Sscanf(digits, "%d", &number)
	return number, suffix, err == nil && fmt.Sprintf("%04d", number) == digits
}

// alarm reads one alarm. Evidence is written first: where it lies alone, the
// process died before it could say what it is about, and that is an alarm too.
func (s *State) alarm(number uint64) (*Alarm, error) {
	a := new(Alarm)
	err := readDocument(s.alarmPath(number, suffixAlarm), "alarm", a)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return &Alarm{Number: number, Kind: "cut off", Text: "an alarm was cut off while it was written; its evidence says what it is about"}, nil
	}
	if err == nil && a.Number != number {
		err = errDamaged(s.alarmPath(number, suffixAlarm), errors.New("it has the number of another alarm"))
	}
	return a, err
}

// RaiseAlarm remembers an alarm with its evidence, which may be nil, durably
// before it returns. Its number is chosen here. Where one about the same thing is
// remembered already, that one is returned and nothing is written.
func (s *State) RaiseAlarm(a *Alarm, evidence []byte) (*Alarm, error) {
	if len(evidence) > MaxEvidence {
		evidence = nil // the alarm counts more than its proof
	}
	raised := *a
	err := s.update(func() error {
		list, err := s.Alarms()
		if err != nil {
			return err
		}
		raised.Number = 1
		for _, old := range list {
			if old.Same == a.Same && old.Kind == a.Kind {
				raised = *old
				s.addEvidence(old, evidence)
				return nil
			}
			raised.Number = max(raised.Number, old.Number+1)
		}
		if evidence != nil {
			err = writeFile(s.alarmPath(raised.Number, suffixEvidence), evidence)
		}
		// Where there is no room for the proof there may be some for the alarm, which
		// counts more.
		if failed := writeDocument(s.alarmPath(raised.Number, suffixAlarm), "alarm", &raised); failed != nil {
			return errors.Join(failed, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &raised, nil
}

// addEvidence keeps what proves an alarm where there was no room for it before.
func (s *State) addEvidence(a *Alarm, evidence []byte) {
	if evidence != nil && s.EvidencePath(a) == "" {
		_ = writeFile(s.alarmPath(a.Number, suffixEvidence), evidence) // the alarm stands without it
	}
}

// NoteAlarm says that the user took note of an alarm: it holds nothing any more,
// and stays in the list. It is for an act of the user at this device, never for
// anything that a server says.
func (s *State) NoteAlarm(number uint64, at protocol.Time) error {
	return s.update(func() error {
		list, err := s.Alarms()
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.Number == number {
				a.Noted = max(at, 1)
				return writeDocument(s.alarmPath(number, suffixAlarm), "alarm", a)
			}
		}
		return protocol.Errorf(protocol.KindNotFound, "there is no alarm %d", number)
	})
}

// StandingAlarm returns the first alarm of which the user has not taken note, nil
// where there is none.
func (s *State) StandingAlarm() (*Alarm, error) {
	list, err := s.Alarms()
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.Noted == 0 {
			return a, nil
		}
	}
	return nil, nil
}

// setAlarmsAside moves the folder of alarms to where it holds nothing any more.
func (s *State) setAlarmsAside() error {
	for number := 1; ; number++ {
		to := s.path(fmt.Sprintf("%s.past-%d", nameAlarms, number))
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		err := os.Rename(s.path(nameAlarms), to)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return osError(err, "set %s aside", s.path(nameAlarms))
	}
}
