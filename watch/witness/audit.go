// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow"
)

// Skew is how far the newest root's time may be from the witness's clock.
const Skew = 10 * time.Minute

// DirectoryAuditor holds a Solekey log to the rules of its directory. It is not
// safe for concurrent use.
type DirectoryAuditor struct {
	origin   string
	follower *follow.Follower
	memory   Memory
	notice   uint64 // one more than the highest position of a notice that was carried out
}

// NewAuditor returns the auditor of a log. Memory is the witness's own.
func NewAuditor(log *tlog.LogKey, source tlog.TileReader, store *follow.Store, memory Memory) *DirectoryAuditor {
	a := &DirectoryAuditor{origin: log.Origin(), memory: memory}
	a.follower = follow.New(log, source, store, follow.Options{
		Observe: func(_ uint64, e *directory.Entry) {
			if e.Reassign != nil {
				a.notice = max(a.notice, e.Reassign.Notice+1)
			}
		},
		Memo: func() []byte { return binary.BigEndian.AppendUint64(nil, a.notice) },
		Recall: func(memo []byte) {
			a.notice = 0
			if len(memo) == 8 {
				a.notice = binary.BigEndian.Uint64(memo)
			}
		},
	})
	return a
}

// Followed returns how many entries were held to the rules.
func (a *DirectoryAuditor) Followed(ctx context.Context) (uint64, error) {
	c, err := a.follower.Load(ctx)
	return c.Size, err
}

// Audit follows the log up to the checkpoint, and refuses a log whose newest time
// is not the present, or that gave a name away sooner than this witness saw it
// announced.
func (a *DirectoryAuditor) Audit(ctx context.Context, c tlog.Checkpoint, now protocol.Time) error {
	if c.Size == 0 {
		return refuse(http.StatusUnprocessableEntity, "a log without an entry says nothing to audit")
	}
	if err := a.follower.Follow(ctx, c); err != nil {
		return err
	}
	at := a.follower.Replay().Time()
	if at > now+protocol.Time(Skew) || at < now-protocol.Time(Skew) {
		return later("the newest root is of %s, which is more than %s from this witness's %s: a newer one is needed", at, Skew, now)
	}
	return a.announced(ctx, now)
}

// announced refuses a reassignment of a name whose notice was not in the log when
// this witness cosigned it less than the delay ago. The rules alone know but the
// log's times, and a provider that was silent for a month could write them
// afterwards: a notice, a root that is dated back, and the reassignment, at once.
// Both ends of the delay may be off by Skew.
func (a *DirectoryAuditor) announced(ctx context.Context, now protocol.Time) error {
	if a.notice == 0 {
		return nil
	}
	after := now - protocol.Time(directory.ReassignDelay) + 2*protocol.Time(Skew)
	size, ok, err := a.memory.Smallest(ctx, a.origin, after)
	if err != nil {
		return err
	}
	if ok && a.notice > size {
		return protocol.Errorf(protocol.KindUntrusted, "the log gives a name away by the notice at %d, which was not in it when it had %d entries, less than %s ago",
			a.notice-1, size, time.Duration(directory.ReassignDelay))
	}
	return nil
}
