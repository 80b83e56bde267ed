// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

func TestOriginComesFirstAndOnce(t *testing.T) {
	l := newSimLogOf(t, simLogKey(t, simOrigin))
	alice := newSimName(t, 1)
	l.refused("an update at the start", alice.next(l.key), RuleOrigin)
	l.refused("a root at the start", &Entry{Root: &Root{Size: 1, Time: simStart}}, RuleOrigin)
	if _, err := l.replay.NextRoot(context.Background(), simStart); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("a root before the origin: %v", err)
	}
	l.add(simOriginEntry(t))
	l.refused("a second origin", simOriginEntry(t), RuleOrigin)
	if l.replay.Rooted() {
		t.Error("an origin alone is no checkpoint")
	}
	l.root()
	l.refused("an origin later", simOriginEntry(t), RuleOrigin)
	if !l.replay.Rooted() || *l.replay.Origin() != *simOriginEntry(t).Origin {
		t.Error("the origin is not what it was")
	}
}

func TestUpdateRules(t *testing.T) {
	l := newSimLog(t)
	alice, mallory := newSimName(t, 1), newSimName(t, 2)
	update := func(version uint64, key, next *UpdateSecret) *Entry {
		return &Entry{Update: NewUpdate(l.key, alice.index, version, alice.opening(version), key, next)}
	}
	l.refused("a first version of 2", update(2, alice.key(2), alice.key(3)), RuleVersion)
	for _, rooted := range []bool{false, true} {
		if rooted {
			l.root()
		} else {
			l.add(alice.next(l.key))
		}
		l.refused("version 1 again", update(1, alice.key(1), alice.key(2)), RuleVersion)
		l.refused("version 1 by somebody else", update(1, mallory.key(1), mallory.key(2)), RuleVersion)
		l.refused("version 3 after 1", update(3, alice.key(2), alice.key(4)), RuleVersion)
		l.refused("a key that was not named", update(2, mallory.key(2), mallory.key(3)), RuleKey)
		l.refused("the key of the version before", update(2, alice.key(1), alice.key(3)), RuleKey)
	}
	good := update(2, alice.key(2), alice.key(3))
	for what, change := range map[string]func(u *Update){
		"another commitment": func(u *Update) { u.Commitment = simHash("other", 0) },
		"another next":       func(u *Update) { u.Next = KeyHash(mallory.key(3).Public()) },
		"closed":             func(u *Update) { u.Next = protocol.Hash{} },
		"a broken signature": func(u *Update) { u.Signature[0] ^= 1 },
	} {
		bad := *good.Update
		change(&bad)
		l.refused(what, &Entry{Update: &bad}, RuleSignature)
	}
	other := &Entry{Update: NewUpdate(simLogKey(t, simOrigin), alice.index, 2, alice.opening(2), alice.key(2), alice.key(3))}
	l.refused("signed for another log", other, RuleSignature)
	l.add(good)
	if leaf := l.leaf(alice); leaf.Version != 2 || leaf.Position != l.replay.Size()-1 || leaf.Identity != 0 ||
		leaf.Chain != Chain(Chain(protocol.Hash{}, Commit(alice.index, 1, alice.opening(1))), Commit(alice.index, 2, alice.opening(2))) {
		t.Errorf("the leaf is %+v", leaf)
	}
}

// TestReplayOfASignature: what was accepted once is never accepted again.
func TestReplayOfASignature(t *testing.T) {
	l := newSimLog(t)
	alice := newSimName(t, 1)
	var made []*Entry
	for range 3 {
		made = append(made, alice.next(l.key))
		l.add(made[len(made)-1])
		for _, e := range made {
			l.refused("an old update", e, RuleVersion)
		}
		l.root()
	}
}

func TestClosedNameStaysClosed(t *testing.T) {
	l := newSimLog(t)
	alice, bob := newSimName(t, 1), newSimName(t, 2)
	l.add(alice.next(l.key), alice.close(l.key))
	for range 2 {
		l.refused("an update", &Entry{Update: NewUpdate(l.key, alice.index, 3, alice.opening(3), alice.key(3), alice.key(4))}, RuleClosed)
		l.refused("a first version", &Entry{Update: NewUpdate(l.key, alice.index, 1, bob.opening(1), bob.key(1), bob.key(2))}, RuleClosed)
		l.refused("a notice", bob.notice(l.key, alice), RuleClosed)
		l.root()
	}
	if c := l.replay.Counts(); c.Names != 1 || c.Closed != 1 || c.Updates != 2 {
		t.Errorf("counted %+v", c)
	}
}

