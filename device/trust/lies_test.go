// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// onlyBefore answers every look-up under an old checkpoint.
func onlyBefore(w *world, number int) func(client.Question) *directory.Answer {
	return func(q client.Question) *directory.Answer {
		return w.p.LookupAt(number, q.Name, q.Since, q.Size)
	}
}

// forward lets hours pass at a provider that keeps what is queued back, and makes
// the world answer as it does.
func forward(w *world, hidden *directorytest.Provider, hours int) {
	w.t.Helper()
	hidden.Drop()
	hidden.Pass(time.Duration(hours) * time.Hour)
	w.p.Set(hidden.Now())
	hidden.Publish()
	w.lookup = func(q client.Question) *directory.Answer { return hidden.Lookup(q.Name, q.Since, q.Size) }
}

// proves holds an alarm's evidence to what a stranger can check.
func proves(t *testing.T, d *device, h *Held, words string) {
	t.Helper()
	if h == nil || h.Evidence == "" {
		t.Fatalf("there is no evidence: %v", h)
	}
	raw, err := os.ReadFile(h.Evidence)
	must(t, err)
	verdict, err := evidence.Verify(raw, evidence.Options{Log: d.world.Log()})
	must(t, err)
	if !strings.Contains(verdict.What, words) {
		t.Errorf("the evidence says %q, want %q in it", verdict.What, words)
	}
}

// remembered returns what a device relies on, to see that nothing moved.
func (d *device) remembered() (size uint64, version uint64, head uint64) {
	d.w.t.Helper()
	view, err := d.kept.View()
	must(d.w.t, err)
	pin, err := d.kept.Pin(d.name)
	must(d.w.t, err)
	at, _, err := d.kept.LedgerHead()
	must(d.w.t, err)
	return view.Size(), pin.Version, at.Seq
}

// wantAlarm looks and demands an alarm of a kind, that nothing moved, that it
// holds writes also after a restart and when the provider is honest again, and
// that reading goes on until and after the user took note.
func (d *device) wantAlarm(kind directory.AlarmKind, words string) *Held {
	d.w.t.Helper()
	size, version, head := d.remembered()
	_, err := d.Sync(bg)
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != string(kind) || protocol.KindOf(err) != protocol.KindUntrusted || !strings.Contains(err.Error(), words) {
		d.w.t.Fatalf("no alarm of kind %s with %q: %v", kind, words, err)
	}
	if s, v, at := d.remembered(); s != size || v != version || at != head {
		d.w.t.Errorf("%s moved what the device remembers", kind)
	}
	out, err := d.Read(bg)
	if err != nil || out.Status != StatusAlarmed || out.Standing != nil || out.State.Head().Seq != head {
		d.w.t.Errorf("%s: reading does not go on: %+v, %v", kind, out, err)
	}
	again, err := d.kept.Alarms()
	must(d.w.t, err)
	if len(again) != 1 {
		d.w.t.Errorf("%s: one alarm became %d", kind, len(again))
	}
	d.w.honest()
	d.restart()
	if _, err := d.Sync(bg); HeldBy(err) == nil {
		d.w.t.Errorf("%s: an honest answer made the device forget: %v", kind, err)
	}
	if _, err := d.tryAppend(nil); HeldBy(err) == nil {
		d.w.t.Errorf("%s: the device writes: %v", kind, err)
	}
	must(d.w.t, d.kept.NoteAlarm(h.Alarm.Number, 1))
	return h
}

// TestRollbackOfTheLog serves yesterday's log (G10, G27).
func TestRollbackOfTheLog(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.rename("today")
	d.synced()
	w.lookup = onlyBefore(w, 1)
	d.wantAlarm(directory.AlarmRollback, "older state of its log")
	d.wantStatus("honest again", StatusFresh)
}

// TestForkOfTheLog serves another log of the same size, and of a larger one (G26).
func TestForkOfTheLog(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	fork := w.p.Fork()
	w.p.Pass(time.Minute)
	w.p.Publish()
	d.synced()
	fork.Pass(2 * time.Minute)
	fork.Publish() // of the same size, with another time in its root
	w.lookup = func(q client.Question) *directory.Answer { return fork.Lookup(q.Name, q.Since, q.Size) }
	h := d.wantAlarm(directory.AlarmFork, "another log than before")
	proves(t, d, h, "two different logs")
	d.wantStatus("honest again", StatusFresh)
	fork.Publish()
	w.lookup = func(q client.Question) *directory.Answer { return fork.Lookup(q.Name, q.Since, q.Size) }
	_, err := d.Sync(bg)
	if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmInconsistent) {
		t.Errorf("a larger fork: %v", err)
	}
}

// TestForkWithoutQuorum: what no quorum cosigned is a fork all the same.
func TestForkWithoutQuorum(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	fork := w.p.Fork()
	w.p.Publish()
	d.synced()
	fork.Pass(time.Minute)
	fork.Witnesses = nil
	fork.Publish()
	w.lookup = func(q client.Question) *directory.Answer { return fork.Lookup(q.Name, q.Since, q.Size) }
	d.wantAlarm(directory.AlarmFork, "another log")
}

