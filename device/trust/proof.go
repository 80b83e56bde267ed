// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"fmt"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// What cannot be proved is no less of an alarm: where evidence cannot be made, for
// whatever reason, there is none.

// witnesses returns the keys whose cosignatures evidence may name.
func (t *Trust) witnesses() []*tlog.WitnessKey {
	var list []*tlog.WitnessKey
	for _, w := range t.world.Policy().Witnesses() {
		list = append(list, w.Key)
	}
	return list
}

// proof returns the evidence of an alarm, nil for none.
func (t *Trust) proof(a *directory.Alarm) []byte {
	raw, ok := evidence.FromAlarm(t.world.Log(), a, t.witnesses()...)
	if !ok {
		return nil
	}
	return raw
}

// origin returns the log's first entry as it was verified once, nil before that.
func (t *Trust) origin() *directory.Included {
	v, err := t.o.State.View()
	if err != nil || v == nil {
		return nil
	}
	return v.Origin()
}

// contradiction returns the evidence of two statements.
func (t *Trust) contradiction(c *client.Contradiction) []byte {
	origin := t.origin()
	if origin == nil {
		return nil
	}
	raw, err := evidence.Statements(t.world.Log(), origin, c.Old, c.New)
	if err != nil {
		return nil
	}
	return raw
}

// brokenPromise returns the evidence of a receipt that was not honoured.
func (t *Trust) brokenPromise(l *looked, receipt *statement.Signed) []byte {
	raw, err := evidence.Promise(t.world.Log(), l.view.Origin(), receipt, l.found.Shown(), l.found.Entry())
	if err != nil {
		return nil
	}
	return raw
}

// twoHistories returns the alarm where a ledger that does not follow the known one
// is what the server signed now, and another is what it signed before; else why.
func (t *Trust) twoHistories(before *statement.Signed, entries []*ledger.Entry, why error) error {
	after, err := t.saidNow(before)
	if err != nil || after == nil {
		return why
	}
	a, b := before.Statement(), after.Statement()
	if b.Seq < a.Seq || len(entries) == 0 || entries[0].Seq() > a.Seq {
		return why
	}
	first := entries[0].Seq()
	last := b.Seq - first
	if last >= uint64(len(entries)) || entries[last].Hash() != b.Hash || entries[a.Seq-first].Hash() == a.Hash {
		return why
	}
	origin := t.origin()
	var raw []byte
	if origin != nil {
		raw, err = evidence.Histories(t.world.Log(), origin, evidence.Claim{Statement: before}, evidence.Claim{Statement: after}, entries[a.Seq-first+1:last+1])
		if err != nil {
			raw = nil
		}
	}
	return t.raise(raised{
		kind: "histories", same: before.Bytes(), evidence: raw,
		text: fmt.Sprintf("the server signed entry %d of the account's ledger before, and now serves and signs another past", a.Seq),
	})
}

// saidNow returns what the server signed last on a statement's subject.
func (t *Trust) saidNow(of *statement.Signed) (*statement.Signed, error) {
	s := of.Statement()
	return t.o.State.Said(s.Subject())
}