func TestNoticeAndReassign(t *testing.T) {
	l := newSimLog(t)
	alice, bob := newSimName(t, 1), newSimName(t, 2)
	reassign := func(notice uint64) *Entry { return &Entry{Reassign: &Reassign{Index: alice.index, Notice: notice}} }
	l.refused("a notice of no name", bob.notice(l.key, &simName{index: alice.index, version: 1}), RuleNotice)
	l.add(alice.next(l.key))
	l.refused("a reassignment without notice", reassign(0), RuleDelay)
	l.refused("a notice of a version to come", bob.notice(l.key, &simName{index: alice.index, version: 2}), RuleNotice)
	bad := bob.notice(l.key, alice)
	bad.Notice.Signature[1] ^= 1
	l.refused("a notice that its key did not sign", bad, RuleSignature)

	position := l.replay.Size()
	l.add(bob.notice(l.key, alice))
	if leaf := l.leaf(alice); leaf.Version != 1 || leaf.Notice == nil || leaf.Notice.Position != position {
		t.Fatalf("the notice changes more than itself: %+v", leaf)
	}
	l.refused("the same notice again", bob.notice(l.key, alice), RuleNotice)
	l.refused("a reassignment before the next root", reassign(position), RuleDelay)
	l.wait(simHour)
	if leaf := l.leaf(alice); leaf.Notice.Time != l.at {
		t.Errorf("the notice is of %s, want %s", leaf.Notice.Time, l.at)
	}
	l.refused("a reassignment at once", reassign(position), RuleDelay)
	l.wait(ReassignDelay - 1)
	l.refused("a reassignment a moment early", reassign(position), RuleDelay)
	l.refused("a reassignment by another notice", reassign(position+1), RuleDelay)
	l.wait(1)
	l.add(reassign(position))
	want := &Leaf{
		Version: 2, Chain: Chain(protocol.Hash{}, Commit(alice.index, 2, bob.opening(2))), Next: KeyHash(bob.key(3).Public()),
		Position: l.replay.Size() - 1, Identity: 1,
	}
	if leaf := l.leaf(alice); *leaf != *want {
		t.Errorf("the leaf is %+v, want %+v", leaf, want)
	}
	l.refused("a second reassignment", reassign(position), RuleDelay)
	l.refused("the old identity", &Entry{Update: NewUpdate(l.key, alice.index, 3, alice.opening(3), alice.key(2), alice.key(3))}, RuleKey)
	l.add(&Entry{Update: NewUpdate(l.key, alice.index, 3, bob.opening(3), bob.key(3), bob.key(4))})
	l.root()
	if leaf := l.leaf(alice); leaf.Identity != 1 || leaf.Version != 3 {
		t.Errorf("the leaf is %+v", leaf)
	}
}

// TestNoticeCannotBlockOrRush: an update is as good as before and clears the
// notice; a second notice waits the whole delay; what was cleared is gone.
func TestNoticeCannotBlockOrRush(t *testing.T) {
	l := newSimLog(t)
	alice, bob, carol := newSimName(t, 1), newSimName(t, 2), newSimName(t, 3)
	reassign := func(notice uint64) *Entry { return &Entry{Reassign: &Reassign{Index: alice.index, Notice: notice}} }
	l.add(alice.next(l.key))
	first := l.replay.Size()
	l.add(bob.notice(l.key, alice))
	l.wait(ReassignDelay - simHour)
	second := l.replay.Size()
	l.add(carol.notice(l.key, alice))
	l.wait(simHour)
	l.refused("the notice that was taken over", reassign(first), RuleDelay)
	l.refused("the age of another notice", reassign(second), RuleDelay)
	old := carol.notice(l.key, alice)
	l.add(alice.next(l.key))
	if leaf := l.leaf(alice); leaf.Notice != nil || leaf.Version != 2 {
		t.Fatalf("an update leaves the notice: %+v", leaf)
	}
	l.wait(2 * ReassignDelay)
	l.refused("a notice that was answered", reassign(second), RuleDelay)
	l.refused("an answered notice again", old, RuleNotice)
}

