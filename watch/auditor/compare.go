// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor

import (
	"context"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow"
)

// reader reads tiles of a log that has a certain size. Whoever asks for less of a
// tile than there is gets the beginning: a log need not serve what no checkpoint of
// it needs.
type reader struct {
	source tlog.TileReader
	size   uint64
	whole  bool // the log has to have what is asked for: without it, it does not answer
}

// ReadTile reads a tile.
func (r *reader) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	entries := r.size
	if t.Level > 0 {
		entries >>= 8 * t.Level
	}
	there := t
	if begin := t.N * tlog.TileWidth; entries > begin {
		there.Width = max(t.Width, int(min(entries-begin, tlog.TileWidth)))
	}
	data, err := r.source.ReadTile(ctx, there)
	if r.whole && protocol.KindOf(err) == protocol.KindNotFound {
		return nil, protocol.Wrap(protocol.KindUnreachable, err, "the log does not serve all of itself")
	}
	if err != nil || there == t {
		return data, err
	}
	return t.Cut(data)
}

// compare holds a checkpoint to the one that was accepted before. Both are signed
// by the log; that they cannot both be true is evidence.
func (a *Auditor) compare(ctx context.Context, to *seen) error {
	old := a.before()
	switch {
	case old == nil || old.Checkpoint == to.Checkpoint:
		return nil
	case old.Size == to.Size:
		raw, err := evidence.Fork(a.config.Log, old.note, to.note, a.witnesses()...)
		return a.find(RuleOneLog, fmt.Sprintf("The log signed two different checkpoints of %d entries.", to.Size), raw, err)
	case old.Size < to.Size:
		return a.extends(ctx, old, to, RuleOneLog,
			fmt.Sprintf("The log signed a checkpoint of %d entries and later one of %d that does not extend it.", old.Size, to.Size))
	}
	err := a.extends(ctx, to, old, RuleOneLog,
		fmt.Sprintf("The log signed a checkpoint of %d entries that does not begin the one of %d that it signed before.", to.Size, old.Size))
	if err != nil {
		return err
	}
	return a.find(RuleForward, fmt.Sprintf("The log shows a checkpoint of %d entries and showed one of %d before: it hides what came since.", to.Size, old.Size), nil,
		errors.New("an old checkpoint is no lie; that it was shown late is"))
}

// extends reports whether the larger checkpoint extends the smaller one, by a proof
// from the tiles. Where it does not, the tiles show which root it has instead.
func (a *Auditor) extends(ctx context.Context, small, large *seen, rule, what string) error {
	r := &reader{source: a.config.Source, size: large.Size}
	proof, err := tlog.ProveConsistency(ctx, r, small.Size, large.Size)
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound && protocol.KindOf(err) != protocol.KindUntrusted {
		return err
	}
	if err == nil && tlog.VerifyConsistency(small.Checkpoint, large.Checkpoint, proof) == nil {
		return nil
	}
	if err != nil {
		return a.find(RuleServed, fmt.Sprintf("The log does not prove that its checkpoint of %d entries extends the one of %d.", large.Size, small.Size), nil,
			errors.New("the log does not serve what it would take"))
	}
	middle, err := tlog.RootAt(ctx, r, small.Size)
	if err != nil {
		return a.find(rule, what, nil, err)
	}
	raw, err := evidence.ForkBelow(a.config.Log, small.note, large.note, middle, proof, a.witnesses()...)
	if err != nil {
		// The tiles are of neither log: what does not hold is what is served, and
		// whether the log forked nobody can say.
		return a.find(RuleServed, fmt.Sprintf("The log does not prove that its checkpoint of %d entries extends the one of %d.", large.Size, small.Size), nil, err)
	}
	return a.find(rule, what, raw, nil)
}

