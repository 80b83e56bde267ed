// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

const frame = 1 << 20

// noise does not compress, text does about four to one.
func noise() []byte {
	b := make([]byte, frame)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b) // never fails
	return b
}

func text() []byte {
	words := []string{"the", "provider", "keeps", "sealed", "packs", "and", "opens", "none", "of", "them", "\n"}
	source := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < frame {
		b.WriteString(words[source.IntN(len(words))])
		b.WriteString(strconv.Itoa(source.IntN(100)))
		b.WriteByte(' ')
	}
	return b.Bytes()[:frame]
}

func BenchmarkLimitSHA256(b *testing.B) {
	data := noise()
	b.SetBytes(frame)
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func BenchmarkLimitBLAKE3(b *testing.B) {
	data := noise()
	b.SetBytes(frame)
	for b.Loop() {
		blake3.Sum256(data)
	}
}

func BenchmarkLimitAESGCM(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	data, out := noise(), make([]byte, 0, frame+aead.Overhead())
	b.SetBytes(frame)
	for b.Loop() {
		out = aead.Seal(out[:0], make([]byte, aead.NonceSize()), data, nil)
	}
}

func BenchmarkLimitZstd(b *testing.B) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	data, out := text(), make([]byte, 0, frame)
	b.SetBytes(frame)
	for b.Loop() {
		out = encoder.EncodeAll(data, out[:0])
	}
	b.ReportMetric(float64(frame)/float64(len(out)), "ratio")
}

func BenchmarkLimitLstat(b *testing.B) {
	dir := b.TempDir()
	var paths []string
	for i := range 1000 {
		paths = append(paths, filepath.Join(dir, strconv.Itoa(i)))
		if err := os.WriteFile(paths[i], nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; b.Loop(); i++ {
		if _, err := os.Lstat(paths[i%len(paths)]); err != nil {
			b.Fatal(err)
		}
	}
}
