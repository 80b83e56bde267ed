// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

// PrunePlan says what a prune does. All sizes are bytes.
type PrunePlan struct {
	Packs        int   // that the vault holds, retired ones not counted
	Stored       int64 // their size
	Used         int64 // what snapshots need of them
	Unused       int64 // what they do not, before the prune
	Left         int64 // what they do not, after it
	Retire       int   // packs of which nothing is needed
	RetireSize   int64
	Repack       int // packs of which the needed part is moved
	RepackSize   int64
	Move         int64 // the needed part of these, to be fetched and sent
	InFlight     int   // young packs of runs that made no snapshot yet: they stay as they are
	InFlightSize int64
	Revive       int // retired packs that a snapshot needs
	Retired      int // retired before, waiting for the end of their retention
	RetiredSize  int64

	retire, repack, revive []protocol.PackID // ascending, but for repack
	drops                  [][]protocol.PackID
}

// Frees returns how many bytes less will be stored, once the retention of what
// is retired now is over.
func (p *PrunePlan) Frees() int64 { return p.RetireSize + p.RepackSize - p.Move }

// IsEmpty reports whether there is nothing to do but to drop what can be dropped.
func (p *PrunePlan) IsEmpty() bool { return len(p.retire)+len(p.repack)+len(p.revive) == 0 }

// packUse is what is needed of one pack. There is one for each pack, some 150
// bytes: ten megabytes for a terabyte of packs.
type packUse struct {
	tree.PackInfo
	content  int64 // bytes of sealed frames
	used     int64 // of these, what snapshots need from this pack
	retired  bool
	broken   bool // a check found it missing or damaged, or it is absent
	absent   bool // the provider says that it does not have it
	foreign  bool // its device is not in the account any more
	inFlight bool
	fixed    bool // it may be retired, and is not repacked
}

// share is the part of a sealed frame that a chunk takes.
func share(l *tree.Location) int64 {
	return (int64(l.Sealed)*int64(l.Length) + int64(l.Raw) - 1) / int64(max(l.Raw, 1))
}

// weigh finds out what is needed of each pack; errMissing, with the packs, says
// that something is in none of them. Of a chunk that lies in several,
// the one that it is needed from is the newest of those that are relied on.
func (v *Vault) weigh(ctx context.Context, m *marks) (map[protocol.PackID]*packUse, error) {
	broken, err := v.brokenPacks()
	if err != nil {
		return nil, err
	}
	packs := map[protocol.PackID]*packUse{}
	for p, err := range v.index.Packs() {
		if err != nil {
			return nil, err
		}
		_, retired := v.prunes.Retired()[p.ID]
		packs[p.ID] = &packUse{
			PackInfo: p, retired: retired, broken: broken[p.ID], foreign: !v.present(p.Signer), fixed: v.sends(p.Signer),
		}
	}
	if err := v.findAbsent(ctx, packs); err != nil {
		return nil, err
	}
	lacks := false
	err = m.match(func(c *matched) error {
		if len(c.places) == 0 {
			lacks = true
			return nil
		}
		for i := range c.places {
			packs[c.places[i].Pack].content += share(&c.places[i])
		}
		if len(c.uses) > 0 {
			keeper := keeperOf(c.places, packs)
			packs[keeper.Pack].used += share(keeper)
		}
		return nil
	})
	if err == nil && lacks {
		err = errMissing
	}
	return packs, err
}

// findAbsent marks the packs that the provider says it does not have: nothing
// must go because one of them is said to hold it, too, and no step of the prune
// chain can name them.
func (v *Vault) findAbsent(ctx context.Context, packs map[protocol.PackID]*packUse) error {
	ids := slices.Collect(maps.Keys(packs))
	states, err := v.remote.StatPacks(ctx, ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if states[i] == api.PackAbsent || states[i] == api.PackDropped {
			packs[id].absent, packs[id].broken = true, true
			v.o.Warn(protocol.Errorf(protocol.KindNotFound, "the server does not have pack %s; `solekey check` says what it touches", id))
		}
	}
	return nil
}

// errMissing says that a chunk that a snapshot needs is in no pack.
var errMissing = errors.New("a snapshot needs what no pack holds")

// sends reports whether a device is a writer that may go on adding. It cannot
// look into the packs of others: what is moved out of its own packs it would send
// again, so they are not repacked.
func (v *Vault) sends(device protocol.MemberID) bool {
	return v.present(device) && !v.writer(device).IsZero()
}

// keeperOf returns the place that a chunk is needed from.
func keeperOf(places []tree.Location, packs map[protocol.PackID]*packUse) *tree.Location {
	var best *tree.Location
	rank := -1
	for i := range places {
		if r := packs[places[i].Pack].rank(); r >= rank {
			best, rank = &places[i], r
		}
	}
	return best
}

// rank says how well a chunk lies in a pack. A retired pack that is whole comes
// before one that is broken, or of which only a removed device says what it
// holds: it is revived, since it may be the last good one.
func (p *packUse) rank() int {
	rank := 4
	switch {
	case p.broken:
		rank = 0
	case p.foreign:
		rank = 2
	}
	if !p.retired {
		rank++
	}
	return rank
}