// TestVersionNobodyMade puts a version into the own name that no device of the
// account made; it stays an alarm when the newest is right again.
func TestVersionNobodyMade(t *testing.T) {
	t.Run("without the key", func(t *testing.T) {
		w := newWorld(t)
		d := w.open("anna")
		out := d.synced()
		w.p.MoveTo("anna", directory.GenerateOpening(out.State.Account(), out.State.Head()))
		w.p.Publish()
		h := d.wantAlarm(directory.AlarmUpdate, "without the key")
		proves(t, d, h, "key")
	})
	t.Run("by who has the secret, and right again", func(t *testing.T) {
		w := newWorld(t)
		d := w.open("anna")
		thief := w.device("anna", d.self, d.synced().State.Account(), d.vault)
		thief.synced()
		w.stolen(thief)
		d.rightAgain()
		d.wantAlarm(directory.AlarmForeign, "no device of the account made it")
	})
	t.Run("without its opening", func(t *testing.T) {
		w := newWorld(t)
		d := w.open("anna")
		d.synced()
		d.rename("second")
		w.p.Reopen("anna", 2, &directory.Opening{Account: d.synced().State.Account()})
		d.restart()
		fresh := w.device("anna", d.self, d.synced().State.Account(), d.vault)
		_, err := fresh.Sync(bg)
		if h := HeldBy(err); h == nil || h.Alarm.Kind != string(directory.AlarmChain) {
			t.Errorf("another opening: %v", err)
		}
	})
}

// stolen makes a version with the account's own keys that opens to an entry which
// is not in the ledger: what a thief makes with the provider's help.
func (w *world) stolen(thief *device) {
	w.t.Helper()
	a := w.accounts[thief.name]
	entries, objects := a.entries, a.objects
	thief.rename("never served")
	a.entries, a.objects = entries, objects
}

// rightAgain makes a version that opens to an entry which is in the ledger, past
// the server's rules: the device itself would refuse.
func (d *device) rightAgain() {
	d.w.t.Helper()
	ring := d.ring()
	draft, err := ring.Edit(directorytest.Standing(d.w.t, ring.State()), 2)
	must(d.w.t, err)
	must(d.w.t, draft.NameMember(d.self.ID(), "right"))
	index, _ := d.w.p.Index(d.name)
	b, err := draft.Publish(d.world.Log(), index, 3)
	must(d.w.t, err)
	a := d.w.accounts[d.name]
	a.entries, a.objects = append(a.entries, b.Entries...), append(a.objects, b.Objects...)
	d.w.p.Update(b.Update, b.Opening)
	d.w.p.Publish()
}

// TestNameTaken: the own name is gone, went back, or is another identity's.
func TestNameTaken(t *testing.T) {
	open := func(t *testing.T) (*world, *device) {
		w := newWorld(t)
		d := w.open("anna")
		d.rename("second")
		d.synced()
		return w, d
	}
	t.Run("gone", func(t *testing.T) {
		w, d := open(t)
		w.p.SetLeaf("anna", nil)
		w.p.Publish()
		proves(t, d, d.wantAlarm(directory.AlarmRegress, "any more"), "name")
	})
	t.Run("back", func(t *testing.T) {
		w, d := open(t)
		leaf, _ := w.p.Leaf("anna")
		leaf.Version--
		w.p.SetLeaf("anna", &leaf)
		w.p.Publish()
		// The leaf's entry says another version than the leaf.
		d.wantAlarm(directory.AlarmLeaf, "does not hold what its directory says")
	})
	t.Run("another identity", func(t *testing.T) {
		w, d := open(t)
		bert := w.open("bert").synced().State
		index, _ := w.p.Index("anna")
		o := directory.GenerateOpening(bert.Account(), bert.Head())
		w.p.Reopen("anna", 3, &o)
		w.p.Queue(
			&directory.Entry{Notice: &directory.Notice{Index: index, Version: 2, Commitment: directory.Commit(index, 3, o), Next: index}},
			&directory.Entry{Reassign: &directory.Reassign{Index: index, Notice: uint64(w.p.Log.Head().Size)}},
		)
		w.p.Publish()
		d.wantAlarm(directory.AlarmIdentity, "another identity")
	})
}

// TestNotice: somebody asks for the own name. It is an alarm once; any change of
// the account answers it.
func TestNotice(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	index, _ := w.p.Index("anna")
	w.p.Queue(&directory.Entry{Notice: &directory.Notice{Index: index, Version: 1, Commitment: index, Next: index}})
	w.p.Publish()
	_, err := d.Sync(bg)
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != "notice" || !strings.Contains(err.Error(), "another identity") {
		t.Fatalf("no alarm: %v", err)
	}
	must(t, d.kept.NoteAlarm(h.Alarm.Number, 1))
	if out := d.wantStatus("noted", StatusFresh); !strings.Contains(out.Text, "answers that") {
		t.Errorf("says %q", out.Text)
	}
	d.rename("I am here")
	if out := d.wantStatus("answered", StatusFresh); out.Text != "" {
		t.Errorf("says %q", out.Text)
	}
}

