// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// Limits of packs and their indexes. They are part of the format: an index
// beyond one of them is refused, and no packer makes one.
const (
	MaxFrameLength      = 4 << 20          // bytes of one frame before compression
	MaxPackChunks       = 1 << 16          // chunks in one pack
	MaxPackIndexLength  = 4 << 20          // bytes of one index
	MaxPackFramesLength = seal.MaxPackSize // sealed bytes of all frames of one pack
)

// sealOverhead is what sealing adds to a frame.
const sealOverhead = seal.FrameOverhead

const packIndexVersion = 1

// packIndexHead is the version, the namer and the shortest count of frames.
const packIndexHead = 1 + len(protocol.MemberID{})

// Compression says how the bytes of a frame were compressed.
type Compression byte

// The compressions.
const (
	CompressNone Compression = 0 // as they are
	CompressZstd Compression = 1 // one frame of Zstandard (RFC 8878)
)

// PackIndex says what lies in a pack. It is sealed at the pack's end.
//
// Growth: a new version byte for any change; a reader refuses what it does not
// know, since it could only guess which chunks it would miss.
type PackIndex struct {
	Namer  protocol.MemberID // whose secrets name the chunks; zero: the vault's own
	Frames []Frame           // in the order of their places in the pack
}

// Frame is one compressed and sealed unit of a pack.
type Frame struct {
	Kind        Kind // of all its chunks
	Compression Compression
	Sealed      int           // bytes in the pack
	Raw         int           // bytes before compression, the sum of the chunks' lengths
	Chunks      []PackedChunk // in the order of their places in the frame
}

// PackedChunk is the name and the length of a chunk within a frame. It begins
// where the one before it ends.
type PackedChunk struct {
	Name   protocol.Hash
	Length int
}

// Chunks returns how many chunks the pack holds.
func (x *PackIndex) Chunks() int {
	n := 0
	for i := range x.Frames {
		n += len(x.Frames[i].Chunks)
	}
	return n
}

// FramesLength returns how many bytes of the pack the frames take.
func (x *PackIndex) FramesLength() int {
	n := 0
	for i := range x.Frames {
		n += x.Frames[i].Sealed
	}
	return n
}

// Print returns the bytes of an index. They are what ParsePackIndex accepts
// provided that the index keeps to the limits, as a packer's does.
func (x *PackIndex) Print() []byte {
	b := make([]byte, 0, packIndexHead+3+8*len(x.Frames)+36*x.Chunks())
	b = append(b, packIndexVersion)
	b = append(b, x.Namer[:]...)
	b = binary.AppendUvarint(b, uint64(len(x.Frames)))
	for i := range x.Frames {
		b = x.Frames[i].print(b)
	}
	return b
}

func (f *Frame) print(b []byte) []byte {
	b = append(b, byte(f.Kind)<<4|byte(f.Compression))
	b = binary.AppendUvarint(b, uint64(f.Sealed))
	b = binary.AppendUvarint(b, uint64(len(f.Chunks)))
	for i := range f.Chunks {
		b = append(b, f.Chunks[i].Name[:]...)
		b = binary.AppendUvarint(b, uint64(f.Chunks[i].Length))
	}
	return b
}

// printedLength is an upper bound of what the frame adds to an index.
func (f *Frame) printedLength() int { return 1 + 4 + 3 + (len(protocol.Hash{})+4)*len(f.Chunks) }

// ParsePackIndex reads an index. It accepts exactly one spelling of each, and
// trusts nothing: that the chunks are what their names say is checked when
// they are read.
func ParsePackIndex(b []byte) (*PackIndex, error) {
	if len(b) > MaxPackIndexLength {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack index: %d bytes are over the limit of %d", len(b), MaxPackIndexLength)
	}
	if len(b) > 0 && b[0] != packIndexVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse pack index: version %d is not known", b[0])
	}
	if len(b) <= packIndexHead {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack index: cut off")
	}
	x := new(PackIndex)
	copy(x.Namer[:], b[1:])
	p := indexParser{rest: b[packIndexHead:]}
	p.frames(x)
	if p.fault != "" {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack index: %s", p.fault)
	}
	return x, nil
}

// indexParser reads the parts of an index; after the first fault it reads
// nothing more.
type indexParser struct {
	rest   []byte
	chunks int // seen so far
	sealed int // bytes of the frames so far
	fault  string
}

func (p *indexParser) fail(fault string) {
	if p.fault == "" {
		p.fault, p.rest = fault, nil
	}
}

// number reads a count in its shortest form, between least and most.
func (p *indexParser) number(least, most int) int {
	v, n := binary.Uvarint(p.rest)
	switch {
	case n <= 0:
		p.fail("number cut off or too long")
		return 0
	case n > 1 && p.rest[n-1] == 0:
		p.fail("number not in its shortest form")
		return 0
	case v < uint64(least) || v > uint64(most):
		p.fail("number out of its limits")
		return 0
	}
	p.rest = p.rest[n:]
	return int(v)
}

func (p *indexParser) frames(x *PackIndex) {
	// A frame has a chunk at least, and a chunk takes 33 bytes at least, so
	// the counts cannot make this allocate more than the input's own order.
	count := p.number(1, min(MaxPackChunks, len(p.rest)/33+1))
	x.Frames = make([]Frame, 0, count)
	for range count {
		x.Frames = append(x.Frames, p.frame())
		if p.fault != "" {
			return
		}
	}
	if len(p.rest) != 0 {
		p.fail("bytes behind the end")
	}
}

func (p *indexParser) frame() Frame {
	if len(p.rest) == 0 {
		p.fail("frame cut off")
		return Frame{}
	}
	f := Frame{Kind: Kind(p.rest[0] >> 4), Compression: Compression(p.rest[0] & 15)}
	p.rest = p.rest[1:]
	if !f.Kind.valid() || f.Compression > CompressZstd {
		p.fail("kind or compression not known")
		return Frame{}
	}
	f.Sealed = p.number(1+sealOverhead, MaxFrameLength+sealOverhead)
	f.Chunks = p.packedChunks()
	for i := range f.Chunks {
		f.Raw += f.Chunks[i].Length
	}
	p.checkFrame(&f)
	return f
}

// checkFrame holds the frame to what every packer keeps: compression is used
// where it helps and nowhere else.
func (p *indexParser) checkFrame(f *Frame) {
	p.sealed += f.Sealed
	switch {
	case f.Raw > MaxFrameLength:
		p.fail("frame too long")
	case p.sealed > MaxPackFramesLength:
		p.fail("frames too long together")
	case f.Compression == CompressNone && f.Sealed != f.Raw+sealOverhead:
		p.fail("length of a frame that is not compressed")
	case f.Compression != CompressNone && f.Sealed >= f.Raw+sealOverhead:
		p.fail("compressed frame not shorter than its content")
	}
}

func (p *indexParser) packedChunks() []PackedChunk {
	room := min(MaxPackChunks-p.chunks, len(p.rest)/33)
	count := p.number(1, room)
	p.chunks += count
	chunks := make([]PackedChunk, count)
	for i := range chunks {
		if len(p.rest) < len(protocol.Hash{}) {
			p.fail("chunk cut off")
			return nil
		}
		copy(chunks[i].Name[:], p.rest)
		p.rest = p.rest[len(protocol.Hash{}):]
		chunks[i].Length = p.number(1, MaxChunkLength)
	}
	return chunks
}
