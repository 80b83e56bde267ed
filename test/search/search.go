// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package search looks for what must not be there: given secrets and plaintext,
// it scans files for them, as they are and in the encodings in which programs
// write bytes. Tests and the demonstration use it on the provider's disk.
package search

import (
	"bufio"
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// MinLength is the shortest needle in bytes: shorter ones are found by chance.
const MinLength = 8

// gramSize is how many leading bytes of a needle the filter looks at.
const gramSize = 4

// Searcher scans for needles. Add all of them before the first scan.
type Searcher struct {
	filter  []uint64            // a bit for a hash of each needle's first bytes
	needles map[uint32][]needle // by their first bytes
	longest int
	count   int
}

type needle struct {
	name  string
	bytes []byte
}

// Find is a needle that was found.
type Find struct {
	Needle string // its name and the encoding
	Path   string
	Offset int64
}

// filterBits is the size of the filter: 32 KiB, which stays in the cache.
const filterBits = 18

// New returns a searcher without needles.
func New() *Searcher {
	return &Searcher{filter: make([]uint64, 1<<filterBits/64), needles: map[uint32][]needle{}}
}

// Add adds a needle under a name, in every encoding. One that is shorter than
// MinLength is not added, and Add says so.
func (s *Searcher) Add(name string, raw []byte) bool {
	if len(raw) < MinLength {
		return false
	}
	s.add(name, raw)
	s.add(name+" in hex", []byte(hex.EncodeToString(raw)))
	s.add(name+" in hex", []byte(strings.ToUpper(hex.EncodeToString(raw))))
	for shift := range 3 { // base64 has three alignments
		s.add(name+" in base64", inner(base64.StdEncoding.EncodeToString(pad(raw, shift)), shift, len(raw), 6))
		s.add(name+" in base64url", inner(base64.URLEncoding.EncodeToString(pad(raw, shift)), shift, len(raw), 6))
	}
	for shift := range 5 { // and base32 five
		text := base32.StdEncoding.EncodeToString(pad(raw, shift))
		s.add(name+" in base32", inner(text, shift, len(raw), 5))
		s.add(name+" in base32", inner(strings.ToLower(text), shift, len(raw), 5))
	}
	s.add(name+" in UTF-16", wide(raw))
	return true
}

func pad(raw []byte, shift int) []byte { return append(make([]byte, shift), raw...) }

// inner returns the digits that the needle alone decides, wherever it stands.
func inner(text string, shift, length, bits int) []byte {
	first := (shift*8 + bits - 1) / bits
	last := (shift + length) * 8 / bits
	return []byte(text[first:last])
}

// wide returns text as little-endian UTF-16, as some systems write it.
func wide(raw []byte) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(string(raw))) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

func (s *Searcher) add(name string, b []byte) {
	if len(b) < MinLength {
		return
	}
	gram := gramOf(b)
	for _, other := range s.needles[gram] {
		if bytes.Equal(other.bytes, b) {
			return
		}
	}
	bit := hash(gram)
	s.filter[bit/64] |= 1 << (bit % 64)
	s.needles[gram] = append(s.needles[gram], needle{name, b})
	s.longest = max(s.longest, len(b))
	s.count++
}

// Needles returns how many byte strings are looked for.
func (s *Searcher) Needles() int { return s.count }

func gramOf(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func hash(gram uint32) uint32 { return gram * 0x9e3779b1 >> (32 - filterBits) }

// Scan reads to the end and reports each needle at most once for each place.
func (s *Searcher) Scan(r io.Reader, found func(name string, offset int64)) error {
	in := bufio.NewReaderSize(r, 1<<20)
	block := make([]byte, 0, 2<<20)
	var base int64
	for {
		n, err := in.Read(block[len(block):cap(block)])
		block = block[:len(block)+n]
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		upTo := len(block)
		if !end {
			upTo = max(0, len(block)-s.longest)
		}
		s.scanBlock(block, upTo, base, found)
		if end {
			return nil
		}
		base += int64(upTo)
		block = block[:copy(block, block[upTo:])]
	}
}

// scanBlock looks for needles that begin in the first upTo bytes.
func (s *Searcher) scanBlock(block []byte, upTo int, base int64, found func(string, int64)) {
	for i := 0; i < upTo && i+gramSize <= len(block); i++ {
		gram := gramOf(block[i:])
		bit := hash(gram)
		if s.filter[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		for _, n := range s.needles[gram] {
			if bytes.HasPrefix(block[i:], n.bytes) {
				found(n.name, base+int64(i))
			}
		}
	}
}

// ScanTree scans every regular file below a folder, and the names of all
// entries. It returns what was found, at most the first hundred, and how many
// bytes were read.
func (s *Searcher) ScanTree(root string) (finds []Find, size int64, err error) {
	note := func(path string) func(string, int64) {
		return func(name string, offset int64) {
			if len(finds) < 100 {
				finds = append(finds, Find{name, path, offset})
			}
		}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := s.Scan(strings.NewReader(d.Name()), note(path+" (its name)")); err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		size += info.Size()
		return s.Scan(f, note(path))
	})
	return finds, size, err
}
