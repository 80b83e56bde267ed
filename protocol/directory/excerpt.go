// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// Excerpt is the part of a log from one Root, or from its start, to the next, with
// as much of the trees under the first as the rules ask for. By it anybody can
// judge these entries who has nothing else of the log.
//
// What a Root does not commit to cannot be judged so: how far statements, uses and
// releases were counted; and over the end of a day, which periods of anchors left
// their tree. Those rules are passed over.
//
// Growth: it is part of evidence and grows with its version.
type Excerpt struct {
	Frontier []byte         `cbor:"1,keyasint"` // of the log before the first entry, as tlog.Frontier writes it
	Entries  [][]byte       `cbor:"2,keyasint"` // the first is a Root, or entry 0
	Tiles    []NamedTile    `cbor:"3,keyasint,omitempty"`
	Periods  []PeriodBefore `cbor:"4,keyasint,omitempty"` // all that the entries put anchors into
}

// NamedTile is a tile of a tree, with its name.
type NamedTile struct {
	Name protocol.Hash `cbor:"1,keyasint"`
	Data []byte        `cbor:"2,keyasint"`
}

// PeriodBefore shows the root of a period's tree under the first Root, or that it
// had none yet.
type PeriodBefore struct {
	Period Period     `cbor:"1,keyasint"`
	Outer  *PathProof `cbor:"2,keyasint"`
}

// Tile returns a tile of the excerpt.
func (x *Excerpt) Tile(_ context.Context, name protocol.Hash) ([]byte, error) {
	for _, t := range x.Tiles {
		if t.Name == name {
			return t.Data, nil
		}
	}
	return nil, protocol.Errorf(protocol.KindNotFound, "the excerpt has no tile %s", name)
}

// NewExcerpt returns the excerpt that begins with the first entry, behind what the
// frontier covers, and goes up to the last; the store has the trees under the first
// entry. Whether it breaks a rule is for Judge to say.
func NewExcerpt(ctx context.Context, log *tlog.LogKey, before *tlog.Frontier, entries [][]byte, store NodeStore) (*Excerpt, error) {
	x := &Excerpt{Frontier: before.Marshal(), Entries: entries}
	seen := &recorder{store: store, tiles: map[protocol.Hash]bool{}}
	if err := x.addPeriods(ctx, before.Size(), store); err != nil {
		return nil, err
	}
	if _, _, err := x.judge(ctx, log, seen); err != nil {
		return nil, err
	}
	x.Tiles = seen.list
	return x, nil
}

// addPeriods adds what the entries' anchors need.
func (x *Excerpt) addPeriods(ctx context.Context, from uint64, store NodeStore) error {
	if from == 0 {
		return nil
	}
	first, err := x.first(from)
	if err != nil {
		return err
	}
	known := map[Period]bool{}
	for _, raw := range x.Entries[1:] {
		e, err := ParseEntry(raw)
		if err != nil || e.Anchor == nil || known[e.Anchor.Period] {
			continue // what cannot be read is for Judge
		}
		p := e.Anchor.Period
		outer, err := NewTree(first.Anchors, store).Prove(ctx, p.Index())
		if err != nil {
			return err
		}
		known[p] = true
		x.Periods = append(x.Periods, PeriodBefore{p, outer})
	}
	return nil
}

// recorder notes which tiles are read.
type recorder struct {
	store NodeStore
	tiles map[protocol.Hash]bool
	list  []NamedTile
}

// Tile reads a tile.
func (r *recorder) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	data, err := r.store.Tile(ctx, name)
	if err == nil && !r.tiles[name] {
		r.tiles[name] = true
		r.list = append(r.list, NamedTile{name, data})
	}
	return data, err
}

// Judge returns the size and the root hash of the log after the entries, and the
// first entry of them that breaks a rule, nil for none. The entries count only
// where a checkpoint that the log signed holds that root at that size: this is the
// caller's to see to. An excerpt that lacks what it takes is an error.
func (x *Excerpt) Judge(ctx context.Context, log *tlog.LogKey) (tlog.Checkpoint, *Breach, error) {
	return x.judge(ctx, log, x)
}

