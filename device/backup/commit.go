// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// commit signs the snapshot's record and makes it the head, on whatever the head
// has become meanwhile.
func (r *Run) commit(ctx context.Context, run *seal.Run, d *details, result *Result) error {
	raw, err := r.v.commit(ctx, run, snapshot.ActRun, d, nil)
	if err != nil {
		return err
	}
	result.Snapshot, result.Seq = snapshot.HashOf(raw), r.v.head.Seq
	if result.Partial {
		return nil
	}
	return r.v.kept.SetLastBackup(&state.LastBackup{Record: result.Snapshot, Seq: result.Seq, Time: result.Ended})
}

// commit makes a record and puts it at the head of the chain. It is errMoved
// where packs were retired or keys renewed since the vault was synchronised.
func (v *Vault) commit(ctx context.Context, run *seal.Run, act snapshot.Act, d *details, live []protocol.Hash) ([]byte, error) {
	for range maxTries {
		raw, err := v.propose(ctx, run, act, d, live)
		if protocol.KindOf(err) != protocol.KindConflict {
			return raw, err
		}
		if err := v.meet(ctx, run.Epoch()); err != nil {
			return nil, err
		}
	}
	return nil, protocol.Errorf(protocol.KindBusy, "other devices keep moving the head; nothing is lost, try again")
}

// propose makes a record on the head that is known here. It is
// protocol.KindConflict where the vault has moved.
func (v *Vault) propose(ctx context.Context, run *seal.Run, act snapshot.Act, d *details, live []protocol.Hash) ([]byte, error) {
	rec := &snapshot.Record{
		Act: act, Account: run.Account(), Vault: run.Vault(), Epoch: run.Epoch(),
		Seq: v.head.Seq + 1, Prev: v.head.Hash, Ledger: v.ledger.Head(), Generation: v.step,
		Run: run.ID(), Wrap: run.Wrapped(), Details: run.Seal(v.head.Hash, d.encode()), Live: live,
	}
	var err error
	if rec.Others, err = v.others(); err != nil {
		return nil, err
	}
	raw := rec.Sign(v.o.Self.Member)
	if _, err := v.remote.CommitSnapshot(ctx, raw); err != nil {
		return nil, err
	}
	return raw, v.committed(raw)
}

// meet learns what moved the head. A new epoch or step of the prune chain is
// errMoved: the caller looks again whether what it refers to is still there.
func (v *Vault) meet(ctx context.Context, epoch uint64) error {
	step := v.step
	if err := v.refresh(ctx); err != nil {
		return err
	}
	kept, err := v.ledger.Vault(v.o.Vault)
	if err != nil {
		return err
	}
	if v.step != step || kept.Epoch() != epoch {
		return errMoved
	}
	return nil
}

// committed keeps a record that the provider took.
func (v *Vault) committed(raw []byte) error {
	at := ledger.VaultHead{Vault: v.o.Vault, Seq: v.head.Seq + 1, Hash: snapshot.HashOf(raw)}
	if v.Writer() {
		v.head = at
		return v.kept.AdvanceHead(state.Position{Seq: at.Seq, Hash: at.Hash})
	}
	if _, err := v.chain.Append(raw, v.ledger); err != nil {
		return err
	}
	v.head = at
	return v.kept.AppendRecords(raw)
}

// others returns the heads of the account's other vaults as this device knows
// them, so that records hold each other's past in place.
func (v *Vault) others() ([]ledger.VaultHead, error) {
	var heads []ledger.VaultHead
	for _, other := range v.ledger.Vaults() {
		if other.ID == v.o.Vault {
			continue
		}
		p, err := v.o.State.Vault(other.ID).Head()
		if err != nil {
			return nil, err
		}
		if p.Seq > 0 {
			heads = append(heads, ledger.VaultHead{Vault: other.ID, Seq: p.Seq, Hash: p.Hash})
		}
	}
	sortHeads(heads)
	return heads, nil
}
