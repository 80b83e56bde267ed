// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Chain is a vault's verified chain of records from the first one on. It keeps
// positions, not records: some two hundred bytes a snapshot.
//
// What a removed device signed beyond the last head that its removal names is
// void: it keeps its place in the chain, for whoever took it in before they
// learnt of the removal, and has no effect. An owner who knows of the removal
// may vouch for a void snapshot by naming it in a list.
type Chain struct {
	place  Place
	under  ledger.Head                  // of the ledger that the records are held against
	hashes []protocol.Hash              // of every record, in order
	signed map[protocol.MemberID]uint64 // seq of the newest record of each device that counts
	runs   map[protocol.Hash]uint64     // seq of every run record that counts, live or forgotten, by its hash
	live   map[protocol.Hash]uint64     // those that are live
	void   map[protocol.Hash]voidRun    // run records that do not count
}

// voidRun is a run record that does not count.
type voidRun struct {
	seq     uint64
	removed uint64 // seq of the ledger entry that removed its device
}

// NewChain returns the empty chain of a vault.
func NewChain(vault protocol.VaultID) *Chain {
	return &Chain{
		place:  Place{Head: ledger.VaultHead{Vault: vault}},
		signed: map[protocol.MemberID]uint64{},
		runs:   map[protocol.Hash]uint64{},
		live:   map[protocol.Hash]uint64{},
		void:   map[protocol.Hash]voidRun{},
	}
}

// Head returns the newest record's position; Seq 0 for the empty vault.
func (c *Chain) Head() ledger.VaultHead { return c.place.Head }

// Place returns what the next record must fit.
func (c *Chain) Place() Place { return c.place }

// Holds reports whether the chain holds the record at the position, so that a
// head which somebody else saw is known to be of this history. The empty head is
// of every history.
func (c *Chain) Holds(h ledger.VaultHead) bool {
	if h.Vault != c.place.Head.Vault {
		return false
	}
	if h.Seq == 0 {
		return h.Hash.IsZero()
	}
	return h.Seq <= uint64(len(c.hashes)) && c.hashes[h.Seq-1] == h.Hash
}

// Live returns the position in the chain of each live snapshot by the hash of
// its record. The caller must not change the map.
func (c *Chain) Live() map[protocol.Hash]uint64 { return c.live }

// Runs returns the same for every snapshot ever made that counts, forgotten ones
// included: a later list may name them again.
func (c *Chain) Runs() map[protocol.Hash]uint64 { return c.runs }

// Void returns the same for the snapshots that do not count, because a device
// signed them beyond the last head that its removal names.
func (c *Chain) Void() map[protocol.Hash]uint64 {
	list := make(map[protocol.Hash]uint64, len(c.void))
	for hash, v := range c.void {
		list[hash] = v.seq
	}
	return list
}

// Append verifies the next record against the ledger and the chain and takes it
// in. A refused record leaves the chain as it was. The error is
// protocol.KindConflict where the ledger holds a removal by which something
// taken in before does not count: take the chain in again, from the first record.
func (c *Chain) Append(raw []byte, state *ledger.State) (*Record, error) {
	if err := c.holdUnder(state); err != nil {
		return nil, err
	}
	return c.append(raw, state)
}

// Resume takes in the next record without verifying its signature. It is for
// records that this device verified before and kept. The caller must compare
// Head with its own high-water mark afterwards, whose hash certifies them all,
// and then call Check, which holds them against the removals in the ledger.
// Where any of these fails, take the chain in again by Append: only its answer
// says something about the provider.
func (c *Chain) Resume(raw []byte) (*Record, error) { return c.append(raw, nil) }

