// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/tlog"
)

// part returns what the provider's checkpoint of a number shows to who holds a
// view of the size.
func part(p *directorytest.Provider, number int, size uint64) *directory.CheckpointPart {
	return &p.LookupAt(number, "someone", 0, size).CheckpointPart
}

// newest is part of the newest checkpoint.
func newest(p *directorytest.Provider, size uint64) *directory.CheckpointPart {
	return part(p, len(p.Heads())-1, size)
}

func mustAdvance(t testing.TB, p *directorytest.Provider, old *directory.View) *directory.View {
	t.Helper()
	size := uint64(0)
	if old != nil {
		size = old.Size()
	}
	v, err := p.World.Advance(old, newest(p, size))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAViewMovesForward(t *testing.T) {
	p := directorytest.New(t)
	var v *directory.View
	for range 4 {
		p.Pass(time.Hour)
		p.Move("anna", newHolder(t, "anna").state)
		h := p.Publish()
		next := mustAdvance(t, p, v)
		if next.Checkpoint() != h.Checkpoint || next.Names() != h.Root.Names || next.Anchors() != h.Root.Anchors || next.LogTime() != h.Root.Time || !next.Witnessed() {
			t.Fatalf("the view is %+v, the log's head %+v", next, h)
		}
		if next.Time() != p.Now() || next.AsOf() != p.Now() || next.Age(p.Now()+5) != 5 || next.Age(p.Now()-5) != 0 {
			t.Errorf("the view is of %s, the clock shows %s", next.Time(), p.Now())
		}
		kept, err := p.World.ParseView(next.Bytes())
		if err != nil || !bytes.Equal(kept.Bytes(), next.Bytes()) || kept.Size() != next.Size() || kept.Names() != next.Names() {
			t.Fatalf("the view does not come back: %v", err)
		}
		again, err := p.World.Advance(kept, newest(p, kept.Size()))
		if err != nil || again.Size() != next.Size() {
			t.Fatalf("the same again: %v", err)
		}
		v = kept
	}
	if o := v.Origin(); o.Position != 0 || len(o.Entry) == 0 {
		t.Error("the log's first entry is forgotten")
	}
}

// TestAServerThatShowsAnotherLog plays what a server can do to who remembers.
func TestAServerThatShowsAnotherLog(t *testing.T) {
	p := directorytest.New(t)
	p.Publish()
	p.Publish()
	v := mustAdvance(t, p, nil)
	t.Run("an older one", func(t *testing.T) { // G27
		_, err := p.World.Advance(v, part(p, 1, v.Size()))
		a := mustAlarm(t, err, directory.AlarmRollback)
		if a.Provable() || a.Old == nil || a.New == nil {
			t.Error("it should come with both notes, and be no proof")
		}
	})
	fork := p.Fork()
	fork.Move("anna", newHolder(t, "anna").state)
	fork.Publish()
	t.Run("another of a larger size", func(t *testing.T) {
		p := directorytest.New(t) // with other keys
		if _, err := fork.World.Advance(v, newest(p, v.Size())); err == nil {
			t.Error("a log of another key is taken")
		}
		other := fork.Fork()
		part := newest(other, v.Size())
		part.Consistency[0][0] ^= 1
		_, err := fork.World.Advance(v, part)
		mustAlarm(t, err, directory.AlarmInconsistent)
		part.Consistency = nil
		_, err = fork.World.Advance(v, part)
		mustAlarm(t, err, directory.AlarmInconsistent)
	})
	p.Move("bert", newHolder(t, "bert").state)
	p.Publish()
	v = mustAdvance(t, p, v)
	t.Run("another of the same size", func(t *testing.T) { // G26
		if fork.Log.Head().Size != v.Size() {
			t.Fatal("the sizes differ")
		}
		_, err := p.World.Advance(v, newest(fork, v.Size()))
		if a := mustAlarm(t, err, directory.AlarmFork); !a.Provable() {
			t.Error("it should be a proof")
		}
		fork.Witnesses = nil
		fork.Cosign()
		_, err = p.World.Advance(v, newest(fork, v.Size()))
		mustAlarm(t, err, directory.AlarmFork) // also where nobody cosigned it
	})
}

func TestAMinorityOfWitnessesIsNoQuorum(t *testing.T) { // G26
	p := directorytest.WithWitnesses(t, 2, 3)
	all := p.Witnesses
	p.Witnesses = all[:1]
	p.Publish()
	_, err := p.World.Advance(nil, newest(p, 0))
	mustUnproven(t, err, directory.UnprovenQuorum)
	part := newest(p, 0)
	other, err := tlog.GenerateWitnessSecret("witness1.example", tlog.Ed25519) // the name of one, another key
	if err != nil {
		t.Fatal(err)
	}
	part.Note, err = tlog.Attach(part.Note, other.Cosign(part.Note, p.Log.Head(), p.Now()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.World.Advance(nil, part)
	mustUnproven(t, err, directory.UnprovenQuorum)
	p.Witnesses = all[1:]
	p.Cosign()
	mustAdvance(t, p, nil)
}

// shifted returns a part whose note the witness of a number cosigned at other
// times than the rest.
func shifted(t testing.TB, p *directorytest.Provider, size uint64, ahead ...time.Duration) *directory.CheckpointPart {
	t.Helper()
	part := newest(p, size)
	part.Note = p.Log.Secret.Sign(p.Log.Head())
	for i, w := range p.Witnesses {
		note, err := tlog.Attach(part.Note, w.Cosign(part.Note, p.Log.Head(), p.Now()+protocol.Time(ahead[i])))
		if err != nil {
			t.Fatal(err)
		}
		part.Note = note
	}
	return part
}

func TestTimes(t *testing.T) {
	p := directorytest.WithWitnesses(t, 2, 3)
	p.Publish()
	v := mustAdvance(t, p, nil)
	t.Run("one witness lies about the time", func(t *testing.T) {
		for _, lie := range []time.Duration{-1e5 * time.Hour, 1e5 * time.Hour} {
			v, err := p.World.Advance(nil, shifted(t, p, 0, 0, lie, 0))
			if err != nil || v.Time() != p.Now() {
				t.Errorf("a lie by %s: %v", lie, err)
			}
		}
	})
	t.Run("old cosignatures", func(t *testing.T) { // G32
		old, err := p.World.Advance(v, shifted(t, p, v.Size(), -30*time.Hour, -30*time.Hour, -30*time.Hour))
		if err == nil {
			t.Errorf("the log's time lies 30 hours after its witnesses': %v", old)
		}
		again, err := p.World.Advance(v, shifted(t, p, v.Size(), -time.Minute, -time.Minute, -time.Minute))
		if err != nil || again.Time() != v.Time() {
			t.Errorf("older cosignatures of the same take a newer one's place: %v", err)
		}
	})
	t.Run("the log stands still and is cosigned", func(t *testing.T) { // G32
		still := p.Fork()
		still.Pass(100 * time.Hour)
		still.Cosign()
		v := mustAdvance(t, still, v)
		if v.Time() != still.Now() || v.AsOf() != p.Now() {
			t.Errorf("cosigned at %s, of %s", v.Time(), v.AsOf())
		}
		mustUnproven(t, v.Fresh(p.Now()), directory.UnprovenAge) // also where the local clock was set back
	})
	t.Run("the log's time is ahead", func(t *testing.T) {
		ahead := p.Fork()
		ahead.Pass(11 * time.Minute)
		ahead.Publish()
		ahead.Pass(-11 * time.Minute)
		ahead.Cosign()
		_, err := p.World.Advance(v, newest(ahead, v.Size()))
		mustUnproven(t, err, directory.UnprovenClock)
	})
	t.Run("the log's time goes back", func(t *testing.T) {
		back := p.Fork()
		back.Pass(-time.Second)
		back.Publish()
		_, err := p.World.Advance(v, newest(back, v.Size()))
		if a := mustAlarm(t, err, directory.AlarmTime); !a.Provable() {
			t.Error("it should be a proof")
		}
	})
	t.Run("it gets old", func(t *testing.T) {
		hard, second := protocol.Time(directory.HardAge), protocol.Time(time.Second)
		if err := v.Fresh(p.Now() + hard); err != nil {
			t.Error(err)
		}
		mustUnproven(t, v.Fresh(p.Now()+hard+second), directory.UnprovenAge)
	})
}

func TestWithoutWitnessesTheProvidersWordIsAllThereIs(t *testing.T) {
	p := directorytest.WithWitnesses(t, 0, 0)
	p.Publish()
	v := mustAdvance(t, p, nil)
	if v.Witnessed() || v.Time() != 0 || v.AsOf() != p.Now() {
		t.Errorf("the view is of %s", v.AsOf())
	}
	mustUnproven(t, v.Fresh(p.Now()+protocol.Time(directory.HardAge)+1), directory.UnprovenAge)
	// A provider that dates its log into the future would look fresh for ever.
	mustUnproven(t, v.Fresh(p.Now()-protocol.Time(directory.SoftAge)-1), directory.UnprovenClock)
	if err := v.Fresh(p.Now() - protocol.Time(time.Hour)); err != nil {
		t.Errorf("a clock that is an hour slow: %v", err)
	}
}

func TestTheLastEntryIsARoot(t *testing.T) {
	p := directorytest.New(t)
	good := p.Publish()
	for name, e := range map[string]directory.Entry{
		"a policy statement":            {Policy: &directory.Policy{Number: 1, Statement: "none"}},
		"a root that covers too much":   {Root: &directory.Root{Size: good.Size + 1, Time: p.Now()}},
		"a root that covers too little": {Root: &directory.Root{Size: good.Size - 1, Time: p.Now()}},
		"nothing that can be read":      {},
	} {
		fork := p.Fork()
		fork.Log.Append(t, e.Bytes())
		part := newest(p, 0)
		c := fork.Log.Head()
		part.Note = fork.Log.NoteOf(t, c, p.Now(), p.Witnesses...)
		part.Root, part.RootProof = e.Bytes(), inclusion(t, fork, c.Size, c.Size-1)
		part.OriginProof = inclusion(t, fork, c.Size, 0)
		_, err := p.World.Advance(nil, part)
		if a := mustAlarm(t, err, directory.AlarmNoRoot); !a.Provable() {
			t.Errorf("%s should be a proof", name)
		}
		part.Root = append(bytes.Clone(part.Root), 0)
		_, err = p.World.Advance(nil, part)
		mustNothing(t, err) // an entry that is not the log's proves nothing
	}
	old := newest(p, 0)
	old.Root, old.RootProof = part(p, 0, 0).Root, inclusion(t, p, good.Size, 1)
	_, err := p.World.Advance(nil, old) // a root of before
	mustNothing(t, err)
}

func inclusion(t testing.TB, p *directorytest.Provider, size, position uint64) []protocol.Hash {
	t.Helper()
	proof, err := tlog.ProveInclusion(t.Context(), p, size, position)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// TestOneLogHasOneWorld: a provider that tells two people two VRF keys has two
// directories in one log, each of which is proved.
func TestOneLogHasOneWorld(t *testing.T) {
	p, other := directorytest.New(t), directorytest.New(t)
	for name, change := range map[string]func() (*directory.World, error){
		"another VRF key": func() (*directory.World, error) {
			return directory.NewWorld(p.World.Policy(), other.World.VRF(), p.World.Statements())
		},
		"another statement key": func() (*directory.World, error) {
			return directory.NewWorld(p.World.Policy(), p.World.VRF(), other.World.Statements())
		},
	} {
		w, err := change()
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Advance(nil, newest(p, 0))
		mustAlarm(t, err, directory.AlarmOrigin)
		if w.Hash() == p.World.Hash() {
			t.Errorf("%s has the hash of the world", name)
		}
	}
	without := newest(p, 0)
	without.Origin, without.OriginProof = nil, nil
	_, err := p.World.Advance(nil, without)
	mustNothing(t, err)
}

func TestAKeptViewIsHeldAgainstItsLog(t *testing.T) {
	p, other := directorytest.New(t), directorytest.New(t)
	v := mustAdvance(t, p, nil)
	if _, err := other.World.ParseView(v.Bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a view of another log is taken: %v", err)
	}
	if _, err := other.World.Advance(v, newest(other, v.Size())); protocol.KindOf(err) != protocol.KindInternal {
		t.Errorf("a view of another log moves forward: %v", err)
	}
	like, err := directory.NewWorld(other.World.Policy(), p.World.VRF(), p.World.Statements())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := like.VerifyName(v, "anna", p.Lookup("anna", 0, 0)); protocol.KindOf(err) != protocol.KindInternal {
		t.Errorf("a view of another log serves a look-up: %v", err)
	}
	raw := v.Bytes()
	for at := range raw {
		bad := bytes.Clone(raw)
		bad[at] ^= 1
		if w, err := p.World.ParseView(bad); err == nil && (w.Checkpoint() != v.Checkpoint() || w.Names() != v.Names() || w.LogTime() != v.LogTime()) {
			t.Fatalf("a view with byte %d changed is another one", at)
		}
	}
}
