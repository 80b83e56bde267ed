// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
)

// story writes a log of several weeks with everything in it. Every third name is
// lost: nobody updates it, and somebody else gives notice of it.
func story(t testing.TB, seed uint64, days int) *simLog {
	t.Helper()
	l := newSimLog(t)
	r := rand.New(rand.NewPCG(seed, 2))
	var names []*simName
	for d := range days {
		for range 1 + r.IntN(2) {
			n := newSimName(t, uint64(len(names)))
			names = append(names, n)
			l.add(n.next(l.key))
		}
		for i, n := range names {
			if i%3 != 0 && r.IntN(6) == 0 && !l.leaf(n).Closed() {
				l.add(n.next(l.key))
			}
		}
		l.storyNames(r, names, uint64(d))
		for i := range uint64(r.IntN(4)) {
			l.add(&Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(names[0].secret, DayOf(l.at), i), simHash("box", i))})
		}
		if r.IntN(5) == 0 {
			l.add(&Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(names[0].secret, MonthOf(l.at), uint64(d)), simHash("box", 0))})
		}
		l.wait(day)
	}
	return l
}

// storyNames gives notices, carries out the ones that are due, and closes a name
// now and then.
func (l *simLog) storyNames(r *rand.Rand, names []*simName, d uint64) {
	for i, n := range names {
		leaf := l.leaf(n)
		switch {
		case leaf.Closed() || leaf.Identity > 0:
		case i%3 == 1 && r.IntN(40) == 0:
			l.add(n.close(l.key))
		case i%3 == 0 && leaf.Notice == nil:
			l.add(newSimName(l.t, 1000+d).notice(l.key, n))
		case i%3 == 0 && l.at >= leaf.Notice.Time+ReassignDelay:
			l.add(&Entry{Reassign: &Reassign{Index: n.index, Notice: leaf.Notice.Position}})
		}
	}
}

// TestReplayIsDeterministic replays one log in every way there is: entry by
// entry, in batches of any size, resumed after every root, with the store that the
// replay itself filled.
func TestReplayIsDeterministic(t *testing.T) {
	ctx := context.Background()
	l := story(t, 1, 45)
	if c := l.replay.Counts(); c.Reassigns == 0 || c.Notices == 0 || c.Anchors == 0 || c.Closed == 0 {
		t.Fatalf("the story has not everything in it: %+v", c)
	}
	for _, batch := range []int{1, 7, len(l.raws)} {
		store := NewMemoryStore()
		r := NewReplay(l.key, store)
		for from := 0; from < len(l.raws); from += batch {
			if err := r.Entries(ctx, l.raws[from:min(from+batch, len(l.raws))]); err != nil {
				t.Fatal(err)
			}
			store.Apply(r.TakeChange())
			if r.Rooted() {
				resumed, err := ResumeReplay(l.key, store, r.State())
				if err != nil || !bytes.Equal(resumed.State(), r.State()) {
					t.Fatalf("resume: %v", err)
				}
				r = resumed
			}
		}
		if !bytes.Equal(r.State(), l.replay.State()) || store.Len() != l.store.Len() {
			t.Errorf("batches of %d: %d tiles, want %d, or another state", batch, store.Len(), l.store.Len())
		}
	}
}

// TestResumeGoesBackToTheRoot: entries after a root are not in the state, and are
// fed again.
func TestResumeGoesBackToTheRoot(t *testing.T) {
	ctx := context.Background()
	l := newSimLog(t)
	rooted := l.replay.State()
	l.add(newSimName(t, 1).next(l.key), newSimName(t, 2).next(l.key))
	if !bytes.Equal(l.replay.State(), rooted) || len(l.replay.TakeChange().New) != 0 {
		t.Fatal("entries without a root change the state")
	}
	r, err := ResumeReplay(l.key, l.store, l.replay.State())
	if err != nil || r.Size() != 2 {
		t.Fatalf("resumed at %d: %v", r.Size(), err)
	}
	if err := r.Entries(ctx, l.raws[2:]); err != nil {
		t.Fatal(err)
	}
	l.root()
	if err := r.Entry(ctx, l.raws[4]); err != nil || !bytes.Equal(r.State(), l.replay.State()) {
		t.Fatalf("it goes on elsewhere: %v", err)
	}
}

// TestEntriesStopAtTheBreach: what is before a breach counts, what is after does
// not, wherever it stands.
func TestEntriesStopAtTheBreach(t *testing.T) {
	l := newSimLog(t)
	var raws [][]byte
	for i := range uint64(2*chunk + 3) {
		raws = append(raws, newSimName(t, i).next(l.key).Bytes())
	}
	for _, at := range []int{0, chunk - 1, chunk, len(raws) - 1} {
		for what, damage := range map[string]func([]byte) []byte{
			"signature": func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw },
			"format":    func(raw []byte) []byte { return raw[1:] },
		} {
			r, err := ResumeReplay(l.key, l.store, l.replay.State())
			if err != nil {
				t.Fatal(err)
			}
			damaged := append([][]byte(nil), raws...)
			damaged[at] = damage(bytes.Clone(raws[at]))
			var b *Breach
			if err := r.Entries(context.Background(), damaged); !errors.As(err, &b) || b.Position != uint64(2+at) || string(b.Rule) != what || r.Size() != b.Position {
				t.Errorf("a damaged %s at %d: %v", what, at, err)
			}
		}
	}
}

