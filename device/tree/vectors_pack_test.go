// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/test/vectors"
)

func TestPackVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "tree-pack",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(nameVectors(), cutVectors(t), frameVectors(), indexVectors(), stepVectors())
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"tree-name": checkName, "tree-gear": checkGear, "tree-cuts": checkCuts,
			"tree-frame": checkFrame, "tree-pack-index": checkPackIndex, "tree-steps": checkSteps,
		},
	})
}

// vectorContent is the content of vectors that are too long to be printed:
// SHA-256 of 0, 1, 2, … as eight bytes, big-endian, one after the other.
func vectorContent(n int) []byte {
	b := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(b) < n; i++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		b = append(b, block[:]...)
	}
	return b[:n]
}

func vectorSecret(t *testing.T, v *vectors.Vector) *keys.Secret {
	t.Helper()
	s, err := keys.NewSecret(v.Hex(t, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func vectorNumber(t *testing.T, v *vectors.Vector, key string) int {
	t.Helper()
	n, err := strconv.Atoi(v.Text(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func nameVectors() []*vectors.Vector {
	var list []*vectors.Vector
	secret := testSecret(1)
	for kind := KindFile; kind <= lastKind; kind++ {
		for _, n := range []int{1, 1024, 1025, 20_000} {
			list = append(list, vectors.New(fmt.Sprintf("tree-pack-name-%v-%d", kind, n), fmt.Sprintf("the name of a chunk of %d bytes of kind %v", n, kind),
				"tree-name", vectors.Valid).WithHex("secret", secret.Expose()).With("kind", kind.String()).With("length", strconv.Itoa(n)).
				With("name", NewNames(secret).Name(kind, vectorContent(n)).String()))
		}
	}
	return list
}

func checkName(t *testing.T, v *vectors.Vector) {
	kinds := map[string]Kind{"file": KindFile, "node": KindNode, "list": KindList}
	got := NewNames(vectorSecret(t, v)).Name(kinds[v.Text(t, "kind")], vectorContent(vectorNumber(t, v, "length")))
	if v.Expect(t, nil) && got.String() != v.Text(t, "name") {
		t.Errorf("the name is %v", got)
	}
}

// gearBytes prints a gear table, each number little-endian.
func gearBytes(g *gearTable) []byte {
	var b []byte
	for _, x := range g {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

func cutVectors(t *testing.T) []*vectors.Vector {
	secret := testSecret(1)
	list := []*vectors.Vector{vectors.New("tree-pack-gear", "the gear table of a chunking secret, each number little-endian", "tree-gear", vectors.Valid,
		gearBytes(newGearTable(secret))).WithHex("secret", secret.Expose())}
	for name, length := range map[string]int{"one": MinChunkLength, "two": MinChunkLength + 1, "many": 12 << 20} {
		list = append(list, vectors.New("tree-pack-cuts-"+name, fmt.Sprintf("the lengths of the chunks of %d bytes", length), "tree-cuts", vectors.Valid).
			WithHex("secret", secret.Expose()).With("length", strconv.Itoa(length)).With("chunks", lengths(cuts(t, NewChunker(secret), bytes.NewReader(vectorContent(length))))))
	}
	return list
}

func lengths(chunks [][]byte) string {
	var words []string
	for _, c := range chunks {
		words = append(words, strconv.Itoa(len(c)))
	}
	return strings.Join(words, " ")
}

func checkGear(t *testing.T, v *vectors.Vector) {
	if got := gearBytes(newGearTable(vectorSecret(t, v))); v.Expect(t, nil) && !bytes.Equal(got, v.Body(t)) {
		t.Errorf("the table is %x", got)
	}
}

func checkCuts(t *testing.T, v *vectors.Vector) {
	secret, content := vectorSecret(t, v), vectorContent(vectorNumber(t, v, "length"))
	got := lengths(slowCuts(newGearTable(secret), content))
	if v.Expect(t, nil) && got != v.Text(t, "chunks") {
		t.Errorf("the chunks have %s bytes", got)
	}
}

// frameVectors holds frames whose bytes another compressor, or a later one,
// would make otherwise: what counts is that they are read.
func frameVectors() []*vectors.Vector {
	text := []byte(strings.Repeat("all work and no play makes a dull file\n", 50))
	packed, _ := newCompressor().compress(bytes.Clone(text))
	frame := func(name, says, expect string, compression, raw int, bytes ...[]byte) *vectors.Vector {
		return vectors.New("tree-pack-frame-"+name, says, "tree-frame", expect, bytes...).With("randomised", "yes").
			With("compression", strconv.Itoa(compression)).With("length", strconv.Itoa(raw))
	}
	return []*vectors.Vector{
		frame("none", "a frame that is not compressed", vectors.Valid, 0, 11, []byte("some bytes!"), []byte("some bytes!")),
		frame("zstd", "a frame of Zstandard", vectors.Valid, 1, len(text), packed, text),
		frame("longer", "it decompresses to one byte more than its length", "untrusted", 1, len(text)-1, packed),
		frame("shorter", "it decompresses to one byte less than its length", "untrusted", 1, len(text)+1, packed),
		frame("cut", "the last byte is missing", "untrusted", 1, len(text), packed[:len(packed)-1]),
		frame("none-longer", "a frame that is not compressed has one byte more than its length", "untrusted", 0, 10, []byte("some bytes!")),
		frame("bomb", "it decompresses to 64 MiB", "untrusted", 1, MaxFrameLength, bomb(64<<20, true)),
		frame("over", "its length is over the limit", "untrusted", 1, MaxFrameLength+1, packed),
		frame("compression-2", "a compression that this version does not know", "unsupported", 2, len(text), packed),
	}
}

func checkFrame(t *testing.T, v *vectors.Vector) {
	got, err := NewDecompressor().Decompress(nil, Compression(vectorNumber(t, v, "compression")), v.Parts[0], vectorNumber(t, v, "length"))
	if v.Expect(t, err) && !bytes.Equal(got, v.Parts[1]) {
		t.Errorf("the frame holds %q", got)
	}
}

func indexVectors() []*vectors.Vector {
	good := testPackIndex().Print()
	one := func(name, says, expect string, b []byte) *vectors.Vector {
		return vectors.New("tree-pack-index-"+name, says, "tree-pack-index", expect, b)
	}
	changed := func(name, says string, f func(x *PackIndex)) *vectors.Vector {
		x := testPackIndex()
		f(x)
		return one(name, says, "untrusted", x.Print())
	}
	version := bytes.Clone(good)
	version[0] = 2
	at := packIndexHead
	return []*vectors.Vector{
		one("two-frames", "two frames, the first of two chunks", vectors.Valid, good),
		one("version-2", "a version that is not known", "unsupported", version),
		one("trailing", "a byte behind the end", "untrusted", append(bytes.Clone(good), 0)),
		one("cut", "the last byte is missing", "untrusted", good[:len(good)-1]),
		one("long-number", "the count of frames is not in its shortest form", "untrusted", slices.Concat(good[:at], []byte{0x82, 0}, good[at+1:])),
		changed("no-frames", "no frames", func(x *PackIndex) { x.Frames = nil }),
		changed("no-chunks", "a frame without chunks", func(x *PackIndex) { x.Frames[1].Chunks = nil }),
		changed("empty-chunk", "a chunk of no bytes", func(x *PackIndex) { x.Frames[0].Chunks[0].Length = 0 }),
		changed("kind-0", "a kind that is not known", func(x *PackIndex) { x.Frames[0].Kind = 0 }),
		changed("kind-4", "a kind that is not known", func(x *PackIndex) { x.Frames[0].Kind = 4 }),
		changed("compression-2", "a compression that is not known", func(x *PackIndex) { x.Frames[0].Compression = 2 }),
		changed("frame-too-long", "chunks that are longer together than a frame may be", func(x *PackIndex) { x.Frames[0].Chunks[0].Length = MaxChunkLength }),
		changed("not-shorter", "a compressed frame that is not shorter than its content", func(x *PackIndex) { x.Frames[0].Sealed = 1300 + sealOverhead }),
		changed("other-length", "a frame that is not compressed and has another length than its content", func(x *PackIndex) { x.Frames[1].Sealed++ }),
	}
}

func checkPackIndex(t *testing.T, v *vectors.Vector) {
	x, err := ParsePackIndex(v.Body(t))
	if v.Expect(t, err) && !bytes.Equal(x.Print(), v.Body(t)) {
		t.Error("it is printed as other bytes")
	}
}

func stepVectors() []*vectors.Vector {
	var list []*vectors.Vector
	for i := range byte(4) {
		digest := runDigest(sha256.Sum256([]byte{i}))
		list = append(list, vectors.New(fmt.Sprintf("tree-pack-steps-%d", i), "the steps of padding of a run's last pack", "tree-steps", vectors.Valid).
			WithHex("secret", testSecret(1).Expose()).WithHex("digest", digest[:]).With("steps", strconv.Itoa(digest.steps(testSecret(1)))))
	}
	return list
}

func checkSteps(t *testing.T, v *vectors.Vector) {
	digest := runDigest(protocol.Hash(v.Hex(t, "digest")))
	if got := digest.steps(vectorSecret(t, v)); v.Expect(t, nil) && got != vectorNumber(t, v, "steps") {
		t.Errorf("%d steps", got)
	}
}
