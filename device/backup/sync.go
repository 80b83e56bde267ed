// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"sync"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// SyncLedger fetches what is new in the account's ledger, verifies and keeps it,
// and returns the state it folds to. A ledger that is shorter than the one this
// device knows, or another one, is protocol.KindUntrusted.
func SyncLedger(ctx context.Context, kept *state.State, c LedgerSource) (*ledger.State, error) {
	known, err := kept.Ledger()
	var from uint64
	switch {
	case err == nil:
		from = known.Head().Seq
	case protocol.KindOf(err) != protocol.KindNotFound:
		return nil, err
	}
	entries, objects, err := c.Ledger(ctx, from)
	if err != nil {
		return nil, err
	}
	return kept.AppendLedger(entries, objects)
}

// LedgerSource serves an account's ledger from an entry on, with the objects
// that the entries name.
type LedgerSource interface {
	Ledger(ctx context.Context, from uint64) (entries []*ledger.Entry, objects [][]byte, err error)
}

// sync brings the vault up to date. A writer learns the head alone.
func (v *Vault) sync(ctx context.Context) error {
	if v.Writer() {
		return v.syncWriter(ctx)
	}
	var wait sync.WaitGroup
	var problems [3]error
	for i, part := range []func(context.Context) error{v.syncRecords, v.syncGenerations, v.syncPacks} {
		wait.Go(func() { problems[i] = part(ctx) })
	}
	wait.Wait()
	if err := errors.Join(problems[:]...); err != nil {
		for _, one := range problems {
			if protocol.KindOf(one) == protocol.KindUntrusted {
				return one
			}
		}
		return err
	}
	if err := v.holdOthers(); err != nil {
		return err
	}
	return v.weighPacks()
}

// syncWriter learns where the chain stands, and takes up what an earlier run of
// this device left.
func (v *Vault) syncWriter(ctx context.Context) error {
	head, err := v.remote.Head(ctx)
	if err != nil {
		return err
	}
	if err := v.takeHead(head); err != nil {
		return err
	}
	return v.weighOwnPacks(ctx)
}

// takeHead holds a head that only the provider vouches for against the marks.
func (v *Vault) takeHead(head api.Head) error {
	if err := v.kept.CheckHead(state.Position{Seq: head.Seq, Hash: head.Hash}); err != nil {
		return err
	}
	if err := v.kept.CheckGeneration(state.Position{Seq: head.Generation, Hash: head.GenerationHash}); err != nil {
		return err
	}
	v.head = ledger.VaultHead{Vault: v.o.Vault, Seq: head.Seq, Hash: head.Hash}
	v.step = head.Generation
	return nil
}

// syncRecords takes in the records that are new. The newest known one is asked
// for again: a provider that does not have it any more serves an old state.
func (v *Vault) syncRecords(ctx context.Context) error {
	if err := v.beginOthers(); err != nil {
		return err
	}
	chain, err := v.kept.Chain()
	if err != nil {
		return err
	}
	if chain, err = v.recheck(chain); err != nil {
		return err
	}
	known := chain.Head()
	first := true
	err = v.remote.Snapshots(ctx, max(known.Seq, 1), func(raw []byte) error {
		if first && known.Seq > 0 {
			first = false
			return v.kept.CheckHead(state.Position{Seq: known.Seq, Hash: snapshot.HashOf(raw)})
		}
		first = false
		record, err := chain.Append(raw, v.ledger)
		if err != nil {
			return err
		}
		v.named.note(record, v.ledger)
		return v.kept.AppendRecords(raw)
	})
	if kept := v.endOthers(); err == nil {
		err = kept
	}
	if err != nil {
		return err
	}
	if first && known.Seq > 0 {
		return v.kept.CheckHead(state.Position{})
	}
	if mark, err := v.kept.Head(); err != nil || mark.Seq > chain.Head().Seq {
		return errors.Join(err, v.kept.CheckHead(state.Position{Seq: chain.Head().Seq, Hash: chain.Head().Hash}))
	}
	v.chain, v.head = chain, chain.Head()
	return chain.Check(v.ledger)
}

// recheck takes the kept records in again where a removal in the ledger says
// that some of them do not count.
func (v *Vault) recheck(chain *snapshot.Chain) (*snapshot.Chain, error) {
	last := chain.Head().Seq
	if protocol.KindOf(chain.Check(v.ledger)) != protocol.KindConflict {
		return chain, nil // anything else is said after the new records
	}
	again := snapshot.NewChain(v.o.Vault)
	for seq := uint64(1); seq <= last; seq++ {
		raw, err := v.kept.Record(seq)
		if err != nil {
			return nil, err
		}
		if _, err := again.Append(raw, v.ledger); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// syncGenerations takes in the prune chain from its first step on: it is short.
func (v *Vault) syncGenerations(ctx context.Context) error {
	prunes := snapshot.NewPrunes(v.o.Vault)
	var gone []protocol.PackID
	err := v.remote.Generations(ctx, 1, func(raw []byte) error {
		g, err := prunes.Append(raw, v.ledger)
		if err == nil && g.Act == snapshot.PruneDrop {
			gone = append(gone, g.Packs...)
		}
		return err
	})
	if err != nil {
		return err
	}
	v.prunes, v.step, v.gone = prunes, prunes.Number(), gone
	return v.kept.AdvanceGeneration(state.Position{Seq: prunes.Number(), Hash: prunes.Hash()})
}