func TestEntriesObservesAndCancels(t *testing.T) {
	l := newSimLog(t)
	var seen []string
	l.replay.Observe(func(position uint64, e *Entry) { seen = append(seen, fmt.Sprint(position, " ", e.Kind())) })
	l.add(newSimName(t, 1).next(l.key))
	l.root()
	if got := fmt.Sprint(seen); got != "[2 update 3 root]" {
		t.Errorf("seen: %s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.replay.Entries(ctx, [][]byte{newSimName(t, 2).next(l.key).Bytes()}); !errors.Is(err, context.Canceled) || l.replay.Size() != 4 {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPeriodsCloseAndLeave follows a day's tree through its life.
func TestPeriodsCloseAndLeave(t *testing.T) {
	ctx := context.Background()
	l := newSimLog(t)
	alice := newSimName(t, 1)
	today, month := DayOf(l.at), MonthOf(l.at)
	k := DeriveAnchorKey(alice.secret, today, 0)
	l.add(&Entry{Anchor: NewAnchor(l.key, k, simHash("box", 0))}, &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, month, 0), simHash("box", 1))})
	e, err := l.replay.NextRoot(ctx, l.at)
	if err != nil {
		t.Fatal(err)
	}
	l.add(e)
	change := l.replay.TakeChange()
	periods := map[Period]int{}
	for name, p := range change.Periods {
		if change.New[name] == nil {
			t.Errorf("tile %s of %s is not new", name, p)
		}
		periods[p]++
	}
	if periods[today] != 1 || periods[month] != 1 || len(change.Closed)+len(change.Left) != 0 {
		t.Errorf("tiles of periods: %v, closed %v, left %v", periods, change.Closed, change.Left)
	}
	l.store.Apply(change)

	_, anchors := l.replay.Roots()
	root, ok, err := NewTree(anchors, l.store).Look(ctx, today.Index())
	if err != nil || !ok {
		t.Fatalf("the day is not in the tree: %v", err)
	}
	p, err := NewTree(protocol.Hash(root), l.store).Prove(ctx, k.Index())
	if err != nil {
		t.Fatal(err)
	}
	if value, ok, err := p.Verify(protocol.Hash(root), k.Index()); err != nil || !ok || protocol.Hash(value) != simHash("box", 0) {
		t.Errorf("the anchor is %x, %v (%v)", value, ok, err)
	}
	// step adds a root of the time and returns what closed and what left.
	step := func(at protocol.Time) string {
		e, err := l.replay.NextRoot(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		l.add(e)
		c := l.replay.TakeChange()
		l.store.Apply(c)
		return fmt.Sprint(c.Closed, c.Left)
	}
	for _, s := range []struct {
		at   protocol.Time
		want string
	}{
		{today.End() + PeriodGrace - 1, "[] []"},
		{today.End() + PeriodGrace, "[2026-03-30] []"},
		{month.End() + PeriodGrace, "[2026-03] []"},
		{today.End() + PeriodKept - 1, "[] []"},
		{today.End() + PeriodKept, "[] [2026-03-30]"},
		{month.End() + PeriodKept - 1, "[] []"},
		{month.End() + PeriodKept, "[] [2026-03-31 2026-03]"},
	} {
		if got := step(s.at); got != s.want {
			t.Errorf("at %s: %s, want %s", s.at, got, s.want)
		}
	}
	if _, anchors := l.replay.Roots(); !anchors.IsZero() {
		t.Errorf("the tree over periods is %s", anchors)
	}
}

func TestResumeRefuses(t *testing.T) {
	l := story(t, 3, 5)
	good := l.replay.State()
	if _, err := ResumeReplay(simLogKey(t, simOrigin), l.store, good); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("of another log: %v", err)
	}
	if _, err := ResumeReplay(l.key, l.store, good[:len(good)-1]); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("cut off: %v", err)
	}
	newer := bytes.Clone(good)
	newer[2] = 2
	if _, err := ResumeReplay(l.key, l.store, newer); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("another version: %v", err)
	}
	for what, change := range map[string]func(*state){
		"no origin":        func(s *state) { s.Origin = nil },
		"a time before":    func(s *state) { s.Time = -1 },
		"a period":         func(s *state) { s.Periods[0].Period = "today" },
		"periods in order": func(s *state) { s.Periods = append(s.Periods, openPeriod{Period: "2020-01-01"}) },
		"an oldest day":    func(s *state) { s.OldestDay = "yesterday" },
	} {
		s, err := parseState(good, l.key.ID())
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		if _, err := ResumeReplay(l.key, l.store, s.bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPeriods(t *testing.T) {
	at := protocol.TimeOf(time.Date(2028, 2, 29, 23, 59, 59, 999, time.UTC))
	if DayOf(at) != "2028-02-29" || MonthOf(at) != "2028-02" || DayOf(at).Next() != "2028-03-01" || MonthOf(at).Next() != "2028-03" || Period("2027-12").Next() != "2028-01" {
		t.Error("days and months follow each other otherwise")
	}
	for _, good := range []string{"1970-01-01", "1970-01", "2028-02-29", "2199-12-31"} {
		if p, err := ParsePeriod(good); err != nil || string(p) != good || p.End() <= p.Start() {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "2028", "2028-2", "2028-13", "2027-02-29", "2028-02-29 ", "2028-02-029", "+028-02-01", "2028/02/01", "1969-12-31", "2200-01", "12028-01", "２028-01"} {
		if p, err := ParsePeriod(bad); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%q reads as %s", bad, p)
		}
	}
}
