// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// monthsBack is how far the search for anchors goes: as long as the log keeps them.
const monthsBack = 27

// AnchoredHead is a head of a vault that the public log proves there was.
type AnchoredHead struct {
	Vault  protocol.VaultID  `json:"vault"`
	Seq    uint64            `json:"seq"`
	Hash   protocol.Hash     `json:"hash"`
	Writer protocol.MemberID `json:"writer"` // who anchored it; zero: an owner device
	Period string            `json:"period"`
}

// Head returns the head.
func (h AnchoredHead) Head() ledger.VaultHead {
	return ledger.VaultHead{Vault: h.Vault, Seq: h.Seq, Hash: h.Hash}
}

// Freshness is what a device without memory knows of how new things are.
type Freshness struct {
	// AsOf is the moment as of which the log is the newest.
	AsOf protocol.Time
	// Newest is the day, or month, of the newest anchor; "" where there is none.
	Newest directory.Period
	// Heads are those that the newest anchors commit to.
	Heads []AnchoredHead
	// Withheld counts the anchors whose box the server does not give.
	Withheld int
}

// Words says what is known.
func (f *Freshness) Words() string {
	text := "the public log holds no proof of any snapshot of this account: whether the server shows the newest ones rests on its word"
	if f.Newest != "" {
		text = fmt.Sprintf("the newest snapshots are proven as of %s; nothing since: the devices were idle, or it is withheld", f.Newest)
	}
	if f.Withheld > 0 {
		text += fmt.Sprintf("; the server keeps back what %d proofs in the log commit to", f.Withheld)
	}
	return text
}

// Freshness finds the newest anchors of each of the anchorages with no memory but
// their secrets: by months, then by days, then by places of a day, each with a
// proof that there is no newer one. What it finds is remembered: whoever opens a
// vault must come by these heads (see Anchored).
func (t *Trust) Freshness(ctx context.Context, m Member, of []*keyring.Anchorage, l *ledger.State) (*Freshness, error) {
	now, err := t.clock()
	if err != nil {
		return nil, err
	}
	f := &Freshness{}
	newest := map[protocol.VaultID]AnchoredHead{}
	for _, from := range of {
		found, err := t.newestAnchor(ctx, m, from, now)
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		if f.Newest == "" || found.Period.End() > f.Newest.End() {
			f.Newest = found.Period
		}
		if err := f.take(from, found, newest, l); err != nil {
			return nil, err
		}
	}
	for _, v := range l.Vaults() {
		if h, ok := newest[v.ID]; ok {
			f.Heads = append(f.Heads, h)
		}
	}
	if v, err := t.o.State.View(); err != nil {
		return nil, err
	} else if v != nil {
		f.AsOf = v.AsOf()
	}
	return f, t.rememberAnchored(f.Heads)
}

// take opens an anchor's box and takes over what is newer in it.
func (f *Freshness) take(from *keyring.Anchorage, found *directory.AnchorFound, newest map[protocol.VaultID]AnchoredHead, l *ledger.State) error {
	if found.Box == nil {
		f.Withheld++
		return nil
	}
	what, err := from.Open(found.Index, found.Box)
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "the anchor of %s in the public log", found.Period)
	}
	for _, h := range what.Heads {
		if !counts(from, h, l) || h.Seq <= newest[h.Vault].Seq {
			continue
		}
		newest[h.Vault] = AnchoredHead{Vault: h.Vault, Seq: h.Seq, Hash: h.Hash, Writer: from.Writer, Period: string(found.Period)}
	}
	return nil
}

// counts reports whether a head that an anchor names says something: a writer
// speaks of its own vault only, and after its removal not beyond what counts of
// it.
func counts(from *keyring.Anchorage, h ledger.VaultHead, l *ledger.State) bool {
	if from.Writer.IsZero() {
		return true
	}
	writer, err := l.Member(from.Writer)
	if err != nil || h.Vault != from.Vault {
		return false
	}
	return writer.Present() || h.Seq <= writer.Heads[h.Vault].Seq
}

