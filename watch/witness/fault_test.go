// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/witness"
)

// errFault is what a failing memory says.
var errFault = errors.New("the disk is gone")

// faulty is a memory that fails at one step: before it does what it is asked, or
// after it did.
type faulty struct {
	*witness.Store
	step string
}

func (f *faulty) at(step string) error {
	if f.step == step {
		return errFault
	}
	return nil
}

func (f *faulty) Latest(ctx context.Context, origin string) (witness.Latest, error) {
	if err := f.at("latest"); err != nil {
		return witness.Latest{}, err
	}
	return f.Store.Latest(ctx, origin)
}

func (f *faulty) Advance(ctx context.Context, origin string, from, to witness.Latest) error {
	if err := f.at("before advance"); err != nil {
		return err
	}
	if err := f.Store.Advance(ctx, origin, from, to); err != nil {
		return err
	}
	return f.at("after advance")
}

func (f *faulty) Raise(ctx context.Context, a witness.Alarm) error {
	if err := f.at("raise"); err != nil {
		return err
	}
	return f.Store.Raise(ctx, a)
}

// given is every cosignature that ever left a witness.
type given struct {
	mu    sync.Mutex
	roots map[uint64]protocol.Hash
	wrong []string
}

// note remembers an answer to a checkpoint, and whether it contradicts one before.
func (g *given) note(c tlog.Checkpoint, a answer) {
	if a.status != http.StatusOK {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if root, ok := g.roots[c.Size]; ok && root != c.Root {
		g.wrong = append(g.wrong, fmt.Sprintf("two roots at size %d", c.Size))
	}
	g.roots[c.Size] = c.Root
}

// TestFaults: at whichever step the disk fails, nothing leaves that is not kept,
// and after it the log goes on from what was kept; a fork never.
func TestFaults(t *testing.T) {
	for _, step := range []string{"latest", "before advance", "after advance", "raise"} {
		s := newStage(t)
		grow(t, s.log, 9)
		fork := s.log.Fork()
		fork.Append(t, []byte("another entry"))
		grow(t, s.log, 10)
		s.cosigned(step, s.ask(s.log, 0, 5), s.log, 5, start)
		s.memory = &faulty{s.store, step}
		s.begin()
		a := s.ask(s.log, 5, 10)
		if step == "raise" {
			s.cosigned(step, a, s.log, 10, start)
			s.refused("an alarm that cannot be kept", s.ask(fork, 10, 10), http.StatusConflict)
		} else {
			s.refused(step, a, http.StatusInternalServerError)
			if strings.Contains(a.body, "disk") {
				t.Errorf("%s: the answer says too much: %s", step, a.body)
			}
		}
		// A new start over what is on disk.
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		s.open()
		kept, err := s.store.Latest(ctx, "log.example/one")
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]uint64{"latest": 5, "before advance": 5, "after advance": 10, "raise": 10}[step]; kept.Size != want {
			t.Errorf("%s: size %d is kept, want %d", step, kept.Size, want)
		}
		if kept.Size == 10 {
			s.refused(step+": a fork", s.ask(fork, 10, 10), http.StatusConflict)
		}
		s.cosigned(step+": again", s.ask(s.log, kept.Size, 10), s.log, 10, start)
	}
}

// TestFaultThenFork: where the witness fails after it kept and before it answered,
// the log cannot have another root cosigned at that size.
func TestFaultThenFork(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 9)
	fork := s.log.Fork()
	grow(t, s.log, 10)
	fork.Append(t, []byte("another entry"))
	fork.Append(t, []byte("and one more"))
	s.cosigned("before", s.ask(s.log, 0, 9), s.log, 9, start)
	s.memory = &faulty{s.store, "after advance"}
	s.begin()
	s.refused("a fault", s.ask(s.log, 9, 10), http.StatusInternalServerError)
	s.memory = s.store
	s.begin()
	s.refused("a fork from before", s.ask(fork, 9, 10), http.StatusConflict)
	s.refused("a fork at that size", s.ask(fork, 10, 10), http.StatusConflict)
	s.refused("a fork beyond", s.ask(fork, 10, 11), http.StatusUnprocessableEntity)
}

