// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// Prune takes in the next generation of a vault and applies it: retire marks
// packs, revive unmarks them, drop deletes those whose retention is over. The
// same generation again is answered alike.
func (s *Service) Prune(ctx context.Context, device Device, vault protocol.VaultID, raw []byte) (api.Head, error) {
	place := Place{device.Account, vault}
	state, err := s.mayManage(ctx, device, vault)
	if err != nil {
		return api.Head{}, err
	}
	g, err := snapshot.ParseGeneration(raw)
	if err != nil {
		return api.Head{}, err
	}
	if g.Account != place.Account || g.Vault != vault {
		return api.Head{}, protocol.Errorf(protocol.KindUsage, "generation %d belongs to another vault", g.Number)
	}
	prune := Prune{
		Place: place, Generation: g, Raw: raw, Hash: snapshot.HashOf(raw), Ledger: state.Head(),
		At: s.now(), DropBefore: protocol.TimeOf(s.Clock().Add(-s.Retention)),
	}
	head, err := s.Chains.Head(ctx, place)
	if err != nil {
		return api.Head{}, err
	}
	if done, err := s.pruned(ctx, prune, head); done || err != nil {
		return head, err
	}
	if err := s.checkPrune(ctx, device, prune, state, head); err != nil {
		return api.Head{}, err
	}
	if err := s.Chains.CommitGeneration(ctx, prune); err != nil {
		return api.Head{}, s.orConflict(ctx, place, err)
	}
	return s.Chains.Head(ctx, place)
}

// pruned reports whether the generation is in the chain already.
func (s *Service) pruned(ctx context.Context, prune Prune, head api.Head) (bool, error) {
	if prune.Generation.Number > head.Generation {
		return false, nil
	}
	same := false
	err := s.Chains.Generations(ctx, prune.Place, prune.Generation.Number, 1, func(raw []byte) error {
		same = snapshot.HashOf(raw) == prune.Hash
		return nil
	})
	return same, err
}

// checkPrune demands that the generation was computed from the head that stands
// now: what was committed meanwhile may refer to its packs. Every reader would
// refuse the chain for a generation that does not follow the one before.
func (s *Service) checkPrune(ctx context.Context, device Device, prune Prune, state *ledger.State, head api.Head) error {
	g := prune.Generation
	if g.Device != device.Member {
		return protocol.Errorf(protocol.KindDenied, "generation %d is signed by another device than the one that sends it", g.Number)
	}
	if g.Number != head.Generation+1 || g.Prev != head.GenerationHash || g.Head.Seq != head.Seq || g.Head.Hash != head.Hash {
		return &ConflictError{Head: head, Message: "the vault has moved meanwhile; read its head and compute again"}
	}
	newest, err := s.prunePlace(ctx, prune.Place, head)
	if err != nil {
		return err
	}
	if err := g.Follows(newest); err != nil {
		return &ConflictError{Head: head, Message: "the generation saw an older ledger than the one before it; read the ledger and compute again"}
	}
	return g.Verify(state)
}

// prunePlace returns where the vault's chain of generations has got to.
func (s *Service) prunePlace(ctx context.Context, place Place, head api.Head) (snapshot.PrunePlace, error) {
	at := snapshot.PrunePlace{Vault: place.Vault, Number: head.Generation, Hash: head.GenerationHash}
	if head.Generation == 0 {
		return at, nil
	}
	err := s.Chains.Generations(ctx, place, head.Generation, 1, func(raw []byte) error {
		newest, err := snapshot.ParseGeneration(raw)
		if err != nil {
			return protocol.Wrap(protocol.KindInternal, err, "read generation %d of vault %s", head.Generation, place.Vault)
		}
		at.Ledger, at.Head = newest.Ledger.Seq, newest.Head.Seq
		return nil
	})
	return at, err
}

// Generations visits a page of the chain of generations.
func (s *Service) Generations(ctx context.Context, device Device, vault protocol.VaultID, from uint64, visit func([]byte) error) error {
	if _, err := s.mayManage(ctx, device, vault); err != nil {
		return err
	}
	return s.Chains.Generations(ctx, Place{device.Account, vault}, from, api.MaxPage, visit)
}
