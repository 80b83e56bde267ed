// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// aheadLimit is how long, by the log's own time, the ledger may be ahead of the
// directory. Seconds are usual.
const aheadLimit = protocol.Time(48 * time.Hour)

// noteAhead remembers since when the ledger is ahead.
const noteAhead = "ledger-ahead"

// ahead says which ledger entry the directory did not hold, and the log's time when
// this was first seen.
type ahead struct {
	Seq   uint64        `json:"seq"`
	Since protocol.Time `json:"since"`
}

// settleAhead is about a ledger that has entries which the directory does not hold
// yet. What it does hold is proved and remembered. Entries that this very device
// signed need no proof; for others there is a wait, then a hold, and in the end an
// alarm.
func (t *Trust) settleAhead(l *looked, why error, last bool) (*Outcome, error) {
	_, head := l.found.Head(l.pin)
	before, added, err := t.until(l, head)
	if err != nil {
		return nil, err
	}
	standing, err := l.found.Standing(l.pin, before, l.now)
	if err != nil {
		return nil, err
	}
	own, err := standing.Extend(t.o.Self, added)
	if !last {
		counted := err == nil
		if counted {
			// Which version comes next is known where each append left its receipt
			// here: not if a recovery key signed on another machine.
			next, failed := t.nextVersion(standing.Pin())
			if failed != nil {
				return nil, failed
			}
			counted = next > standing.Pin().Version+1
		}
		if !counted {
			return nil, errSoon
		}
	}
	if failed := t.keep(l, standing.Pin()); failed != nil {
		return nil, failed
	}
	if failed := t.stillAhead(l, head); failed != nil {
		return nil, failed
	}
	if err == nil {
		return t.proven(l, own)
	}
	if err := t.keepPromises(l); err != nil {
		return nil, err
	}
	l.pin = standing.Pin()
	return t.settleHeld(l, why)
}

// until folds the ledger up to a head that the directory names, and returns the
// entries after it.
func (t *Trust) until(l *looked, head ledger.Head) (*ledger.State, []*ledger.Entry, error) {
	var all []*ledger.Entry
	err := t.o.State.Entries(func(e *ledger.Entry) error { all = append(all, e); return nil })
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
		return nil, nil, err
	}
	for _, e := range l.entries {
		if e.Seq() >= uint64(len(all)) {
			all = append(all, e)
		}
	}
	if head.Seq >= uint64(len(all)) {
		return nil, nil, protocol.Errorf(protocol.KindInternal, "ledger entry %d is not there", head.Seq)
	}
	before, err := ledger.Fold(all[:head.Seq+1], nil)
	return before, all[head.Seq+1:], err
}

// stillAhead raises the alarm where the directory did not catch up in time.
func (t *Trust) stillAhead(l *looked, head ledger.Head) error {
	var a ahead
	data, err := t.o.State.Note(noteAhead)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	logged := l.view.LogTime()
	if err != nil || a.Seq != head.Seq+1 {
		data, err := json.Marshal(ahead{Seq: head.Seq + 1, Since: logged})
		if err != nil {
			return err
		}
		return t.o.State.SetNote(noteAhead, data)
	}
	if logged < a.Since+aheadLimit {
		return nil
	}
	return t.raise(raised{
		kind: "withheld", same: fmt.Append(nil, a.Seq),
		text: fmt.Sprintf("the server shows entry %d of the account's ledger since %s and keeps it out of its public directory: either others are shown another ledger, or this device is", a.Seq, a.Since),
	})
}

func (t *Trust) forgetAhead() error {
	if _, err := t.o.State.Note(noteAhead); protocol.KindOf(err) == protocol.KindNotFound {
		return nil
	}
	return t.o.State.SetNote(noteAhead, nil)
}

// settleAbsent is about an account that is not in the directory yet: it was opened
// a moment ago.
func (t *Trust) settleAbsent(l *looked, last bool) (*Outcome, error) {
	if !last {
		return nil, errSoon
	}
	if err := t.keepPromises(l); err != nil {
		return nil, err
	}
	if err := t.o.State.AdvanceView(l.old, l.view); err != nil {
		return nil, err
	}
	return nil, &directory.Unproven{Kind: directory.UnprovenLedger, Text: "the server's public directory does not have the name of this account yet; try again in a moment"}
}

// keepPromises holds the server's receipts against what the directory shows: a
// promise that was kept is forgotten, and one that was not is an alarm.
func (t *Trust) keepPromises(l *looked) error {
	receipts, err := t.o.State.AllSaid(statement.KindReceipt)
	if err != nil {
		return err
	}
	leaf, _ := l.found.Leaf() // version 0 where there is none
	made := madeBy(l.found)
	for _, r := range receipts {
		s := r.Statement()
		switch {
		case s.Index != l.found.Index():
			continue
		case leaf.Version > s.NameVersion || leaf.Version == s.NameVersion && made == s.Hash:
			err = t.o.State.DropReceipt(r)
		case leaf.Version == s.NameVersion || l.view.LogTime() > s.By:
			err = t.raise(raised{
				kind: "promise", same: r.Bytes(), evidence: t.brokenPromise(l, r),
				text: fmt.Sprintf("the server promised on %s that its public directory would hold version %d of the name %q by %s, and it does not",
					s.Time, s.NameVersion, t.o.Name, s.By),
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// madeBy returns the leaf hash of the entry that made the newest version.
func madeBy(f *directory.Found) protocol.Hash {
	e := f.Entry()
	if e == nil {
		return protocol.Hash{}
	}
	return tlog.LeafHash(e.Entry)
}

// nextVersion returns the version that the next update of the own name has: after
// what the directory shows, and after what was promised.
func (t *Trust) nextVersion(pin *directory.Pin) (uint64, error) {
	receipts, err := t.o.State.AllSaid(statement.KindReceipt)
	if err != nil {
		return 0, err
	}
	version := pin.Version
	for _, r := range receipts {
		if s := r.Statement(); s.Index == pin.Index {
			version = max(version, s.NameVersion)
		}
	}
	return version + 1, nil
}

// promised remembers a receipt. Two for one version are a lie.
func (t *Trust) promised(r *statement.Signed) error {
	if r == nil {
		return nil
	}
	s := r.Statement()
	old, err := t.o.State.Said(s.Subject())
	if err != nil {
		return err
	}
	if old != nil {
		if why, yes := statement.Contradict(old, r); yes {
			return t.alarmed(&client.Contradiction{Old: old, New: r, Why: why})
		}
	}
	return t.o.State.KeepSaid(r)
}
