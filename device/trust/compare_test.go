// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// TestCompareOneLog: devices that were shown one log, sooner or later.
func TestCompareOneLog(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	_, err := d.Compare(bg, w.p, nil, nil)
	wantKind(t, "before any look", err, protocol.KindUsage, "nothing to compare")
	d.synced()
	w.p.Publish()
	w.p.Publish()
	for _, h := range w.p.Heads() {
		c, err := d.Compare(bg, w.p, h.Note, nil)
		if err != nil || c.Other.Size != h.Size || c.Statements != 0 {
			t.Errorf("size %d: %+v, %v", h.Size, c, err)
		}
	}
	_, err = d.Compare(bg, w.p, directorytest.New(t).Heads()[0].Note, nil)
	wantKind(t, "another log", err, protocol.KindUntrusted, "the other checkpoint")
	_, err = d.Compare(bg, deaf{}, w.p.Heads()[0].Note, nil)
	wantKind(t, "no answer", err, protocol.KindUnreachable, "does not show how")
	if a, err := d.kept.Alarms(); len(a) != 0 || err != nil {
		t.Errorf("%d alarms, %v", len(a), err)
	}
}

// deaf serves no tile.
type deaf struct{}

func (deaf) ReadTile(context.Context, tlog.Tile) ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindNotFound, "no such tile")
}

// TestCompareFork: two devices that were shown two pasts meet (G12, G26).
func TestCompareFork(t *testing.T) {
	for name, more := range map[string]int{"of one size": 0, "of a larger one": 1} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.open("anna")
			fork := w.p.Fork()
			w.p.Publish()
			d.synced()
			fork.Pass(time.Minute)
			for range 1 + more {
				fork.Publish()
			}
			heads := fork.Heads()
			_, err := d.Compare(bg, fork, heads[len(heads)-1].Note, nil)
			h := HeldBy(err)
			if h == nil || h.Alarm.Kind != string(directory.AlarmFork) {
				t.Fatalf("no alarm: %v", err)
			}
			proves(t, d, h, "The provider signed")
			if _, err := d.Sync(bg); HeldBy(err) == nil {
				t.Errorf("it holds nothing: %v", err)
			}
		})
	}
}

// TestCompareStatements: two devices were told two things.
func TestCompareStatements(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	out := d.synced()
	q := statement.Question{Log: w.p.World.Log().ID(), Kind: statement.KindLedger, Account: out.State.Account(), Nonce: [16]byte{1}}
	say := func(seq uint64, hash byte) []byte {
		return w.p.Say(q, statement.Statement{Seq: seq, Hash: protocol.Hash{hash}})
	}
	note := w.p.Heads()[0].Note
	key := w.p.World.Statements()
	mine, err := key.Verify(say(5, 5))
	must(t, err)
	must(t, d.kept.KeepSaid(mine))
	c, err := d.Compare(bg, w.p, note, [][]byte{say(6, 6)})
	if err != nil || c.Statements != 1 {
		t.Errorf("a later one: %+v, %v", c, err)
	}
	_, err = d.Compare(bg, w.p, note, [][]byte{[]byte("garbage")})
	wantKind(t, "garbage", err, protocol.KindUntrusted, "")
	_, err = d.Compare(bg, w.p, note, [][]byte{say(5, 5)})
	h := HeldBy(err)
	if h == nil || h.Alarm.Kind != "statements" {
		t.Fatalf("less, later: %v", err)
	}
	proves(t, d, h, "contradicts itself")
}
