// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// looker is a state whose device has joined the world of a provider.
type looker struct {
	*world
	*State
	p *directorytest.Provider
}

func newLooker(t *testing.T) *looker {
	t.Helper()
	w := newWorld(t)
	l := &looker{world: w, State: w.joined(), p: directorytest.New(t)}
	must(t, l.SetWorld(l.p.World))
	l.p.Move("ada", w.batch.State)
	l.p.Publish()
	return l
}

// look looks the own name up from what is remembered.
func (l *looker) look() (old, view *directory.View, pin, next *directory.Pin) {
	l.t.Helper()
	var err error
	old, err = l.View()
	must(l.t, err)
	pin, err = l.Pin("ada")
	must(l.t, err)
	var size, since uint64
	if old != nil {
		size = old.Size()
	}
	if pin != nil {
		since = pin.Version
	}
	view, found, err := l.p.World.Look(old, "ada", l.p.Lookup("ada", since, size))
	must(l.t, err)
	standing, err := found.Standing(pin, l.batch.State, l.p.Now())
	if err != nil {
		return old, view, pin, nil
	}
	return old, view, pin, standing.Pin()
}

// TestWorldStays: a device joins one world, once; other witnesses are a local act.
func TestWorldStays(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	_, err := s.World()
	wantKind(t, err, protocol.KindNotFound)
	p, other := directorytest.New(t), directorytest.New(t)
	must(t, s.SetWorld(p.World))
	must(t, s.SetWorld(p.World))
	wantKind(t, s.SetWorld(other.World), protocol.KindExists)
	wantKind(t, s.ChangeWorld(other.World), protocol.KindUsage)
	policy, err := tlog.ParsePolicy([]byte("log " + p.World.Log().String() + "\nquorum none\n"))
	must(t, err)
	changed, err := directory.NewWorld(policy, p.World.VRF(), p.World.Statements())
	must(t, err)
	must(t, s.ChangeWorld(changed))
	got, err := w.again().World()
	must(t, err)
	if got.Hash() != changed.Hash() {
		t.Error("another world after a restart")
	}
	spoil(t, s.path(nameWorld), func(b []byte) []byte { return b[:len(b)-9] })
	_, err = s.World()
	wantKind(t, err, protocol.KindUntrusted)
	wantKind(t, s.SetWorld(p.World), protocol.KindUntrusted)
	must(t, writeDocument(s.path(nameWorld), "world", worldFile{Hash: p.World.Hash(), World: other.World.Bytes()}))
	_, err = s.World()
	wantKind(t, err, protocol.KindUntrusted)
}

// TestViewMovesForwardOnly: from what is remembered, and from nothing else.
func TestViewMovesForwardOnly(t *testing.T) {
	l := newLooker(t)
	if v, err := l.View(); v != nil || err != nil {
		t.Fatalf("a view at first: %v", err)
	}
	_, first, _, _ := l.look()
	must(t, l.AdvanceView(nil, first))
	must(t, l.AdvanceView(first, first))
	l.p.Pass(time.Minute)
	l.p.Publish()
	old, second, _, _ := l.look()
	wantKind(t, l.AdvanceView(nil, second), protocol.KindConflict)
	must(t, l.AdvanceView(old, second))
	wantKind(t, l.AdvanceView(old, second), protocol.KindConflict)
	wantKind(t, l.AdvanceView(second, first), protocol.KindUntrusted)
	got, err := l.again().View()
	must(t, err)
	if got.Size() != second.Size() || got.Checkpoint() != second.Checkpoint() {
		t.Errorf("size %d after a restart", got.Size())
	}
	spoil(t, l.path(nameView), func(b []byte) []byte { return []byte(strings.Replace(string(b), "A", "B", 1)) })
	_, err = l.View()
	wantKind(t, err, protocol.KindUntrusted)
	wantKind(t, l.AdvanceView(second, second), protocol.KindUntrusted)
}

// TestViewOfAnotherLog: a view is held to the log that the device joined.
func TestViewOfAnotherLog(t *testing.T) {
	l, other := newLooker(t), newLooker(t)
	_, view, _, _ := other.look()
	must(t, l.AdvanceView(nil, view))
	if _, err := l.View(); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a view of another log: %v", err)
	}
}

// TestPinMovesForwardOnly: a name's versions never go back, nor does another
// process overtake.
func TestPinMovesForwardOnly(t *testing.T) {
	l := newLooker(t)
	_, _, _, first := l.look()
	must(t, l.AdvancePin(nil, first))
	must(t, l.AdvancePin(first, first))
	wantKind(t, l.AdvancePin(nil, first), protocol.KindConflict)
	second := *first
	second.Version, second.Ledger.Seq = 2, first.Ledger.Seq+1
	for what, change := range map[string]func(*directory.Pin){
		"a lower version":          func(p *directory.Pin) { p.Version = 0 },
		"another of one version":   func(p *directory.Pin) { p.Version, p.Chain = 1, protocol.Hash{9} },
		"another account":          func(p *directory.Pin) { p.Account[0]++ },
		"a ledger that went back":  func(p *directory.Pin) { p.Ledger.Seq = 0 },
		"another ledger, one seq.": func(p *directory.Pin) { p.Version, p.Ledger.Hash = 1, protocol.Hash{9} },
	} {
		bad := second
		change(&bad)
		if err := l.AdvancePin(first, &bad); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, l.AdvancePin(first, &second))
	got, err := l.again().Pin("ada")
	must(t, err)
	if !samePin(got, &second) || got.Shown == nil {
		t.Errorf("%+v after a restart", got)
	}
	contact := second
	contact.Name = "bob/../../x"
	must(t, l.AdvancePin(nil, &contact))
	names, err := l.again().Names()
	must(t, err)
	if strings.Join(names, " ") != "ada bob/../../x" {
		t.Errorf("names %q", names)
	}
	must(t, os.Rename(l.pinPath("ada"), l.pinPath("eve")))
	_, err = l.Pin("eve")
	wantKind(t, err, protocol.KindUntrusted)
}