// plan decides what becomes of each pack.
func (v *Vault) plan(ctx context.Context, m *marks, o *PruneOptions) (*PrunePlan, error) {
	packs, err := v.weigh(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := v.findInFlight(ctx, packs, o.MinAge); err != nil {
		return nil, err
	}
	plan := &PrunePlan{}
	var partly []*packUse
	for _, p := range packs {
		if p.absent {
			continue
		}
		if plan.count(p); !p.retired && !p.inFlight && p.used > 0 && p.used < p.content && !p.fixed {
			partly = append(partly, p)
		}
	}
	plan.Left = plan.Unused
	for _, id := range plan.retire {
		plan.Left -= packs[id].content
	}
	plan.choose(partly, o)
	plan.drops = v.drops(packs)
	sortPacks(plan.retire)
	sortPacks(plan.revive)
	return plan, nil
}

// count takes one pack into the sums, and decides where nothing is to weigh up.
func (plan *PrunePlan) count(p *packUse) {
	switch {
	case p.retired && p.used > 0:
		plan.Revive++
		plan.revive = append(plan.revive, p.ID)
		return
	case p.retired:
		plan.Retired++
		plan.RetiredSize += p.Size
		return
	}
	plan.Packs++
	plan.Stored += p.Size
	plan.Used += p.used
	plan.Unused += p.content - p.used
	switch {
	case p.inFlight:
		plan.InFlight++
		plan.InFlightSize += p.Size
	case p.used == 0:
		plan.Retire++
		plan.RetireSize += p.Size
		plan.retire = append(plan.retire, p.ID)
	}
}

// choose takes packs to be repacked, those with the most waste first, until what
// is left unused is little enough or no more may be moved.
func (plan *PrunePlan) choose(partly []*packUse, o *PruneOptions) {
	slices.SortFunc(partly, func(a, b *packUse) int {
		x, y := (a.content-a.used)*b.content, (b.content-b.used)*a.content
		return cmp.Or(cmp.Compare(y, x), bytes.Compare(a.ID[:], b.ID[:]))
	})
	most := o.MaxUnused.of(plan.Used)
	for _, p := range partly {
		if plan.Left <= most {
			return
		}
		if o.MaxRepack > 0 && plan.Move+p.used > o.MaxRepack {
			continue
		}
		plan.Left -= p.content - p.used
		plan.Repack++
		plan.RepackSize += p.Size
		plan.Move += p.used
		plan.repack = append(plan.repack, p.ID)
	}
}

// drops returns the retired packs that nothing needs, together those that were
// retired together: their retention ends together. The oldest come first.
func (v *Vault) drops(packs map[protocol.PackID]*packUse) [][]protocol.PackID {
	byStep := map[uint64][]protocol.PackID{}
	var steps []uint64
	for id, r := range v.prunes.Retired() {
		if p := packs[id]; p != nil && (p.used > 0 || p.absent) {
			continue
		}
		if byStep[r.Generation] == nil {
			steps = append(steps, r.Generation)
		}
		byStep[r.Generation] = append(byStep[r.Generation], id)
	}
	slices.Sort(steps)
	var drops [][]protocol.PackID
	for _, step := range steps {
		sortPacks(byStep[step])
		drops = append(drops, byStep[step])
	}
	return drops
}

func sortPacks(ids []protocol.PackID) {
	slices.SortFunc(ids, func(a, b protocol.PackID) int { return bytes.Compare(a[:], b[:]) })
}

// findInFlight marks the packs that the provider received within the last while
// from runs of which the chain holds no record: a run that goes on, or is taken
// up again, needs them. When a pack came is the provider's word; a false one
// makes a run send again, or a prune free less.
func (v *Vault) findInFlight(ctx context.Context, packs map[protocol.PackID]*packUse, age protocol.Time) error {
	if age <= 0 {
		return nil
	}
	since := v.o.Now() - age
	from, err := v.cursorBefore(ctx, since)
	if err != nil {
		return err
	}
	runs, err := v.committedRuns()
	if err != nil {
		return err
	}
	return v.remote.ListPacks(ctx, from, func(rec api.PackRecord, st *snapshot.PackStatement) error {
		if p := packs[st.Pack]; p != nil && rec.Received >= since && !runs[st.Run] && !p.retired {
			p.inFlight = true
		}
		return nil
	})
}

// errEnough ends a listing early.
var errEnough = errors.New("enough was listed")

// cursorBefore returns a cursor behind which all packs stand that were received
// since a time: packs stand in the order of receipt, so it goes back from the
// newest in growing steps.
func (v *Vault) cursorBefore(ctx context.Context, since protocol.Time) (uint64, error) {
	newest, err := v.receivedCursor()
	if err != nil {
		return 0, err
	}
	for step := uint64(256); step < newest; step *= 8 {
		var received protocol.Time
		err := v.remote.ListPacks(ctx, newest-step, func(rec api.PackRecord, _ *snapshot.PackStatement) error {
			received = rec.Received
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return 0, err
		}
		if err != nil && received < since {
			return newest - step, nil
		}
	}
	return 0, nil
}

// committedRuns returns the runs that made a record.
func (v *Vault) committedRuns() (map[protocol.RunID]bool, error) {
	runs := map[protocol.RunID]bool{}
	for seq := uint64(1); seq <= v.head.Seq; seq++ {
		raw, err := v.kept.Record(seq)
		if err != nil {
			return nil, err
		}
		rec, err := snapshot.Parse(raw)
		if err != nil {
			return nil, err
		}
		runs[rec.Run] = true
	}
	return runs, nil
}
