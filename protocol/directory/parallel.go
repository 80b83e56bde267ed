// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/solekey/solekey/protocol"
)

// chunk is how many entries are parsed and verified at a time.
const chunk = 128

// readEntry is an entry with what of the rules needs nothing but itself.
type readEntry struct {
	entry     *Entry
	malformed error
	signature error
}

// Entries accepts the next entries in their order, as Entry would each, and
// returns at the first that is refused; Size then says which one that is. All
// processors take part: entries are parsed and their signatures verified while
// the ones before are held to the other rules.
func (r *Replay) Entries(ctx context.Context, raws [][]byte) error {
	return r.Finish(ctx, r.Start(raws))
}

// Batch is entries that are being parsed, and their signatures verified.
type Batch struct {
	raws [][]byte
	read []readEntry
	done []chan struct{} // of each chunk
	stop atomic.Bool
}

// Start begins with the part of Entries that needs nothing but the entries, on all
// processors, and returns at once: whoever has more entries at hand than the rules
// got to keeps all processors busy. Finish has to follow, in the order of the log.
func (r *Replay) Start(raws [][]byte) *Batch {
	chunks := (len(raws) + chunk - 1) / chunk
	b := &Batch{raws: raws, read: make([]readEntry, len(raws)), done: make([]chan struct{}, chunks)}
	for i := range b.done {
		b.done[i] = make(chan struct{})
	}
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), chunks) {
		go func() {
			for c := int(next.Add(1)) - 1; c < chunks; c = int(next.Add(1)) - 1 {
				for i := c * chunk; i < min((c+1)*chunk, len(raws)) && !b.stop.Load(); i++ {
					b.read[i] = readAlone(r.log, raws[i])
				}
				close(b.done[c])
			}
		}()
	}
	return b
}

// Finish holds the entries to the rules, as Entries does.
func (r *Replay) Finish(ctx context.Context, b *Batch) error {
	defer b.stop.Store(true)
	for c := range b.done {
		<-b.done[c]
		if err := r.acceptAll(ctx, b.raws[c*chunk:min((c+1)*chunk, len(b.raws))], b.read[c*chunk:]); err != nil {
			return err
		}
	}
	return nil
}

// readAlone parses an entry and verifies its signature.
func readAlone(log protocol.Hash, raw []byte) readEntry {
	e, err := ParseEntry(raw)
	if err != nil {
		return readEntry{malformed: err}
	}
	return readEntry{entry: e, signature: e.VerifySignature(log)}
}

func (r *Replay) acceptAll(ctx context.Context, raws [][]byte, read []readEntry) error {
	for i, raw := range raws {
		if err := ctx.Err(); err != nil {
			return err
		}
		if read[i].malformed != nil {
			return parseBreach(r.now.Size, read[i].malformed)
		}
		if err := r.accept(ctx, raw, read[i].entry, read[i].signature); err != nil {
			return err
		}
	}
	return nil
}