// TestBeliefsInOnePiece stops each write at every step: the one before stands.
func TestBeliefsInOnePiece(t *testing.T) {
	l := newLooker(t)
	_, view, _, pin := l.look()
	must(t, l.AdvanceView(nil, view))
	must(t, l.AdvancePin(nil, pin))
	for _, path := range []string{l.path(nameView), l.pinPath("ada"), l.path(nameWorld)} {
		whole, err := os.ReadFile(path)
		must(t, err)
		dir, base := path[:strings.LastIndex(path, "/")], path[strings.LastIndex(path, "/")+1:]
		for cut := 0; cut <= len(whole); cut += 97 {
			must(t, os.WriteFile(dir+"/"+tempPrefix+base+"-1", whole[:cut], 0o600))
			s := l.again()
			if v, err := s.View(); err != nil || v.Size() != view.Size() {
				t.Fatalf("%s cut at %d: %v", base, cut, err)
			}
			if p, err := s.Pin("ada"); err != nil || !samePin(p, pin) {
				t.Fatalf("%s cut at %d: %v", base, cut, err)
			}
		}
	}
	must(t, os.RemoveAll(l.path(nameNames)))
	must(t, os.WriteFile(l.path(nameNames), nil, 0o600))
	if err := l.AdvancePin(nil, pin); err == nil {
		t.Error("a pin was written where nothing can be")
	}
	if v, err := l.View(); err != nil || v == nil {
		t.Errorf("what was there before is lost: %v", err)
	}
}

// TestSaidIsTheNewest keeps the newest statement of each subject.
func TestSaidIsTheNewest(t *testing.T) {
	l := newLooker(t)
	account := l.batch.State.Account()
	key := l.p.World.Statements()
	say := func(kind statement.Kind, vault protocol.VaultID, seq uint64) *statement.Signed {
		t.Helper()
		q := statement.Question{Log: l.p.World.Log().ID(), Kind: kind, Account: account, Vault: vault, Nonce: [16]byte{1}}
		signed, err := key.Verify(l.p.Say(q, statement.Statement{Seq: seq, Hash: protocol.Hash{byte(seq)}}))
		must(t, err)
		return signed
	}
	first, second := say(statement.KindLedger, protocol.VaultID{}, 1), say(statement.KindLedger, protocol.VaultID{}, 2)
	of := subjectOf(first)
	if got, err := l.Said(of); got != nil || err != nil {
		t.Fatalf("something was said: %v", err)
	}
	must(t, l.KeepSaid(second))
	must(t, l.KeepSaid(first))
	must(t, l.KeepSaid(say(statement.KindVault, protocol.VaultID{1}, 7)))
	must(t, l.KeepSaid(say(statement.KindVault, protocol.VaultID{2}, 8)))
	got, err := l.again().Said(of)
	must(t, err)
	if got.Statement().Seq != 2 {
		t.Errorf("entry %d", got.Statement().Seq)
	}
	all, err := l.again().AllSaid(statement.KindVault)
	must(t, err)
	if len(all) != 2 {
		t.Errorf("%d statements about vaults", len(all))
	}
	wantKind(t, l.DropReceipt(second), protocol.KindInternal)
	receipt := l.p.Promise(account, &directory.Update{Index: protocol.Hash{1}, Version: 3})
	must(t, l.KeepSaid(receipt))
	must(t, l.DropReceipt(receipt))
	if all, err = l.AllSaid(statement.KindReceipt); len(all) != 0 || err != nil {
		t.Errorf("%d receipts, %v", len(all), err)
	}
	must(t, os.Rename(l.saidPath(subjectOf(all2(t, l)[0])), l.saidPath(of)))
	_, err = l.Said(of)
	wantKind(t, err, protocol.KindUntrusted)
	stranger := statement.Generate()
	forged, err := stranger.Sign(first.Statement())
	must(t, err)
	must(t, writeDocument(l.saidPath(of), "statement", saidFile{Statement: forged.Bytes()}))
	_, err = l.Said(of)
	wantKind(t, err, protocol.KindUntrusted)
}

func all2(t *testing.T, l *looker) []*statement.Signed {
	t.Helper()
	all, err := l.AllSaid(statement.KindVault)
	must(t, err)
	return all
}

// TestFollowStoresNothing tells where entries would lead.
func TestFollowStoresNothing(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	more := w.more("desk")
	folded, err := s.FollowLedger(more.Entries)
	must(t, err)
	if folded.Head() != more.State.Head() {
		t.Error("it leads elsewhere")
	}
	if head, _, err := s.LedgerHead(); head != w.batch.State.Head() || err != nil {
		t.Errorf("the mark moved: %v", err)
	}
	_, err = s.FollowLedger(nil)
	wantKind(t, err, protocol.KindUntrusted)
}

// TestForgetForgetsBeliefs leaves nothing behind but what an alarm was about.
func TestForgetForgetsBeliefs(t *testing.T) {
	l := newLooker(t)
	_, view, _, pin := l.look()
	must(t, l.AdvanceView(nil, view))
	must(t, l.AdvancePin(nil, pin))
	_, err := l.RaiseAlarm(someAlarm(1), []byte("x"))
	must(t, err)
	must(t, l.Forget())
	left, err := os.ReadDir(l.Dir())
	must(t, err)
	for _, e := range left {
		if !strings.HasPrefix(e.Name(), "lock") && e.Name() != "alarms.past-1" {
			t.Errorf("%s is left", e.Name())
		}
	}
}
