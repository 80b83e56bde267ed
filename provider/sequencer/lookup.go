// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Question asks for a name.
type Question struct {
	World protocol.Hash // what the asker joined with; zero: the first
	Name  string        // canonical
	Since uint64        // the version that the asker knows of; 0: none
	Size  uint64        // of the checkpoint that the asker knows; 0: none
}

// Index returns where the name stands in the directory.
func (s *Service) Index(name string) (protocol.Hash, error) {
	if name == "" || len(name) > directory.MaxName {
		return protocol.Hash{}, protocol.Errorf(protocol.KindUsage, "a name has 1 to %d bytes", directory.MaxName)
	}
	return s.names.look(name).index, nil
}

// at is a published checkpoint, with what every answer under it says.
type at struct {
	tlog.Checkpoint
	part directory.CheckpointPart
	root *directory.Root
}

// newest keeps the published checkpoints, so that not every answer reads and
// verifies them. Another process may have published since: after a while they are
// read again.
type newest struct {
	mu    sync.Mutex // guards what follows
	notes map[protocol.Hash]*at
	since time.Time
}

// keptFor is how long a published checkpoint is believed to be the newest.
const keptFor = 200 * time.Millisecond

func (n *newest) look(world protocol.Hash) *at {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.since) > keptFor {
		return nil
	}
	return n.notes[world]
}

func (n *newest) keep(world protocol.Hash, a *at) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.notes == nil || time.Since(n.since) > keptFor {
		n.notes, n.since = map[protocol.Hash]*at{}, time.Now()
	}
	n.notes[world] = a
}

func (n *newest) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = nil
}

// published returns the newest checkpoint that satisfies the world, with all that
// leads there from the size that the asker knows.
func (s *Service) published(ctx context.Context, hash protocol.Hash, size uint64) (*at, error) {
	if hash.IsZero() {
		hash = s.worlds[0].hash
	}
	if !s.knows(hash) {
		return nil, protocol.Errorf(protocol.KindNotFound, "this server never had the world %s", hash)
	}
	kept := s.newest.look(hash)
	if kept == nil || kept.Size < size {
		note, err := s.Store.Note(ctx, hash)
		if err != nil {
			return nil, err
		}
		if kept, err = s.readNote(ctx, note); err != nil {
			return nil, err
		}
		s.newest.keep(hash, kept)
	}
	if kept.Size < size {
		if err := s.behind(ctx, size); err != nil {
			return nil, err
		}
	}
	a := *kept
	return &a, s.lead(ctx, &a, size)
}

// behind is the error where the asker knows a state of this very log that the
// witnesses of its world have not cosigned yet: it had it by another world. To be
// shown an older one would be an alarm to it.
func (s *Service) behind(ctx context.Context, size uint64) error {
	head, err := s.Store.LogHead(ctx, s.key.ID())
	if err != nil || head.Size < size {
		return err
	}
	return protocol.Errorf(protocol.KindUnreachable, "the public log has %d entries, and the witnesses that are asked for have not cosigned the first %d yet", head.Size, size)
}

// readNote reads what every answer under a note says.
func (s *Service) readNote(ctx context.Context, note Note) (*at, error) {
	if note.Size == 0 {
		return nil, protocol.Errorf(protocol.KindUnreachable, "the public log has no checkpoint yet that enough witnesses cosigned")
	}
	a := &at{part: directory.CheckpointPart{Note: note.Note, Root: note.Root}}
	var err error
	if a.Checkpoint, err = s.key.Verify(note.Note); err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read the published checkpoint")
	}
	entry, err := directory.ParseEntry(note.Root)
	if err != nil || entry.Root == nil {
		return nil, protocol.Errorf(protocol.KindInternal, "read the root of the published checkpoint: %v", err)
	}
	a.root = entry.Root
	a.part.RootProof, err = tlog.ProveInclusion(ctx, s.tiles, a.Size, a.Size-1)
	return a, err
}

// lead adds what leads from what the asker knows to the checkpoint. To who knows
// a later one it says nothing: the asker will not go back, and decides himself.
func (s *Service) lead(ctx context.Context, a *at, size uint64) error {
	var err error
	switch {
	case size == 0:
		if a.part.Origin, err = s.entry(ctx, 0, a.Size); err != nil {
			return err
		}
		a.part.OriginProof, err = tlog.ProveInclusion(ctx, s.tiles, a.Size, 0)
	case size < a.Size:
		a.part.Consistency, err = tlog.ProveConsistency(ctx, s.tiles, size, a.Size)
	}
	return err
}

