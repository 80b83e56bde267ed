// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"slices"
	"sync"

	"github.com/solekey/solekey/protocol"
)

const (
	// segmentLength is what small chunks are laid together to, and
	// segmentChunks how many of them at most.
	segmentLength = 1 << 20
	segmentChunks = 1 << 13
)

// job is a frame on its way from chunks to a pack.
type job struct {
	frame  Frame
	tried  bool   // known not to shrink: do not compress
	raw    []byte // a buffer, given back after compression
	packed []byte // what goes into the pack: in a buffer of its own, or raw
	done   chan struct{}
}

// segment gathers small chunks into one frame. Neighbours that come one after
// the other lie one after the other, and share what they have in common.
type segment struct{ job *job }

// fits reports whether a chunk of n bytes goes into the segment.
func (s *segment) fits(n int) bool {
	return s.job == nil || len(s.job.raw)+n <= segmentLength && len(s.job.frame.Chunks) < segmentChunks
}

// add lays a chunk, which fits, behind those before it.
func (s *segment) add(name protocol.Hash, plaintext []byte) {
	s.job.raw = append(s.job.raw, plaintext...)
	s.job.frame.Chunks = append(s.job.frame.Chunks, PackedChunk{name, len(plaintext)})
}

// cut takes the job out of the segment, nil where it holds nothing.
func (s *segment) cut() *job {
	j := s.job
	s.job = nil
	return j
}

// compress makes the frame out of the raw bytes.
func (j *job) compress(c *compressor, pool *buffers) {
	j.frame.Raw, j.packed = len(j.raw), j.raw
	if !j.tried && !(len(j.frame.Chunks) == 1 && looksRandom(j.raw)) {
		room := pool.take(len(j.raw))
		j.packed, j.frame.Compression = c.compress(j.raw, room)
		if j.frame.Compression == CompressNone {
			pool.give(room)
		} else {
			pool.give(j.raw)
		}
	}
	j.raw = nil
	j.frame.Sealed = len(j.packed) + sealOverhead
}

const (
	bufferStep  = 512 << 10 // lengths of buffers are rounded up to it
	bufferSlack = 4 << 10   // room beyond, for what an encoder adds to data that does not shrink
	bufferKeep  = 8 << 20   // what is kept of buffers that nobody uses
)

// buffers keeps buffers for frames, so that no frame allocates and the garbage
// collector has nothing to gather. Safe for concurrent use.
type buffers struct {
	mu   sync.Mutex // guards what follows
	free [][]byte   // by rising capacity
	kept int        // bytes of all in free
}

// take returns an empty buffer with room for n bytes.
func (p *buffers) take(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.free {
		if cap(b) >= n+bufferSlack {
			p.free = slices.Delete(p.free, i, i+1)
			p.kept -= cap(b)
			return b[:0]
		}
	}
	return make([]byte, 0, max(2, (n+bufferStep-1)/bufferStep)*bufferStep+bufferSlack)
}

// give returns a buffer that nobody uses any more.
func (p *buffers) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+cap(b) > bufferKeep {
		return
	}
	at, _ := slices.BinarySearchFunc(p.free, cap(b), func(x []byte, n int) int { return cap(x) - n })
	p.free = slices.Insert(p.free, at, b)
	p.kept += cap(b)
}
