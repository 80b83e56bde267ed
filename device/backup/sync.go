// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"sync"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// lookAtLedger brings the account's ledger up to date, proven by the public
// directory. Who only reads goes on where an alarm stands, under what was verified
// before.
func (v *Vault) lookAtLedger(ctx context.Context) error {
	look := v.trust.Sync
	if v.o.Beside {
		look = v.trust.Read
	}
	out, err := look(ctx)
	if err != nil {
		return err
	}
	v.ledger, v.standing = out.State, out.Standing
	if out.Status == trust.StatusAlarmed {
		v.o.Warn(protocol.Errorf(protocol.KindUntrusted, "%s", out.Text))
	}
	return nil
}

// recipient returns the vault as what a run is sealed to: its newest key, as far as
// that is proven.
func (v *Vault) recipient() (directory.Recipient, error) {
	if v.standing == nil {
		return directory.Recipient{}, protocol.Errorf(protocol.KindUntrusted, "an alarm stands: nothing is written")
	}
	return v.standing.Vault(v.o.Vault)
}

// sync brings the vault up to date. What does not hold may be signed under entries
// that came after the ledger was fetched: it is judged once more under these.
func (v *Vault) sync(ctx context.Context) error {
	err := v.syncUnder(ctx)
	if protocol.KindOf(err) != protocol.KindUntrusted || trust.HeldBy(err) != nil {
		return err
	}
	before := v.ledger.Head()
	if failed := v.lookAtLedger(ctx); failed != nil || v.ledger.Head() == before {
		return err
	}
	if err := v.openKeys(); err != nil {
		return err
	}
	return v.syncUnder(ctx)
}

// syncUnder is sync under the ledger that is known. A writer learns the head alone.
func (v *Vault) syncUnder(ctx context.Context) error {
	if v.Writer() {
		return v.syncWriter(ctx)
	}
	said, err := v.signedHead(ctx)
	if err != nil {
		return err
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
	if err := v.holdSaid(said); err != nil {
		return err
	}
	if err := v.holdPrunes(ctx); err != nil {
		return err
	}
	if err := v.holdOthers(); err != nil {
		return err
	}
	if err := v.holdAnchored(); err != nil {
		return err
	}
	return v.weighPacks()
}

// holdPrunes demands that the newest step of the prune chain was computed from a
// head in the chain of records: otherwise the provider hides records that
// another owner device saw, or shows it another past. The records are asked for
// again first, since they may have come between the two.
func (v *Vault) holdPrunes(ctx context.Context) error {
	if v.prunedFrom.Seq > v.chain.Head().Seq {
		if err := v.syncRecords(ctx); err != nil {
			return err
		}
	}
	if v.step > 0 && !v.chain.Holds(v.prunedFrom) {
		return protocol.Errorf(protocol.KindUntrusted,
			"the server does not show record %d of the vault as the device saw it that pruned: it hides records or shows a different past; nothing was used", v.prunedFrom.Seq)
	}
	return nil
}

// signedHead asks for the newest head, which the provider signs. Two signed heads
// that cannot both be true are an alarm.
func (v *Vault) signedHead(ctx context.Context) (api.Head, error) {
	head, err := v.remote.Head(ctx)
	if err != nil {
		return head, v.trust.Judge(err)
	}
	return head, nil
}

// holdSaid demands that the chains, which were asked for after it, hold the head
// that the provider signed.
func (v *Vault) holdSaid(said api.Head) error {
	if said.Generation > v.prunes.Number() || said.Generation == v.prunes.Number() && said.GenerationHash != v.prunes.Hash() {
		return protocol.Errorf(protocol.KindUntrusted,
			"the server signed prune step %d as the vault's newest and does not serve it: it hides something or shows a different past; nothing was used", said.Generation)
	}
	return v.holdSaidRecord(said)
}

func (v *Vault) holdSaidRecord(said api.Head) error {
	if said.Seq == 0 || v.chain.Holds(ledger.VaultHead{Vault: v.o.Vault, Seq: said.Seq, Hash: said.Hash}) {
		return nil
	}
	return protocol.Errorf(protocol.KindUntrusted,
		"the server signed record %d as the vault's newest and does not serve it: it hides something or shows a different past; nothing was used", said.Seq)
}

// syncWriter learns where the chain stands, and takes up what an earlier run of
// this device left.
func (v *Vault) syncWriter(ctx context.Context) error {
	head, err := v.signedHead(ctx)
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
	err = v.fetchRecords(ctx, chain)
	if kept := v.endOthers(); err == nil {
		err = kept
	}
	if err != nil {
		return err
	}
	if mark, err := v.kept.Head(); err != nil || mark.Seq > chain.Head().Seq {
		return errors.Join(err, v.kept.CheckHead(state.Position{Seq: chain.Head().Seq, Hash: chain.Head().Hash}))
	}
	v.chain, v.head = chain, chain.Head()
	return chain.Check(v.ledger)
}

// bytesAtOnce is how many bytes of records are kept with one write: a write waits
// for the disk, and a first synchronisation takes in all there ever were.
const bytesAtOnce = 4 << 20

// fetchRecords appends the new records to the chain and keeps them.
func (v *Vault) fetchRecords(ctx context.Context, chain *snapshot.Chain) error {
	known, seen := chain.Head(), false
	var fresh [][]byte
	size := 0
	keep := func() error {
		err := v.kept.AppendRecords(fresh...)
		fresh, size = fresh[:0], 0
		return err
	}
	err := v.remote.Snapshots(ctx, max(known.Seq, 1), func(raw []byte) error {
		if !seen && known.Seq > 0 {
			seen = true
			return sameRecord(known, raw)
		}
		record, err := chain.Append(raw, v.ledger)
		if err != nil {
			return err
		}
		v.named.note(record, v.ledger)
		fresh, size = append(fresh, raw), size+len(raw)
		if size < bytesAtOnce {
			return nil
		}
		return keep()
	})
	if kept := keep(); err == nil {
		err = kept
	}
	if err == nil && !seen && known.Seq > 0 {
		err = v.kept.CheckHead(state.Position{})
	}
	return err
}

// sameRecord demands that the provider still serves the newest record that is
// kept. The mark may be further: what was kept may have been lost since.
func sameRecord(known ledger.VaultHead, raw []byte) error {
	if snapshot.HashOf(raw) == known.Hash {
		return nil
	}
	return protocol.Errorf(protocol.KindUntrusted,
		"the server serves another record %d of the vault than the one this device has seen: it shows a different past (a fork); nothing was used", known.Seq)
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
	var from ledger.VaultHead
	err := v.remote.Generations(ctx, 1, func(raw []byte) error {
		g, err := prunes.Append(raw, v.ledger)
		if err != nil {
			return err
		}
		from = g.Head
		if g.Act == snapshot.PruneDrop {
			gone = append(gone, g.Packs...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.prunedFrom = from
	v.prunes, v.step, v.gone = prunes, prunes.Number(), gone
	return v.kept.AdvanceGeneration(state.Position{Seq: prunes.Number(), Hash: prunes.Hash()})
}
