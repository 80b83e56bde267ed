// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// How far the search for anchors goes: as long as the log keeps them; and how many
// days are looked at whatever their month has.
const (
	monthsBack = 28
	daysBack   = 62
)

// searchAhead is how far the log may be ahead of the time as of which it is the newest.
const searchAhead = protocol.Time(24 * time.Hour)

// AnchoredHead is a head of a vault that the public log proves there was.
type AnchoredHead struct {
	Vault  protocol.VaultID  `json:"vault"`
	Seq    uint64            `json:"seq"`
	Hash   protocol.Hash     `json:"hash"`
	Writer protocol.MemberID `json:"writer"` // who anchored it; zero: an owner device
	// Epoch is that of the account secret by which an owner device anchored it: one
	// that is over is known to devices that were removed.
	Epoch  uint64 `json:"epoch,omitempty"`
	Period string `json:"period"`
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
	// Withheld counts the anchors whose box the server does not give. Those that
	// only present devices with the account secret can have made, it once had.
	Withheld int
	// Unreadable counts those that only present devices with the account secret can
	// have made, and whose box does not open: one of them is in wrong hands.
	Unreadable int
	// Claims are those that nobody can check: made by writers, or under secrets
	// that removed devices know, and not given, or not to be opened.
	Claims int
}

// Words says what is known.
func (f *Freshness) Words() string {
	text := "the public log holds no proof of any snapshot of this account: whether the server shows the newest ones rests on its word"
	if f.Newest != "" {
		text = fmt.Sprintf("the newest snapshots are proven as of %s; nothing since: the devices were idle, or it is withheld", f.Newest)
	}
	if f.Withheld > 0 {
		text += fmt.Sprintf("; the server keeps back what %d proofs in the log commit to, although it once had it: what it shows may be older than these", f.Withheld)
	}
	if f.Unreadable > 0 {
		text += fmt.Sprintf("; %d proofs in the log are false: an owner device made them, or the server changed what they commit to", f.Unreadable)
	}
	if f.Claims > 0 {
		text += fmt.Sprintf("; %d further proofs are of devices that cannot be checked, and tell nothing", f.Claims)
	}
	return text
}

// Proven reports whether all was shown that the newest proofs in the log commit to.
func (f *Freshness) Proven() bool { return f.Withheld == 0 && f.Unreadable == 0 }

// Freshness finds the newest anchors of each of the anchorages with no memory but
// their secrets: by months, then by days, then by places of a day, each with a
// proof that there is no newer one. What it finds is remembered: whoever opens a
// vault must come by these heads (see Anchored).
func (t *Trust) Freshness(ctx context.Context, m Member, of []*keyring.Anchorage, l *ledger.State) (*Freshness, error) {
	return t.freshness(ctx, m, of, l, false)
}

// FreshnessUnproven is Freshness for a user who goes on although what the newest
// anchors commit to does not open, because an owner device in a thief's hands can
// have made them: they are counted, and no error.
func (t *Trust) FreshnessUnproven(ctx context.Context, m Member, of []*keyring.Anchorage, l *ledger.State) (*Freshness, error) {
	return t.freshness(ctx, m, of, l, true)
}

func (t *Trust) freshness(ctx context.Context, m Member, of []*keyring.Anchorage, l *ledger.State, unproven bool) (*Freshness, error) {
	now, err := t.clock()
	if err != nil {
		return nil, err
	}
	f := &Freshness{}
	newest := map[claimant]AnchoredHead{}
	for _, from := range of {
		found, err := t.newestAnchors(ctx, m, from, now)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if f.Newest == "" || found[i].Period.End() > f.Newest.End() {
				f.Newest = found[i].Period
			}
			if err := f.take(from, &found[i], newest, l); err != nil && !unproven {
				return nil, err
			}
		}
	}
	for _, h := range newest {
		f.Heads = append(f.Heads, h)
	}
	slices.SortFunc(f.Heads, func(a, b AnchoredHead) int {
		return cmp.Or(bytes.Compare(a.Vault[:], b.Vault[:]), bytes.Compare(a.Writer[:], b.Writer[:]))
	})
	if v, err := t.o.State.View(); err != nil {
		return nil, err
	} else if v != nil {
		f.AsOf = v.AsOf()
	}
	return f, t.rememberAnchored(f.Heads)
}

// claimant is who says something of a vault: what a writer says never stands in
// the way of what an owner device says.
type claimant struct {
	vault  protocol.VaultID
	writer protocol.MemberID // zero: owner devices
}

