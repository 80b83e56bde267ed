// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// apply applies an entry that the rules allow.
func (r *Replay) apply(ctx context.Context, raw []byte, e *Entry) error {
	if e.Root != nil {
		return r.applyRoot(ctx, e.Root)
	}
	if err := r.applyName(ctx, e); err != nil {
		return err
	}
	count := &r.now.Counts
	switch {
	case e.Origin != nil:
		r.now.Origin = e.Origin
	case e.Anchor != nil:
		if r.pending.anchors[e.Anchor.Period] == nil {
			r.pending.anchors[e.Anchor.Period] = map[protocol.Hash]protocol.Hash{}
		}
		r.pending.anchors[e.Anchor.Period][e.Anchor.Index] = e.Anchor.Commitment
		count.Anchors++
	case e.Policy != nil:
		r.now.Policy, r.now.PolicyHash = e.Policy.Number, tlog.LeafHash(raw)
		count.Policies++
	case e.Custodian != nil:
		r.countUse(e.Custodian)
	case e.Release != nil:
		r.countRelease(e.Release)
	}
	r.now.Size++
	r.ready = nil
	return nil
}

// applyName applies an entry that is about a name.
func (r *Replay) applyName(ctx context.Context, e *Entry) error {
	var index protocol.Hash
	switch {
	case e.Update != nil:
		index = e.Update.Index
	case e.Notice != nil:
		index = e.Notice.Index
	case e.Reassign != nil:
		index = e.Reassign.Index
	default:
		return nil
	}
	leaf, err := r.Leaf(ctx, index)
	if err != nil {
		return err
	}
	count := &r.now.Counts
	switch {
	case e.Update != nil:
		if leaf == nil {
			count.Names++
		}
		if e.Update.Next.IsZero() {
			count.Closed++
		}
		count.Updates++
		leaf = leafAfter(leaf, e.Update, r.now.Size)
	case e.Notice != nil:
		count.Notices++
		leaf = leafNoticed(leaf, e.Notice, r.now.Size)
	case e.Reassign != nil:
		count.Reassigns++
		leaf = leafReassigned(leaf, r.now.Size)
	}
	r.pending.leaves[index] = leaf
	return nil
}

func (r *Replay) countUse(c *Custodian) {
	i, ok := r.now.custodian(c.Custodian)
	if !ok {
		r.now.Custodians = slices.Insert(r.now.Custodians, i, CustodianUses{Custodian: c.Custodian, Months: []MonthUses{}})
	}
	r.now.Custodians[i].Number = c.Number
	r.pending.uses[c.Custodian]++
	r.now.Counts.Uses++
}

func (r *Replay) countRelease(rel *Release) {
	i, ok := r.now.program(rel.Program)
	if !ok {
		r.now.Programs = slices.Insert(r.now.Programs, i, Releases{Program: rel.Program})
	}
	r.now.Programs[i].Number = rel.Number
	r.now.Counts.Releases++
}

// prepared is what a root at one place and time amounts to.
type prepared struct {
	size  uint64
	time  protocol.Time
	state state // after the root
	steps []step
	left  []Period
	close []Period
}

// step is what a root does to one tree.
type step struct {
	set    *setter
	period Period // "" for the trees over names and periods
}

// prepare computes what a root of this time would state. Nothing is changed but
// what is remembered of it, since whoever makes a root also accepts it.
func (r *Replay) prepare(ctx context.Context, at protocol.Time) (*prepared, error) {
	if r.ready != nil && r.ready.size == r.now.Size && r.ready.time == at {
		return r.ready, nil
	}
	p := &prepared{size: r.now.Size, time: at, state: r.now.clone()}
	if err := r.prepareNames(ctx, p); err != nil {
		return nil, err
	}
	if err := r.prepareAnchors(ctx, p); err != nil {
		return nil, err
	}
	p.state.countMonths(r.pending.uses, at)
	p.close = p.state.close(at)
	p.state.Size, p.state.Time = r.now.Size+1, at
	p.state.Counts.Roots++
	r.ready = p
	return p, nil
}

// prepareNames puts the pending leaves into the tree over names. A notice that is
// covered for the first time gets the root's time.
func (r *Replay) prepareNames(ctx context.Context, p *prepared) error {
	items := make([]Item, 0, len(r.pending.leaves))
	for index, leaf := range r.pending.leaves {
		if leaf.Notice != nil && leaf.Notice.Position >= r.pending.from {
			l, n := *leaf, *leaf.Notice
			n.Time, l.Notice = p.time, &n
			leaf = &l
		}
		items = append(items, Item{index, leaf.Bytes()})
	}
	root, set, err := NewTree(r.now.Names, r.tiles).set(ctx, items)
	if err != nil {
		return err
	}
	p.state.Names = root
	p.steps = append(p.steps, step{set: set})
	return nil
}

