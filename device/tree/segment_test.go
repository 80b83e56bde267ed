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
	for _, n := range []int{0, 1, segmentLength, MaxFrameLength} {
		if b := pool.take(n); len(b) != 0 || cap(b) < n+bufferSlack || cap(b) > max(n, segmentLength)+bufferStep+bufferSlack {
			t.Errorf("a buffer of %d for %d bytes", cap(b), n)
		}
	}
	small, large := pool.take(segmentLength), pool.take(3<<20)
	pool.give(large)
	pool.give(small)
	if b := pool.take(10); cap(b) != cap(small) {
		t.Errorf("a buffer of %d where one of %d was free", cap(b), cap(small))
	}
	if b := pool.take(2 << 20); cap(b) != cap(large) {
		t.Errorf("a buffer of %d where one of %d was free", cap(b), cap(large))
	}
	for range 100 {
		pool.give(make([]byte, 0, segmentLength))
	}
	if pool.kept > bufferKeep {
		t.Errorf("%d bytes kept", pool.kept)
	}
	sum := 0
	for _, b := range pool.free {
		sum += cap(b)
	}
	if sum != pool.kept {
		t.Errorf("%d bytes kept, %d counted", sum, pool.kept)
	}
}

func TestSegment(t *testing.T) {
	t.Parallel()
	s := segment{&job{raw: make([]byte, 0, segmentLength)}}
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

// What is known not to shrink is not compressed, and no buffer is lost.
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
		var pool buffers
		j := &job{tried: test.tried, raw: append(pool.take(len(test.content)), test.content...)}
		j.frame.Chunks = []PackedChunk{{Length: len(test.content)}, {}}
		j.compress(newCompressor(), &pool)
		if j.frame.Compression != test.want || j.frame.Raw != len(test.content) || j.frame.Sealed != len(j.packed)+sealOverhead {
			t.Errorf("%s: %d bytes became %+v", name, len(test.content), j.frame)
		}
		if j.raw != nil || len(pool.free) != 1 && !test.tried || cap(j.packed) < segmentLength {
			t.Errorf("%s: %d buffers came back", name, len(pool.free))
		}
	}
}