func TestAnchorRules(t *testing.T) {
	l := newSimLogOf(t, simLogKey(t, simOrigin))
	alice := newSimName(t, 1)
	anchor := func(period Period, slot uint64) *Entry {
		return &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, period, slot), simHash("box", slot))}
	}
	today := DayOf(simStart)
	l.add(simOriginEntry(t))
	l.refused("before the log has a time", anchor(today, 0), RulePeriod)
	l.root()
	l.refused("tomorrow", anchor(today.Next(), 0), RulePeriod)
	l.refused("the day before yesterday", anchor(DayOf(simStart-2*day), 0), RulePeriod)
	l.refused("the next month", anchor(MonthOf(simStart).Next(), 0), RulePeriod)
	l.add(anchor(today, 0), anchor(DayOf(simStart-day), 0), anchor(MonthOf(simStart), 0))
	for range 2 {
		l.refused("the same slot", anchor(today, 0), RuleIndex)
		l.root()
	}
	other := anchor(today, 1)
	other.Anchor.Index = simHash("index", 7)
	l.refused("an index of one's choice", other, RuleIndex)
	moved := anchor(today, 1)
	moved.Anchor.Period = MonthOf(simStart)
	l.refused("moved to another period", moved, RuleIndex)
	moved.Anchor.Index = anchorIndex(moved.Anchor.Period, moved.Anchor.Key)
	l.refused("moved with its index", moved, RuleSignature)
	changed := anchor(today, 1)
	changed.Anchor.Commitment = simHash("box", 99)
	l.refused("another commitment", changed, RuleSignature)
	l.refused("of another log", &Entry{Anchor: NewAnchor(simLogKey(t, simOrigin), DeriveAnchorKey(alice.secret, today, 1), simHash("box", 1))}, RuleSignature)
	l.add(anchor(today, 1))
	l.at = today.End() + PeriodGrace - 1
	l.root()
	l.add(anchor(today, 2))
	l.wait(1)
	l.refused("after its grace", anchor(today, 3), RulePeriod)
	if c := l.replay.Counts(); c.Anchors != 5 {
		t.Errorf("counted %+v", c)
	}
}

func TestRootRules(t *testing.T) {
	l := newSimLog(t)
	l.add(newSimName(t, 1).next(l.key))
	good, err := l.replay.NextRoot(context.Background(), l.at+simHour)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(r *Root)
		rule   Rule
	}{
		"a size too large":     {func(r *Root) { r.Size++ }, RuleRoot},
		"a size too small":     {func(r *Root) { r.Size-- }, RuleRoot},
		"other names":          {func(r *Root) { r.Names[5] ^= 1 }, RuleRoot},
		"no names":             {func(r *Root) { r.Names = protocol.Hash{} }, RuleRoot},
		"anchors that are not": {func(r *Root) { r.Anchors[0] = 1 }, RuleRoot},
		"an earlier time":      {func(r *Root) { r.Time = simStart - 1 }, RuleTime},
	} {
		bad := *good.Root
		c.change(&bad)
		l.refused(what, &Entry{Root: &bad}, c.rule)
	}
	l.add(good)
	l.root() // a heartbeat, of an earlier clock: the log's time stays
	if l.replay.Time() != simStart+simHour {
		t.Errorf("the log's time is %s", l.replay.Time())
	}
}

func TestNumberRules(t *testing.T) {
	l := newSimLog(t)
	first := &Entry{Policy: &Policy{Number: 1, Statement: "We keep what we were given."}}
	next := &Entry{Policy: &Policy{Number: 2, Prev: tlog.LeafHash(first.Bytes()), Statement: "And no more."}}
	l.refused("statement 2 first", next, RuleNumber)
	l.add(first)
	l.refused("statement 1 again", first, RuleNumber)
	wrong := *next.Policy
	wrong.Prev = simHash("other", 0)
	l.refused("another predecessor", &Entry{Policy: &wrong}, RuleNumber)
	skipped := *next.Policy
	skipped.Number = 3
	l.refused("a number left out", &Entry{Policy: &skipped}, RuleNumber)
	l.root()
	l.add(next)

	use := func(key, number uint64) *Entry {
		return &Entry{Custodian: &Custodian{Custodian: simHash("custodian", key), Number: number, Commitment: simHash("use", number)}}
	}
	release := func(program string, number uint64) *Entry {
		return &Entry{Release: &Release{Program: program, Version: "1.0", Manifest: simHash("manifest", number), Number: number}}
	}
	l.refused("use 2 first", use(1, 2), RuleNumber)
	l.refused("release 2 first", release("solekey", 2), RuleNumber)
	l.add(use(1, 1), use(2, 1), use(1, 2), release("solekey", 1), release("solekeyd", 1), release("solekey", 2))
	l.refused("use 2 again", use(1, 2), RuleNumber)
	l.refused("release 4", release("solekey", 4), RuleNumber)
	l.root()
	l.add(use(1, 3))
	l.wait(36 * simHour) // into April
	got := map[protocol.Hash]string{}
	for _, u := range l.replay.Custodians() {
		got[u.Custodian] = fmt.Sprint(u.Number, u.Months)
	}
	if got[simHash("custodian", 1)] != "3 [{2026-03 2} {2026-04 1}]" || got[simHash("custodian", 2)] != "1 [{2026-03 1}]" {
		t.Errorf("uses are %v", got)
	}
	if programs := fmt.Sprint(l.replay.Programs()); programs != "[{solekey 2} {solekeyd 1}]" {
		t.Errorf("releases are %s", programs)
	}
}

