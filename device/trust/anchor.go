// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"slices"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// How often a device anchors, and how long heads may be without an anchor in the
// log before that is a failure.
const (
	anchorEvery  = protocol.Time(time.Hour)
	unprovenFor  = protocol.Time(48 * time.Hour)
	resendAfter  = protocol.Time(3 * time.Hour) // batches are hourly
	slotsAhead   = 8                            // looked at in one go, of those that other devices may have taken
	maxDaySlots  = 1 << 12
	maxSlotTries = 8
)

// Anchor commits heads to the public log, under the secret that the anchorage is
// of: at most once an hour, and only what is new. It also looks whether what was
// sent before went in. Where heads have been without an anchor in the log for 48
// hours, although one was left, or none can be left now, the error is KindTooOld,
// and KindUntrusted for an answer that does not hold; nothing else that goes wrong
// on the way is more than a warning, for the next run does it again.
func (t *Trust) Anchor(ctx context.Context, m Member, from *keyring.Anchorage, what keyring.Anchored) error {
	before, err := t.o.State.Anchors()
	if err != nil {
		return err
	}
	now, err := t.anchor(ctx, m, from, what)
	// Who left none since the heads were new, and has done so now, has only been away.
	chance := err != nil || before.Last >= before.Behind
	if err != nil {
		if HeldBy(err) != nil || protocol.KindOf(err) == protocol.KindUntrusted {
			return err
		}
		t.o.Warn(protocol.Wrap(protocol.KindOf(err), err, "anchor the newest snapshots in the public log; the next run tries again"))
	}
	kept, err := t.o.State.Anchors()
	if err != nil {
		return err
	}
	if kept.Behind > 0 && now >= kept.Behind+unprovenFor && chance {
		return protocol.Errorf(protocol.KindTooOld,
			"since %s no proof of the newest snapshots has entered the server's public log: a device that comes back with nothing but the recovery key could be shown older ones", kept.Behind)
	}
	return nil
}

func (t *Trust) anchor(ctx context.Context, m Member, from *keyring.Anchorage, what keyring.Anchored) (protocol.Time, error) {
	now, err := t.clock()
	if err != nil {
		return now, err
	}
	if err := t.recall(from, now); err != nil {
		return now, err
	}
	if err := t.noteBehind(what.Heads, now); err != nil {
		return now, err
	}
	kept, err := t.o.State.Anchors()
	if err != nil {
		return now, err
	}
	if day := string(directory.DayOf(now)); kept.Day != day {
		kept.Day, kept.Slot = day, 0
	}
	if !due(kept, what.Heads, now) && len(kept.Pending) == 0 {
		return now, nil
	}
	taken := false
	for range maxSlotTries {
		free, err := t.lookAtAnchors(ctx, m, from, kept, taken, now)
		if err != nil {
			return now, err
		}
		if err := t.noteBehind(what.Heads, now); err != nil {
			return now, err
		}
		seen, err := t.o.State.Anchors() // what was looked for may have been lost
		if err != nil || !due(seen, what.Heads, now) {
			return now, err
		}
		if free.day >= maxDaySlots {
			return now, protocol.Errorf(protocol.KindTooMany, "there is no free place for an anchor today")
		}
		if kept.Slot = free.day; free.none {
			continue
		}
		err = t.leave(ctx, m, from, what, free, now)
		if free.month && isTaken(err) { // it may be that of the month
			free.month = false
			err = t.leave(ctx, m, from, what, free, now)
		}
		if !isTaken(err) {
			return now, err
		}
		taken = taken || kept.Slot == 0
		kept.Slot++ // another device's waits there already
	}
	return now, protocol.Errorf(protocol.KindBusy, "other devices took every place for an anchor that was tried")
}

// isTaken reports whether the server says that another anchor has the place. It may
// lie: what counts in the end is what a search finds.
func isTaken(err error) bool {
	kind := protocol.KindOf(err)
	return kind == protocol.KindConflict || kind == protocol.KindExists
}

// due reports whether heads are to be anchored now.
func due(kept *state.Anchors, heads []ledger.VaultHead, now protocol.Time) bool {
	return len(heads) > 0 && !slices.Equal(kept.Heads, heads) && (kept.Last == 0 || now >= kept.Last+anchorEvery)
}

