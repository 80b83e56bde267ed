// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"time"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
)

// PruneOptions say how a prune weighs space against traffic.
type PruneOptions struct {
	MaxUnused Allowance     // how much may stay stored that nothing needs
	MaxRepack int64         // most bytes to move; 0: no limit
	MinAge    protocol.Time // younger packs of runs without a snapshot stay; 0: none do
	DryRun    bool
	// OnPlan, where it is set, is told what the prune is about to do. An error
	// ends it; nothing was changed then.
	OnPlan func(*PrunePlan) error
	// OnMoved, where it is set, is told how many bytes were moved so far.
	OnMoved func(bytes int64)
}

// DefaultMinAge is how long packs of a run that made no snapshot are kept for it
// to be taken up again: a first backup over a slow line takes many days.
const DefaultMinAge = protocol.Time(14 * 24 * time.Hour)

// Allowance is a number of bytes, absolute or as a part of what is used.
type Allowance struct {
	Bytes   int64
	Percent float64 // of what is used; counts where it is set
	NoLimit bool
}

// of returns the bytes that the allowance is.
func (a Allowance) of(used int64) int64 {
	switch {
	case a.NoLimit:
		return 1 << 62
	case a.Percent > 0:
		return int64(float64(used) * a.Percent / 100)
	}
	return a.Bytes
}

// PruneResult says what a prune did.
type PruneResult struct {
	Plan     *PrunePlan
	Moved    int64 // bytes of the new packs
	NewPacks int64
	Retired  int // packs
	Revived  int
	Dropped  int
	Broken   []protocol.PackID // were to be repacked and do not open; they stay
}

// Prune retires the packs of which no live snapshot needs anything, moves what is
// needed out of packs with much that is not, and drops what was retired so long
// ago that the provider lets it go. It holds no lock: each step is a generation
// that names the head and the step before it, so that where anything was
// committed meanwhile nothing is retired, and the prune looks again.
func (v *Vault) Prune(ctx context.Context, o PruneOptions) (*PruneResult, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	result := &PruneResult{}
	for range maxTries {
		err := v.pruneOnce(ctx, &o, result)
		if protocol.KindOf(err) != protocol.KindConflict {
			return result, err
		}
		if err := v.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return nil, protocol.Errorf(protocol.KindBusy, "other devices keep changing the vault; what was moved stays, and nothing is lost; try again")
}

// pruneOnce looks at everything and does what is to be done. A step that another
// device forestalled is protocol.KindConflict.
func (v *Vault) pruneOnce(ctx context.Context, o *PruneOptions, result *PruneResult) error {
	m, err := v.markLive(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	plan, err := v.plan(ctx, m, o)
	if errors.Is(err, errMissing) {
		err = errIncomplete()
	}
	if err != nil {
		return err
	}
	if result.Plan == nil {
		result.Plan = plan
		if o.OnPlan != nil {
			if err := o.OnPlan(plan); err != nil {
				return err
			}
		}
	}
	if o.DryRun {
		return nil
	}
	return v.execute(ctx, m, plan, o, result)
}

// markLive marks all live snapshots, and refuses where one cannot be read: what
// nobody can see must not be taken for not needed.
func (v *Vault) markLive(ctx context.Context) (*marks, error) {
	var list []*Snapshot
	for _, seq := range v.live() {
		s, err := v.snapshot(seq)
		if protocol.KindOf(err) == protocol.KindUntrusted {
			raw, _ := v.kept.Record(seq)
			return nil, protocol.Wrap(protocol.KindUnreadable, err, "prune: snapshot %s does not open, so what it needs is not known; forget it by its name, or restore its packs; nothing was retired", snapshot.HashOf(raw))
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	m, err := v.mark(ctx, roots(list))
	if err != nil {
		return nil, err
	}
	if m.losses > 0 {
		m.close()
		return nil, errIncomplete()
	}
	return m, nil
}

func errIncomplete() error {
	return protocol.Errorf(protocol.KindUnreadable, "prune: a snapshot lacks something, so what it needs is not known; `solekey check` says which one, forget it or bring back what it lacks; nothing was retired")
}

// execute does what the plan says.
func (v *Vault) execute(ctx context.Context, m *marks, plan *PrunePlan, o *PruneOptions, result *PruneResult) error {
	if err := v.prune(ctx, snapshot.PruneRevive, plan.revive, &result.Revived); err != nil {
		return err
	}
	moved, err := v.repack(ctx, m, plan, o, result)
	if err != nil {
		return err
	}
	if testingOnlyBeforeRetire != nil {
		testingOnlyBeforeRetire()
	}
	retire := append(append([]protocol.PackID(nil), plan.retire...), moved...)
	sortPacks(retire)
	if err := v.prune(ctx, snapshot.PruneRetire, retire, &result.Retired); err != nil {
		return err
	}
	if err := v.drop(ctx, plan.drops, result); err != nil {
		return err
	}
	return v.weighPacks()
}

// testingOnlyBeforeRetire lets a test move the vault before packs are retired.
var testingOnlyBeforeRetire func()

// drop lets go of what was retired long ago. When that was is the provider's to
// say; what it refuses to drop yet stays, and so does all that was retired later.
func (v *Vault) drop(ctx context.Context, drops [][]protocol.PackID, result *PruneResult) error {
	for _, packs := range drops {
		err := v.prune(ctx, snapshot.PruneDrop, packs, &result.Dropped)
		if protocol.KindOf(err) == protocol.KindDenied {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(v.index.RemovePacks(packs), v.index.Flush()); err != nil {
			return err
		}
	}
	return nil
}

// prune signs and commits generations over packs, which are in ascending order,
// and counts the packs. It is protocol.KindConflict where the vault has moved.
func (v *Vault) prune(ctx context.Context, act snapshot.PruneAct, packs []protocol.PackID, done *int) error {
	for len(packs) > 0 {
		part := packs[:min(len(packs), snapshot.MaxGenerationPacks)]
		packs = packs[len(part):]
		g := &snapshot.Generation{
			Act: act, Account: v.ledger.Account(), Vault: v.o.Vault, Number: v.prunes.Number() + 1, Prev: v.prunes.Hash(),
			Ledger: v.ledger.Head(), Head: v.head, Packs: part,
		}
		raw := g.Sign(v.o.Self.Member)
		if _, err := v.remote.CommitGeneration(ctx, raw); err != nil {
			return err
		}
		if _, err := v.prunes.Append(raw, v.ledger); err != nil {
			return err
		}
		v.step = v.prunes.Number()
		if err := v.kept.AdvanceGeneration(state.Position{Seq: v.step, Hash: v.prunes.Hash()}); err != nil {
			return err
		}
		if act == snapshot.PruneDrop {
			v.gone = append(v.gone, part...)
		}
		*done += len(part)
	}
	return nil
}