func (s *Service) knows(hash protocol.Hash) bool {
	for _, w := range s.worlds {
		if w.hash == hash {
			return true
		}
	}
	return false
}

// entry returns an entry of the log of at least this size.
func (s *Service) entry(ctx context.Context, position, size uint64) ([]byte, error) {
	t := tlog.Tile{Level: tlog.LevelEntries, N: position / tlog.TileWidth}
	t.Width = int(min(size-t.N*tlog.TileWidth, tlog.TileWidth))
	data, err := s.tiles.ReadTile(ctx, t)
	if err != nil {
		return nil, err
	}
	entries, err := tlog.ParseBundle(data)
	if err != nil {
		return nil, err
	}
	if at := int(position % tlog.TileWidth); at < len(entries) {
		return entries[at], nil
	}
	return nil, fmt.Errorf("bundle %s has %d entries", t.Path(), len(entries))
}

// Lookup answers for a name, present or not, at the newest checkpoint that is
// published for the asker's world. Where the name has just changed it waits a
// little for the one that shows it.
func (s *Service) Lookup(ctx context.Context, q Question) (*directory.Answer, error) {
	if _, err := s.Index(q.Name); err != nil {
		return nil, err
	}
	name := s.names.look(q.Name)
	newest, err := s.Store.Newest(ctx, name.index)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for {
		answer, version, err := s.lookup(ctx, q, name)
		if err != nil || version >= newest || s.failing.Load() || time.Since(began) >= s.Wait {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// pause is how long a look-up waits before it looks again.
const pause = 20 * time.Millisecond

// lookup answers as things are, and returns which version that shows.
func (s *Service) lookup(ctx context.Context, q Question, name indexed) (*directory.Answer, uint64, error) {
	a, err := s.published(ctx, q.World, q.Size)
	if err != nil {
		return nil, 0, err
	}
	answer := &directory.Answer{CheckpointPart: a.part, VRF: name.proof}
	if answer.Path, err = directory.NewTree(a.root.Names, s.nodes).Prove(ctx, name.index); err != nil {
		return nil, 0, err
	}
	value, present, err := answer.Path.Verify(a.root.Names, name.index)
	if err != nil || !present {
		return answer, 0, err
	}
	leaf, err := directory.ParseLeaf(value)
	if err != nil {
		return nil, 0, err
	}
	return answer, leaf.Version, s.fill(ctx, answer, a, name.index, leaf, q.Since)
}

// fill adds the newest entry of a name and the openings that the asker lacks.
func (s *Service) fill(ctx context.Context, answer *directory.Answer, a *at, index protocol.Hash, leaf *directory.Leaf, since uint64) error {
	from := min(since, leaf.Version-1) + 1
	versions, err := s.Store.Versions(ctx, index, from, min(leaf.Version, math.MaxInt64))
	if err != nil {
		return err
	}
	if uint64(len(versions)) != leaf.Version-from+1 {
		return protocol.Errorf(protocol.KindInternal, "of the versions %d to %d of a name there are %d", from, leaf.Version, len(versions))
	}
	newest := versions[len(versions)-1]
	answer.Update = newest.Entry
	if answer.UpdateProof, err = tlog.ProveInclusion(ctx, s.tiles, a.Size, leaf.Position); err != nil {
		return err
	}
	for _, v := range versions {
		entry, err := directory.ParseEntry(v.Entry)
		if err != nil {
			return err
		}
		if entry.Reassign != nil {
			answer.Openings = nil // of another identity: of no use to anybody
		}
		if v.Number <= since {
			continue
		}
		opening, err := directory.ParseOpening(v.Opening)
		if err != nil {
			return protocol.Wrap(protocol.KindInternal, err, "read the opening of version %d", v.Number)
		}
		answer.Openings = append(answer.Openings, opening)
	}
	return nil
}

// Checkpoint returns the newest checkpoint that is published for new devices.
func (s *Service) Checkpoint(ctx context.Context) ([]byte, error) {
	note, err := s.Store.Note(ctx, s.worlds[0].hash)
	if err == nil && note.Size == 0 {
		err = protocol.Errorf(protocol.KindNotFound, "there is no checkpoint yet that enough witnesses cosigned")
	}
	return note.Note, err
}

// Tile returns what is served below the log's prefix at a path of tlog-tiles. It
// never changes: whoever has it may keep it.
func (s *Service) Tile(ctx context.Context, path string) ([]byte, error) {
	t, err := tlog.ParseTilePath(path)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindNotFound, err, "the log has no such tile")
	}
	return s.tiles.ReadTile(ctx, t)
}
