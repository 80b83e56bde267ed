// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// Promised is by when a provider may promise that the log shows what was
// acknowledged.
const Promised = 24 * time.Hour

// superseded is how long tiles of the directory are kept after others took
// their place.
const superseded = 48 * time.Hour

// Config says what a Service stands on.
type Config struct {
	Store  Store
	Key    *tlog.LogSecret
	VRF    *vrf.Secret
	Worlds []*directory.World // all that devices joined with, of the same keys; the first is what new ones join
	Client *http.Client       // asks witnesses
	Clock  func() time.Time
	Logger *slog.Logger

	Interval     time.Duration // how often what waits is integrated
	Heartbeat    time.Duration // the longest time between two roots
	AnchorsEvery time.Duration // how often anchors are integrated; 0: at once
	Wait         time.Duration // how long a look-up waits for a version that is on its way
	Patience     time.Duration // how long a witness may take
	Cache        int           // bytes of tiles kept in memory
}

// DefaultConfig returns the times and sizes of a provider.
func DefaultConfig() Config {
	return Config{
		Client: http.DefaultClient, Clock: time.Now, Logger: slog.Default(),
		Interval: 500 * time.Millisecond, Heartbeat: time.Hour, AnchorsEvery: time.Hour,
		Wait: 2 * time.Second, Patience: 10 * time.Second, Cache: 32 << 20,
	}
}

// Service is a provider's log and directory. It is safe for concurrent use.
type Service struct {
	Config
	key    *tlog.LogKey
	worlds []world
	nodes  *directory.Cache
	tiles  *tileCache
	names  *nameCache
	crowd  *crowd
	newest newest

	mu          sync.Mutex // guards what follows; whoever integrates holds it
	head        Head
	replay      *directory.Replay // nil where head has to be read again
	nextAnchors protocol.Time
	batches     int64

	failing atomic.Bool // the newest checkpoint could not be published

	signal chan struct{} // holds one token while there may be something to publish
}

// world is a World with its parsed policy.
type world struct {
	hash   protocol.Hash
	policy *tlog.Policy
}

// Open returns the log of the configuration, brought to where its journal is. A
// log that is empty gets its first entries. Whatever Reconcile of the store finds
// must have been found before.
func Open(ctx context.Context, c Config) (*Service, error) {
	s := &Service{
		Config: c, key: c.Key.Public(), signal: make(chan struct{}, 1),
		tiles: newTileCache(c.Store, c.Cache/4), names: newNameCache(c.VRF, maxNames),
		nodes: directory.NewCache(nodeStore{c.Store}, c.Cache-c.Cache/4),
	}
	for _, w := range c.Worlds {
		if w.Log().ID() != s.key.ID() || w.VRF() != c.VRF.Public() || w.Statements() != c.Worlds[0].Statements() {
			return nil, protocol.Errorf(protocol.KindUsage, "open log: a world names other keys than this log has")
		}
		s.worlds = append(s.worlds, world{w.Hash(), w.Policy()})
	}
	if len(s.worlds) == 0 {
		return nil, protocol.Errorf(protocol.KindUsage, "open log: no world was given")
	}
	s.crowd = newCrowd(s)
	s.nextAnchors = s.anchorsAfter(s.now())
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if s.crowd.needed() {
		return s, nil
	}
	return s, s.crowd.prove(ctx) // with nobody to ask there is nothing to wait for
}

// begin brings the log to where its journal is, or writes its first entries.
func (s *Service) begin(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(ctx); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil || s.head.Size > 0 {
		return err
	}
	origin := directory.Entry{Origin: &directory.Origin{VRF: s.VRF.Public(), Statement: directory.Key(s.Worlds[0].Statements())}}
	return s.next(ctx, [][]byte{origin.Bytes()}, s.now())
}

func (s *Service) now() protocol.Time { return protocol.TimeOf(s.Clock()) }

// nodeStore gives the replay the directory's tiles.
type nodeStore struct{ store TileStore }

