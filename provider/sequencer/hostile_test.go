// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob/blobtest"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/provider/sequencer"
)

// claims answers that it has seen much more of the log, which nobody can disprove.
func claims(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "text/x.tlog.size")
	rw.WriteHeader(http.StatusConflict)
	_, _ = rw.Write([]byte("1000000\n"))
}

// TestFormerWitnessStopsNothing: a witness of which nothing is demanded any more,
// or whoever answers under its name now, cannot stop the log.
func TestFormerWitnessStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "quorum w0.example")
	w.step()
	w.worlds = []*directory.World{w.only(1), w.worlds[0]}
	w.restart()
	w.join("anna")
	w.step()
	for range 2 {
		w.witnesses[0].set(func(x *witness) { x.answer = claims })
		h := w.join(random[protocol.Hash]().String()[:8])
		w.integrate()
		_ = w.Publish(ctx) // the older world is not served
		if leaf, ok := w.look(w.worlds[0], h.name).Leaf(); !ok || leaf.Version != 1 {
			t.Fatalf("leaf %+v", leaf)
		}
		if err := w.Refusal(ctx); err != nil {
			t.Fatalf("a former witness stopped the log: %v", err)
		}
		w.restart()
	}
	w.witnesses[1].set(func(x *witness) { x.answer = claims })
	w.restart()
	if _, err := w.Integrate(ctx); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a witness that is demanded knows more, and the log goes on: %v", err)
	}
}

// only returns a world that names one of the witnesses, and demands it.
func (w *world) only(n int) *directory.World {
	w.t.Helper()
	all := w.witnesses
	defer func() { w.witnesses = all }()
	w.witnesses = all[n : n+1]
	return w.world("quorum " + all[n].secret.Public().Name())
}

// TestClockAheadAtStart: a server that starts with a clock of next year writes no
// root of next year, which it could never take back.
func TestClockAheadAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.step()
	right := w.now
	w.witnesses[0].set(func(x *witness) { x.clock = func() time.Time { return right } })
	w.now = right.AddDate(1, 0, 0)
	w.restart()
	if _, err := w.Integrate(ctx); protocol.KindOf(err) != protocol.KindUnreachable {
		t.Fatalf("the log goes on with a wrong clock: %v", err)
	}
	right = right.Add(3 * time.Hour)
	w.now = right.Add(time.Minute)
	w.join("anna")
	w.step()
	entries := w.logged(0)
	if last := entries[len(entries)-1].Root; last.Time != protocol.TimeOf(w.now) {
		t.Errorf("the log's time is %s", last.Time)
	}
}

// TestRestoredKeysWait: keys alone are left, and the witness cannot answer now. It
// has not said that it knows no more of the log.
func TestRestoredKeysWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.step()
	w.join("anna")
	w.step()
	_ = w.db.Close()
	w.dir, w.blobs = t.TempDir(), blobtest.NewMemory()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.open()
	if _, err := w.Integrate(ctx); protocol.KindOf(err) != protocol.KindUnreachable {
		t.Errorf("a log that was lost begins anew: %v", err)
	}
	w.witnesses[0].set(func(x *witness) { x.answer = nil })
	if _, err := w.Integrate(ctx); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a log that was lost begins anew: %v", err)
	}
}

// TestPromiseAfterLongStop: an update and an anchor of the new day wait for more
// than a day, until a witness answers. No root that is later than what the receipt
// says is without the update.
func TestPromiseAfterLongStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.now = w.now.Truncate(24 * time.Hour).Add(24*time.Hour - time.Minute)
	w.join("bert")
	w.step()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.restart()
	w.now = w.now.Add(2 * time.Minute)
	h, by := w.join("anna"), w.Promise()
	a, index := w.anchor(w.day(), keys.GenerateSecret(), 0)
	if err := w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{a}); err != nil {
		t.Fatal(err)
	}
	day := w.day()
	w.now = w.now.Add(25 * time.Hour)
	w.witnesses[0].set(func(x *witness) { x.answer = nil })
	w.step()
	held := false
	for _, e := range w.logged(0) {
		held = held || e.Update != nil && e.Update.Index == h.index
		if e.Root != nil && e.Root.Time > by && !held {
			t.Errorf("the root of %s is without what was promised by %s", e.Root.Time, by)
		}
	}
	if !held || !w.find(protocol.AccountID{1}, day, index).Present {
		t.Error("what was acknowledged is not in the log")
	}
}

// TestAnchorsAfterLongStop: anchors that were taken enter the log after a stop of
// more than a day, and those that cannot any more are put aside in one step.
func TestAnchorsAfterLongStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.now = w.now.Truncate(24 * time.Hour).Add(23*time.Hour + 30*time.Minute)
	w.join("bert")
	w.step()
	day := w.day()
	var indexes []protocol.Hash
	for n := range uint64(3) {
		a, index := w.anchor(day, keys.GenerateSecret(), n)
		if err := w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{a}); err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, index)
	}
	w.now = w.now.Add(25*time.Hour + 10*time.Minute) // the next root closes the day
	w.restart()
	w.step()
	for _, index := range indexes {
		if !w.find(protocol.AccountID{1}, day, index).Present {
			t.Error("an anchor that was taken is lost")
		}
	}
}

// TestMayState: nothing is stated before witnesses were asked, and nothing by an
// older copy; a witness that is away hinders nobody.
func TestMayState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	gone, cancel := stoppable()
	cancel()
	if err := w.MayState(gone); err == nil {
		t.Error("stated before witnesses were asked")
	}
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	if _, err := w.Integrate(ctx); protocol.KindOf(err) != protocol.KindUnreachable {
		t.Errorf("integrate: %v", err)
	}
	if err := w.MayState(ctx); err != nil {
		t.Errorf("a witness is away: %v", err)
	}
	w.witnesses[0].set(func(x *witness) { x.answer = claims })
	_, _ = w.Integrate(ctx)
	w.wantKind("an older copy", w.MayState(ctx), protocol.KindInternal)
	none := newWorld(t, 0, "quorum none")
	if err := none.MayState(ctx); err != nil {
		t.Errorf("nobody to ask: %v", err)
	}
}

// TestComplaintsAreFew: a witness that is away for long fills no disk with what is
// said of it, and is not asked ever faster.
func TestComplaintsAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	var lines atomic.Int64
	w.config = func(c *sequencer.Config) {
		c.Interval, c.Logger = time.Millisecond, slog.New(slog.NewTextHandler(counting{&lines}, nil))
	}
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.restart()
	running, stop := stoppable()
	var run sync.WaitGroup
	run.Go(func() { w.Run(running) })
	asked := func() int {
		w.witnesses[0].mu.Lock()
		defer w.witnesses[0].mu.Unlock()
		return w.witnesses[0].asked
	}
	for deadline := time.Now().Add(10 * time.Second); asked() < 6 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	stop()
	run.Wait()
	if n := lines.Load(); asked() < 6 || n > 2 {
		t.Errorf("asked %d times, said %d times that it does not answer", asked(), n)
	}
}

// counting counts what is written.
type counting struct{ lines *atomic.Int64 }

func (c counting) Write(p []byte) (int, error) {
	c.lines.Add(1)
	return len(p), nil
}
