// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Chain is a vault's verified chain of records from the first one on. It keeps
// positions, not records: some fifty bytes a snapshot.
type Chain struct {
	head ledger.VaultHead
	seen uint64                   // seq of the newest ledger head that a record saw
	runs map[protocol.Hash]uint64 // seq of every run record by its hash, live or forgotten
	live map[protocol.Hash]uint64 // those that are live
}

// NewChain returns the empty chain of a vault.
func NewChain(vault protocol.VaultID) *Chain {
	return &Chain{
		head: ledger.VaultHead{Vault: vault},
		runs: map[protocol.Hash]uint64{},
		live: map[protocol.Hash]uint64{},
	}
}

// Head returns the newest record's position; Seq 0 for the empty vault.
func (c *Chain) Head() ledger.VaultHead { return c.head }

// Live returns the position in the chain of each live snapshot by the hash of
// its record. The caller must not change the map.
func (c *Chain) Live() map[protocol.Hash]uint64 { return c.live }

// Runs returns the same for every snapshot ever made, forgotten ones included:
// a later list may name them again.
func (c *Chain) Runs() map[protocol.Hash]uint64 { return c.runs }

// Append verifies the next record against the ledger and the chain and takes it
// in. A refused record leaves the chain as it was.
func (c *Chain) Append(raw []byte, state *ledger.State) (*Record, error) {
	return c.append(raw, func(r *Record, hash protocol.Hash) error {
		if err := r.Verify(state); err != nil {
			return err
		}
		return passesRemovals(state, r.Vault, r.Seq, hash)
	})
}

// Resume takes in the next record without verifying its signature. It is for
// records that this device verified before and kept: the caller must compare
// Head with its own high-water mark afterwards, whose hash certifies them all.
func (c *Chain) Resume(raw []byte) (*Record, error) {
	return c.append(raw, func(*Record, protocol.Hash) error { return nil })
}

func (c *Chain) append(raw []byte, verify func(*Record, protocol.Hash) error) (*Record, error) {
	r, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if r.Vault != c.head.Vault || r.Seq != c.head.Seq+1 || r.Prev != c.head.Hash {
		return nil, protocol.Errorf(protocol.KindUntrusted, "snapshot record %d does not follow record %d of vault %s", r.Seq, c.head.Seq, c.head.Vault)
	}
	if r.Ledger.Seq < c.seen {
		return nil, protocol.Errorf(protocol.KindUntrusted, "snapshot record %d saw an older ledger than the record before it", r.Seq)
	}
	hash := HashOf(raw)
	if err := verify(r, hash); err != nil {
		return nil, err
	}
	if err := c.take(r, hash); err != nil {
		return nil, err
	}
	c.head = ledger.VaultHead{Vault: r.Vault, Seq: r.Seq, Hash: hash}
	c.seen = r.Ledger.Seq
	return r, nil
}

// passesRemovals demands that the chain passes through every last head that a
// removal names, so that a provider cannot put another past below it.
func passesRemovals(state *ledger.State, vault protocol.VaultID, seq uint64, hash protocol.Hash) error {
	for _, m := range state.AllMembers() {
		if last, ok := m.Heads[vault]; ok && last.Seq == seq && last.Hash != hash {
			return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d is not the one that the removal of device %s names", seq, m.ID)
		}
	}
	return nil
}

// take changes the set of live snapshots.
func (c *Chain) take(r *Record, hash protocol.Hash) error {
	if r.Act == ActRun {
		c.runs[hash], c.live[hash] = r.Seq, r.Seq
		return nil
	}
	live := make(map[protocol.Hash]uint64, len(r.Live))
	for _, h := range r.Live {
		seq, ok := c.runs[h]
		if !ok {
			return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d lists snapshot %s, which is not in the chain", r.Seq, h)
		}
		live[h] = seq
	}
	c.live = live
	return nil
}