// Check holds the whole chain against the ledger, after the last record was
// taken in: it passes through each head that a removal names, and does not end
// before it. The error is protocol.KindUntrusted where the provider shows
// another chain or too short a one, and protocol.KindConflict as Append's.
func (c *Chain) Check(state *ledger.State) error {
	if err := c.holdUnder(state); err != nil {
		return err
	}
	for _, m := range state.AllMembers() {
		if last := m.Heads[c.place.Head.Vault]; last.Seq > c.place.Head.Seq {
			return protocol.Errorf(protocol.KindUntrusted, "the chain of vault %s ends at record %d, and the removal of device %s names record %d",
				c.place.Head.Vault, c.place.Head.Seq, m.ID, last.Seq)
		}
	}
	return nil
}

// holdUnder holds the records taken in so far against a ledger that has moved.
func (c *Chain) holdUnder(state *ledger.State) error {
	if state.Head() == c.under {
		return nil
	}
	if state.Head().Seq < c.under.Seq {
		return protocol.Errorf(protocol.KindInternal, "hold a chain of records against an older ledger than before")
	}
	for _, m := range state.AllMembers() {
		if m.Present() {
			continue
		}
		last := m.Heads[c.place.Head.Vault]
		if c.signed[m.ID] > last.Seq {
			return protocol.Errorf(protocol.KindConflict, "snapshot record %d does not count any more: the removal of device %s names record %d", c.signed[m.ID], m.ID, last.Seq)
		}
		if last.Seq > 0 && last.Seq <= c.place.Head.Seq && !c.Holds(last) {
			return notTheRemovals(last.Seq, m)
		}
	}
	c.under = state.Head()
	return nil
}

func notTheRemovals(seq uint64, m *ledger.Member) error {
	return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d is not the one that the removal of device %s names", seq, m.ID)
}

// append takes the next record in; without a state it is verified already.
func (c *Chain) append(raw []byte, state *ledger.State) (*Record, error) {
	r, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := r.Follows(c.place); err != nil {
		return nil, err
	}
	hash, counts := HashOf(raw), true
	if state != nil {
		if counts, err = r.verify(state); err != nil {
			return nil, protocol.Wrap(protocol.KindUntrusted, err, "snapshot record %d", r.Seq)
		}
		if err := passesRemovals(state, r.Vault, r.Seq, hash); err != nil {
			return nil, err
		}
	}
	if !counts {
		c.takeVoid(r, hash, state)
		return r, nil
	}
	if err := c.take(r, hash); err != nil {
		return nil, err
	}
	c.signed[r.Device] = r.Seq
	c.advance(r, hash)
	c.place.Generation = r.Generation
	return r, nil
}

func (c *Chain) advance(r *Record, hash protocol.Hash) {
	c.place.Head = ledger.VaultHead{Vault: r.Vault, Seq: r.Seq, Hash: hash}
	c.place.Ledger = r.Ledger.Seq
	c.hashes = append(c.hashes, hash)
}

// takeVoid gives a record that does not count its place and no effect.
func (c *Chain) takeVoid(r *Record, hash protocol.Hash, state *ledger.State) {
	if m, err := state.Member(r.Device); err == nil && r.Act == ActRun {
		c.void[hash] = voidRun{seq: r.Seq, removed: m.Removed}
	}
	c.advance(r, hash)
}

// passesRemovals demands that the chain passes through every last head that a
// removal names, so that a provider cannot put another past below it.
func passesRemovals(state *ledger.State, vault protocol.VaultID, seq uint64, hash protocol.Hash) error {
	for _, m := range state.AllMembers() {
		if last, ok := m.Heads[vault]; ok && last.Seq == seq && last.Hash != hash {
			return notTheRemovals(seq, m)
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
	vouched := map[protocol.Hash]uint64{}
	for _, h := range r.Live {
		seq, counts := c.runs[h]
		v, void := c.void[h]
		switch {
		case counts:
			live[h] = seq
		case void && r.Ledger.Seq >= v.removed:
			live[h], vouched[h] = v.seq, v.seq
		case !void:
			return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d lists snapshot %s, which is not in the chain", r.Seq, h)
		}
	}
	for h, seq := range vouched {
		c.runs[h] = seq
		delete(c.void, h)
	}
	c.live = live
	return nil
}
