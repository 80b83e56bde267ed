// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
)

// UndeleteOptions say what is brought back.
type UndeleteOptions struct {
	IDs    []string // forgotten snapshots, with the packs they need
	All    bool     // every forgotten snapshot of which nothing was dropped
	Packs  bool     // every retired pack
	DryRun bool
}

// UndeleteResult says what came back.
type UndeleteResult struct {
	Snapshots []*Snapshot
	Lost      []*Snapshot // asked for, and some of it was dropped
	Packs     int
	Record    protocol.Hash // the list; zero where no snapshot came back
}

// Undelete undoes what forgetting and pruning did, as long as the provider keeps
// it: packs first, so that no snapshot is live whose packs may go, then the list
// that names the snapshots again. A snapshot that a removed device signed beyond
// its last head comes back by its name alone: the owner vouches for it.
func (v *Vault) Undelete(ctx context.Context, o UndeleteOptions) (*UndeleteResult, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	if len(o.IDs) == 0 && !o.All && !o.Packs {
		return nil, protocol.Errorf(protocol.KindUsage, "say what to bring back: snapshots by their names, --snapshots or --packs")
	}
	for range maxTries {
		result, err := v.undeleteOnce(ctx, &o)
		if protocol.KindOf(err) != protocol.KindConflict {
			return result, err
		}
		if err := v.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return nil, protocol.Errorf(protocol.KindBusy, "other devices keep changing the vault; nothing is lost, try again")
}

func (v *Vault) undeleteOnce(ctx context.Context, o *UndeleteOptions) (*UndeleteResult, error) {
	result := &UndeleteResult{}
	if err := v.chooseForgotten(ctx, o, result); err != nil {
		return nil, err
	}
	packs, err := v.packsToRevive(ctx, o, result.Snapshots)
	if err != nil {
		return nil, err
	}
	if o.DryRun {
		result.Packs = len(packs)
		return result, nil
	}
	if err := v.prune(ctx, snapshot.PruneRevive, packs, &result.Packs); err != nil {
		return nil, err
	}
	if err := v.weighPacks(); err != nil {
		return nil, err
	}
	result.Record, err = v.restate(ctx, func() (*statement, error) { return v.with(result.Snapshots) })
	return result, err
}

// with states what is live and some snapshots more; nil where all of them are.
func (v *Vault) with(more []*Snapshot) (*statement, error) {
	s, err := v.stated()
	if err != nil {
		return nil, err
	}
	changed := false
	for _, m := range more {
		if _, live := v.chain.Live()[m.ID]; !live {
			s.live = append(s.live, m.ID)
			changed = true
		}
	}
	if !changed {
		return nil, nil
	}
	return s, nil
}

// chooseForgotten finds the snapshots that come back, and of which there is not
// everything any more.
func (v *Vault) chooseForgotten(ctx context.Context, o *UndeleteOptions, result *UndeleteResult) error {
	asked, err := v.forgotten(o)
	if err != nil {
		return err
	}
	whole, err := v.isWhole(ctx, asked)
	if err != nil {
		return err
	}
	if whole {
		result.Snapshots = asked
		return nil
	}
	for _, s := range asked {
		whole, err := v.isWhole(ctx, []*Snapshot{s})
		if err != nil {
			return err
		}
		if whole {
			result.Snapshots = append(result.Snapshots, s)
		} else {
			result.Lost = append(result.Lost, s)
		}
	}
	if len(o.IDs) > 0 && len(result.Lost) > 0 {
		return protocol.Errorf(protocol.KindNotFound, "of snapshot %s some packs were dropped: it cannot come back; nothing was changed", result.Lost[0].ID)
	}
	return nil
}

// forgotten returns the snapshots that are asked for, in the order of the chain.
func (v *Vault) forgotten(o *UndeleteOptions) ([]*Snapshot, error) {
	gone := map[protocol.Hash]uint64{}
	for hash, seq := range v.chain.Runs() {
		if _, live := v.chain.Live()[hash]; !live {
			gone[hash] = seq
		}
	}
	if o.All {
		return v.opened(gone)
	}
	for hash, seq := range v.chain.Void() {
		gone[hash] = seq
	}
	chosen := map[protocol.Hash]uint64{}
	for _, id := range o.IDs {
		s, err := v.byPrefix(id, gone)
		if err != nil {
			return nil, err
		}
		chosen[s.ID] = s.Seq
	}
	list, err := v.opened(chosen)
	if err == nil && len(list) < len(chosen) {
		err = protocol.Errorf(protocol.KindUntrusted, "a snapshot does not open; nothing was changed")
	}
	return list, err
}

// opened opens the snapshots of a set that open, and warns of the others.
func (v *Vault) opened(set map[protocol.Hash]uint64) ([]*Snapshot, error) {
	var list []*Snapshot
	for _, seq := range positions(set) {
		s, err := v.snapshot(seq)
		if protocol.KindOf(err) == protocol.KindUntrusted {
			v.o.Warn(protocol.Wrap(protocol.KindUntrusted, err, "a snapshot does not open, so it is passed over, with the packs that it needs"))
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Seq < list[j].Seq })
	return list, nil
}

// isWhole reports whether packs, stored or retired, hold all that snapshots need.
func (v *Vault) isWhole(ctx context.Context, list []*Snapshot) (bool, error) {
	m, err := v.mark(ctx, roots(list))
	if err != nil {
		return false, err
	}
	defer m.close()
	whole := m.losses == 0
	err = m.match(func(c *matched) error {
		whole = whole && (len(c.uses) == 0 || len(c.places) > 0)
		return nil
	})
	return whole, err
}

// packsToRevive returns the retired packs that are asked for, or that what is
// live or comes back needs, ascending.
func (v *Vault) packsToRevive(ctx context.Context, o *UndeleteOptions, back []*Snapshot) ([]protocol.PackID, error) {
	if len(v.prunes.Retired()) == 0 {
		return nil, nil
	}
	var packs []protocol.PackID
	if o.Packs {
		for id := range v.prunes.Retired() {
			packs = append(packs, id)
		}
		sortPacks(packs)
		return packs, nil
	}
	live, err := v.opened(v.chain.Live())
	if err != nil {
		return nil, err
	}
	m, err := v.mark(ctx, roots(append(live, back...)))
	if err != nil {
		return nil, err
	}
	defer m.close()
	weights, err := v.weigh(ctx, m)
	if err != nil && !errors.Is(err, errMissing) { // a live one may be broken
		return nil, err
	}
	for _, p := range weights {
		if p.retired && p.used > 0 && !p.absent {
			packs = append(packs, p.ID)
		}
	}
	sortPacks(packs)
	return packs, nil
}
