// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

// day is the day that the world's clock shows.
func (w *world) day() directory.Period { return directory.DayOf(protocol.TimeOf(w.now)) }

func (w *world) anchor(period directory.Period, secret *keys.Secret, slot uint64) (sequencer.Anchor, protocol.Hash) {
	key := directory.DeriveAnchorKey(secret, period, slot)
	box := fmt.Appendf(nil, "box %d", slot)
	entry := directory.Entry{Anchor: directory.NewAnchor(w.log.Public(), key, directory.AnchorBoxHash(box))}
	return sequencer.Anchor{Entry: entry.Bytes(), Box: box}, key.Index()
}

// find looks one anchor up, as a device of the account.
func (w *world) find(account protocol.AccountID, period directory.Period, index protocol.Hash) directory.AnchorFound {
	w.t.Helper()
	answer, err := w.Anchors(ctx, account, sequencer.AnchorsQuestion{
		Periods: []sequencer.AnchorPeriod{{Period: period, Indexes: []protocol.Hash{index}}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if answer, err = directory.ParseAnchorsAnswer(answer.Bytes()); err != nil {
		w.t.Fatal(err)
	}
	view, err := w.worlds[0].Advance(nil, &answer.CheckpointPart)
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := w.worlds[0].VerifyAnchors(view, []directory.AnchorQuestion{{Period: period, Index: index}}, answer)
	if err != nil {
		w.t.Fatalf("look up an anchor: %v", err)
	}
	return found[0]
}

// logged returns the log's entries from a position.
func (w *world) logged(from uint64) []*directory.Entry {
	w.t.Helper()
	note, err := w.Checkpoint(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.log.Public().Verify(note)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []*directory.Entry
	err = tlog.Entries(ctx, source{w}, 0, c, new(tlog.Frontier), func(n uint64, raw []byte) error {
		entry, err := directory.ParseEntry(raw)
		if n >= from {
			list = append(list, entry)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestAnchorsEnterTogether: anchors wait for the hour, and enter in the order of
// their indexes, whoever left them and when.
func TestAnchorsEnterTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.step()
	before := w.published()
	var indexes []protocol.Hash
	accounts := []protocol.AccountID{{1}, {2}, {3}}
	for n := range uint64(12) {
		a, index := w.anchor(w.day(), keys.GenerateSecret(), n)
		if err := w.AddAnchors(ctx, accounts[n%3], []sequencer.Anchor{a}); err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, index)
		w.step()
	}
	if w.published() != before || w.find(accounts[0], w.day(), indexes[0]).Present {
		t.Error("an anchor did not wait")
	}
	w.now = w.now.Truncate(time.Hour).Add(time.Hour)
	w.step()
	var entered []protocol.Hash
	for _, entry := range w.logged(before) {
		if entry.Anchor != nil {
			entered = append(entered, entry.Anchor.Index)
		}
	}
	order := func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) }
	if len(entered) != len(indexes) || !slices.IsSortedFunc(entered, order) {
		t.Errorf("%d anchors entered, sorted: %v", len(entered), slices.IsSortedFunc(entered, order))
	}
	if mine := w.find(accounts[1], w.day(), indexes[1]); !mine.Present || string(mine.Box) != "box 1" {
		t.Errorf("my anchor: %+v", mine)
	}
	if others := w.find(accounts[0], w.day(), indexes[1]); !others.Present || others.Box != nil {
		t.Errorf("somebody else's anchor: %+v", others)
	}
	if none := w.find(accounts[0], w.day(), protocol.Hash{1}); none.Present {
		t.Errorf("an anchor that nobody left: %+v", none)
	}
	if none := w.find(accounts[0], "2026-01", protocol.Hash{1}); none.Present {
		t.Errorf("an anchor of a period without any: %+v", none)
	}
}

// TestAnchorsOfANewDay: an anchor whose day began after the newest root enters
// behind a root of that day.
func TestAnchorsOfANewDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.config = func(c *sequencer.Config) { c.AnchorsEvery, c.Heartbeat = 0, 48*time.Hour }
	w.restart()
	w.step()
	w.now = w.now.Truncate(24 * time.Hour).Add(24*time.Hour + time.Second)
	a, index := w.anchor(w.day(), keys.GenerateSecret(), 0)
	if err := w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{a}); err != nil {
		t.Fatal(err)
	}
	w.step()
	if !w.find(protocol.AccountID{1}, w.day(), index).Present {
		t.Error("the anchor is not there")
	}
	w.now = w.now.Add(time.Minute)
	month := directory.MonthOf(protocol.TimeOf(w.now))
	a, index = w.anchor(month, keys.GenerateSecret(), 0)
	if err := w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{a}); err != nil {
		t.Fatal(err)
	}
	w.restart() // it lies in the queue
	w.step()
	if !w.find(protocol.AccountID{1}, month, index).Present {
		t.Error("the month's anchor is not there")
	}
	if st, err := w.Status(ctx); err != nil || st.Rejected != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestAnchorsRefused: what would not go in is not taken.
func TestAnchorsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.step()
	secret := keys.GenerateSecret()
	good, _ := w.anchor(w.day(), secret, 0)
	tampered := bytes.Clone(good.Entry)
	tampered[len(tampered)-1] ^= 1
	past, _ := w.anchor("2020-01-01", secret, 0)
	future, _ := w.anchor("2100-01", secret, 0)
	root := (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes()
	for name, c := range map[string]struct {
		anchor sequencer.Anchor
		kind   protocol.Kind
	}{
		"another box":      {sequencer.Anchor{Entry: good.Entry, Box: []byte("other")}, protocol.KindUntrusted},
		"a bit flipped":    {sequencer.Anchor{Entry: tampered, Box: good.Box}, protocol.KindUntrusted},
		"a closed period":  {past, protocol.KindUsage},
		"a later period":   {future, protocol.KindUsage},
		"something else":   {sequencer.Anchor{Entry: root}, protocol.KindUsage},
		"noise":            {sequencer.Anchor{Entry: []byte("noise")}, protocol.KindUntrusted},
		"as it should be":  {good, ""},
		"as it should be ": {good, ""},
	} {
		w.wantKind(name, w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{c.anchor}), c.kind)
	}
	key := directory.DeriveAnchorKey(secret, w.day(), 0) // the same place, something else
	entry := directory.Entry{Anchor: directory.NewAnchor(w.log.Public(), key, directory.AnchorBoxHash([]byte("two")))}
	second := sequencer.Anchor{Entry: entry.Bytes(), Box: []byte("two")}
	w.wantKind("a taken index", w.AddAnchors(ctx, protocol.AccountID{1}, []sequencer.Anchor{second}), protocol.KindExists)
	many := sequencer.AnchorsQuestion{Periods: []sequencer.AnchorPeriod{{Period: w.day(), Indexes: make([]protocol.Hash, directory.MaxAnchorIndexes+1)}}}
	_, err := w.Anchors(ctx, protocol.AccountID{1}, many)
	w.wantKind("too many", err, protocol.KindUsage)
	_, err = w.Anchors(ctx, protocol.AccountID{1}, sequencer.AnchorsQuestion{Periods: []sequencer.AnchorPeriod{{Period: "today"}}})
	w.wantKind("no period", err, protocol.KindUsage)
}
