// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tree

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestDecompressRefuses(t *testing.T) {
	t.Parallel()
	d := NewDecompressor()
	text := testText(1, 100_000)
	good, _ := newCompressor().compress(bytes.Clone(text))
	for name, test := range map[string]struct {
		compression Compression
		frame       []byte
		raw         int
		want        protocol.Kind
	}{
		"bomb":                  {CompressZstd, bomb(1<<30, false), 1000, protocol.KindUntrusted},
		"bomb at the limit":     {CompressZstd, bomb(1<<30, false), MaxFrameLength, protocol.KindUntrusted},
		"silent bomb":           {CompressZstd, bomb(64<<20, true), MaxFrameLength, protocol.KindUntrusted},
		"frame after frame":     {CompressZstd, bytes.Repeat(good, 100), 200_000, protocol.KindUntrusted},
		"one byte more":         {CompressZstd, good, len(text) - 1, protocol.KindUntrusted},
		"one byte less":         {CompressZstd, good, len(text) + 1, protocol.KindUntrusted},
		"cut off":               {CompressZstd, good[:len(good)-1], len(text), protocol.KindUntrusted},
		"nothing":               {CompressZstd, nil, 1, protocol.KindUntrusted},
		"not zstd":              {CompressZstd, text, len(text), protocol.KindUntrusted},
		"other length":          {CompressNone, text, len(text) - 1, protocol.KindUntrusted},
		"no length":             {CompressNone, nil, 0, protocol.KindUntrusted},
		"negative":              {CompressNone, nil, -1, protocol.KindUntrusted},
		"over the limit":        {CompressZstd, good, MaxFrameLength + 1, protocol.KindUntrusted},
		"compression not known": {7, good, len(text), protocol.KindUnsupported},
	} {
		if out, err := d.Decompress(nil, test.compression, test.frame, test.raw); out != nil || protocol.KindOf(err) != test.want {
			t.Errorf("%s: %d bytes, error %v", name, len(out), err)
		}
	}
}

// A bomb costs no more memory than the frame it claims to be.
func TestDecompressBombAllocatesLittle(t *testing.T) {
	d := NewDecompressor()
	frame := bomb(256<<20, true)
	dst := make([]byte, 0, MaxFrameLength)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.Decompress(dst, CompressZstd, frame, MaxFrameLength); err == nil {
				b.Fatal("accepted")
			}
		}
	})
	if result.AllocedBytesPerOp() > 1<<20 {
		t.Errorf("%d bytes allocated for a bomb", result.AllocedBytesPerOp())
	}
}
