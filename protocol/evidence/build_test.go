// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// TestBuilders makes evidence as those do who detect.
func TestBuilders(t *testing.T) {
	b, anna := peopled(t, "evil")
	f := b.fork()
	b.add(&directory.Entry{Update: newPerson(t, "bert").move(b.key)})
	b.root()
	f.root()
	f.root()
	crimes := forks(t, "evil")
	forked := []*fork{crimes[0].file.Fork, crimes[1].file.Fork}
	anna.grow("r1")
	signed := b.head(anna.state)
	other := anna.fork()
	other.entries = other.entries[:1]
	other.state = newPerson(t, "anna").state
	other.grow("x1")
	lie := b.head(other.state)
	other.grow("x2")
	far := b.head(other.state)
	receipt := b.promise(anna.move(b.key))
	for range 3 {
		b.root()
	}
	origin := b.origin()
	x := f.fork()
	x.append((&directory.Entry{Update: anna.move(b.key)}).Bytes()) // version 3 of a name that has version 1
	x.publish()
	for name, build := range map[string]func() ([]byte, error){
		"fork": func() ([]byte, error) { return Fork(b.key, forked[0].A, forked[0].B, b.witness.Public()) },
		"fork below": func() ([]byte, error) {
			return ForkBelow(b.key, forked[1].A, forked[1].B, forked[1].Middle, forked[1].Proof)
		},
		"split":      func() ([]byte, error) { return Split(b.key, b.included(2, 4), f.included(3, 4)) },
		"statements": func() ([]byte, error) { return Statements(b.key, origin, signed, lie) },
		"promise":    func() ([]byte, error) { return Promise(b.key, origin, receipt, b.newest(anna.index), nil) },
		"histories": func() ([]byte, error) {
			return Histories(b.key, origin, Claim{Statement: signed}, Claim{Statement: far}, other.entries[2:])
		},
		"histories of an update": func() ([]byte, error) {
			o := directory.Opening{Account: anna.state.Account(), Ledger: ledger.Head{Seq: 0, Hash: anna.entries[0].Hash()}, Blind: hash("blind")}
			return Histories(b.key, nil, Claim{Update: b.included(1, 2), Opening: &o}, Claim{Update: b.included(1, 2), Opening: &o}, nil)
		},
		"rules": func() ([]byte, error) {
			return Rules(x.key, x.notes[len(x.notes)-1], nil, x.excerpt(x.roots[3], len(x.entries)-1))
		},
		"no root": func() ([]byte, error) {
			last := len(x.notes) - 1
			return NoRoot(x.key, &directory.Shown{Note: x.notes[last], Root: x.entries[x.roots[last]], RootProof: x.proof(last, x.roots[last])})
		},
	} {
		raw, err := build()
		if name == "histories of an update" { // which is one history
			if protocol.KindOf(err) != protocol.KindUntrusted {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := Verify(raw, Options{Log: b.key}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Split(b.key, b.included(2, 3), f.included(3, 4)); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("a split at two positions: %v", err)
	}
}

// TestAlarmsBecomeEvidence has a device look a name up at a provider that does all
// that a look-up notices, and proves what can be proved.
func TestAlarmsBecomeEvidence(t *testing.T) {
	b, anna := peopled(t, "evil")
	anna.grow("r1")
	b.add(&directory.Entry{Update: anna.move(b.key)})
	b.root()
	old, leaf := b.newest(anna.index), must(b.replay.Leaf(context.Background(), anna.index))
	f := b.fork()
	f.lie(anna.index, &directory.Leaf{Version: 1, Chain: hash("x"), Next: hash("y"), Position: leaf.Position})
	back := f.newest(anna.index)
	entry := f.included(3, int(leaf.Position))
	b.root()
	for kind, a := range map[directory.AlarmKind]*directory.Alarm{
		directory.AlarmFork:    {Old: b.newest(anna.index), New: back},
		directory.AlarmRegress: {Old: old, New: back},
		directory.AlarmLeaf:    {New: back, Entry: entry.Entry, EntryProof: entry.Proof},
	} {
		a.Kind = kind
		raw, ok := FromAlarm(b.key, a, b.witness.Public())
		if !ok {
			t.Errorf("%s is no evidence", kind)
			continue
		}
		if _, err := Verify(raw, Options{Log: b.key}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		a.Old, a.New, a.Entry = old, old, nil
		if _, ok := FromAlarm(b.key, a); ok {
			t.Errorf("%s: evidence out of nothing", kind)
		}
	}
	for _, c := range crimes(t, "evil") {
		a := alarmOf(c.file)
		if a == nil {
			continue
		}
		if _, ok := FromAlarm(b.key, a); !ok {
			t.Errorf("%s is no evidence", c.name)
		}
	}
	for _, kind := range []directory.AlarmKind{directory.AlarmRollback, directory.AlarmChain, directory.AlarmIdentity, "unheard of"} {
		if _, ok := FromAlarm(b.key, &directory.Alarm{Kind: kind, Old: old, New: back}); ok {
			t.Errorf("%s is evidence", kind)
		}
	}
}

// alarmOf returns the alarm that a look-up would have given.
func alarmOf(f *file) *directory.Alarm {
	switch {
	case f.Order != nil && f.Order.A != nil:
		return &directory.Alarm{Kind: directory.AlarmTime, Old: f.Order.A, New: &f.Order.B}
	case f.Order != nil:
		return &directory.Alarm{Kind: directory.AlarmNoRoot, New: &f.Order.B}
	case f.Key != nil:
		return &directory.Alarm{Kind: directory.AlarmUpdate, Old: &f.Key.A, New: &f.Key.B, Entry: f.Key.Entry, EntryProof: f.Key.Proof}
	}
	return nil
}

func must(l *directory.Leaf, err error) *directory.Leaf {
	if err != nil {
		panic(err)
	}
	return l
}

// TestEvidenceHoldsNoSecret looks for every secret that is in play in every file.
func TestEvidenceHoldsNoSecret(t *testing.T) {
	b, anna := peopled(t, "evil")
	secrets := map[string][]byte{
		"account secret": anna.secret.Expose(), "device's seed": anna.device.Signing.Expose(),
		"statement key": b.says.Expose(), "log's key": seed("evil/log"), "VRF key": seed("evil/vrf"),
	}
	for _, c := range crimes(t, "evil") {
		data := canonical.MustMarshal(c.file)
		for name, secret := range secrets {
			if bytes.Contains(data, secret[:16]) {
				t.Errorf("%s holds the %s", c.name, name)
			}
		}
	}
}