// clock returns the best clock under the view that is remembered.
func (t *Trust) clock() (protocol.Time, error) {
	old, err := t.o.State.View()
	if err != nil {
		return 0, err
	}
	return t.now((&looked{old: old}).attested())
}

// recall makes what is remembered fit the present: what was anchored under another
// secret counts no more, since others may know that one; and a clock that was far
// ahead once must not put the next anchor, or the failure, off for years.
func (t *Trust) recall(from *keyring.Anchorage, now protocol.Time) error {
	kept, err := t.o.State.Anchors()
	if err != nil || kept.Epoch == from.Epoch && kept.Last <= now && kept.Behind <= now {
		return err
	}
	return t.o.State.ChangeAnchors(func(a *state.Anchors) {
		if a.Epoch != from.Epoch {
			*a = state.Anchors{Epoch: from.Epoch, Proven: a.Proven}
		}
		if a.Last > now {
			a.Last = 0
		}
		a.Behind = min(a.Behind, now)
	})
}

// noteBehind remembers since when there are heads that no anchor holds.
func (t *Trust) noteBehind(heads []ledger.VaultHead, now protocol.Time) error {
	kept, err := t.o.State.Anchors()
	if err != nil || kept.Behind > 0 || slices.Equal(kept.Heads, heads) {
		return err
	}
	return t.o.State.ChangeAnchors(func(a *state.Anchors) { a.Behind = now })
}

// free is where the next anchor can go.
type free struct {
	day   uint64 // the slot of the day
	none  bool   // none of those looked at; day is where to look next
	month bool   // the month has none yet
}

// place is a slot of a period in an anchorage.
type place = directory.AnchorQuestion

func placeOf(from *keyring.Anchorage, period directory.Period, slot uint64) place {
	return place{Period: period, Index: from.Key(period, slot).Index()}
}

// gates are the places that a search without memory must find taken before it
// comes to any anchor of a day: the first of the day, and that of its month.
func gates(from *keyring.Anchorage, day directory.Period) []place {
	return []place{placeOf(from, day, 0), placeOf(from, directory.MonthOf(day.Start()), 0)}
}

// lookAtAnchors learns which anchors went in, and which places are free. Taken says
// that the first place of the day was refused meanwhile, as another device's.
func (t *Trust) lookAtAnchors(ctx context.Context, m Member, from *keyring.Anchorage, kept *state.Anchors, taken bool, now protocol.Time) (*free, error) {
	day := directory.DayOf(now)
	asked := gates(from, day)
	first, month := asked[0], asked[1]
	for slot := range uint64(slotsAhead) {
		asked = append(asked, placeOf(from, day, kept.Slot+slot))
	}
	ahead := asked[2:]
	var pending []state.Anchor
	for _, p := range kept.Pending {
		if asked = once(asked); len(asked)+3 > directory.MaxAnchorIndexes {
			break
		}
		pending = append(pending, p)
		asked = append(asked, place{Period: directory.Period(p.Period), Index: p.Index})
		if !directory.Period(p.Period).IsMonth() {
			asked = append(asked, gates(from, directory.Period(p.Period))...)
		}
	}
	said, view, err := t.anchors(ctx, m, once(asked))
	if err != nil {
		return nil, err
	}
	found := map[place]directory.AnchorFound{}
	for _, f := range said {
		found[f.AnchorQuestion] = f
	}
	if err := t.went(from, pending, found, view, now); err != nil {
		return nil, err
	}
	left, err := t.o.State.Anchors()
	if err != nil {
		return nil, err
	}
	open := func(p place) bool { return !found[p].Present && !isPending(left, p.Index) }
	f := &free{day: kept.Slot + slotsAhead, none: true, month: open(month)}
	if open(first) && !taken {
		f.day, f.none = 0, false // without it no other is found
		return f, nil
	}
	for slot, p := range ahead {
		if open(p) && (p != first || !taken) {
			f.day, f.none = kept.Slot+uint64(slot), false
			break
		}
	}
	return f, nil
}

