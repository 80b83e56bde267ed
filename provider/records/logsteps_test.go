// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package records

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/solekey/solekey/test/faults"
)

// TestIntegrationFaults breaks each step of an integration, in each way, and ends
// the process in each way. The log that follows extends all that was published,
// an auditor accepts it, and all that was acknowledged is in it, once.
func TestIntegrationFaults(t *testing.T) {
	b := newLogBeginning(t)
	for _, mode := range faults.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			for step := 1; b.breakIntegration(t, step, mode); step++ {
			}
		})
	}
}

func (b logBeginning) breakIntegration(t *testing.T, step int, mode faults.Mode) bool {
	t.Helper()
	w := b.world.copy(t)
	defer func() { _ = w.db.Close() }()
	w.now = w.now.Add(2 * time.Hour) // anchors are due
	w.disk.Break(step, mode)
	_, err := w.log.Integrate(ctx)
	hit := w.disk.Hit()
	e := ends()[step%len(ends())]
	where := fmt.Sprintf("step %d, then %s", step, e.name)
	if hit == (err == nil) {
		t.Fatalf("%s: hit %v, and the error is %v", where, hit, err)
	}
	if step%3 == 0 { // the process goes on for a while, and takes more in
		w.disk.Break(0, mode)
		w.grow(b.bert.Copy())
		w.integrate()
		w.publish()
	}
	w.restart(e)
	w.wantAll(b, where)
	return hit
}

// TestIntegrationCommits fails each transaction of an integration; the process
// goes on, or a new one does.
func TestIntegrationCommits(t *testing.T) {
	b := newLogBeginning(t)
	for n := 1; ; n++ {
		w := b.world.copy(t)
		w.now = w.now.Add(2 * time.Hour) // anchors are due
		transactions := 0
		w.store.testingOnlyBeforeCommit = func() error {
			if transactions++; transactions == n {
				return errors.New("the database is full")
			}
			return nil
		}
		_, err := w.log.Integrate(ctx)
		w.store.testingOnlyBeforeCommit = nil
		if transactions < n {
			if n < 3 {
				t.Errorf("an integration has %d transactions", transactions)
			}
			return
		}
		if err == nil {
			t.Fatalf("transaction %d failed and nobody says so", n)
		}
		w.grow(b.bert.Copy()) // another batch would be another one now
		w.restart(ends()[n%len(ends())])
		w.wantAll(b, fmt.Sprint("transaction ", n))
	}
}

// TestVolumeFaults breaks each step of joining batches, in each way, and ends the
// process in each way.
func TestVolumeFaults(t *testing.T) {
	b := newJoinable(t)
	for _, mode := range faults.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			for step, hit := 1, true; hit; step++ {
				w := b.world.copy(t)
				w.store.volumes = small()
				w.disk.Break(step, mode)
				_, err := w.store.JoinBatches(ctx)
				if hit = w.disk.Hit(); hit == (err == nil) {
					t.Fatalf("step %d: hit %v, and the error is %v", step, hit, err)
				}
				e := ends()[step%len(ends())]
				w.restart(e)
				h := b.bert.Copy()
				w.grow(h)
				w.integrate()
				w.publish()
				if a, c := w.version("anna"), w.version("bert"); a != 4 || c != 2 {
					t.Errorf("step %d, then %s: versions %d and %d", step, e.name, a, c)
				}
				w.wantSound()
				w.store.volumes = small()
				for more := true; more; {
					if more, err = w.store.JoinBatches(ctx); err != nil {
						t.Errorf("step %d, then %s: join again: %v", step, e.name, err)
					}
				}
				if found := w.restart(ends()[step%2]); found.Any() {
					t.Errorf("step %d, then %s: found %+v later", step, e.name, found)
				}
				_ = w.db.Close()
			}
		})
	}
}
