// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// moveWidth is the width of what says which chunk is moved: namer, pack, name.
const moveWidth = 32 + 32 + 32

// repack moves what is needed out of the plan's packs into new ones, and returns
// the packs that nothing needs then. One that does not open is left as it is.
func (v *Vault) repack(ctx context.Context, m *marks, plan *PrunePlan, o *PruneOptions, result *PruneResult) ([]protocol.PackID, error) {
	if len(plan.repack) == 0 {
		return nil, nil
	}
	moves, err := v.moves(ctx, m, plan)
	if err != nil {
		return nil, err
	}
	defer moves.close()
	to, err := v.recipient()
	if err != nil {
		return nil, err
	}
	run, err := seal.NewRun(to)
	if err != nil {
		return nil, err
	}
	r := &repacker{v: v, ctx: ctx, run: run, o: o, result: result, decompressor: tree.NewDecompressor()}
	defer r.closePacker()
	err = eachMove(moves, r.pack)
	if err == nil {
		err = r.flush()
	}
	if err == nil {
		err = v.index.Flush()
	}
	return r.done, err
}

// moves sorts what is moved by namer and pack.
func (v *Vault) moves(ctx context.Context, m *marks, plan *PrunePlan) (*sorter, error) {
	packs, err := v.weigh(ctx, m)
	if err != nil {
		return nil, err
	}
	chosen := map[protocol.PackID]bool{}
	for _, id := range plan.repack {
		chosen[id] = true
	}
	moves := newSorter(m.dir, moveWidth)
	err = m.match(func(c *matched) error {
		if len(c.uses) == 0 {
			return nil
		}
		keeper := keeperOf(c.places, packs)
		if !chosen[keeper.Pack] {
			return nil
		}
		namer := packs[keeper.Pack].Namer
		record := append(append(append(make([]byte, 0, moveWidth), namer[:]...), keeper.Pack[:]...), c.name[:]...)
		return moves.add(record)
	})
	if err != nil {
		moves.close()
		return nil, err
	}
	return moves, nil
}

// eachMove calls do for each pack with what is to be moved out of it.
func eachMove(moves *sorter, do func(namer protocol.MemberID, pack protocol.PackID, names map[protocol.Hash]bool) error) error {
	var namer protocol.MemberID
	var pack protocol.PackID
	names := map[protocol.Hash]bool{}
	for record, err := range moves.sorted() {
		if err != nil {
			return err
		}
		if next := protocol.PackID(record[32:64]); next != pack {
			if len(names) > 0 {
				if err := do(namer, pack, names); err != nil {
					return err
				}
			}
			namer, pack = protocol.MemberID(record[:32]), next
			clear(names)
		}
		names[protocol.Hash(record[64:])] = true
	}
	if len(names) == 0 {
		return nil
	}
	return do(namer, pack, names)
}

// repacker moves chunks, one pack after the other.
type repacker struct {
	v            *Vault
	ctx          context.Context
	run          *seal.Run
	o            *PruneOptions
	result       *PruneResult
	decompressor *tree.Decompressor

	packer *tree.Packer
	namer  protocol.MemberID
	moved  int64
	raw    []byte
	done   []protocol.PackID
}

// pack moves chunks out of one pack. Each is named again before it is sealed
// again.
func (r *repacker) pack(namer protocol.MemberID, id protocol.PackID, names map[protocol.Hash]bool) error {
	if err := r.turnTo(namer); err != nil {
		return err
	}
	left := len(names)
	err := r.v.wholePack(r.ctx, id, func(data []byte) error {
		return r.v.eachChunk(id, data, r.decompressor, &r.raw, func(kind tree.Kind, name protocol.Hash, chunk []byte) error {
			if !names[name] {
				return nil
			}
			delete(names, name)
			return r.packer.Add(r.ctx, kind, name, chunk)
		})
	})
	if isLoss(err) || err == nil && len(names) > 0 {
		r.v.o.Warn(protocol.Wrap(protocol.KindUnreadable, err, "pack %s does not open; it stays as it is, and `solekey check --read-data` says what it touches", id))
		r.result.Broken = append(r.result.Broken, id)
		return nil
	}
	if err != nil {
		return err
	}
	r.moved += int64(left)
	r.done = append(r.done, id)
	return nil
}

// turnTo begins packs of another namer: what a pack holds is named by one secret.
func (r *repacker) turnTo(namer protocol.MemberID) error {
	if r.packer != nil && r.namer == namer {
		return nil
	}
	if err := r.flush(); err != nil {
		return err
	}
	r.namer = namer
	r.packer = tree.NewPacker(r.ctx, tree.PackerOptions{Run: r.run, Secrets: r.v.secretsOf(namer), Sink: r.sink})
	return nil
}

// sink stores a new pack. There is no journal: where the prune is killed, the
// next one finds the pack in the provider's listing.
func (r *repacker) sink(ctx context.Context, p *tree.Finished) error {
	if err := r.v.store(ctx, r.run, p); err != nil {
		return err
	}
	if r.o.OnMoved != nil {
		r.o.OnMoved(int64(len(p.Bytes)))
	}
	return nil
}

func (r *repacker) flush() error {
	if r.packer == nil {
		return nil
	}
	err := r.packer.Flush(r.ctx)
	stats := r.packer.Stats()
	r.result.Moved += stats.Stored
	r.result.NewPacks += stats.Packs
	r.packer = nil
	return err
}

func (r *repacker) closePacker() {
	if r.packer != nil {
		r.packer.Close()
	}
}

// store states, sends and knows a pack of a run of this device.
func (v *Vault) store(ctx context.Context, run *seal.Run, p *tree.Finished) error {
	st := &snapshot.PackStatement{
		Account: run.Account(), Vault: run.Vault(), Epoch: run.Epoch(), Run: run.ID(),
		Pack: p.ID, Size: uint64(len(p.Bytes)), Ledger: v.ledger.Head(),
	}
	if err := v.remote.PutPack(ctx, p.ID, st.Sign(v.o.Self.Member), p.Bytes); err != nil {
		return err
	}
	return v.know(p.ID, int64(len(p.Bytes)), p.Index)
}

// wholePack fetches a pack; the bytes are the visitor's during the call.
func (v *Vault) wholePack(ctx context.Context, id protocol.PackID, visit func(data []byte) error) error {
	info, found, err := v.index.Pack(id)
	if err != nil {
		return err
	}
	if !found {
		return protocol.Errorf(protocol.KindNotFound, "pack %s is not known here", id)
	}
	return v.fetch(ctx, []client.Read{wholeRead(&info)}, func(_ int, b []byte) error { return visit(b) })
}

// wholeRead returns the read of a whole pack.
func wholeRead(p *tree.PackInfo) client.Read {
	length := (p.Size + seal.BlockSize - 1) / seal.BlockSize * seal.BlockSize
	return client.Read{Pack: p.ID, Length: length, Size: p.Size}
}
