// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// CheckOptions say how deep a check goes.
type CheckOptions struct {
	ReadData bool   // fetch packs whole and hold every byte to its name and seal
	Subset   Subset // which packs; the zero value: all
	// OnDamage, where it is set, is told of each thing found; one call at a time.
	OnDamage func(Damage)
}

// Damage is one thing that a check found.
type Damage struct {
	What     DamageKind
	Pack     protocol.PackID // zero: not about one pack
	Chunk    protocol.Hash   // zero: not about one chunk
	Snapshot *Snapshot       // that it touches, nil: none, or not known
	Path     []byte          // in the snapshot
	Err      error
}

// DamageKind says what was found.
type DamageKind string

// The kinds of damage.
const (
	DamagePackMissing  DamageKind = "pack missing"
	DamagePackBroken   DamageKind = "pack does not verify"
	DamagePackState    DamageKind = "pack in the wrong state"
	DamageIndex        DamageKind = "index differs from pack"
	DamageChunkMissing DamageKind = "content missing"
	DamageSnapshot     DamageKind = "snapshot does not open"
	DamageFile         DamageKind = "snapshot touched"
)

// String describes the damage in words.
func (d Damage) String() string {
	text := string(d.What)
	if !d.Pack.IsZero() {
		text += " " + d.Pack.String()
	}
	if d.Snapshot != nil {
		text += fmt.Sprintf(": snapshot %s", d.Snapshot.ID.String()[:8])
	}
	if d.Path != nil {
		text += fmt.Sprintf(": %q", d.Path)
	}
	if d.Err != nil {
		text += ": " + d.Err.Error()
	}
	return text
}

// CheckResult says what a check looked at and found.
type CheckResult struct {
	Snapshots int
	Packs     int // that are stored
	Chunks    int // that snapshots need
	Read      int // packs read whole
	ReadBytes int64
	Missing   int // packs or content that the provider does not have
	Untrusted int // what did not verify
	Retired   int // retired packs that a snapshot needs
	Unused    int64
}

// Clean reports whether nothing was found.
func (r *CheckResult) Clean() bool { return r.Missing+r.Untrusted+r.Retired == 0 }

// Check is a check in progress.
type Check struct {
	v         *Vault
	o         CheckOptions
	result    CheckResult
	readPacks atomic.Int64
	readBytes atomic.Int64
	toRead    atomic.Int64

	broken map[protocol.PackID]bool // missing or not verified
	whole  map[protocol.PackID]bool // verified
	lost   map[protocol.Hash]bool   // content that cannot be had, at most maxLost
	torn   bool                     // whether a folder is among what cannot be had
}

// NewCheck prepares a check.
func (v *Vault) NewCheck(o CheckOptions) *Check {
	return &Check{v: v, o: o, broken: map[protocol.PackID]bool{}, whole: map[protocol.PackID]bool{}, lost: map[protocol.Hash]bool{}}
}

// Progress returns how many packs and bytes were read so far, and how many packs
// there are to read.
func (c *Check) Progress() (packs, bytes, of int64) {
	return c.readPacks.Load(), c.readBytes.Load(), c.toRead.Load()
}