// TestConcurrent asks for two forks of one log at many sizes from many sides:
// whatever comes first, all that is cosigned is one log.
func TestConcurrent(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 5)
	fork := s.log.Fork()
	for i := range 60 {
		fork.Append(t, fmt.Appendf(nil, "another entry %d", i))
	}
	grow(t, s.log, 65)
	s.cosigned("the common past", s.ask(s.log, 0, 5), s.log, 5, start)
	g := &given{roots: map[uint64]protocol.Hash{}}
	var wg sync.WaitGroup
	for worker := range 8 {
		l := []*tlogtest.Log{s.log, fork}[worker%2]
		wg.Go(func() {
			for size := uint64(6 + worker/2); size <= 65; size += 3 {
				old := size - 1
				for range 3 { // as a log does: once more from where the witness is
					a := s.ask(l, old, size)
					g.note(l.At(t, size), a)
					theirs, err := tlog.ParseConflict([]byte(a.body))
					if a.status != http.StatusConflict || err != nil || theirs > size {
						break
					}
					old = theirs
				}
			}
		})
	}
	wg.Wait()
	for _, wrong := range g.wrong {
		t.Error(wrong)
	}
	onOne, onOther := 0, 0
	for size, root := range g.roots {
		if s.log.At(t, size).Root == root {
			onOne++
		} else {
			onOther++
		}
	}
	if onOne > 0 && onOther > 0 || onOne+onOther == 0 {
		t.Errorf("%d sizes of one log are cosigned and %d of the other", onOne, onOther)
	}
}

// TestConcurrentProcesses: two witnesses over one file, which must not be but may,
// still never give two roots at one size.
func TestConcurrentProcesses(t *testing.T) {
	s := newStage(t)
	grow(t, s.log, 5)
	fork := s.log.Fork()
	grow(t, s.log, 6)
	fork.Append(t, []byte("another entry"))
	s.cosigned("the common past", s.ask(s.log, 0, 5), s.log, 5, start)
	other := &stage{t: t, clock: s.clock, path: s.path, log: s.log, secrets: s.secrets}
	other.open()
	defer func() { _ = other.store.Close() }()
	answers := make(chan answer, 2)
	go func() { answers <- s.ask(s.log, 5, 6) }()
	go func() { answers <- other.ask(fork, 5, 6) }()
	if a, b := <-answers, <-answers; a.status == http.StatusOK && b.status == http.StatusOK || a.status != http.StatusOK && b.status != http.StatusOK {
		t.Errorf("statuses %d and %d", a.status, b.status)
	}
}

// TestAdvanceRefuses: the last line of defence is in the database.
func TestAdvanceRefuses(t *testing.T) {
	s := newStage(t)
	at := protocol.TimeOf(start)
	one, two := witness.Latest{Size: 5, Root: protocol.Hash{1}, Time: at, Note: []byte("x")}, witness.Latest{Size: 6, Root: protocol.Hash{2}, Time: at, Note: []byte("y")}
	for what, step := range map[string]struct{ from, to witness.Latest }{
		"a smaller size": {two, one}, "another root": {one, witness.Latest{Size: 5, Root: protocol.Hash{3}, Time: at}}, "an earlier time": {one, witness.Latest{Size: 6, Time: at - 1}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			_ = s.store.Advance(ctx, "o", step.from, step.to)
		}()
	}
	if err := s.store.Advance(ctx, "o", witness.Latest{}, one); err != nil {
		t.Fatal(err)
	}
	for what, from := range map[string]witness.Latest{"none": {}, "another": {Size: 5, Root: protocol.Hash{9}, Time: at}, "another time": {Size: 5, Root: protocol.Hash{1}, Time: at - 1}} {
		if err := s.store.Advance(ctx, "o", from, two); protocol.KindOf(err) != protocol.KindConflict {
			t.Errorf("from %s: %v", what, err)
		}
	}
	if got, err := s.store.Latest(ctx, "o"); err != nil || got.Size != 5 || got.Root != one.Root {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAlarmsAreBounded keeps the newest hundred of a log.
func TestAlarmsAreBounded(t *testing.T) {
	s := newStage(t)
	for i := range 130 {
		if err := s.store.Raise(ctx, witness.Alarm{Origin: "o", Time: protocol.Time(i), Text: fmt.Sprint(i), Note: []byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.store.Alarms(ctx); err != nil || len(list) != 100 || list[0].Text != "30" {
		t.Errorf("%d alarms, %v", len(list), err)
	}
}

// TestSmallest: what is known of a log is known by the hour, for forty days.
func TestSmallest(t *testing.T) {
	s := newStage(t)
	last := witness.Latest{}
	for i := range 50 * 4 {
		next := witness.Latest{Size: uint64(i + 1), Root: protocol.Hash{byte(i)}, Time: protocol.TimeOf(start.Add(time.Duration(i) * 6 * time.Hour)), Note: []byte{1}}
		if err := s.store.Advance(ctx, "o", last, next); err != nil {
			t.Fatal(err)
		}
		last = next
	}
	for ago, want := range map[time.Duration]uint64{
		30 * 24 * time.Hour: 20*4 + 1, time.Hour: 50 * 4, 45 * 24 * time.Hour: 10 * 4, 0: 0,
	} {
		size, ok, err := s.store.Smallest(ctx, "o", last.Time-protocol.Time(ago))
		if err != nil || ok != (want != 0) || ok && size != want {
			t.Errorf("since %s: %d, %v, %v, want %d", ago, size, ok, err, want)
		}
	}
}
