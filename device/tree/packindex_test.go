// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// testPackIndex is an index of two frames and three chunks.
func testPackIndex() *PackIndex {
	return &PackIndex{
		Namer: protocol.MemberID{1, 2, 3},
		Frames: []Frame{
			{Kind: KindFile, Compression: CompressZstd, Sealed: 200, Raw: 1300, Chunks: []PackedChunk{{protocol.Hash{4}, 300}, {protocol.Hash{5}, 1000}}},
			{Kind: KindNode, Compression: CompressNone, Sealed: 23, Raw: 7, Chunks: []PackedChunk{{protocol.Hash{6}, 7}}},
		},
	}
}

func TestPackIndexRoundTrip(t *testing.T) {
	t.Parallel()
	long := &PackIndex{}
	for i := range 500 {
		f := Frame{Kind: KindFile, Sealed: sealOverhead}
		for j := range 1 + i%130 {
			c := PackedChunk{protocol.Hash{byte(i), byte(j)}, 1 + i*j%500}
			f.Chunks, f.Raw, f.Sealed = append(f.Chunks, c), f.Raw+c.Length, f.Sealed+c.Length
		}
		long.Frames = append(long.Frames, f)
	}
	limits := &PackIndex{Frames: []Frame{{Kind: KindFile, Sealed: MaxFrameLength + sealOverhead, Raw: MaxFrameLength, Chunks: []PackedChunk{{protocol.Hash{}, MaxChunkLength}}}}}
	for name, want := range map[string]*PackIndex{"short": testPackIndex(), "long": long, "at the limits": limits} {
		printed := want.Print()
		got, err := ParsePackIndex(printed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another index came back, error %v", name, err)
			continue
		}
		if !bytes.Equal(got.Print(), printed) {
			t.Errorf("%s: other bytes", name)
		}
		bound := packIndexHead + 3
		for i := range want.Frames {
			bound += want.Frames[i].printedLength()
		}
		if len(printed) > bound {
			t.Errorf("%s: %d bytes, over the bound of %d", name, len(printed), bound)
		}
	}
	if x := testPackIndex(); x.Chunks() != 3 || x.FramesLength() != 223 {
		t.Errorf("%d chunks, frames of %d bytes", x.Chunks(), x.FramesLength())
	}
}

func TestPackIndexRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(x *PackIndex)) []byte {
		x := testPackIndex()
		f(x)
		return x.Print()
	}
	good := testPackIndex().Print()
	at := func(i int, b byte) []byte {
		c := bytes.Clone(good)
		c[i] = b
		return c
	}
	splice := func(i int, b ...byte) []byte { // instead of the byte at i
		return append(append(bytes.Clone(good[:i]), b...), good[i+1:]...)
	}
	frames := packIndexHead
	tests := map[string][]byte{
		"nothing":                      nil,
		"only the version":             {packIndexVersion},
		"only the head":                good[:packIndexHead],
		"bytes behind":                 append(bytes.Clone(good), 0),
		"too long":                     make([]byte, MaxPackIndexLength+1),
		"no frames":                    change(func(x *PackIndex) { x.Frames = nil }),
		"a frame too many":             at(frames, 3),
		"a frame too few":              at(frames, 1),
		"long form of a number":        splice(frames, 0x82, 0),
		"endless number":               splice(frames, bytes.Repeat([]byte{0xff}, 12)...),
		"huge count of frames":         splice(frames, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"kind not known":               change(func(x *PackIndex) { x.Frames[0].Kind = lastKind + 1 }),
		"no kind":                      change(func(x *PackIndex) { x.Frames[0].Kind = 0 }),
		"compression not known":        change(func(x *PackIndex) { x.Frames[0].Compression = 2 }),
		"no chunks":                    change(func(x *PackIndex) { x.Frames[0].Chunks = nil }),
		"empty chunk":                  change(func(x *PackIndex) { x.Frames[0].Chunks[0].Length = 0 }),
		"chunk too long":               change(func(x *PackIndex) { x.Frames[0].Chunks[0].Length = MaxChunkLength + 1 }),
		"frame too long":               change(func(x *PackIndex) { x.Frames[0].Chunks[0].Length = MaxChunkLength }),
		"frame shorter than its tag":   change(func(x *PackIndex) { x.Frames[0].Sealed = sealOverhead }),
		"sealed frame too long":        change(func(x *PackIndex) { x.Frames[0].Sealed = MaxFrameLength + sealOverhead + 1 }),
		"not compressed, other length": change(func(x *PackIndex) { x.Frames[1].Sealed++ }),
		"compressed and not shorter":   change(func(x *PackIndex) { x.Frames[0].Sealed = 1300 + sealOverhead }),
		"too many frame bytes": change(func(x *PackIndex) {
			big := Frame{Kind: KindFile, Sealed: MaxFrameLength + sealOverhead, Chunks: []PackedChunk{{Length: MaxFrameLength}}}
			x.Frames = []Frame{big, big, big, big, big, big, big, big, big}
		}),
		"too many chunks": change(func(x *PackIndex) {
			for range MaxPackChunks - 2 {
				x.Frames = append(x.Frames, Frame{Kind: KindFile, Sealed: 17, Chunks: []PackedChunk{{Length: 1}}})
			}
		}),
	}
	for i := range good {
		tests["cut off at "+string(rune('0'+i%10))+string(rune('a'+i/10))] = good[:i]
	}
	for name, b := range tests {
		if x, err := ParsePackIndex(b); x != nil || protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v, error %v", name, x, err)
		}
	}
	for _, version := range []byte{0, 2, 255} {
		if _, err := ParsePackIndex(at(0, version)); protocol.KindOf(err) != protocol.KindUnsupported {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// What claims much allocates no more than what it is.
func TestPackIndexClaimsAllocateLittle(t *testing.T) {
	claim := append([]byte{packIndexVersion}, make([]byte, 32)...)
	claim = binary.AppendUvarint(claim, MaxPackChunks)
	claim = append(claim, make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := ParsePackIndex(claim); err == nil {
			t.Fatal("accepted")
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 64<<10 {
		t.Errorf("%d bytes allocated", n)
	}
}

func FuzzPackIndex(f *testing.F) {
	f.Add(testPackIndex().Print())
	f.Add(testPackIndex().Print()[:60])
	f.Add((&PackIndex{}).Print())
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParsePackIndex(b)
		if err != nil {
			if x != nil {
				t.Fatal("an index beside an error")
			}
			return
		}
		if !bytes.Equal(x.Print(), b) {
			t.Fatal("parsed and printed it is other bytes")
		}
		if x.Chunks() > MaxPackChunks || x.FramesLength() > MaxPackFramesLength {
			t.Fatal("over the limits")
		}
		for _, f := range x.Frames {
			sum := 0
			for _, c := range f.Chunks {
				sum += c.Length
			}
			if sum != f.Raw || f.Raw > MaxFrameLength || f.Sealed > f.Raw+sealOverhead {
				t.Fatalf("lengths do not agree: %+v", f)
			}
		}
	})
}
