// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestBuffers(t *testing.T) {
	t.Parallel()
	var pool buffers
	for n, want := range map[int]int{
		0: segmentLength, segmentLength: segmentLength, segmentLength + 1: 1792 << 10, MaxFrameLength: MaxFrameLength,
	} {
		if b := pool.take(n); len(b) != 0 || cap(b) != want {
			t.Errorf("a buffer of %d for %d bytes", cap(b), n)
		}
	}
	pool.give(pool.take(MaxFrameLength)[:77])
	pool.give(make([]byte, 0, segmentLength))
	if b := pool.take(1); len(b) != 0 || cap(b) != segmentLength {
		t.Errorf("a buffer of %d where a shorter one was free", cap(b))
	}
	if b := pool.take(1); cap(b) != MaxFrameLength || pool.kept != 0 {
		t.Errorf("a buffer of %d where a longer one was free, %d kept", cap(b), pool.kept)
	}
	for range 20 {
		pool.give(make([]byte, 0, MaxFrameLength))
		pool.give(make([]byte, 0, segmentLength))
	}
	if sum := len(pool.free[0])*segmentLength + len(pool.free[2])*MaxFrameLength; sum != pool.kept || sum > bufferKeep || len(pool.free[0]) == 0 {
		t.Errorf("%d bytes kept, %d counted", sum, pool.kept)
	}
	defer func() {
		if recover() == nil {
			t.Error("a buffer for more than the longest frame")
		}
	}()
	pool.take(MaxFrameLength + 1)
}

func TestSegment(t *testing.T) {
	t.Parallel()
	s := segment{&job{bytes: make([]byte, 0, segmentLength)}}
	if !s.fits(segmentLength) || s.fits(segmentLength+1) {
		t.Error("an empty segment has other room than segmentLength")
	}
	s.add(protocol.Hash{1}, make([]byte, segmentLength-10))
	if !s.fits(10) || s.fits(11) {
		t.Error("a segment grows beyond segmentLength")
	}
	if j := s.cut(); j == nil || len(j.frame.Chunks) != 1 || s.cut() != nil || !s.fits(segmentLength) {
		t.Error("cutting does not leave an empty segment")
	}
	s.job = &job{frame: Frame{Chunks: make([]PackedChunk, segmentChunks)}}
	if s.fits(1) {
		t.Error("a segment takes more than segmentChunks")
	}
}

// What is known not to shrink is not compressed, and the buffer stays.
func TestJobCompress(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content []byte
		tried   bool
		want    Compression
	}{
		"text":            {testText(1, segmentLength), false, CompressZstd},
		"text, not tried": {testText(1, segmentLength), true, CompressNone},
		"random":          {testRandom(1, segmentLength), false, CompressNone},
		"a few bytes":     {[]byte("abc"), false, CompressNone},
	} {
		j := &job{tried: test.tried, bytes: append(make([]byte, 0, segmentLength), test.content...)}
		begin := &j.bytes[0]
		j.frame.Chunks = []PackedChunk{{Length: len(test.content)}, {}}
		j.compress(newCompressor())
		if j.frame.Compression != test.want || j.frame.Raw != len(test.content) || j.frame.Sealed != len(j.bytes)+sealOverhead {
			t.Errorf("%s: %d bytes became %+v", name, len(test.content), j.frame)
		}
		if &j.bytes[0] != begin || cap(j.bytes) != segmentLength {
			t.Errorf("%s: another buffer", name)
		}
	}
}