// Do checks. The signatures and chains of records, generations and packs were
// verified when the vault was opened. What is found is told and counted and ends
// nothing; an error says that the check itself ended early.
func (c *Check) Do(ctx context.Context) (*CheckResult, error) {
	if err := c.v.mustRead(); err != nil {
		return nil, err
	}
	list, err := c.snapshots()
	if err != nil {
		return nil, err
	}
	if err := c.stat(ctx); err != nil {
		return nil, err
	}
	m, err := c.v.mark(ctx, roots(list))
	if err != nil {
		return nil, err
	}
	defer m.close()
	if c.o.ReadData {
		if err := c.readData(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.structure(ctx, m); err != nil {
		return nil, err
	}
	if len(c.lost) > 0 || c.torn {
		if err := c.touched(ctx, list); err != nil {
			return nil, err
		}
	}
	if err := c.remember(); err != nil {
		return nil, err
	}
	c.result.Read, c.result.ReadBytes = int(c.readPacks.Load()), c.readBytes.Load()
	return &c.result, nil
}

// remember lets nothing new rely on what is broken, so that the next backup that
// reads its files again (--force) stores it anew.
func (c *Check) remember() error {
	before, err := c.v.brokenPacks()
	if err != nil {
		return err
	}
	for id := range before {
		if !c.whole[id] {
			c.broken[id] = true
		}
	}
	if len(before)+len(c.broken) == 0 {
		return nil
	}
	if err := c.v.setBroken(c.broken); err != nil {
		return err
	}
	return c.v.weighPacks()
}

// found tells and counts; it is called by one goroutine at a time.
func (c *Check) found(d Damage) {
	switch d.What {
	case DamagePackMissing, DamageChunkMissing:
		c.result.Missing++
	case DamagePackBroken, DamageIndex, DamageSnapshot:
		c.result.Untrusted++
	case DamagePackState:
		c.result.Retired++
	}
	if c.o.OnDamage != nil {
		c.o.OnDamage(d)
	}
}

// snapshots opens the live snapshots.
func (c *Check) snapshots() ([]*Snapshot, error) {
	var list []*Snapshot
	for _, seq := range c.v.live() {
		c.result.Snapshots++
		s, err := c.v.snapshot(seq)
		if protocol.KindOf(err) == protocol.KindUntrusted {
			c.found(Damage{What: DamageSnapshot, Err: err})
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// stat asks the provider whether it has every pack that is known, in the state
// that the prune chain says. It is a claim; reading the data proves it.
func (c *Check) stat(ctx context.Context) error {
	var ids []protocol.PackID
	for p, err := range c.v.index.Packs() {
		if err != nil {
			return err
		}
		ids = append(ids, p.ID)
	}
	states, err := c.v.remote.StatPacks(ctx, ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		_, retired := c.v.prunes.Retired()[id]
		switch {
		case states[i] == api.PackAbsent || states[i] == api.PackDropped:
			c.broken[id] = true
			c.found(Damage{What: DamagePackMissing, Pack: id})
			continue
		case (states[i] == api.PackRetired) != retired:
			c.found(Damage{What: DamagePackState, Pack: id, Err: protocol.Errorf(protocol.KindUntrusted, "the server keeps it as %s, against the signed prune chain", states[i])})
		}
		if !retired {
			c.result.Packs++
		}
	}
	return nil
}

// structure holds what the snapshots need against what there is.
func (c *Check) structure(ctx context.Context, m *marks) error {
	var doubtful []tree.Want // in broken packs only
	err := m.match(func(one *matched) error {
		if len(one.uses) == 0 {
			for i := range one.places {
				c.result.Unused += share(&one.places[i])
			}
			return nil
		}
		c.result.Chunks++
		switch c.hold(one) {
		case holds:
		case retiredOnly:
			c.result.Retired++
			if c.o.OnDamage != nil && c.result.Retired <= maxLost {
				c.o.OnDamage(Damage{What: DamagePackState, Pack: one.places[0].Pack, Chunk: one.name, Err: protocol.Errorf(protocol.KindUntrusted, "a snapshot needs it and it is retired; `solekey undelete --packs` or prune brings it back")})
			}
		case missing:
			c.lose(one.name, one.uses, nil)
		case doubtfulOnly:
			for _, u := range one.uses {
				doubtful = append(doubtful, tree.Want{Kind: u.kind, Name: one.name, Length: uint64(u.length)})
			}
		}
		if len(doubtful) < marksAtOnce {
			return nil
		}
		err := c.retry(ctx, m, doubtful)
		doubtful = doubtful[:0]
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range m.lost {
		if !c.lost[p.name] {
			c.lose(p.name, []use{{kind: p.kind}}, p.err)
		}
	}
	return c.retry(ctx, m, doubtful)
}

// footing says where a chunk that is needed can be had from.
type footing int

const (
	holds        footing = iota
	retiredOnly          // from packs that are asked to go
	doubtfulOnly         // from packs that are broken
	missing
)

// hold says where a chunk stands. One that is longer or shorter than a file says
// is not the one.
func (c *Check) hold(one *matched) footing {
	best := missing
	for i := range one.places {
		l := &one.places[i]
		s := holds
		if _, retired := c.v.prunes.Retired()[l.Pack]; retired {
			s = retiredOnly
		}
		if c.broken[l.Pack] {
			s = doubtfulOnly
		}
		for _, u := range one.uses {
			if u.length != 0 && u.length != l.Length {
				s = missing
			}
		}
		best = min(best, s)
	}
	return best
}

// retry reads chunks from packs of which some part is broken: other parts may be
// whole.
func (c *Check) retry(ctx context.Context, m *marks, wants []tree.Want) error {
	type failure struct {
		i   int
		err error
	}
	var failed []failure
	err := m.reader.Fetch(ctx, wants, func(i int, _ []byte, err error) error {
		if err != nil && !isLoss(err) {
			return err
		}
		if err != nil {
			m.mu.Lock()
			failed = append(failed, failure{i, err})
			m.mu.Unlock()
		}
		return nil
	})
	for _, f := range failed {
		c.lose(wants[f.i].Name, []use{{kind: wants[f.i].Kind}}, f.err)
	}
	return err
}

// lose notes content that cannot be had.
func (c *Check) lose(name protocol.Hash, uses []use, err error) {
	for _, u := range uses {
		c.torn = c.torn || u.kind != tree.KindFile
	}
	c.result.Missing++
	if len(c.lost) >= maxLost {
		c.torn = true
		return
	}
	c.lost[name] = true
	if c.o.OnDamage != nil {
		c.o.OnDamage(Damage{What: DamageChunkMissing, Chunk: name, Err: err})
	}
}
