// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// testText returns n bytes that compress as prose does.
func testText(seed uint64, n int) []byte {
	words := strings.Fields(`the of and to in is that for it as was with be by on not he his but at are this have
		from or had an they which one you were all her she there would their we him been has when who will no more if out`)
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(seed, 0))
	for b.Len() < n {
		x := r.Uint32()
		b.WriteString(words[int(x>>8)%len(words)])
		b.WriteByte("   \n,."[int(x&0xff)%6])
	}
	return b.Bytes()[:n]
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestLooksRandom(t *testing.T) {
	t.Parallel()
	halves := append(testRandom(1, 200_000), testText(2, 40_000)...)
	for name, test := range map[string]struct {
		b    []byte
		want bool
	}{
		"nothing":               {nil, false},
		"a little random":       {testRandom(3, probeSlice-1), false},
		"one slice":             {testRandom(4, probeSlice), true},
		"random":                {testRandom(5, 1<<20), true},
		"compressed":            {deflated(testText(6, 1<<20)), true},
		"text":                  {testText(7, 1<<20), false},
		"zeros":                 {make([]byte, 1<<20), false},
		"random with some text": {halves, false},
		"hexadecimal":           {[]byte(strings.Repeat("0123456789abcdef", 1000)), false},
	} {
		if got := looksRandom(test.b); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for seed := range uint64(2000) {
		if !looksRandom(testRandom(seed, probeSlice*2)) {
			t.Errorf("random bytes of seed %d look as if they would compress", seed)
		}
	}
}

func TestCompressAndBack(t *testing.T) {
	t.Parallel()
	c, d := newCompressor(), NewDecompressor()
	for name, raw := range map[string][]byte{
		"a byte":      {7},
		"short":       []byte("short text, short text, short text, short text, short text"),
		"text":        testText(1, 1<<20),
		"longest":     testText(2, MaxFrameLength),
		"random":      testRandom(3, 1<<20),
		"hardly less": append(testRandom(4, 1<<20), make([]byte, 10_000)...),
		"zeros":       make([]byte, MaxFrameLength),
	} {
		frame, compression := c.compress(bytes.Clone(raw))
		if compression == CompressNone != (len(frame) == len(raw)) || len(frame) > len(raw) {
			t.Errorf("%s: %d bytes became %d, compression %d", name, len(raw), len(frame), compression)
		}
		for _, dst := range [][]byte{nil, []byte("before"), make([]byte, 3, MaxFrameLength+3)} {
			got, err := d.Decompress(dst, compression, frame, len(raw))
			if err != nil || !bytes.Equal(got, append(bytes.Clone(dst), raw...)) {
				t.Fatalf("%s: not what it was: %v", name, err)
			}
		}
	}
}

// bomb returns few bytes that decompress to n zeros. Where told so it does not
// say in its head how many.
func bomb(n int, silent bool) []byte {
	if !silent {
		e, _ := zstd.NewWriter(nil)
		return e.EncodeAll(make([]byte, n), nil)
	}
	var out bytes.Buffer
	e, _ := zstd.NewWriter(&out)
	for range n / 1024 {
		_, _ = e.Write(make([]byte, 1024))
	}
	_ = e.Close()
	return out.Bytes()
}

func FuzzDecompress(f *testing.F) {
	good, _ := newCompressor().compress(testText(1, 10_000))
	f.Add(good, 10_000)
	f.Add(good[:len(good)/2], 10_000)
	f.Add(bomb(8<<20, true), MaxFrameLength)
	f.Add([]byte{}, 0)
	d := NewDecompressor()
	f.Fuzz(func(t *testing.T, frame []byte, raw int) {
		out, err := d.Decompress(nil, CompressZstd, frame, raw)
		if err == nil && len(out) != raw {
			t.Fatalf("%d bytes, want %d", len(out), raw)
		}
		if cap(out) > max(raw, 0) {
			t.Fatalf("room for %d bytes, want %d", cap(out), raw)
		}
	})
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("some text, some text, some text"), 3)
	f.Add([]byte{0}, 5000)
	c, d := newCompressor(), NewDecompressor()
	f.Fuzz(func(t *testing.T, pattern []byte, repeat int) {
		raw := bytes.Repeat(pattern, 1+(repeat&0x3ff)%(MaxFrameLength/(len(pattern)+1)))
		if len(raw) == 0 {
			return
		}
		_ = looksRandom(raw)
		frame, compression := c.compress(bytes.Clone(raw))
		back, err := d.Decompress(nil, compression, frame, len(raw))
		if err != nil || !bytes.Equal(back, raw) {
			t.Fatalf("not what it was: %v", err)
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	for name, raw := range map[string][]byte{"text": testText(1, 1<<20), "random": testRandom(1, 1<<20)} {
		b.Run(name, func(b *testing.B) {
			c, room := newCompressor(), make([]byte, 1<<20)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if !looksRandom(raw) {
					c.compress(room[:copy(room, raw)])
				}
			}
		})
	}
}
