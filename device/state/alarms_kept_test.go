// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"testing"
)

// TestForgetKeepsAlarms: what proves a provider's lie outlives the device that it
// was told to, and holds nothing that comes after.
func TestForgetKeepsAlarms(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	for range 2 {
		_, err := s.RaiseAlarm(someAlarm(1), []byte("proof"))
		must(t, err)
		must(t, s.Forget())
		if standing, err := s.StandingAlarm(); standing != nil || err != nil {
			t.Fatalf("standing %+v, %v", standing, err)
		}
	}
	for _, dir := range []string{"alarms.past-1", "alarms.past-2"} {
		got, err := os.ReadFile(filepath.Join(w.dir, dir, "0001"+suffixEvidence))
		if string(got) != "proof" || err != nil {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}

// TestAlarmGetsItsProofLater: an alarm for whose proof there was no room is given it
// when it is raised again.
func TestAlarmGetsItsProofLater(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	_, err := s.RaiseAlarm(someAlarm(1), nil)
	must(t, err)
	for _, proof := range []string{"proof", "another"} {
		raised, err := s.RaiseAlarm(someAlarm(1), []byte(proof))
		must(t, err)
		if got, err := os.ReadFile(s.EvidencePath(raised)); string(got) != "proof" {
			t.Errorf("evidence %q, %v", got, err)
		}
	}
}
