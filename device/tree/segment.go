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
	frame Frame
	tried bool   // known not to shrink: do not compress
	bytes []byte // the chunks, then what goes into the pack; of a pool of buffers
	done  chan struct{}
}

// segment gathers small chunks into one frame. Neighbours that come one after
// the other lie one after the other, and share what they have in common.
type segment struct{ job *job }

// fits reports whether a chunk of n bytes goes into the segment.
func (s *segment) fits(n int) bool {
	return s.job == nil || len(s.job.bytes)+n <= segmentLength && len(s.job.frame.Chunks) < segmentChunks
}

// add lays a chunk, which fits, behind those before it.
func (s *segment) add(name protocol.Hash, plaintext []byte) {
	s.job.bytes = append(s.job.bytes, plaintext...)
	s.job.frame.Chunks = append(s.job.frame.Chunks, PackedChunk{name, len(plaintext)})
}

// cut takes the job out of the segment, nil where it holds nothing.
func (s *segment) cut() *job {
	j := s.job
	s.job = nil
	return j
}

// compress makes the frame out of the chunks, in the same buffer.
func (j *job) compress(c *compressor) {
	j.frame.Raw = len(j.bytes)
	if !j.tried && (len(j.frame.Chunks) > 1 || !looksRandom(j.bytes)) {
		j.bytes, j.frame.Compression = c.compress(j.bytes)
	}
	j.frame.Sealed = len(j.bytes) + sealOverhead
}

// bufferLengths are the lengths of buffers: a segment, the usual long chunk,
// and the longest, which is rare.
var bufferLengths = [...]int{segmentLength, 1792 << 10, MaxFrameLength}

// bufferKeep bounds what is kept of buffers that nobody uses.
const bufferKeep = 12 << 20

// buffers keeps buffers for frames, so that hardly a frame allocates and the
// garbage collector has little to gather. Safe for concurrent use.
type buffers struct {
	mu   sync.Mutex // guards what follows
	free [len(bufferLengths)][][]byte
	kept int // bytes of all in free
}

// take returns an empty buffer with room for n bytes, at most MaxFrameLength.
func (p *buffers) take(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, length := range bufferLengths {
		if last := len(p.free[i]) - 1; length >= n && last >= 0 {
			b := p.free[i][last]
			p.remove(i)
			return b[:0]
		}
	}
	for _, length := range bufferLengths {
		if length >= n {
			return make([]byte, 0, length)
		}
	}
	panic("solekey: internal error: frame too long")
}

// give returns a buffer that nobody uses any more. Of too many the longest go.
func (p *buffers) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(bufferLengths[:], cap(b))
	p.free[i] = append(p.free[i], b)
	p.kept += cap(b)
	for i := len(p.free) - 1; p.kept > bufferKeep; i-- {
		for p.kept > bufferKeep && len(p.free[i]) > 0 {
			p.remove(i)
		}
	}
}

// remove takes the last buffer of a length off the list.
func (p *buffers) remove(i int) {
	last := len(p.free[i]) - 1
	p.free[i][last] = nil
	p.free[i] = p.free[i][:last]
	p.kept -= bufferLengths[i]
}
