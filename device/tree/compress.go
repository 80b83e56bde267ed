// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"runtime"

	"github.com/klauspost/compress/zstd"

	"github.com/solekey/solekey/protocol"
)

const (
	// compressWindow is how far back an encoder looks. A frame is rarely
	// longer, and an encoder holds 2 MiB with it instead of 9.
	compressWindow = 1 << 20
	// compressWorth is the part of a frame, one in so many, that compression
	// must save: less is not worth what reading it back costs.
	compressWorth = 64

	probeSlices = 8
	probeSlice  = 1024
	// probePairs is how many pairs of equal bytes a slice of random bytes has
	// on average, give or take 45. What a good compressor leaves has some 5 %
	// more, and its headers stand out: hence one margin for all slices
	// together and a wider one for each.
	probePairs  = probeSlice * (probeSlice - 1) / 2 / 256
	probeMean   = probePairs * 120 / 100
	probeLonely = probePairs * 170 / 100
)

// looksRandom reports whether compressing b is not worth trying: it counts
// pairs of equal bytes in a few slices, and says yes where there are as few as
// in compressed or encrypted data. Of too little data it never says yes.
func looksRandom(b []byte) bool {
	if len(b) < probeSlice {
		return false
	}
	slices := min(probeSlices, len(b)/probeSlice)
	step := (len(b) - probeSlice) / max(slices-1, 1)
	total := 0
	for i := range slices {
		pairs := equalPairs(b[i*step : i*step+probeSlice])
		if pairs > probeLonely {
			return false
		}
		total += pairs
	}
	return total <= slices*probeMean
}

// equalPairs counts the pairs of equal bytes in b.
func equalPairs(b []byte) int {
	var counts [256]uint16
	pairs := 0
	for _, x := range b {
		pairs += int(counts[x])
		counts[x]++
	}
	return pairs
}

// compressor compresses frames, one at a time: each worker has its own.
type compressor struct {
	encoder *zstd.Encoder
	room    []byte // what the encoder writes to, as long as the longest frame so far
}

func newCompressor() *compressor {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(compressWindow),
		zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false), // what is read back is authenticated, and its name checked
	)
	if err != nil {
		panic("solekey: internal error: zstd encoder: " + err.Error())
	}
	return &compressor{encoder: encoder}
}

// compress returns the shorter form of raw, in the place of raw: either its
// compressed form or raw as it was.
func (c *compressor) compress(raw []byte) ([]byte, Compression) {
	c.room = c.encoder.EncodeAll(raw, c.room[:0])
	if len(c.room) >= len(raw)-len(raw)/compressWorth {
		return raw, CompressNone
	}
	return raw[:copy(raw, c.room)], CompressZstd
}

// Decompressor gives frames back. It is safe for concurrent use and holds a
// little memory for each processor.
type Decompressor struct{ decoder *zstd.Decoder }

// NewDecompressor returns a decompressor.
func NewDecompressor() *Decompressor {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxFrameLength),
		zstd.WithDecoderMaxWindow(MaxFrameLength),
		zstd.WithDecodeAllCapLimit(true),
	)
	if err != nil {
		panic("solekey: internal error: zstd decoder: " + err.Error())
	}
	return &Decompressor{decoder}
}

// Decompress returns the raw bytes, exactly as many as the index of the pack
// says, that a frame holds. It uses the space behind dst's length and
// allocates where that is too little. However the frame was made, it writes
// no more than raw bytes. A frame that is not compressed is copied.
func (d *Decompressor) Decompress(dst []byte, compression Compression, frame []byte, raw int) ([]byte, error) {
	if raw < 1 || raw > MaxFrameLength {
		return nil, protocol.Errorf(protocol.KindUntrusted, "decompress frame: length %d out of its limits", raw)
	}
	if cap(dst)-len(dst) < raw {
		dst = append(make([]byte, 0, len(dst)+raw), dst...)
	}
	begin := len(dst)
	dst = dst[: begin : begin+raw] // the decoder stops at the capacity
	switch compression {
	case CompressNone:
		if len(frame) != raw {
			return nil, protocol.Errorf(protocol.KindUntrusted, "decompress frame: %d bytes, want %d", len(frame), raw)
		}
		return append(dst, frame...), nil
	case CompressZstd:
		out, err := d.decoder.DecodeAll(frame, dst)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUntrusted, err, "decompress frame")
		}
		if len(out)-begin != raw {
			return nil, protocol.Errorf(protocol.KindUntrusted, "decompress frame: %d bytes, want %d", len(out)-begin, raw)
		}
		return out, nil
	}
	return nil, protocol.Errorf(protocol.KindUnsupported, "decompress frame: compression %d is not known", compression)
}
