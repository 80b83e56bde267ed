// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tree

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

func TestChunkerKeepsToTheRule(t *testing.T) {
	t.Parallel()
	c := NewChunker(testSecret(1))
	content := testRandom(1, 9<<20)
	want := slowCuts(c.gear, content)
	got := cuts(t, c, bytes.NewReader(content))
	if len(got) != len(want) {
		t.Fatalf("%d chunks, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("chunk %d has %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

func TestChunkerLengths(t *testing.T) {
	t.Parallel()
	c := NewChunker(testSecret(1))
	for _, n := range []int{0, 1, MinChunkLength - 1, MinChunkLength, MinChunkLength + 1, MaxChunkLength, MaxChunkLength + 1, 3*MaxChunkLength + 7} {
		for name, content := range map[string][]byte{"random": testRandom(2, n), "zeros": make([]byte, n)} {
			chunks := cuts(t, c, bytes.NewReader(content))
			checkChunks(t, content, chunks)
			if n <= MinChunkLength && n > 0 && len(chunks) != 1 {
				t.Errorf("%d bytes of %s: %d chunks", n, name, len(chunks))
			}
		}
	}
	// Over enough content the mean is near the target.
	content := testRandom(3, 96<<20)
	chunks := cuts(t, c, bytes.NewReader(content))
	checkChunks(t, content, chunks)
	if mean := len(content) / len(chunks); mean < 900<<10 || mean > 1400<<10 {
		t.Errorf("chunks of random content have %d KiB on average", mean>>10)
	}
}

func TestChunkerDoesNotDependOnReads(t *testing.T) {
	t.Parallel()
	content := testRandom(4, 12<<20)
	c := NewChunker(testSecret(1))
	want := cuts(t, c, bytes.NewReader(content))
	for name, source := range map[string]io.Reader{
		"half reads":   iotest.HalfReader(bytes.NewReader(content)),
		"end and data": iotest.DataErrReader(bytes.NewReader(content)),
		"odd reads":    &oddReader{rest: content},
	} {
		got := cuts(t, c.Fork(), source)
		if len(got) != len(want) {
			t.Fatalf("%s: %d chunks, want %d", name, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%s: chunk %d differs", name, i)
			}
		}
	}
}

// A change in the middle leaves what is far from it as it was.
func TestChunkerResynchronises(t *testing.T) {
	t.Parallel()
	content := testRandom(5, 48<<20)
	c := NewChunker(testSecret(1))
	known := make(map[string]bool)
	for _, chunk := range cuts(t, c, bytes.NewReader(content)) {
		known[string(chunk)] = true
	}
	for name, changed := range map[string][]byte{
		"insert at the front":   append([]byte("!"), content...),
		"insert in the middle":  bytes.Join([][]byte{content[:20<<20], []byte("!"), content[20<<20:]}, nil),
		"remove in the middle":  bytes.Join([][]byte{content[:20<<20], content[20<<20+1:]}, nil),
		"replace in the middle": bytes.Join([][]byte{content[:20<<20], []byte("!"), content[20<<20+1:]}, nil),
	} {
		fresh, total := 0, 0
		for _, chunk := range cuts(t, c, bytes.NewReader(changed)) {
			total++
			if !known[string(chunk)] {
				fresh++
			}
		}
		if fresh == 0 || fresh > 4 {
			t.Errorf("%s: %d of %d chunks are new", name, fresh, total)
		}
	}
}

// Vaults share no cuts: what is learnt about one says nothing about another.
func TestChunkerSecretsShareNoCuts(t *testing.T) {
	t.Parallel()
	content := testRandom(6, 48<<20)
	places := func(secret byte) map[int]bool {
		at, set := 0, make(map[int]bool)
		for _, chunk := range cuts(t, NewChunker(testSecret(secret)), bytes.NewReader(content)) {
			at += len(chunk)
			set[at] = at < len(content)
		}
		return set
	}
	one, two := places(1), places(2)
	for at, inside := range one {
		if inside && two[at] {
			t.Errorf("both cut at %d", at)
		}
	}
	if len(one) < 20 || len(two) < 20 {
		t.Errorf("%d and %d cuts", len(one), len(two))
	}
	if !testing.Short() && len(places(1)) != len(one) {
		t.Error("one secret cuts in two ways")
	}
}
