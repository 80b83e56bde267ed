// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
	watching "github.com/solekey/solekey/watch/witness"

	"github.com/solekey/solekey/watch/follow"
)

// realWitness stands up the project's own witness, auditing or not, and returns
// the line of a policy that names it.
func (w *world) realWitness(name string, algorithm tlog.Algorithm, audits bool) string {
	w.t.Helper()
	secret, err := tlog.GenerateWitnessSecret(name, algorithm)
	if err != nil {
		w.t.Fatal(err)
	}
	memory, err := watching.Open(ctx, w.t.TempDir()+"/memory.db")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = memory.Close() })
	watched := watching.Log{Key: w.log.Public(), Secrets: []*tlog.WitnessSecret{secret}}
	if audits {
		store, err := follow.Open(ctx, w.t.TempDir()+"/follow.db")
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = store.Close() })
		watched.Auditor = watching.NewAuditor(w.log.Public(), source{w}, store, memory)
	}
	x, err := watching.New(watching.Config{
		Logs: []watching.Log{watched}, Memory: memory, Clock: func() time.Time { return w.now },
		Notes: slog.New(slog.NewTextHandler(io.Discard, nil)), Limits: watching.DefaultLimits(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(x.Handler())
	w.t.Cleanup(server.Close)
	return fmt.Sprintf("witness %s %s %s\n", name, secret.Public(), server.URL)
}

// TestOwnWitnesses lets the project's own witnesses cosign, of both algorithms,
// two of which replay the whole log and hold it to its rules.
func TestOwnWitnesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	lines := w.realWitness("a.example", tlog.Ed25519, true) + w.realWitness("b.example", tlog.MLDSA44, true) +
		w.realWitness("c.example", tlog.Ed25519, false)
	w.worlds = []*directory.World{w.world(lines + "group all3 all a.example b.example c.example\nquorum all3")}
	w.config = func(c *sequencer.Config) { c.AnchorsEvery = 0 }
	w.restart()
	w.step()
	anna := w.join("anna")
	for n := range uint64(5) {
		w.now = w.now.Add(time.Duration(n) * 10 * time.Minute) // at last longer than a root may be old
		if n == 3 {
			w.restart()
		}
		w.grow(anna)
		w.join(fmt.Sprint("name", n))
		a, index := w.anchor(w.day(), keys.GenerateSecret(), 0)
		if err := w.AddAnchors(ctx, anna.account, []sequencer.Anchor{a}); err != nil {
			t.Fatal(err)
		}
		w.step()
		leaf, _ := w.look(w.worlds[0], "anna").Leaf()
		if leaf.Version != n+2 || !w.find(anna.account, w.day(), index).Present {
			t.Errorf("round %d: version %d", n, leaf.Version)
		}
	}
	st, err := w.Status(ctx)
	if err != nil || len(st.Witnesses) != 3 {
		t.Fatal(err)
	}
	for _, x := range st.Witnesses {
		if x.Error != "" || x.Size != st.Size || x.Cosigned == 0 {
			t.Errorf("%+v", x)
		}
	}
}

// TestLookupWaits: a look-up of a name that has just changed waits a little for the
// checkpoint that shows it, and not while nothing is being published.
func TestLookupWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.config = func(c *sequencer.Config) { c.Wait, c.Interval = time.Minute, 5*time.Millisecond }
	w.restart()
	w.step()
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.Run(running); close(ended) }()
	w.join("anna")
	if !w.look(w.worlds[0], "anna").Present() {
		t.Error("anna is not there")
	}
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.join("bert")
	asked, left := context.WithCancel(ctx)
	left() // whoever asks is not there any more
	if _, err := w.Lookup(asked, sequencer.Question{Name: "bert"}); err == nil {
		t.Error("a look-up goes on for nobody")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		st, err := w.Status(ctx)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the witness is not missed: %v", err)
		}
		if st.Witnesses[0].Error != "" {
			break
		}
	}
	if w.look(w.worlds[0], "bert").Present() { // at once: nothing comes
		t.Error("bert is there")
	}
	stop()
	<-ended
}