// TestBoundsOnWhatIsRemembered: a log cannot make a replay remember without end.
func TestBoundsOnWhatIsRemembered(t *testing.T) {
	l := newSimLog(t)
	for i := range uint64(MaxCustodians) {
		l.add(&Entry{Custodian: &Custodian{Custodian: simHash("custodian", i), Number: 1}})
		l.add(&Entry{Release: &Release{Program: fmt.Sprint("p", i), Version: "1", Number: 1}})
	}
	l.refused("one custodian more", &Entry{Custodian: &Custodian{Custodian: simHash("custodian", MaxCustodians), Number: 1}}, RuleNumber)
	l.refused("one program more", &Entry{Release: &Release{Program: "one-more", Version: "1", Number: 1}}, RuleNumber)
	l.root()
	l.replay.now.Size += MaxBatch - 1 // as if so many had come
	l.add(&Entry{Custodian: &Custodian{Custodian: simHash("custodian", 0), Number: 2}})
	l.refused("one entry more", &Entry{Custodian: &Custodian{Custodian: simHash("custodian", 0), Number: 3}}, RuleBatch)
	l.root()
	l.add(&Entry{Custodian: &Custodian{Custodian: simHash("custodian", 0), Number: 3}})
}

func TestFormatRules(t *testing.T) {
	l := newSimLog(t)
	alice := newSimName(t, 1)
	good := alice.next(l.key).Bytes()
	newer := append([]byte(nil), good...)
	newer[2] = 2
	l.refusedRaw("nothing", nil, RuleFormat)
	l.refusedRaw("a byte more", append(append([]byte(nil), good...), 0), RuleFormat)
	l.refusedRaw("cut off", good[:len(good)-1], RuleFormat)
	l.refusedRaw("another version", newer, RuleKnown)
	for kind, raw := range map[string][]byte{
		"kind 0":   {0xa2, 1, 1, 2, 0xa1, 0x00, 0xa0},
		"kind 10":  {0xa2, 1, 1, 2, 0xa1, 0x0a, 0xa0},
		"kind 300": {0xa2, 1, 1, 2, 0xa1, 0x19, 0x01, 0x2c, 0xa0},
	} {
		l.refusedRaw(kind, raw, RuleKnown)
	}
	l.refusedRaw("a third field", []byte{0xa3, 1, 1, 2, 0xa1, 0x01, 0xa0, 3, 1}, RuleFormat)
}

// TestStoreFaults: an error of the store is no breach, and the entry can be fed
// again.
func TestStoreFaults(t *testing.T) {
	l := newSimLog(t)
	for i := range uint64(40) {
		l.add(newSimName(t, i).next(l.key))
	}
	l.root()
	names, state := l.raws, l.replay.State()
	fault := errors.New("the disk is on fire")
	store := &faultyStore{NodeStore: l.store, err: fault}
	r, err := ResumeReplay(l.key, store, state)
	if err != nil {
		t.Fatal(err)
	}
	alice := newSimName(t, 3)
	alice.version = 1
	raw := alice.next(l.key).Bytes()
	var b *Breach
	if err := r.Entry(context.Background(), raw); !errors.Is(err, fault) || errors.As(err, &b) {
		t.Fatalf("a fault of the store: %v", err)
	}
	store.err = nil
	if err := r.Entry(context.Background(), raw); err != nil || r.Size() != uint64(len(names))+1 {
		t.Fatalf("after the fault: %v", err)
	}
	root, err := r.NextRoot(context.Background(), l.at)
	if err != nil {
		t.Fatal(err)
	}
	cold, err := ResumeReplay(l.key, store, state)
	if err != nil {
		t.Fatal(err)
	}
	for after := 0; ; after++ {
		store.err, store.after = fault, after
		err := cold.Entries(context.Background(), [][]byte{raw, root.Bytes()}[cold.Size()-uint64(len(names)):])
		if err == nil {
			break
		}
		if !errors.Is(err, fault) || after > 20 {
			t.Fatalf("fault %d: %v", after, err)
		}
	}
	if !cold.Rooted() || cold.Size() != uint64(len(names))+2 {
		t.Errorf("it stands at %d", cold.Size())
	}
}

// faultyStore fails after some reads.
type faultyStore struct {
	NodeStore
	err   error
	after int
}

func (f *faultyStore) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	if f.after--; f.err != nil && f.after < 0 {
		return nil, f.err
	}
	return f.NodeStore.Tile(ctx, name)
}
