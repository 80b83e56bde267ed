// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"errors"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

const (
	// batch is how many entries are given to the rules at once.
	batch = 8192
	// between is after how many entries progress is kept, at the next root.
	between = 8192
)

// ErrServed is in the chain of Follow's error where not the log is wrong but what
// was served of it.
var ErrServed = errors.New("the log serves what its checkpoint does not hold")

// Options are what a Follower's owner may want to see of a log.
type Options struct {
	// Observe is called for every entry that was accepted. What it remembers is kept
	// with Memo. After an error entries are read again from the last root that was
	// kept, and so seen again.
	Observe func(position uint64, e *directory.Entry)
	// Memo returns what is to be kept together with the progress, when it is.
	Memo func() []byte
	// Recall is given what Memo returned when the progress was kept that is now gone
	// on from, nil at the start of the log. It undoes what was observed since.
	Recall func(memo []byte)
}

// Follower replays one log. It is not safe for concurrent use.
type Follower struct {
	log     *tlog.LogKey
	source  tlog.TileReader
	store   *Store
	options Options

	// What was kept, in memory; nil before the first use and after an error.
	replay   *directory.Replay
	frontier *tlog.Frontier
}

// New returns a follower that goes on where the store is.
func New(log *tlog.LogKey, source tlog.TileReader, store *Store, options Options) *Follower {
	return &Follower{log: log, source: source, store: store, options: options}
}

// Replay returns the rules as of what was followed, nil before the first Follow
// and after an error. It is only to be read.
func (f *Follower) Replay() *directory.Replay { return f.replay }

// Load reads what was kept, and returns how many entries were followed and their
// root.
func (f *Follower) Load(ctx context.Context) (tlog.Checkpoint, error) {
	if f.replay == nil {
		if err := f.load(ctx); err != nil {
			return tlog.Checkpoint{}, err
		}
	}
	return tlog.Checkpoint{Origin: f.log.Origin(), Size: f.frontier.Size(), Root: f.frontier.Root()}, nil
}

func (f *Follower) load(ctx context.Context) error {
	id := f.log.ID()
	kept, err := f.store.load(ctx, id)
	if err != nil {
		return err
	}
	var memo []byte
	f.replay, f.frontier = directory.NewReplay(f.log, nodes{f.store, id}), new(tlog.Frontier)
	if kept != nil {
		if f.replay, f.frontier, err = kept.parse(f.log, nodes{f.store, id}); err != nil {
			f.replay = nil
			return err
		}
		memo = kept.memo
	}
	if f.options.Recall != nil {
		f.options.Recall(memo)
	}
	if f.options.Observe != nil {
		f.replay.Observe(f.options.Observe)
	}
	return nil
}

// Follow reads the log up to a checkpoint that its log signed, and holds every
// entry to the rules. Progress is kept at roots on the way, so that one that is
// interrupted goes on there.
//
// An error of KindUntrusted proves that the log is wrong: a *directory.Breach when
// it breaks a rule, tlog.ErrAnotherPast when it does not extend what was followed
// before, or neither when it does not end with a root. KindConflict is a checkpoint
// that is smaller than what was followed. All others are of the source or the
// store, and it may go better next time.
func (f *Follower) Follow(ctx context.Context, to tlog.Checkpoint) error {
	from, err := f.Load(ctx)
	if err != nil {
		return err
	}
	if to.Size < from.Size {
		return protocol.Errorf(protocol.KindConflict, "the log was followed to size %d already, and is asked for %d", from.Size, to.Size)
	}
	w := &walk{f: f, to: to, frontier: f.frontier.Clone(), kept: from.Size}
	if err := tlog.Entries(ctx, f.source, from.Size, to, f.frontier.Clone(), func(index uint64, entry []byte) error {
		return w.visit(ctx, index, entry)
	}); err != nil {
		if broken := w.finish(ctx); broken != nil {
			err = broken
		}
		f.replay = nil // what it holds in memory is beyond what was kept
		if !w.refused && !errors.Is(err, tlog.ErrAnotherPast) && protocol.KindOf(err) == protocol.KindUntrusted {
			// Not the log is wrong but what was served: that is no proof of anything.
			return protocol.Errorf(protocol.KindUnreachable, "%w: %v", ErrServed, err)
		}
		return err
	}
	if f.frontier.Size() != to.Size {
		f.replay = nil
		return protocol.Errorf(protocol.KindUntrusted, "the log of size %d does not end with a root of its directory", to.Size)
	}
	return nil
}

// walk is one way from what was kept to a checkpoint.
type walk struct {
	f        *Follower
	to       tlog.Checkpoint
	frontier *tlog.Frontier // behind the entries in waiting
	waiting  [][]byte
	started  *started // entries whose signatures are being verified, or nil
	kept     uint64
	refused  bool // the rules refused an entry
}

// started is a batch on its way. Its signatures are verified while the batch before
// it is held to the rules and kept.
type started struct {
	batch *directory.Batch
	keep  *tlog.Frontier // behind its last entry, if progress is to be kept there
}

// visit takes an entry that the checkpoint holds.
func (w *walk) visit(ctx context.Context, index uint64, entry []byte) error {
	w.waiting = append(w.waiting, entry)
	w.frontier.Append(tlog.LeafHash(entry))
	root := directory.LooksLikeRoot(entry) // what is none for all that, the rules refuse
	last := index+1 == w.to.Size
	if len(w.waiting) < batch && !root && !last {
		return nil
	}
	next := &started{batch: w.f.replay.Start(w.waiting)}
	w.waiting = nil
	if root && (last || index+1-w.kept >= between) {
		w.kept, next.keep = index+1, w.frontier.Clone()
	}
	err := w.finish(ctx)
	w.started = next
	if err != nil || !last {
		return err
	}
	return w.finish(ctx)
}

// finish holds the batch that is on its way to the rules, and keeps the progress
// where it is due.
func (w *walk) finish(ctx context.Context) error {
	s := w.started
	if w.started = nil; s == nil || w.refused {
		return nil
	}
	if err := w.f.replay.Finish(ctx, s.batch); err != nil {
		w.refused = true
		return err
	}
	if s.keep == nil {
		return nil
	}
	return w.f.keep(ctx, s.keep)
}

// keep stores what is known at a root.
func (f *Follower) keep(ctx context.Context, frontier *tlog.Frontier) error {
	p := progress{state: f.replay.State(), frontier: frontier.Marshal()}
	if f.options.Memo != nil {
		p.memo = f.options.Memo()
	}
	if err := f.store.commit(ctx, f.log.ID(), p, f.replay.TakeChange()); err != nil {
		return err
	}
	f.frontier = frontier
	return nil
}