func (x *Excerpt) judge(ctx context.Context, log *tlog.LogKey, store NodeStore) (tlog.Checkpoint, *Breach, error) {
	frontier, err := tlog.ParseFrontier(x.Frontier)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	from := frontier.Size()
	for _, raw := range x.Entries {
		if len(raw) > tlog.MaxEntrySize {
			return tlog.Checkpoint{}, nil, protocol.Errorf(protocol.KindUntrusted, "excerpt: an entry of %d bytes", len(raw))
		}
		frontier.Append(tlog.LeafHash(raw))
	}
	end := tlog.Checkpoint{Origin: log.Origin(), Size: frontier.Size(), Root: frontier.Root()}
	r, rest, err := x.resume(log, from, store)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	b, err := r.judgeAll(ctx, rest)
	return end, b, err
}

// first returns the Root that the excerpt begins with.
func (x *Excerpt) first(from uint64) (*Root, error) {
	if len(x.Entries) == 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "excerpt: it has no entries")
	}
	e, err := ParseEntry(x.Entries[0])
	if err != nil {
		return nil, err
	}
	if e.Root == nil || e.Root.Size != from {
		return nil, protocol.Errorf(protocol.KindUntrusted, "excerpt: it does not begin with a root that covers what is before")
	}
	return e.Root, nil
}

// judging is a replay that knows of what came before only what a root states.
type judging struct {
	*Replay
	known map[Period]bool // whose trees' roots are known
}

// resume returns the rules as they stand behind the first root, and the entries
// that come then.
func (x *Excerpt) resume(log *tlog.LogKey, from uint64, store NodeStore) (*judging, [][]byte, error) {
	if from == 0 {
		return &judging{NewReplay(log, store), nil}, x.Entries, nil
	}
	first, err := x.first(from)
	if err != nil {
		return nil, nil, err
	}
	s := state{
		Version: protocol.FormatVersion, Log: log.ID(), Size: from + 1,
		Time: first.Time, Names: first.Names, Anchors: first.Anchors, Origin: &Origin{},
	}
	known := map[Period]bool{}
	for _, p := range x.Periods {
		if _, err := ParsePeriod(string(p.Period)); err != nil {
			return nil, nil, err
		}
		value, ok, err := p.Outer.Verify(first.Anchors, p.Period.Index())
		if err != nil || ok && len(value) != len(protocol.Hash{}) {
			return nil, nil, protocol.Errorf(protocol.KindUntrusted, "excerpt: the tree of %s is not under its root", p.Period)
		}
		known[p.Period] = true
		if ok {
			s.setPeriod(p.Period, protocol.Hash(value))
		}
	}
	return &judging{newReplay(log, store, s), known}, x.Entries[1:], nil
}

// judgeAll looks at entries up to the next root.
func (r *judging) judgeAll(ctx context.Context, raws [][]byte) (*Breach, error) {
	for _, raw := range raws {
		e, err := ParseEntry(raw)
		if protocol.KindOf(err) == protocol.KindUnsupported {
			return nil, err
		}
		if err != nil {
			return parseBreach(r.now.Size, err), nil
		}
		if b, err := asBreach(r.judgeOne(ctx, e)); b != nil || err != nil {
			return b, err
		}
		if err := r.apply(ctx, raw, e); err != nil || e.Root != nil {
			return nil, err
		}
	}
	return nil, nil
}

// asBreach parts a breach from what hinders a judgement.
func asBreach(err error) (*Breach, error) {
	if b, ok := err.(*Breach); ok {
		return b, nil
	}
	return nil, err
}

// judgeOne holds an entry to the rules that can be judged.
func (r *judging) judgeOne(ctx context.Context, e *Entry) error {
	counted := e.Policy != nil || e.Custodian != nil || e.Release != nil
	switch {
	case counted && r.now.Size > 0:
		return nil
	case e.Anchor != nil && r.known != nil && !r.known[e.Anchor.Period]:
		return protocol.Errorf(protocol.KindUntrusted, "excerpt: it lacks the tree of %s", e.Anchor.Period)
	case e.Root != nil && r.known != nil && DayOf(r.now.Time) != DayOf(e.Root.Time):
		return r.judgeNames(ctx, e.Root)
	}
	if err := r.allowed(ctx, e); err != nil {
		return err
	}
	return r.signed(e.VerifySignature(r.log))
}

// judgeNames holds a root to everything but the tree over periods, which periods
// leave at the end of a day that an excerpt does not show.
func (r *judging) judgeNames(ctx context.Context, root *Root) error {
	p, err := r.prepare(ctx, root.Time)
	if err != nil {
		return err
	}
	again := *root
	again.Anchors = p.state.Anchors
	return r.allowRoot(ctx, &again)
}
