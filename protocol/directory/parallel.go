// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"runtime"
	"sync/atomic"
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
	read := make([]readEntry, len(raws))
	chunks := (len(raws) + chunk - 1) / chunk
	done := make([]chan struct{}, chunks)
	for i := range done {
		done[i] = make(chan struct{})
	}
	var next atomic.Int64
	var stop atomic.Bool
	defer stop.Store(true)
	for range min(runtime.GOMAXPROCS(0), chunks) {
		go func() {
			for c := int(next.Add(1)) - 1; c < chunks; c = int(next.Add(1)) - 1 {
				for i := c * chunk; i < min((c+1)*chunk, len(raws)) && !stop.Load(); i++ {
					read[i] = r.read(raws[i])
				}
				close(done[c])
			}
		}()
	}
	for c := range done {
		<-done[c]
		if err := r.acceptAll(ctx, raws[c*chunk:min((c+1)*chunk, len(raws))], read[c*chunk:]); err != nil {
			return err
		}
	}
	return nil
}

// read parses an entry and verifies its signature. It touches nothing that
// changes.
func (r *Replay) read(raw []byte) readEntry {
	e, err := ParseEntry(raw)
	if err != nil {
		return readEntry{malformed: err}
	}
	return readEntry{entry: e, signature: e.VerifySignature(r.log)}
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
