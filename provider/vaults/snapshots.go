// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults

import (
	"context"
	"errors"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// Commit takes in the next record of a vault's chain of snapshots. A writer
// device commits runs only. The same record again is answered alike. Where the
// ledger grew between check and commit, the record is checked again.
func (s *Service) Commit(ctx context.Context, device Device, vault protocol.VaultID, raw []byte) (api.Head, error) {
	record, err := snapshot.Parse(raw)
	if err != nil {
		return api.Head{}, err
	}
	place := Place{device.Account, vault}
	if record.Account != place.Account || record.Vault != vault {
		return api.Head{}, protocol.Errorf(protocol.KindUsage, "snapshot record %d belongs to another vault", record.Seq)
	}
	commit := Commit{Place: place, Record: record, Raw: raw, Hash: snapshot.HashOf(raw), Limited: record.Act == snapshot.ActRun}
	for range tries {
		err = s.commit(ctx, device, commit)
		var lost *ConflictError
		if err == nil {
			return s.Chains.Head(ctx, place)
		}
		if errors.As(err, &lost) || !isKind(err, protocol.KindConflict) {
			return api.Head{}, err
		}
	}
	return api.Head{}, s.orConflict(ctx, place, err)
}

func (s *Service) commit(ctx context.Context, device Device, commit Commit) error {
	state, err := s.mayAdd(ctx, device, commit.Vault)
	if err != nil {
		return err
	}
	commit.Ledger, commit.At = state.Head(), s.now()
	head, err := s.Chains.Head(ctx, commit.Place)
	if err != nil {
		return err
	}
	if done, err := s.committed(ctx, commit, head); done || err != nil {
		return err
	}
	if err := s.checkCommit(ctx, device, commit, state, head); err != nil {
		return err
	}
	return s.Chains.CommitSnapshot(ctx, commit)
}

// committed reports whether the record is in the chain already.
func (s *Service) committed(ctx context.Context, commit Commit, head api.Head) (bool, error) {
	if commit.Record.Seq > head.Seq {
		return false, nil
	}
	hash, _, err := s.Index.SnapshotAt(ctx, commit.Place, commit.Record.Seq)
	return err == nil && hash == commit.Hash, err
}

func (s *Service) checkCommit(ctx context.Context, device Device, commit Commit, state *ledger.State, head api.Head) error {
	r := commit.Record
	if r.Device != device.Member {
		return protocol.Errorf(protocol.KindDenied, "snapshot record %d is signed by another device than the one that sends it", r.Seq)
	}
	if r.Act != snapshot.ActRun {
		if err := state.MayManage(r.Device); err != nil {
			return err
		}
	}
	if err := s.checkPlaceInTime(ctx, commit, state, head); err != nil {
		return err
	}
	if err := r.Verify(state); err != nil {
		return err
	}
	return s.checkLive(ctx, commit)
}

// checkPlaceInTime refuses what was made for another head or generation, under
// an epoch that is no longer in force, or by a device that saw an older ledger
// than the chain before it, which every reader would refuse.
func (s *Service) checkPlaceInTime(ctx context.Context, commit Commit, state *ledger.State, head api.Head) error {
	r := commit.Record
	if r.Seq != head.Seq+1 || r.Prev != head.Hash || r.Generation != head.Generation {
		return &ConflictError{Head: head, Message: "the vault has moved meanwhile; read its head and commit again"}
	}
	recipient, err := state.VaultRecipient(r.Vault)
	if err != nil {
		return err
	}
	if r.Epoch != recipient.Epoch() {
		return &ConflictError{Head: head, Message: "the vault has new keys meanwhile; read the ledger and seal again"}
	}
	if head.Seq == 0 {
		return nil
	}
	_, seen, err := s.Index.SnapshotAt(ctx, commit.Place, head.Seq)
	if err != nil {
		return err
	}
	if r.Ledger.Seq < seen {
		return &ConflictError{Head: head, Message: "the record saw an older ledger than the head did; read the ledger and commit again"}
	}
	return nil
}

// checkLive holds a list to naming runs of this chain: every reader would
// refuse the chain otherwise.
func (s *Service) checkLive(ctx context.Context, commit Commit) error {
	for _, hash := range commit.Record.Live {
		run, err := s.Index.IsRun(ctx, commit.Place, hash)
		if err != nil {
			return err
		}
		if !run {
			return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d lists snapshot %s, which is not in the chain", commit.Record.Seq, hash)
		}
	}
	return nil
}

// Snapshots visits a page of the chain of snapshots.
func (s *Service) Snapshots(ctx context.Context, device Device, vault protocol.VaultID, from uint64, visit func([]byte) error) error {
	if _, err := s.mayManage(ctx, device, vault); err != nil {
		return err
	}
	return s.Chains.Snapshots(ctx, Place{device.Account, vault}, from, api.MaxPage, visit)
}
