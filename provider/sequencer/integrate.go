// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Integrate gives what waits its place in the log, in one batch, and reports
// whether more may wait. Where nothing does and the last root is old, it writes a
// root. After an error the log stands where it stood, or, where the batch was
// decided on, at the next call begins with that very batch.
func (s *Service) Integrate(ctx context.Context) (more bool, err error) {
	if err := s.crowd.prove(ctx); err != nil {
		return false, err
	}
	if err := s.Refusal(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.catchUp(ctx); err != nil {
		return false, err
	}
	return s.batch(ctx)
}

// reload reads where the log stands.
func (s *Service) reload(ctx context.Context) error {
	head, err := s.Store.LogHead(ctx, s.key.ID())
	if err != nil {
		return err
	}
	var replay *directory.Replay
	if head.Size == 0 {
		replay = directory.NewReplay(s.key, nodeStore{s.Store})
	} else if replay, err = directory.ResumeReplay(s.key, nodeStore{s.Store}, head.State); err != nil {
		return err
	}
	if replay.Size() != head.Size {
		return protocol.Errorf(protocol.KindInternal, "the replay of the log is at %d, its rows are at %d", replay.Size(), head.Size)
	}
	s.head, s.replay = head, replay
	return nil
}

// catchUp takes in batches that were decided on and not integrated: by a process
// that died, by another one that lives, or before the database was restored.
func (s *Service) catchUp(ctx context.Context) error {
	for {
		if s.replay == nil {
			if err := s.reload(ctx); err != nil {
				return err
			}
		}
		raw, err := s.Store.NextBatch(ctx, s.head)
		if err != nil || raw == nil {
			return err
		}
		if err := s.take(ctx, raw); err != nil && protocol.KindOf(err) != protocol.KindConflict {
			return err
		}
	}
}

// take integrates a batch that was decided on. One that does not follow is not
// ours, and nothing can be built on it.
func (s *Service) take(ctx context.Context, raw []byte) error {
	b, err := ParseBatch(raw)
	if err != nil {
		return err
	}
	if !b.continues(s.key.ID(), s.head) {
		before := s.head.Batch
		if err := s.reload(ctx); err != nil {
			return err
		}
		if s.head.Batch != before {
			return protocol.Errorf(protocol.KindConflict, "the log has grown meanwhile")
		}
		return protocol.Errorf(protocol.KindUntrusted, "the batch at %d does not follow the log, which stands at %d", b.From, s.head.Size)
	}
	entries := b.Entries[s.head.Size-b.From:]
	if err := s.replay.Entries(ctx, entries); err != nil {
		s.replay = nil
		return protocol.Wrap(protocol.KindUntrusted, err, "take in the batch at %d", b.From)
	}
	i, err := s.follow(ctx, raw, entries)
	i.Head.Batch = b.Name()
	if err == nil && i.Head.Root != b.Root {
		err = protocol.Errorf(protocol.KindUntrusted, "the batch at %d leads to another root than it says", b.From)
	}
	if err != nil {
		s.replay = nil
		return err
	}
	return s.commit(ctx, i)
}

// batch decides on the next batch and integrates it.
func (s *Service) batch(ctx context.Context) (bool, error) {
	w, err := s.collect(ctx)
	if err != nil {
		return false, err
	}
	due, err := s.rootDue(ctx)
	if err != nil {
		return false, err
	}
	if len(w.list) == 0 && !due && !w.root {
		s.nextAnchors = max(s.nextAnchors, w.anchors)
		return w.more, nil
	}
	entries := make([][]byte, 0, len(w.list)+1)
	before := s.head
	for _, one := range w.list {
		entries = append(entries, one.Entry)
	}
	err = s.next(ctx, entries, w.time)
	var breach *directory.Breach
	if errors.As(err, &breach) {
		if at := breach.Position - before.Size; at < uint64(len(w.list)) {
			err = s.reject(ctx, before, w.list[at], breach)
			return err == nil, again(err)
		}
	}
	if err == nil && w.anchors > 0 {
		s.nextAnchors = w.anchors
	}
	return w.more, again(err)
}

// staleRoot is how old a root may be that is still to be cosigned. Witnesses that
// hold it against their clock want less than ten minutes.
const staleRoot = 5 * time.Minute

// rootDue reports whether a root is to be written although nothing waits: because
// the newest is old, or because it is too old to be cosigned and was not.
func (s *Service) rootDue(ctx context.Context) (bool, error) {
	age := time.Duration(s.now() - s.replay.Time())
	if age >= s.Heartbeat {
		return true, nil
	}
	if age < staleRoot || !s.crowd.needed() {
		return false, nil
	}
	served, err := s.served(ctx, s.head.Size)
	return !served, err
}

// again takes an error away that says that another process was faster: the next
// call begins where that one left the log.
func again(err error) error {
	if protocol.KindOf(err) == protocol.KindConflict {
		return nil
	}
	return err
}

// reject puts aside what breaks a rule: something that should not have been
// acknowledged, which must not stop everybody else. Where the log has moved since
// it was read, nothing is broken: another process integrated the entry.
func (s *Service) reject(ctx context.Context, after Head, w Waiting, why error) error {
	if err := s.Store.Reject(ctx, after, w, why.Error()); err != nil {
		return err
	}
	s.Logger.Error("an entry that was acknowledged breaks a rule of the log", "leaf", w.Leaf, "rule", why.Error())
	return nil
}

// collected is what the next batch is made of.
type collected struct {
	list []Waiting
	more bool          // there is more that waits
	root bool          // a root has to come, if only by itself: the log's time is behind what an anchor needs
	time protocol.Time // of the root

	anchors protocol.Time // when anchors are due next, where all that were due are among these
}

// collect reads what waits: first what is not an anchor, in the order of its
// receipt, then anchors, where they are due, in the order of their indexes.
func (s *Service) collect(ctx context.Context) (collected, error) {
	c := collected{time: max(s.now(), s.replay.Time())}
	var err error
	if c.list, err = s.Store.Waiting(ctx, MaxBatchEntries+1); err != nil {
		return c, err
	}
	cut := fitting(c.list, MaxBatchEntries, MaxBatchSize/2)
	if cut < len(c.list) {
		// What stays behind was promised a place before any root of that time.
		c.time = max(s.replay.Time(), min(c.time, c.list[cut].Received+protocol.Time(Promised)))
		c.list, c.more = c.list[:cut], true
		return c, nil
	}
	// After a long stop the next root may close periods: then anchors come before it.
	stopped := time.Duration(c.time-s.replay.Time()) > s.Heartbeat+staleRoot
	if s.now() < s.nextAnchors && !stopped {
		return c, nil
	}
	err = s.collectAnchors(ctx, &c)
	return c, err
}

// collectAnchors adds the anchors that may enter now. Those whose period is not
// open yet wait for the root of this batch. Those whose period is over, because the
// log stood still for more than a day, are put aside.
func (s *Service) collectAnchors(ctx context.Context, c *collected) error {
	anchors, err := s.Store.WaitingAnchors(ctx, s.now(), MaxBatchEntries-len(c.list)+1)
	if err != nil {
		return err
	}
	cut := fitting(anchors, MaxBatchEntries-len(c.list), MaxBatchSize/4)
	moved := false
	for _, a := range anchors[:cut] {
		entry, err := directory.ParseEntry(a.Entry)
		if err != nil {
			return err
		}
		switch p := entry.Anchor.Period; {
		case p.Open(s.replay.Time()):
			c.list, moved = append(c.list, a), true
		case p.Open(c.time):
			c.root = true
		case p.Start() > c.time:
			// The clock was ahead when it was taken. Its day will come.
		default:
			if err := s.reject(ctx, s.head, a, fmt.Errorf("the anchors of %s are closed", p)); err != nil {
				return again(err)
			}
			moved = true
		}
	}
	if c.more = c.root || moved && cut < len(anchors); !c.more {
		c.anchors = s.anchorsAfter(s.now())
	}
	return nil
}

// anchorsAfter returns when anchors are integrated next after the moment.
func (s *Service) anchorsAfter(at protocol.Time) protocol.Time {
	if s.AnchorsEvery <= 0 {
		return at
	}
	return protocol.TimeOf(at.Std().Truncate(s.AnchorsEvery).Add(s.AnchorsEvery))
}

// fitting returns how many of the list fit into a batch.
func fitting(list []Waiting, most, bytes int) int {
	for n, w := range list {
		bytes -= len(w.Entry) + 8
		if n == most || bytes < 0 {
			return n
		}
	}
	return len(list)
}

// next decides on a batch of these entries and a root, and integrates it.
func (s *Service) next(ctx context.Context, entries [][]byte, at protocol.Time) error {
	i, err := s.decide(ctx, entries, at)
	if err != nil {
		s.replay = nil
		return errors.Join(err, s.reload(ctx))
	}
	return s.commit(ctx, i)
}

// decide replays the entries, adds the root, and claims the batch. From then on
// no other batch will ever have this place.
func (s *Service) decide(ctx context.Context, entries [][]byte, at protocol.Time) (Integration, error) {
	if err := s.replay.Entries(ctx, entries); err != nil {
		return Integration{}, err
	}
	root, err := s.replay.NextRoot(ctx, at)
	if err != nil {
		return Integration{}, err
	}
	entries = append(entries, root.Bytes())
	if err := s.replay.Entries(ctx, entries[len(entries)-1:]); err != nil {
		return Integration{}, err
	}
	i, err := s.follow(ctx, nil, entries)
	if err != nil {
		return Integration{}, err
	}
	b := Batch{Version: batchVersion, Log: s.key.ID(), From: s.head.Size, Prev: s.head.Batch, Entries: entries, Root: i.Head.Root}
	i.Batch = b.Bytes()
	i.Head.Batch = b.Name()
	return i, s.Store.ClaimBatch(ctx, s.head, i.Batch)
}

// follow computes all that follows from entries that the replay took in.
func (s *Service) follow(ctx context.Context, raw []byte, entries [][]byte) (Integration, error) {
	i := Integration{After: s.head, Batch: raw, Change: s.replay.TakeChange(), Time: s.replay.Time()}
	leaves := make([]protocol.Hash, len(entries))
	for n, entry := range entries {
		leaves[n] = tlog.LeafHash(entry)
		parsed, err := directory.ParseEntry(entry)
		if err != nil {
			return i, err
		}
		i.Placed = append(i.Placed, Placed{s.head.Size + uint64(n), leaves[n], entry, parsed})
	}
	if i.Placed[len(entries)-1].Entry.Root == nil {
		return i, protocol.Errorf(protocol.KindUntrusted, "the batch at %d does not end with a root", s.head.Size)
	}
	tiles, root, err := tlog.AppendLeaves(ctx, s.Store, s.head.Size, leaves)
	if err != nil {
		return i, err
	}
	for _, t := range tiles {
		i.Tiles = append(i.Tiles, Tile{t.Tile, t.Data})
	}
	bundles, err := s.bundles(ctx, entries)
	if err != nil {
		return i, err
	}
	i.Tiles = append(i.Tiles, bundles...)
	i.Head = Head{Size: s.head.Size + uint64(len(entries)), Root: root, State: s.replay.State()}
	return i, nil
}

// bundles returns the bundles that the entries fill.
func (s *Service) bundles(ctx context.Context, entries [][]byte) ([]Tile, error) {
	at := tlog.Tile{Level: tlog.LevelEntries, N: s.head.Size / tlog.TileWidth, Width: int(s.head.Size % tlog.TileWidth)}
	var data []byte
	if at.Width > 0 && at.Width+len(entries) >= tlog.TileWidth {
		var err error
		if data, err = s.Store.ReadTile(ctx, at); err != nil {
			return nil, err
		}
	}
	var full []Tile
	for _, entry := range entries {
		data = tlog.AppendBundle(data, entry)
		at.Width++
		if at.Width == tlog.TileWidth {
			full = append(full, Tile{at, data})
			at, data = tlog.Tile{Level: at.Level, N: at.N + 1}, nil
		}
	}
	return full, nil
}

// commit makes an integration durable. Whatever fails, the next call begins
// anew from the rows: the batch is claimed, or in the log.
func (s *Service) commit(ctx context.Context, i Integration) error {
	if err := s.Store.CommitBatch(ctx, i); err != nil {
		s.replay = nil
		return err
	}
	s.head = i.Head
	s.batches++
	select {
	case s.signal <- struct{}{}:
	default:
	}
	return nil
}
