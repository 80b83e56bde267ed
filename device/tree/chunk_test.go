// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// testSecret returns a secret that a seed determines.
func testSecret(seed byte) *keys.Secret {
	s, err := keys.NewSecret(bytes.Repeat([]byte{seed}, keys.SecretSize))
	if err != nil {
		panic(err)
	}
	return s
}

// testRandom returns n random bytes that a seed determines.
func testRandom(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// cuts returns the chunks that a source is cut into, copied.
func cuts(t testing.TB, c *Chunker, source io.Reader) [][]byte {
	t.Helper()
	c.Reset(source)
	var chunks [][]byte
	for {
		chunk, err := c.Next()
		if err == io.EOF {
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, bytes.Clone(chunk))
	}
}

func checkChunks(t testing.TB, content []byte, chunks [][]byte) {
	t.Helper()
	if !bytes.Equal(bytes.Join(chunks, nil), content) {
		t.Fatal("the chunks together are not the content")
	}
	for i, chunk := range chunks {
		if len(chunk) == 0 || len(chunk) > MaxChunkLength || len(chunk) <= MinChunkLength && i < len(chunks)-1 {
			t.Errorf("chunk %d of %d has %d bytes", i, len(chunks), len(chunk))
		}
	}
}

// slowCuts is the rule of spec/tree.md written down as simply as it goes. It reads
// some 64 bytes for each byte and shares nothing, so the race detector passes by.
//
//go:norace
func slowCuts(gear *gearTable, content []byte) [][]byte {
	var chunks [][]byte
	for len(content) > 0 {
		n := min(len(content), MaxChunkLength)
		for at := MinChunkLength + 1; at < n; at++ {
			var h uint64
			for _, x := range content[at-64 : at] {
				h = h<<1 + gear[x]
			}
			if at <= targetChunkLength && h>>42 == 0 || at > targetChunkLength && h>>46 == 0 {
				n = at
			}
		}
		chunks, content = append(chunks, content[:n]), content[n:]
	}
	return chunks
}

// oddReader gives content in pieces of odd lengths, and nothing now and then.
type oddReader struct {
	rest []byte
	turn int
}

func (r *oddReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	r.turn++
	n := copy(b[:min(len(b), r.turn%7*4099)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

type badReader struct{ n int }

func (r badReader) Read([]byte) (int, error) { return r.n, nil }

func TestChunkerErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	for name, test := range map[string]struct {
		source io.Reader
		want   error
	}{
		"error":       {iotest.ErrReader(broken), broken},
		"later error": {io.MultiReader(bytes.NewReader(make([]byte, 1000)), iotest.ErrReader(broken)), broken},
		"no progress": {badReader{0}, io.ErrNoProgress},
	} {
		c := NewChunker(testSecret(1))
		c.Reset(test.source)
		for range 2 { // it stays
			if chunk, err := c.Next(); chunk != nil || !errors.Is(err, test.want) {
				t.Errorf("%s: chunk of %d bytes, error %v", name, len(chunk), err)
			}
		}
		checkChunks(t, []byte("next file"), cuts(t, c, bytes.NewReader([]byte("next file"))))
	}
	c := NewChunker(testSecret(1))
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("before a file: %v", err)
	}
	for _, n := range []int{-1, chunkBuffer + 1} {
		c.Reset(badReader{n})
		if _, err := c.Next(); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("a reader that counts %d: %v", n, err)
		}
	}
}

func TestChunkerAllocatesNothing(t *testing.T) {
	content := testRandom(7, 3<<20)
	c := NewChunker(testSecret(1))
	source := bytes.NewReader(nil)
	allocations := testing.AllocsPerRun(3, func() {
		source.Reset(content)
		c.Reset(source)
		for {
			if _, err := c.Next(); err != nil {
				return
			}
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations a file", allocations)
	}
}

func FuzzChunker(f *testing.F) {
	f.Add(uint64(1), uint32(5<<20), uint32(1000), []byte("some text"))
	f.Add(uint64(2), uint32(0), uint32(0), []byte{})
	f.Add(uint64(3), uint32(300<<10), uint32(2<<20), []byte{0})
	c := NewChunker(testSecret(1))
	f.Fuzz(func(t *testing.T, seed uint64, random, repeats uint32, pattern []byte) {
		content := testRandom(seed, int(random%(10<<20)))
		if len(pattern) > 0 {
			content = append(content, bytes.Repeat(pattern, min(int(repeats), 6<<20)/len(pattern))...)
		}
		chunks := cuts(t, c, &oddReader{rest: content, turn: int(seed % 100)})
		checkChunks(t, content, chunks)
		for i, chunk := range cuts(t, c, bytes.NewReader(content)) {
			if !bytes.Equal(chunk, chunks[i]) {
				t.Fatalf("chunk %d depends on how the content is read", i)
			}
		}
	})
}

func BenchmarkChunker(b *testing.B) {
	content := testRandom(8, 64<<20)
	c := NewChunker(testSecret(1))
	source := bytes.NewReader(nil)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		source.Reset(content)
		c.Reset(source)
		for {
			if _, err := c.Next(); err != nil {
				break
			}
		}
	}
}