// once returns the places, none twice.
func once(places []place) []place {
	var list []place
	for _, p := range places {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

func isPending(kept *state.Anchors, index protocol.Hash) bool {
	return slices.ContainsFunc(kept.Pending, func(p state.Anchor) bool { return p.Index == index })
}

// anchors asks for anchors and verifies the answer under a view that it moves on.
func (t *Trust) anchors(ctx context.Context, m Member, asked []directory.AnchorQuestion) ([]directory.AnchorFound, *directory.View, error) {
	for range maxRaces {
		old, err := t.o.State.View()
		if err != nil {
			return nil, nil, err
		}
		var size uint64
		if old != nil {
			size = old.Size()
		}
		answer, err := m.Anchors(ctx, t.world.Hash(), size, asked)
		if err != nil {
			return nil, nil, err
		}
		view, err := t.world.Advance(old, &answer.CheckpointPart)
		if err != nil {
			return nil, nil, t.alarmed(err)
		}
		found, err := t.world.VerifyAnchors(view, asked, answer)
		if err != nil {
			return nil, nil, err
		}
		err = t.o.State.AdvanceView(old, view)
		if protocol.KindOf(err) != protocol.KindConflict {
			return found, view, err
		}
	}
	return nil, nil, protocol.Errorf(protocol.KindBusy, "other commands on this device keep looking at the log; try again")
}

// went takes in which of the pending anchors are in the log. One counts as proven
// where a search without memory comes to it: behind its gates. What does not go in
// for hours, or whose place another device took, or whose period is over, is not
// waited for any more; what it held is sent anew, at another place.
func (t *Trust) went(from *keyring.Anchorage, pending []state.Anchor, found map[place]directory.AnchorFound, view *directory.View, now protocol.Time) error {
	over := map[protocol.Hash]bool{}
	var proven, lost bool
	newest := newestOf(pending)
	for _, p := range pending {
		period := directory.Period(p.Period)
		at := found[place{Period: period, Index: p.Index}]
		late := p.Sent+resendAfter <= now || p.Sent > now+anchorEvery || !period.Open(view.LogTime()) && view.LogTime() > period.End()
		reached := at.Present && at.Commitment == p.Commitment
		if !period.IsMonth() {
			for _, gate := range gates(from, period) {
				reached = reached && found[gate].Present
			}
		}
		switch {
		case reached:
			over[p.Index] = true
			proven = proven || p == newest
		case at.Present && at.Commitment != p.Commitment, late:
			over[p.Index] = true
			lost = lost || p == newest
		}
	}
	if len(over) == 0 {
		return nil
	}
	return t.o.State.ChangeAnchors(func(a *state.Anchors) {
		a.Pending = slices.DeleteFunc(a.Pending, func(p state.Anchor) bool { return over[p.Index] })
		if lost {
			a.Heads = nil // to be sent again
		}
		if proven {
			a.Proven = now
		}
		if proven && newest.Sent == a.Last && a.Behind <= a.Last {
			a.Behind = 0
		}
	})
}

// newestOf returns the newest anchor of a day.
func newestOf(pending []state.Anchor) state.Anchor {
	var newest state.Anchor
	for _, p := range pending {
		if !directory.Period(p.Period).IsMonth() && p.Sent >= newest.Sent {
			newest = p
		}
	}
	return newest
}

// leave sends an anchor for the day and, where the month has none, one for it.
func (t *Trust) leave(ctx context.Context, m Member, from *keyring.Anchorage, what keyring.Anchored, at *free, now protocol.Time) error {
	what.Time = t.o.Now()
	day, month := directory.DayOf(now), directory.MonthOf(now)
	var left []api.Anchor
	var sent []state.Anchor
	add := func(period directory.Period, slot uint64) {
		key := from.Key(period, slot)
		box := from.Seal(key.Index(), &what)
		commitment := directory.AnchorBoxHash(box)
		entry := directory.Entry{Anchor: directory.NewAnchor(t.world.Log(), key, commitment)}
		left = append(left, api.Anchor{Entry: entry.Bytes(), Box: box})
		sent = append(sent, state.Anchor{Period: string(period), Slot: slot, Index: key.Index(), Commitment: commitment, Sent: now})
	}
	add(day, at.day)
	if at.month {
		add(month, 0)
	}
	if err := m.AddAnchors(ctx, left); err != nil {
		return err
	}
	return t.o.State.ChangeAnchors(func(a *state.Anchors) {
		a.Pending = append(a.Pending, sent...)
		a.Last, a.Heads, a.Day, a.Slot = now, what.Heads, string(day), at.day+1
	})
}