// Tile returns a tile of the directory.
func (n nodeStore) Tile(ctx context.Context, name protocol.Hash) ([]byte, error) {
	return n.store.DirectoryTile(ctx, name)
}

// Run carries the log on until the context ends: it integrates, publishes,
// prunes. What fails is logged and tried again.
func (s *Service) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { s.publishing(ctx) })
	parts.Go(func() { s.pruning(ctx) })
	interval := max(s.Interval, time.Millisecond)
	wait := interval
	var told complaint
	for ctx.Err() == nil {
		more, err := s.Integrate(ctx)
		switch {
		case err == nil:
			wait, told = interval, complaint{}
		case ctx.Err() == nil && told.due():
			s.Logger.Error("the public log does not go on", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		if err != nil {
			wait = max(interval, min(2*wait, retry)) // whoever is asked again and again is asked more seldom
		}
	}
	parts.Wait()
}

// complaint is something that is tried again and again, and said once a minute: a
// witness can be away for days.
type complaint struct{ at time.Time }

// due reports whether it is to be said now.
func (c *complaint) due() bool {
	if time.Since(c.at) < time.Minute {
		return false
	}
	c.at = time.Now()
	return true
}

// pruning forgets tiles of the directory that no published root needs any more.
func (s *Service) pruning(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.Prune(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("old tiles of the directory are not pruned", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pruneStep is how many tiles are forgotten in one transaction, so that nobody
// waits long for it.
const pruneStep = 2000

// Prune forgets tiles whose place was taken more than 48 hours ago, as far as the
// published checkpoints do without them, and returns how many. It also joins
// batches into volumes.
func (s *Service) Prune(ctx context.Context) (int64, error) {
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = s.Store.JoinBatches(ctx); err != nil {
			return 0, err
		}
	}
	published, err := s.publishedByAll(ctx)
	if err != nil {
		return 0, err
	}
	var total int64
	for {
		n, err := s.Store.PruneTiles(ctx, s.now()-protocol.Time(superseded), published, pruneStep)
		total += n
		if err != nil || n < pruneStep || ctx.Err() != nil {
			return total, err
		}
	}
}

// publishedByAll returns the size of the oldest checkpoint that is published for
// some world.
func (s *Service) publishedByAll(ctx context.Context) (uint64, error) {
	least := uint64(1) << 63
	for _, w := range s.worlds {
		note, err := s.Store.Note(ctx, w.hash)
		if err != nil {
			return 0, err
		}
		least = min(least, note.Size)
	}
	return least, nil
}

// Log returns the log's identifier, for which updates are signed.
func (s *Service) Log() protocol.Hash { return s.key.ID() }

// Promise returns by when, in the log's time, what is acknowledged now will be
// in the log: no root with a later time will be without it.
func (s *Service) Promise() protocol.Time { return s.now() + protocol.Time(Promised) }

// Refusal returns an error that says why the log must not go on, nil where it may.
func (s *Service) Refusal(ctx context.Context) error {
	reason, err := s.Store.Refusal(ctx)
	if err != nil || reason == "" {
		return err
	}
	return protocol.Errorf(protocol.KindUntrusted, "the public log must not go on: %s", reason)
}

// MayState returns an error where nothing may be stated of what is newest here,
// because it is an older copy: who states it would contradict what it stated before.
// After a start it waits until witnesses were asked. That they do not answer
// hinders nobody.
func (s *Service) MayState(ctx context.Context) error {
	if s.crowd.needed() {
		select {
		case <-s.crowd.tried:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	reason, err := s.Store.Refusal(ctx)
	if err == nil && reason != "" {
		err = protocol.Errorf(protocol.KindInternal, "nothing is said of what is newest while the public log cannot go on: %s", reason)
	}
	return err
}

// refuse stops the log, in all processes, and says so.
func (s *Service) refuse(ctx context.Context, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	s.Logger.Error("THE PUBLIC LOG STOPS", "reason", reason)
	return errors.Join(s.Store.Refuse(ctx, reason), protocol.Errorf(protocol.KindUntrusted, "the public log must not go on: %s", reason))
}