// TestLedgerWithheld hides the newest entries from the ledger, and grafts some onto
// it (G28).
func TestLedgerWithheld(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	other := d.add()
	d.synced()
	other.rename("newest")
	w.served = func(entries []*ledger.Entry) []*ledger.Entry { return entries[:1] }
	d.wantAlarm(directory.AlarmBehind, "withholds the newest")
	d.synced()

	stranger := w.open("eve")
	stranger.synced()
	forged := stranger.ring()
	draft, err := forged.Edit(directorytest.Standing(t, forged.State()), 2)
	must(t, err)
	must(t, draft.AddOwner(keys.GenerateMemberSecrets().Public()))
	for name, lie := range map[string]func([]*ledger.Entry) []*ledger.Entry{
		"a ghost":        func(l []*ledger.Entry) []*ledger.Entry { return append(l, draft.Batch().Entries[0]) },
		"nothing":        func([]*ledger.Entry) []*ledger.Entry { return nil },
		"another ledger": func([]*ledger.Entry) []*ledger.Entry { return w.accounts["eve"].entries },
	} {
		w.served = lie
		size, version, head := d.remembered()
		_, err := d.Sync(bg)
		wantKind(t, name, err, protocol.KindUntrusted, "")
		if s, v, at := d.remembered(); s != size || v != version || at != head {
			t.Errorf("%s moved what the device remembers", name)
		}
	}
	w.honest()
	d.wantStatus("honest again", StatusFresh)
}

// TestAlarmThatCannotBeKept: what an alarm is about is no less untrusted where the
// alarm cannot be written.
func TestAlarmThatCannotBeKept(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.synced()
	must(t, os.Symlink("/nowhere/at/all", d.kept.Dir()+"/alarms"))
	w.lookup = onlyBefore(w, 0)
	_, err := d.Sync(bg)
	wantKind(t, "no place for alarms", err, protocol.KindUntrusted, "could not be remembered")
}

// TestSignedContradiction: what the client found contradicting is an alarm here,
// with evidence.
func TestSignedContradiction(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	at := d.synced().State
	q := statement.Question{Log: w.p.World.Log().ID(), Kind: statement.KindLedger, Account: at.Account(), Nonce: [16]byte{1}}
	key := w.p.World.Statements()
	say := func(seq uint64, hash protocol.Hash) *statement.Signed {
		t.Helper()
		signed, err := key.Verify(w.p.Say(q, statement.Statement{Seq: seq, Hash: hash}))
		must(t, err)
		return signed
	}
	before, after := say(5, protocol.Hash{5}), say(4, protocol.Hash{4})
	why, _ := statement.Contradict(before, after)
	w.broken = protocol.Wrap(protocol.KindUntrusted, &client.Contradiction{Old: before, New: after, Why: why}, "the server contradicts itself")
	h := d.wantAlarm("statements", "was the newest")
	proves(t, d, h, "contradicts itself")
	d.wantStatus("honest again", StatusFresh)
}

// TestTwoHistories: the server signs a ledger now that does not hold what it signed
// before; the two statements alone could both be true.
func TestTwoHistories(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	at := d.synced().State
	q := statement.Question{Log: w.p.World.Log().ID(), Kind: statement.KindLedger, Account: at.Account(), Nonce: [16]byte{1}}
	key := w.p.World.Statements()
	say := func(head ledger.Head) {
		t.Helper()
		signed, err := key.Verify(w.p.Say(q, statement.Statement{Seq: head.Seq, Hash: head.Hash}))
		must(t, err)
		must(t, d.kept.KeepSaid(signed))
	}
	// The twin was shown the past without the last entry, and went on from there.
	all := w.accounts["anna"].entries
	twin, err := ledger.Fold(all[:len(all)-1], nil)
	must(t, err)
	forked := all[: len(all)-1 : len(all)-1]
	for range 2 {
		e, err := ledger.Sign(twin, 9, ledger.Body{SetProtection: &ledger.SetProtection{Category: protocol.CategoryBackups, Level: protocol.LevelAdvanced}}, d.self)
		must(t, err)
		twin, err = twin.Extend([]*ledger.Entry{e}, nil)
		must(t, err)
		forked = append(forked, e)
	}
	say(at.Head())
	w.served = func([]*ledger.Entry) []*ledger.Entry {
		say(twin.Head())
		return forked[at.Head().Seq:]
	}
	h := d.wantAlarm("histories", "another past")
	proves(t, d, h, "two histories")
	d.wantStatus("honest again", StatusFresh)
}
