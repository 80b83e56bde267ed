// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Lengths of chunks. A file's last chunk may be shorter than MinChunkLength;
// none is longer than MaxChunkLength. About the target the rule changes from
// one that rarely holds to one that soon does, which draws lengths together.
const (
	MinChunkLength    = 256 << 10
	targetChunkLength = 1 << 20
)

const (
	// chunkWindow is how many bytes decide a cut: the hash has 64 bits and
	// each byte moves it by one.
	chunkWindow = 64
	// A cut is where the hash is below a bound: one place in 2^22 before the
	// target length, one in 2^18 behind it.
	chunkEarly = 1 << (64 - 22)
	chunkLate  = 1 << (64 - 18)

	chunkRead   = 256 << 10 // what is read at a time is scanned while it is in the processor's cache
	chunkBuffer = MaxChunkLength + 4*chunkRead
)

// gearTable gives each byte the number that the rolling hash adds for it.
type gearTable [256]uint64

// newGearTable expands a chunking secret. Without the secret the cuts of a
// known file cannot be computed; that sizes of chunks would give the table
// away is why no size of a chunk is ever visible outside of a pack.
func newGearTable(chunking *keys.Secret) *gearTable {
	key := chunking.Derive("tree/gear").Expose()
	b, err := hkdf.Expand(sha256.New, key, "solekey/v1/tree/gear", 8*len(gearTable{}))
	if err != nil {
		panic("solekey: internal error: gear table: " + err.Error())
	}
	t := new(gearTable)
	for i := range t {
		t[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return t
}

// roll moves the hash over b.
func (t *gearTable) roll(h uint64, b []byte) uint64 {
	for _, x := range b {
		h = h<<1 + t[x]
	}
	return h
}

// find moves the hash over b until it is below the bound, and returns how many
// bytes that took. If it never is, the count is 0 and the hash that at b's end.
func (t *gearTable) find(h, bound uint64, b []byte) (int, uint64) {
	n := 0
	for ; len(b) >= 8; n, b = n+8, b[8:] {
		// This loop reads every byte of every file. Each hash of two comes
		// from the one two bytes before it, in one step of the processor's
		// longest chain instead of two.
		w := b[:8:8]
		x, y := t[w[0]], t[w[1]]
		h1, h2 := h<<1+x, h<<2+(x<<1+y)
		if h1 < bound || h2 < bound {
			break
		}
		x, y = t[w[2]], t[w[3]]
		h3, h4 := h2<<1+x, h2<<2+(x<<1+y)
		if h3 < bound || h4 < bound {
			break
		}
		x, y = t[w[4]], t[w[5]]
		h5, h6 := h4<<1+x, h4<<2+(x<<1+y)
		if h5 < bound || h6 < bound {
			break
		}
		x, y = t[w[6]], t[w[7]]
		h7, h8 := h6<<1+x, h6<<2+(x<<1+y)
		if h7 < bound || h8 < bound {
			break
		}
		h = h8
	}
	for i, x := range b {
		h = h<<1 + t[x]
		if h < bound {
			return n + i + 1, h
		}
	}
	return 0, h
}

// Chunker cuts files into chunks where their content says so (FastCDC with
// normalised chunking): an insertion moves the cuts next to it and no others.
// One chunker serves many files, one after the other, out of one buffer; it is
// not safe for concurrent use.
type Chunker struct {
	gear       *gearTable
	source     io.Reader
	buffer     []byte
	start, end int   // of what was read and not yet returned
	fault      error // what the source ended with
}

// NewChunker returns a chunker under a chunking secret. It holds 5 MiB, and
// touches no more of it than the files are long. Call Reset before Next.
func NewChunker(chunking *keys.Secret) *Chunker {
	return &Chunker{gear: newGearTable(chunking), buffer: make([]byte, chunkBuffer), fault: io.EOF}
}

// Fork returns another chunker under the same secret, for another goroutine.
func (c *Chunker) Fork() *Chunker {
	return &Chunker{gear: c.gear, buffer: make([]byte, chunkBuffer), fault: io.EOF}
}

// Reset begins a file.
func (c *Chunker) Reset(source io.Reader) {
	c.source, c.start, c.end, c.fault = source, 0, 0, nil
}

// Next returns the next chunk, which is never empty, and io.EOF behind the
// last. The chunk is the caller's until the next call of Next or Reset. After
// an error of the source, which is returned as it is, there is no further
// chunk: what was read before it and not yet returned is dropped.
func (c *Chunker) Next() ([]byte, error) {
	var h uint64
	known := 0 // so many bytes of the chunk hold no cut
	for {
		if c.end-c.start > known && c.end-c.start > MinChunkLength {
			var found bool
			known, h, found = c.search(known, h)
			if found {
				return c.take(known), nil
			}
		}
		if c.fault == nil {
			c.fill()
			continue
		}
		if c.fault != io.EOF || c.start == c.end {
			c.source = nil
			return nil, c.fault
		}
		return c.take(c.end - c.start), nil
	}
}

// search goes on from the first known bytes, after which the hash is h, over
// what was read. It returns how far it came and whether that is a cut.
func (c *Chunker) search(known int, h uint64) (int, uint64, bool) {
	b := c.buffer[c.start:min(c.end, c.start+MaxChunkLength)]
	if known == 0 {
		known = MinChunkLength
		h = c.gear.roll(0, b[known-chunkWindow:known])
	}
	var n int
	if known < targetChunkLength {
		early := min(len(b), targetChunkLength)
		if n, h = c.gear.find(h, chunkEarly, b[known:early]); n > 0 {
			return known + n, h, true
		}
		known = early
	}
	if n, h = c.gear.find(h, chunkLate, b[known:]); n > 0 {
		return known + n, h, true
	}
	return len(b), h, len(b) == MaxChunkLength
}

// take returns the first n bytes that were read.
func (c *Chunker) take(n int) []byte {
	chunk := c.buffer[c.start : c.start+n : c.start+n]
	c.start += n
	return chunk
}

// fill reads once more. The buffer is longer than a chunk by several reads, so
// that what is left of it is moved to its front only every few reads.
func (c *Chunker) fill() {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if len(c.buffer)-c.end < chunkRead {
		c.end = copy(c.buffer, c.buffer[c.start:c.end])
		c.start = 0
	}
	for range 100 {
		n, err := c.source.Read(c.buffer[c.end : c.end+chunkRead])
		if n < 0 || n > chunkRead {
			c.fault = protocol.Errorf(protocol.KindInternal, "read a file: the reader counts %d bytes of %d", n, chunkRead)
			return
		}
		c.end += n
		if c.fault = err; n > 0 || err != nil {
			return
		}
	}
	c.fault = io.ErrNoProgress
}