// prepareAnchors puts the pending anchors into their periods' trees, and these
// into the tree over periods; periods that are too old leave it.
func (r *Replay) prepareAnchors(ctx context.Context, p *prepared) error {
	items := map[Period]Item{}
	for _, period := range slices.Sorted(maps.Keys(r.pending.anchors)) {
		var anchors []Item
		for index, commitment := range r.pending.anchors[period] {
			anchors = append(anchors, Item{index, bytes.Clone(commitment[:])})
		}
		root, set, err := NewTree(r.now.period(period), r.tiles).set(ctx, anchors)
		if err != nil {
			return err
		}
		p.state.setPeriod(period, root)
		items[period] = Item{period.Index(), bytes.Clone(root[:])}
		p.steps = append(p.steps, step{set, period})
	}
	p.left = p.state.leave(p.time)
	for _, period := range p.left {
		items[period] = Item{Index: period.Index()}
	}
	root, set, err := NewTree(r.now.Anchors, r.tiles).set(ctx, slices.Collect(maps.Values(items)))
	if err != nil {
		return err
	}
	p.state.Anchors = root
	p.steps = append(p.steps, step{set: set})
	return nil
}

// countMonths puts uses into the month of the root that covers them.
func (s *state) countMonths(uses map[protocol.Hash]uint64, at protocol.Time) {
	month := MonthOf(at)
	for key, n := range uses {
		i, _ := s.custodian(key)
		months := &s.Custodians[i].Months
		if last := len(*months) - 1; last < 0 || (*months)[last].Month != month {
			*months = append(*months, MonthUses{Month: month})
		}
		(*months)[len(*months)-1].Uses += n
	}
}

// NextRoot returns the root that the log may go on with. Its time is at, or the
// log's where that is later.
func (r *Replay) NextRoot(ctx context.Context, at protocol.Time) (*Entry, error) {
	if r.now.Size == 0 {
		return nil, protocol.Errorf(protocol.KindUsage, "make root: the log has no origin yet")
	}
	p, err := r.prepare(ctx, max(at, r.now.Time))
	if err != nil {
		return nil, err
	}
	return &Entry{Root: &Root{Size: p.size, Names: p.state.Names, Anchors: p.state.Anchors, Time: p.time}}, nil
}

// applyRoot makes what was prepared the state of things.
func (r *Replay) applyRoot(ctx context.Context, root *Root) error {
	p, err := r.prepare(ctx, root.Time)
	if err != nil {
		return err
	}
	for _, s := range p.steps {
		for name := range s.set.gone {
			if !r.tiles.drop(name) {
				r.gone[name] = true
			}
		}
		for name, m := range s.set.made {
			delete(r.gone, name)
			r.tiles.add(name, m, s.period)
		}
	}
	r.change.Closed = append(r.change.Closed, p.close...)
	r.change.Left = append(r.change.Left, p.left...)
	r.now, r.rooted, r.ready = p.state, p.state.bytes(), nil
	r.pending = newPending(r.now.Size)
	return nil
}

// TakeChange returns what the roots since the last call do to the store. The
// caller stores it before it calls anything else.
func (r *Replay) TakeChange() Change {
	change := r.change
	change.New, change.Periods = r.tiles.take()
	change.Gone = slices.SortedFunc(maps.Keys(r.gone), func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
	r.change, r.gone = Change{}, map[protocol.Hash]bool{}
	return change
}

// layers is the store as a Replay sees it: the tiles that were not taken yet,
// then the cache, then what was given.
type layers struct {
	cache *Cache
	fresh map[protocol.Hash]freshTile
}

// freshTile is a tile that the store does not have yet.
type freshTile struct {
	made
	period Period
}

func newLayers(store NodeStore) *layers {
	return &layers{NewCache(store, CacheSize), map[protocol.Hash]freshTile{}}
}

// Tile returns a tile.
func (l *layers) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	if f, ok := l.fresh[name]; ok {
		return tileOf(f.top), nil
	}
	return l.cache.Tile(ctx, name)
}

func (l *layers) load(ctx context.Context, name protocol.Hash, depth int, path protocol.Hash) (*node, error) {
	if f, ok := l.fresh[name]; ok && f.depth == depth {
		return f.top, nil
	}
	return l.cache.load(ctx, name, depth, path)
}

func (l *layers) add(name protocol.Hash, m made, period Period) {
	l.fresh[name] = freshTile{m, period}
}

// drop forgets a tile that nobody took, and reports whether it was one.
func (l *layers) drop(name protocol.Hash) bool {
	_, ok := l.fresh[name]
	delete(l.fresh, name)
	return ok
}

// take returns the tiles that nobody took yet, and which of them belong to a
// period. They stay in the cache.
func (l *layers) take() (map[protocol.Hash][]byte, map[protocol.Hash]Period) {
	tiles, periods := make(map[protocol.Hash][]byte, len(l.fresh)), map[protocol.Hash]Period{}
	for name, f := range l.fresh {
		tiles[name] = tileOf(f.top)
		if f.period != "" {
			periods[name] = f.period
		}
		l.cache.add(name, f.top, f.depth)
	}
	l.fresh = map[protocol.Hash]freshTile{}
	return tiles, periods
}
