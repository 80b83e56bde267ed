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
// hours the error is KindTooOld, and KindUntrusted for an answer that does not
// hold; nothing else that goes wrong on the way is more than a warning, for the
// next run does it again.
func (t *Trust) Anchor(ctx context.Context, m Member, from *keyring.Anchorage, what keyring.Anchored) error {
	now, err := t.anchor(ctx, m, from, what)
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
	if kept.Behind > 0 && now >= kept.Behind+unprovenFor {
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
	for range maxSlotTries {
		free, err := t.lookAtAnchors(ctx, m, from, kept, now)
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
		if kind := protocol.KindOf(err); kind != protocol.KindConflict && kind != protocol.KindExists {
			return now, err
		}
		kept.Slot++ // another device's waits there already
	}
	return now, protocol.Errorf(protocol.KindBusy, "other devices took every place for an anchor that was tried")
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

// lookAtAnchors learns which anchors went in, and which places are free.
func (t *Trust) lookAtAnchors(ctx context.Context, m Member, from *keyring.Anchorage, kept *state.Anchors, now protocol.Time) (*free, error) {
	var asked []directory.AnchorQuestion
	pending := kept.Pending[:min(len(kept.Pending), directory.MaxAnchorIndexes-slotsAhead-1)]
	for _, p := range pending {
		asked = append(asked, directory.AnchorQuestion{Period: directory.Period(p.Period), Index: p.Index})
	}
	day, month := directory.DayOf(now), directory.MonthOf(now)
	for slot := range uint64(slotsAhead) {
		asked = append(asked, directory.AnchorQuestion{Period: day, Index: from.Key(day, kept.Slot+slot).Index()})
	}
	asked = append(asked, directory.AnchorQuestion{Period: month, Index: from.Key(month, 0).Index()})
	found, view, err := t.anchors(ctx, m, asked)
	if err != nil {
		return nil, err
	}
	if err := t.went(pending, found[:len(pending)], view, now); err != nil {
		return nil, err
	}
	places := found[len(pending):]
	f := &free{day: kept.Slot + slotsAhead, none: true, month: !places[slotsAhead].Present}
	for slot, p := range places[:slotsAhead] {
		if !p.Present && !isPending(kept, p.Index) {
			f.day, f.none = kept.Slot+uint64(slot), false
			break
		}
	}
	f.month = f.month && !isPending(kept, places[slotsAhead].Index)
	return f, nil
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

// went takes in which of the pending anchors are in the log. One whose place
// another device took, or whose period is over, is not waited for any more. What
// the newest one commits to is sent anew where it is lost or overdue; when it is in
// the log, no older one matters.
func (t *Trust) went(pending []state.Anchor, found []directory.AnchorFound, view *directory.View, now protocol.Time) error {
	over := map[protocol.Hash]bool{}
	var in []state.Anchor // in the log
	anew := map[protocol.Time]bool{}
	for i, p := range pending {
		period := directory.Period(p.Period)
		mine := found[i].Present && found[i].Commitment == p.Commitment
		lost := found[i].Present && !mine || view.LogTime() >= period.End()+directory.PeriodGrace
		over[p.Index] = mine || lost
		if mine {
			in = append(in, p)
		}
		if !mine && !period.IsMonth() && (lost || p.Sent+resendAfter <= now) {
			anew[p.Sent] = true
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return t.o.State.ChangeAnchors(func(a *state.Anchors) {
		newest := slices.ContainsFunc(in, func(p state.Anchor) bool { return p.Sent == a.Last && !directory.Period(p.Period).IsMonth() })
		a.Pending = slices.DeleteFunc(a.Pending, func(p state.Anchor) bool {
			return over[p.Index] || newest && p.Sent < a.Last && !directory.Period(p.Period).IsMonth()
		})
		if len(in) > 0 {
			a.Proven = now
		}
		switch {
		case newest && a.Behind <= a.Last:
			a.Behind = 0
		case anew[a.Last]:
			a.Heads = nil
		}
	})
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
