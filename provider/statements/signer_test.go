// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statements_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/provider/statements"
)

var ctx = context.Background()

// floor is a floor in memory that can fail.
type floor struct {
	mu     sync.Mutex // guards the rest
	at     protocol.Time
	writes int
	broken error
}

func (f *floor) Floor(context.Context) (protocol.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.broken
}

func (f *floor) Raise(_ context.Context, to protocol.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	f.at = to
	f.writes++
	return nil
}

// world is a signer, its clock and its floor.
type world struct {
	*statements.Signer
	t      testing.TB
	key    statement.Key
	secret *statement.Secret
	floor  *floor
	clock  func() time.Time
}

func newWorld(t testing.TB, clock func() time.Time) *world {
	t.Helper()
	secret := statement.Generate()
	w := &world{t: t, key: secret.Public(), secret: secret, floor: &floor{}, clock: clock}
	w.start()
	return w
}

// start starts the signer anew on what is stored.
func (w *world) start() {
	w.t.Helper()
	var err error
	w.Signer, err = statements.New(ctx, statements.Config{Log: protocol.Hash{1}, Secret: w.secret, Floor: w.floor, Clock: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
}

// at looks at an entry of a ledger.
func at(seq uint64) func(context.Context) (statement.Statement, error) {
	return func(context.Context) (statement.Statement, error) {
		return statement.Statement{Kind: statement.KindLedger, Account: protocol.AccountID{1}, Seq: seq, Hash: protocol.Hash{byte(seq), 1}, Nonce: [16]byte{7}}, nil
	}
}

func (w *world) sign(after protocol.Time, seq uint64) *statement.Signed {
	w.t.Helper()
	raw, err := w.Sign(ctx, after, at(seq))
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := w.key.Verify(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

// hand is a clock that is moved by hand.
type hand struct{ ns atomic.Int64 }

func (h *hand) now() time.Time       { return time.Unix(0, h.ns.Load()) }
func (h *hand) move(d time.Duration) { h.ns.Add(int64(d)) }

func newHand() *hand {
	h := &hand{}
	h.ns.Store(1_800_000_000_000_000_000)
	return h
}

func TestSignAnswersItsQuestion(t *testing.T) {
	h := newHand()
	w := newWorld(t, h.now)
	signed := w.sign(protocol.TimeOf(h.now())-1, 3)
	question := statement.Question{Log: protocol.Hash{1}, Kind: statement.KindLedger, Account: protocol.AccountID{1}, Nonce: [16]byte{7}, After: protocol.TimeOf(h.now()) - 1}
	if err := signed.Answers(question); err != nil {
		t.Error(err)
	}
	said := signed.Statement()
	if said.Seq != 3 || said.Time <= said.Since || said.Since < protocol.TimeOf(h.now()) {
		t.Errorf("%+v", said)
	}
}

// TestTimeNeverGoesBack: neither the machine's clock nor a restart makes a later
// statement of a greater number look earlier.
func TestTimeNeverGoesBack(t *testing.T) {
	h := newHand()
	w := newWorld(t, h.now)
	var all []*statement.Signed
	for seq := range uint64(60) {
		switch seq % 6 {
		case 1:
			h.move(-time.Hour)
		case 2:
			h.move(time.Minute)
		case 3:
			w.start()
		case 4:
			h.move(lease / 2)
		}
		all = append(all, w.sign(0, seq))
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			if why, yes := statement.Contradict(a, b); yes {
				t.Fatalf("an honest provider contradicts itself: %s", why)
			}
			if b.Statement().Since <= a.Statement().Time {
				t.Fatalf("a later statement is from %s, an earlier one until %s", b.Statement().Since, a.Statement().Time)
			}
		}
	}
	if w.Behind() == 0 {
		t.Error("a clock that went back is not noticed")
	}
}

const lease = 10 * time.Second

func TestFloorIsWrittenSeldomAndFirst(t *testing.T) {
	h := newHand()
	w := newWorld(t, h.now)
	for range 100 {
		h.move(10 * time.Millisecond)
		w.sign(0, 1)
	}
	if w.floor.writes != 1 {
		t.Errorf("%d writes for a second", w.floor.writes)
	}
	h.move(lease)
	w.floor.broken = errors.New("the disk is gone")
	if _, err := w.Sign(ctx, 0, at(1)); err == nil {
		t.Error("signed above a floor that is not stored")
	}
	if _, err := statements.New(ctx, w.Config); err == nil {
		t.Error("started without knowing the floor")
	}
	w.floor.broken = nil
	if said := w.sign(0, 1).Statement(); said.Time > w.floor.at {
		t.Errorf("signed %s above the floor %s", said.Time, w.floor.at)
	}
}

// TestManyAtOnce: a number that only grows, asked after by many at once, gives no
// two statements that contradict each other.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, time.Now)
	var seq atomic.Uint64
	var mu sync.Mutex // guards all
	var all []*statement.Signed
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() {
			for range 40 {
				if rand.IntN(3) == 0 {
					seq.Add(1)
				}
				raw, err := w.Sign(ctx, 0, func(context.Context) (statement.Statement, error) { return at(seq.Load())(ctx) })
				if err != nil {
					t.Error(err)
					return
				}
				signed, err := w.key.Verify(raw)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, signed)
				mu.Unlock()
			}
		})
	}
	people.Wait()
	for i, a := range all {
		for _, b := range all[i+1:] {
			if why, yes := statement.Contradict(a, b); yes {
				t.Fatal(why)
			}
		}
	}
}

// TestAskersAhead: whoever knows a later time is waited for a little.
func TestAskersAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now)
		ahead := protocol.TimeOf(time.Now().Add(time.Second))
		if said := w.sign(ahead, 1).Statement(); said.Since <= ahead {
			t.Errorf("from %s, asked for after %s", said.Since, ahead)
		}
		far := protocol.TimeOf(time.Now().Add(time.Minute))
		if _, err := w.Sign(ctx, far, at(1)); protocol.KindOf(err) != protocol.KindBusy {
			t.Errorf("a minute ahead: %v, want kind busy", err)
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		if _, err := w.Sign(stopped, protocol.TimeOf(time.Now().Add(time.Second)), at(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that went away: %v", err)
		}
	})
	h := newHand()
	w := newWorld(t, h.now)
	if _, err := w.Sign(ctx, protocol.TimeOf(h.now().Add(time.Millisecond)), at(1)); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("a clock that stands still: %v, want kind busy", err)
	}
}

func TestSlowLooks(t *testing.T) {
	h := newHand()
	w := newWorld(t, h.now)
	looks := 0
	slow := func(n int) func(context.Context) (statement.Statement, error) {
		return func(context.Context) (statement.Statement, error) {
			if looks++; looks <= n {
				h.move(2 * time.Minute)
			}
			return at(1)(ctx)
		}
	}
	if _, err := w.Sign(ctx, 0, slow(2)); err != nil || looks != 3 {
		t.Errorf("%d looks, %v", looks, err)
	}
	looks = 0
	if _, err := w.Sign(ctx, 0, slow(9)); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("always slow: %v, want kind busy", err)
	}
	broken := errors.New("broken")
	if _, err := w.Sign(ctx, 0, func(context.Context) (statement.Statement, error) { return statement.Statement{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a look that fails: %v", err)
	}
	if _, err := w.Sign(ctx, 0, func(context.Context) (statement.Statement, error) { return statement.Statement{}, nil }); protocol.KindOf(err) != protocol.KindInternal {
		t.Errorf("nothing to say: %v, want kind internal", err)
	}
}
