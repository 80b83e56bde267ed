// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"sync"

	"github.com/solekey/solekey/device/tree"
)

// The limits of a batch. The first bounds memory; the second the files that are
// open, since one with several pieces is open from its first to its last; the
// third how much a killed restore may have fetched for files it did not finish.
const (
	batchPieces = 8192
	batchOpen   = 128
	batchBytes  = 128 << 20
)

// asked is a piece of a file that is to be fetched.
type asked struct {
	file  *plannedFile
	piece tree.Piece
	at    uint64 // in the data of the file
}

// restoreBatch is what is fetched together.
type restoreBatch struct {
	asked []asked
	bytes uint64
	open  int // files with several pieces
}

func (b *restoreBatch) isFull() bool {
	return len(b.asked) >= batchPieces || b.open >= batchOpen || b.bytes >= batchBytes
}

// planner gathers pieces in batches. It is safe for concurrent use.
type planner struct {
	send func(*restoreBatch) // waits until somebody takes it

	mu    sync.Mutex // guards what follows
	batch *restoreBatch
	last  *plannedFile // the file with several pieces that was added to last
}

// add asks for a piece. It may wait for batches to be fetched.
func (p *planner) add(a asked, several bool) {
	p.mu.Lock()
	if p.batch == nil {
		p.batch, p.last = &restoreBatch{}, nil
	}
	b := p.batch
	b.asked = append(b.asked, a)
	b.bytes += a.piece.Length
	if several && p.last != a.file {
		b.open++
		p.last = a.file
	}
	if !b.isFull() {
		p.mu.Unlock()
		return
	}
	p.batch = nil
	p.mu.Unlock()
	p.send(b)
}

// flush sends what was gathered so far.
func (p *planner) flush() {
	p.mu.Lock()
	b := p.batch
	p.batch = nil
	p.mu.Unlock()
	if b != nil {
		p.send(b)
	}
}

// fetch fetches a batch and writes each piece where it belongs.
func (r *Restore) fetch(b *restoreBatch) {
	came := make([]bool, len(b.asked))
	if !r.stopped() {
		wants := make([]tree.Want, len(b.asked))
		for i, a := range b.asked {
			wants[i] = tree.Want{Kind: tree.KindFile, Name: a.piece.Name, Length: a.piece.Length}
		}
		err := r.b.reader.Fetch(r.ctx, wants, func(i int, chunk []byte, err error) error {
			came[i] = true
			a := &b.asked[i]
			if err != nil {
				a.file.fail(err)
			} else {
				a.file.take(chunk, a.at)
			}
			a.file.release()
			return nil
		})
		if err != nil {
			r.stop(err)
		}
	}
	for i := range came {
		if !came[i] {
			b.asked[i].file.fail(errStopped)
			b.asked[i].file.release()
		}
	}
}
