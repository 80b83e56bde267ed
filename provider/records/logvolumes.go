// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/provider/sequencer"
)

// volumes says how many entries a volume is made of, or how many batches, how
// many bytes of entries it may have, and how long its batches stay beside it.
type volumes struct {
	entries uint64
	batches int
	bytes   int
	keep    time.Duration
}

func defaultVolumes() volumes {
	return volumes{entries: 4096, batches: 1024, bytes: 4 << 20, keep: time.Hour}
}

// joined are batches that a volume stands for, and since when. They are deleted
// later: who copies the blobs meanwhile may have passed where the volume is now.
type joined struct {
	mu   sync.Mutex // guards what follows
	list []placedBatch
	at   []time.Time
}

func (j *joined) add(list []placedBatch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range list {
		j.list, j.at = append(j.list, b), append(j.at, time.Now())
	}
}

// take returns the batches that were joined so long ago.
func (j *joined) take(ago time.Duration) []placedBatch {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for n < len(j.at) && time.Since(j.at[n]) >= ago {
		n++
	}
	old := j.list[:n:n]
	j.list, j.at = j.list[n:], j.at[n:]
	return old
}

// placedBatch is where the blob of a batch is.
type placedBatch struct {
	start, ends uint64
	place       protocol.Hash
}

// JoinBatches lets one volume take the place of the oldest batches; see
// sequencer.TileStore. The volume is durable before the rows name it, and the
// batches go an hour after: what a crash leaves of either says nothing new, and
// Reconcile takes it away.
func (s *Store) JoinBatches(ctx context.Context) (bool, error) {
	if err := s.deleteBatches(ctx, s.joined.take(s.volumes.keep)); err != nil {
		return false, err
	}
	list, err := s.singleBatches(ctx)
	if err != nil || len(list) == 0 {
		return false, err
	}
	batches, err := s.readBatches(ctx, list)
	if err != nil {
		return false, err
	}
	list = list[:len(batches)]
	volume, err := sequencer.Join(batches)
	if err != nil {
		return false, err
	}
	data := volume.Bytes()
	ref := blob.NewRef(nobody, blob.KindLog, data)
	if err := s.blobs.Put(ctx, ref, data); err != nil {
		return false, err
	}
	if err := s.transact(ctx, func(tx *sql.Tx) error { return replaceBatches(ctx, tx, list, ref) }); err != nil {
		return false, err
	}
	s.joined.add(list)
	return true, s.deleteBatches(ctx, s.joined.take(s.volumes.keep))
}

func (s *Store) deleteBatches(ctx context.Context, list []placedBatch) error {
	for _, b := range list {
		if err := s.blobs.Delete(ctx, logRef(b.place)); err != nil {
			return err
		}
	}
	return nil
}

// singleBatches returns the oldest batches that are in no volume, but never the
// newest of all; none where they are too few for a volume.
func (s *Store) singleBatches(ctx context.Context) ([]placedBatch, error) {
	var list []placedBatch
	var entries uint64
	err := each(ctx, s.read, func(scan func(...any) error) error {
		var b placedBatch
		if err := scan(&b.start, &b.ends, id{b.place[:]}); err != nil {
			return err
		}
		if n := b.ends - b.start; entries < s.volumes.entries && entries+n <= sequencer.MaxVolume {
			list = append(list, b)
			entries += n
		}
		return nil
	}, `SELECT start, ends, place FROM log_batches WHERE volume = 0 AND ends < (SELECT max(ends) FROM log_batches) ORDER BY start LIMIT $1`, s.volumes.batches)
	if len(list) < s.volumes.batches && entries < s.volumes.entries {
		list = nil
	}
	return list, err
}

// readBatches reads as many of the batches as a volume has room for, at least one.
func (s *Store) readBatches(ctx context.Context, list []placedBatch) ([]*sequencer.Batch, error) {
	var batches []*sequencer.Batch
	size := 0
	for _, p := range list {
		b, err := readBatch(ctx, s.blobs, logRef(p.place))
		if err != nil {
			return nil, err
		}
		for _, entry := range b.Entries {
			size += len(entry)
		}
		if size > s.volumes.bytes && len(batches) > 0 {
			break
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// replaceBatches lets the volume stand for the batches, all of which are still
// there.
func replaceBatches(ctx context.Context, tx *sql.Tx, list []placedBatch, volume blob.Ref) error {
	gone := protocol.Errorf(protocol.KindConflict, "the batches were joined meanwhile")
	for _, b := range list {
		if err := must(ctx, tx, gone, `DELETE FROM log_batches WHERE start = $1 AND place = $2`, b.start, b.place[:]); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM journal WHERE account = $1 AND kind = $2 AND name = $3`,
			nobody[:], string(blob.KindLog), b.place[:]); err != nil {
			return err
		}
	}
	if err := note(ctx, tx, volume); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO log_batches (start, ends, place, volume) VALUES ($1, $2, $3, 1)`,
		list[0].start, list[len(list)-1].ends, volume.Name[:])
	return err
}