// take opens an anchor's box and takes over what is newer in it. Anchorages come
// with the newest epoch first, and an older one adds nothing to what that says.
//
// A box that does not open is an error only where none but a present owner device
// can have made it: whoever else could would keep everybody from coming back.
func (f *Freshness) take(from *keyring.Anchorage, found *directory.AnchorFound, newest map[claimant]AnchoredHead, l *ledger.State) error {
	checked := from.Writer.IsZero() && from.Epoch == l.Epoch()
	switch {
	case found.Box == nil && checked:
		f.Withheld++
		return nil
	case found.Box == nil:
		f.Claims++
		return nil
	}
	what, err := from.Open(found.Index, found.Box)
	switch {
	case err != nil && checked:
		f.Unreadable++
		return protocol.Wrap(protocol.KindOf(err), err, "the anchor of %s in the public log, which only an owner device or the server can have spoilt (solekey join --unproven goes on without it)", found.Period)
	case err != nil:
		f.Claims++
		return nil
	}
	for _, h := range what.Heads {
		who := claimant{h.Vault, from.Writer}
		known, is := newest[who]
		if !counts(from, h, l) || is && (known.Epoch > from.Epoch || h.Seq <= known.Seq) {
			continue
		}
		if _, err := l.Vault(h.Vault); err != nil {
			continue
		}
		newest[who] = AnchoredHead{Vault: h.Vault, Seq: h.Seq, Hash: h.Hash, Writer: from.Writer, Epoch: from.Epoch, Period: string(found.Period)}
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

// newestAnchors returns the anchors of the newest day of an anchorage that has any,
// or else that of the newest month. The last weeks are looked at by days whatever
// the months say.
func (t *Trust) newestAnchors(ctx context.Context, m Member, from *keyring.Anchorage, now protocol.Time) ([]directory.AnchorFound, error) {
	var months, days []directory.Period
	for p := directory.MonthOf(now + searchAhead); len(months) < monthsBack; p = directory.MonthOf(p.Start() - 1) {
		months = append(months, p)
	}
	for p := directory.DayOf(now + searchAhead); len(days) < daysBack; p = directory.DayOf(p.Start() - 1) {
		days = append(days, p)
	}
	month, err := t.firstOf(ctx, m, from, months)
	if err != nil {
		return nil, err
	}
	day, err := t.firstOf(ctx, m, from, days)
	if err != nil || day == nil && month == nil {
		return nil, err
	}
	if day != nil {
		all, err := t.allOf(ctx, m, from, day)
		if month != nil && month.Period.Start() > day.Period.Start() {
			all = append(all, *month)
		}
		return all, err
	}
	days = nil
	for p := directory.DayOf(month.Period.End() - 1); p.Start() >= month.Period.Start(); p = directory.DayOf(p.Start() - 1) {
		days = append(days, p)
	}
	day, err = t.firstOf(ctx, m, from, days)
	if err != nil || day == nil {
		return []directory.AnchorFound{*month}, err
	}
	return t.allOf(ctx, m, from, day)
}

// firstOf returns the anchor at the first slot of the first period that has one.
func (t *Trust) firstOf(ctx context.Context, m Member, from *keyring.Anchorage, periods []directory.Period) (*directory.AnchorFound, error) {
	var asked []directory.AnchorQuestion
	for _, p := range periods {
		asked = append(asked, placeOf(from, p, 0))
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

// allOf returns the anchors of a day. Which is the newest their boxes say: a place
// that stayed empty may be taken last. Many may be empty between: anchors can be
// lost.
func (t *Trust) allOf(ctx context.Context, m Member, from *keyring.Anchorage, first *directory.AnchorFound) ([]directory.AnchorFound, error) {
	all := []directory.AnchorFound{*first}
	for slot := uint64(1); slot < maxDaySlots; slot += directory.MaxAnchorIndexes {
		var asked []directory.AnchorQuestion
		for i := range uint64(directory.MaxAnchorIndexes) {
			asked = append(asked, placeOf(from, first.Period, slot+i))
		}
		found, _, err := t.anchors(ctx, m, asked)
		if err != nil {
			return nil, err
		}
		before := len(all)
		for i := range found {
			if found[i].Present {
				all = append(all, found[i])
			}
		}
		if len(all) == before {
			break
		}
	}
	return all, nil
}

// noteAnchored remembers heads that the public log proves, until this device's own
// view of the vaults holds them.
const noteAnchored = "anchored-heads"

// rememberAnchored adds heads to those that are remembered. A later look, in which
// the server keeps something back, takes nothing away.
func (t *Trust) rememberAnchored(heads []AnchoredHead) error {
	if len(heads) == 0 {
		return nil
	}
	known, err := Anchored(t.o.State)
	if err != nil {
		return err
	}
	for _, h := range heads {
		same := func(k AnchoredHead) bool { return k.Vault == h.Vault && k.Writer == h.Writer && k.Epoch == h.Epoch }
		if at := slices.IndexFunc(known, same); at < 0 {
			known = append(known, h)
		} else if known[at].Seq < h.Seq {
			known[at] = h
		}
	}
	return keepAnchored(t.o.State, known)
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