// explain turns what Follow returned into a finding, if it is one.
func (a *Auditor) explain(ctx context.Context, to *seen, err error) error {
	var b *directory.Breach
	switch {
	case errors.As(err, &b) && b.Rule != directory.RuleKnown:
		raw, why := a.proveBreach(ctx, to, b)
		f := a.find(string(b.Rule), breach(b), raw, why)
		f.cause = b
		return f
	case errors.Is(err, follow.ErrServed):
		f := a.find(RuleServed, fmt.Sprintf("What the log serves is not what its checkpoint of %d entries holds.", to.Size), nil,
			errors.New("nobody signs what is served; the checkpoint is signed"))
		f.cause = err
		return f
	case errors.Is(err, tlog.ErrAnotherPast):
		f := a.find(RuleOneLog, fmt.Sprintf("The log of %d entries does not begin with those that were followed before.", to.Size), nil,
			errors.New("the checkpoint from before is not kept"))
		f.cause = err
		return f
	case protocol.KindOf(err) != protocol.KindUntrusted && protocol.KindOf(err) != protocol.KindNotFound:
		return err
	}
	if raw, ok := a.proveEnd(ctx, to); ok {
		return a.find(RuleEnd, "", raw, nil)
	}
	return protocol.Wrap(protocol.KindInternal, err, "what is kept of the log is damaged; delete the state, and it is made again from the log")
}

// proveEnd returns evidence that a checkpoint ends with something else than a root,
// if it does.
func (a *Auditor) proveEnd(ctx context.Context, to *seen) ([]byte, bool) {
	if to.Size == 0 {
		return nil, false
	}
	last, err := a.entries(ctx, to.Size-1, to.Size)
	if err != nil {
		return nil, false
	}
	proof, err := tlog.ProveInclusion(ctx, a.reader, to.Size, to.Size-1)
	if err != nil {
		return nil, false
	}
	raw, err := evidence.NoRoot(a.config.Log, &directory.Shown{Note: to.note, Root: last[0], RootProof: proof})
	return raw, err == nil
}

// proveBreach returns evidence of an entry that the rules forbid: all entries from
// the last root before it, with what these need of the trees under that root.
func (a *Auditor) proveBreach(ctx context.Context, to *seen, b *directory.Breach) ([]byte, error) {
	first, trees, err := a.rootBefore(ctx, b.Position)
	if err != nil {
		return nil, err
	}
	frontier, err := tlog.FrontierAt(ctx, a.reader, first)
	if err != nil {
		return nil, err
	}
	entries, err := a.entries(ctx, first, b.Position+1)
	if err != nil {
		return nil, err
	}
	excerpt, err := directory.NewExcerpt(ctx, a.config.Log, frontier, entries, trees)
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveConsistency(ctx, a.reader, b.Position+1, to.Size)
	if err != nil {
		return nil, err
	}
	return evidence.Rules(a.config.Log, to.note, proof, excerpt)
}

// rootBefore goes back to the newest root before a position, and returns where it
// is and the trees that it states; 0 and nothing where there is none.
func (a *Auditor) rootBefore(ctx context.Context, position uint64) (uint64, directory.NodeStore, error) {
	last := a.memo.LastRoot
	if last == 0 || last >= position {
		return 0, directory.NewMemoryStore(), nil
	}
	root, err := tlog.RootAt(ctx, a.reader, last+1)
	if err != nil {
		return 0, nil, err
	}
	if err := a.follower.Follow(ctx, tlog.Checkpoint{Origin: a.config.Log.Origin(), Size: last + 1, Root: root}); err != nil {
		return 0, nil, err
	}
	return last, a.follower.Replay().Tiles(), nil
}

// entries returns the raw entries from..to.
func (a *Auditor) entries(ctx context.Context, from, to uint64) ([][]byte, error) {
	frontier, err := tlog.FrontierAt(ctx, a.reader, from)
	if err != nil {
		return nil, err
	}
	root, err := tlog.RootAt(ctx, a.reader, to)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	err = tlog.Entries(ctx, a.reader, from, tlog.Checkpoint{Origin: a.config.Log.Origin(), Size: to, Root: root}, frontier, func(_ uint64, entry []byte) error {
		list = append(list, entry)
		return nil
	})
	return list, err
}
