// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"os"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/seal"
)

// sink stores packs: written down first, then sent, then known.
func (v *Vault) sink(run *seal.Run, journal *tree.Journal) tree.Sink {
	return func(ctx context.Context, p *tree.Finished) error {
		if err := journal.Add(tree.JournalPack{ID: p.ID, Size: int64(len(p.Bytes)), Index: p.Index}); err != nil {
			return err
		}
		err := v.store(ctx, run, p)
		if protocol.KindOf(err) == protocol.KindConflict {
			return errMoved // the vault got new keys
		}
		return err
	}
}

// know adds a pack of this device to the index.
func (v *Vault) know(id protocol.PackID, size int64, index *tree.PackIndex) error {
	return v.index.AddPack(tree.PackInfo{ID: id, Signer: v.device.Member, Size: size, Usable: true}, index)
}

// beginJournal takes up what a killed run of this device left, and begins the
// journal of the next.
func (v *Vault) beginJournal(ctx context.Context, run *seal.Run) (*tree.Journal, error) {
	path, err := v.kept.CachePath(state.CacheJournal)
	if err != nil {
		return nil, err
	}
	if err := v.takeUp(ctx, path); err != nil {
		return nil, err
	}
	return tree.CreateJournal(path, tree.JournalAbout{
		Account: run.Account(), Vault: run.Vault(), Epoch: run.Epoch(), Run: run.ID(), Device: v.device.Member,
	})
}

// takeUp adds the packs of a killed run to the index, as far as the provider has
// them.
func (v *Vault) takeUp(ctx context.Context, path string) error {
	var left []tree.JournalPack
	about, err := tree.ReadJournal(path, func(p tree.JournalPack) error {
		_, known, err := v.index.Pack(p.ID)
		if !known && err == nil {
			left = append(left, p)
		}
		return err
	})
	switch kind := protocol.KindOf(err); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case kind == protocol.KindUnsupported || kind == protocol.KindUntrusted && !errors.Is(err, tree.ErrIndexDamaged):
		v.o.Warn(protocol.Wrap(kind, err, "the journal of a run that was cut off is damaged; what it sent may be sent again"))
		return os.Remove(path)
	case err != nil:
		return err
	}
	if about.Device == v.device.Member { // a cache may be shared
		err = v.adopt(ctx, left)
	}
	if err == nil {
		err = v.index.Flush()
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// adopt asks which packs arrived and adds those.
func (v *Vault) adopt(ctx context.Context, left []tree.JournalPack) error {
	if len(left) == 0 {
		return nil
	}
	ids := make([]protocol.PackID, len(left))
	for i, p := range left {
		ids[i] = p.ID
	}
	states, err := v.remote.StatPacks(ctx, ids)
	if err != nil {
		return err
	}
	for i, p := range left {
		if states[i] != api.PackStored {
			continue
		}
		if err := v.know(p.ID, p.Size, p.Index); err != nil {
			return err
		}
	}
	return nil
}
