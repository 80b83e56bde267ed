// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// MaxBatch is how many entries may stand between two roots: what a replay holds
// in memory is bounded by it, and so is what it takes to show others that one of
// them breaks a rule.
const MaxBatch = 1 << 13

// CacheSize is about how many bytes of tiles a Replay keeps in memory.
const CacheSize = 64 << 20

// Replay is the rules of the log, and where they stand. Feed it every entry from
// the first on; it accepts each or says which rule it breaks, and nothing is
// changed then. It is not safe for concurrent use.
//
// The trees that it holds a Root to are read from the store. What a Root makes of
// them has to be stored by the caller, between TakeChange and the next call,
// together with State: ResumeReplay goes on from there.
type Replay struct {
	log     protocol.Hash
	tiles   *layers
	now     state // with what came since the newest root, but for the trees
	rooted  []byte
	pending pending
	ready   *prepared // the root that NextRoot last computed, or nil
	change  Change    // since TakeChange, but for what is new
	gone    map[protocol.Hash]bool
	observe func(position uint64, e *Entry)
}

// pending is what came since the newest root.
type pending struct {
	from    uint64 // the position after the newest root
	leaves  map[protocol.Hash]*Leaf
	anchors map[Period]map[protocol.Hash]protocol.Hash
	uses    map[protocol.Hash]uint64
}

func newPending(from uint64) pending {
	return pending{from, map[protocol.Hash]*Leaf{}, map[Period]map[protocol.Hash]protocol.Hash{}, map[protocol.Hash]uint64{}}
}

// NewReplay returns the rules at the start of a log.
func NewReplay(log *tlog.LogKey, store NodeStore) *Replay {
	return newReplay(log, store, state{Version: protocol.FormatVersion, Log: log.ID()})
}

// ResumeReplay returns the rules where State left them.
func ResumeReplay(log *tlog.LogKey, store NodeStore, saved []byte) (*Replay, error) {
	s, err := parseState(saved, log.ID())
	if err != nil {
		return nil, err
	}
	return newReplay(log, store, *s), nil
}

func newReplay(log *tlog.LogKey, store NodeStore, s state) *Replay {
	return &Replay{
		log: log.ID(), tiles: newLayers(store), now: s, rooted: s.bytes(),
		pending: newPending(s.Size), gone: map[protocol.Hash]bool{},
	}
}

// Observe calls f for every entry that is accepted from now on, before the next
// one is looked at. F must not keep or change the entry.
func (r *Replay) Observe(f func(position uint64, e *Entry)) { r.observe = f }

// State returns what ResumeReplay goes on from: the newest root, or the start of
// the log. What came after it is to be fed again.
func (r *Replay) State() []byte { return r.rooted }

// Size returns how many entries were accepted: the position of the next one.
func (r *Replay) Size() uint64 { return r.now.Size }

// Rooted reports whether the newest entry is a Root, as it has to be under every
// checkpoint.
func (r *Replay) Rooted() bool { return r.now.Size > 0 && r.now.Size == r.pending.from }

// Time returns the log's time: that of the newest root.
func (r *Replay) Time() protocol.Time { return r.now.Time }

// Roots returns the roots that the newest Root states: of the tree over names,
// and of the one over the periods of anchors.
func (r *Replay) Roots() (names, anchors protocol.Hash) { return r.now.Names, r.now.Anchors }

// Origin returns the log's first entry, nil before it.
func (r *Replay) Origin() *Origin { return r.now.Origin }

// Tiles returns the trees that Roots states, for NewTree: those that the caller has
// not taken yet, and the store's. It is good until the next call that changes r.
func (r *Replay) Tiles() NodeStore { return r.tiles }

// Counts returns how many entries of each kind there are.
func (r *Replay) Counts() Counts { return r.now.Counts }

// Custodians returns the counted uses, ascending by custodian. Uses since the
// newest root are in no month yet.
func (r *Replay) Custodians() []CustodianUses { return r.now.clone().Custodians }

// Programs returns the counted releases, ascending by program.
func (r *Replay) Programs() []Releases { return slices.Clone(r.now.Programs) }

// Leaf returns the leaf of a name with everything that was accepted, nil where
// there is none. It must not be changed.
func (r *Replay) Leaf(ctx context.Context, index protocol.Hash) (*Leaf, error) {
	if l, ok := r.pending.leaves[index]; ok {
		return l, nil
	}
	value, ok, err := NewTree(r.now.Names, r.tiles).Look(ctx, index)
	if err != nil || !ok {
		return nil, err
	}
	return ParseLeaf(value)
}

// Entry accepts the next entry, or returns a *Breach and leaves everything as it
// was. Any other error is the store's, or of ctx.
func (r *Replay) Entry(ctx context.Context, raw []byte) error {
	e, err := ParseEntry(raw)
	if err != nil {
		return parseBreach(r.now.Size, err)
	}
	return r.accept(ctx, raw, e, e.VerifySignature(r.log))
}

// Check returns what Entry would: a *Breach if the entry may not be the next one,
// with everything that was accepted so far.
func (r *Replay) Check(ctx context.Context, e *Entry) error {
	again, err := ParseEntry(e.Bytes())
	if err != nil {
		return parseBreach(r.now.Size, err)
	}
	if err := r.allowed(ctx, again); err != nil {
		return err
	}
	return r.signed(again.VerifySignature(r.log))
}

// accept holds an entry to the rules and applies it.
func (r *Replay) accept(ctx context.Context, raw []byte, e *Entry, signature error) error {
	if err := r.allowed(ctx, e); err != nil {
		return err
	}
	if err := r.signed(signature); err != nil {
		return err
	}
	position := r.now.Size
	if err := r.apply(ctx, raw, e); err != nil {
		return err
	}
	if r.observe != nil {
		r.observe(position, e)
	}
	return nil
}

// signed makes a breach of what VerifySignature says.
func (r *Replay) signed(err error) error {
	if err == nil {
		return nil
	}
	return breach(r.now.Size, RuleSignature, "%v", err)
}
