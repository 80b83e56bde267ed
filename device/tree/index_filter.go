// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "encoding/binary"

// filter tells of most names that are not in a file that they are not, without reading it: a Bloom filter whose
// bits for one name lie in one line of 64 bytes. At 8 bits a name some 3 of 100 absent names pass.
//
// Names and pack IDs are uniform already, so their own bytes choose line and bits.
type filter []byte

const (
	filterLine = 64
	filterBits = 6 // bits set for each name, of 9 bits of the name each
)

// newFilter returns an empty filter for n names.
func newFilter(n uint64) filter { return make(filter, filterLines(n)*filterLine) }

func filterLines(n uint64) uint64 { return n/filterLine + 1 }

// line returns the line of the name and the bits that choose within it.
func (f filter) line(name []byte) (line []byte, bits uint64) {
	lines := uint64(len(f) / filterLine)
	at := binary.BigEndian.Uint64(name[8:]) % lines * filterLine
	return f[at : at+filterLine], binary.BigEndian.Uint64(name[16:])
}

func (f filter) add(name []byte) {
	line, bits := f.line(name)
	for range filterBits {
		line[bits>>3&63] |= 1 << (bits & 7)
		bits >>= 9
	}
}

// mayHold reports false only for a name that was not added.
func (f filter) mayHold(name []byte) bool {
	line, bits := f.line(name)
	for range filterBits {
		if line[bits>>3&63]&(1<<(bits&7)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}