// newestAnchor returns the newest anchor of an anchorage, nil for none.
func (t *Trust) newestAnchor(ctx context.Context, m Member, from *keyring.Anchorage, now protocol.Time) (*directory.AnchorFound, error) {
	var months []directory.Period
	for p := directory.MonthOf(now); len(months) < monthsBack; p = directory.MonthOf(p.Start() - 1) {
		months = append(months, p)
	}
	month, err := t.firstOf(ctx, m, from, months)
	if month == nil || err != nil {
		return nil, err
	}
	var days []directory.Period
	for p := directory.DayOf(month.Period.End() - 1); p.Start() >= month.Period.Start(); p = directory.DayOf(p.Start() - 1) {
		days = append(days, p)
	}
	day, err := t.firstOf(ctx, m, from, days)
	if err != nil || day == nil {
		return month, err
	}
	return t.lastSlot(ctx, m, from, day)
}

// firstOf returns the anchor at the first slot of the first period that has one.
func (t *Trust) firstOf(ctx context.Context, m Member, from *keyring.Anchorage, periods []directory.Period) (*directory.AnchorFound, error) {
	var asked []directory.AnchorQuestion
	for _, p := range periods {
		asked = append(asked, directory.AnchorQuestion{Period: p, Index: from.Key(p, 0).Index()})
	}
	found, _, err := t.anchors(ctx, m, asked)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Present {
			return &found[i], nil
		}
	}
	return nil, nil
}

// lastSlot returns the anchor at the last slot of a day. A few slots may be empty
// before it: an anchor can be lost.
func (t *Trust) lastSlot(ctx context.Context, m Member, from *keyring.Anchorage, last *directory.AnchorFound) (*directory.AnchorFound, error) {
	empty := 0
	for slot := uint64(1); slot < maxDaySlots; slot += directory.MaxAnchorIndexes {
		var asked []directory.AnchorQuestion
		for i := range uint64(directory.MaxAnchorIndexes) {
			asked = append(asked, directory.AnchorQuestion{Period: last.Period, Index: from.Key(last.Period, slot+i).Index()})
		}
		found, _, err := t.anchors(ctx, m, asked)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if empty++; found[i].Present {
				last, empty = &found[i], 0
			}
			if empty == slotsAhead {
				return last, nil
			}
		}
	}
	return last, nil
}

// noteAnchored remembers heads that the public log proves, until this device's own
// view of the vaults holds them.
const noteAnchored = "anchored-heads"

func (t *Trust) rememberAnchored(heads []AnchoredHead) error {
	if len(heads) == 0 {
		return nil
	}
	return keepAnchored(t.o.State, heads)
}

func keepAnchored(s *state.State, heads []AnchoredHead) error {
	if len(heads) == 0 {
		return s.SetNote(noteAnchored, nil)
	}
	data, err := json.Marshal(heads)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "remember anchored heads")
	}
	return s.SetNote(noteAnchored, data)
}

// Anchored returns the heads that the public log proves and that this device has
// not come by yet. A chain of records that ends before one of them, or does not
// hold it, hides something.
func Anchored(s *state.State) ([]AnchoredHead, error) {
	data, err := s.Note(noteAnchored)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var heads []AnchoredHead
	if err := json.Unmarshal(data, &heads); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "the anchored heads that this device remembers are damaged")
	}
	return heads, nil
}

// MetAnchored forgets the heads of a vault, which its chain of records was seen to
// hold, or which only a removed writer claimed.
func MetAnchored(s *state.State, vault protocol.VaultID) error {
	heads, err := Anchored(s)
	if err != nil {
		return err
	}
	var others []AnchoredHead
	for _, h := range heads {
		if h.Vault != vault {
			others = append(others, h)
		}
	}
	if len(others) == len(heads) {
		return nil
	}
	return keepAnchored(s, others)
}
