// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
)

// Location says where a chunk lies.
type Location struct {
	Pack        protocol.PackID
	Frame       int         // number of the frame within the pack
	Offset      int64       // of the sealed frame within the pack
	Sealed      int         // bytes of the sealed frame
	Compression Compression // of the frame
	Raw         int         // bytes of the frame before compression
	Start       int         // of the chunk within these
	Length      int         // bytes of the chunk
}

// A record is what the index holds of one chunk in one pack, in 56 bytes:
//
//	0  name           32
//	32 pack            4  number in the table of packs
//	36 frame           3
//	39 offset          4
//	43 sealed          3
//	46 raw             3
//	49 compression     1  markPack for the record that finds a pack by its ID
//	50 start           3
//	53 length          3
//
// All numbers are big-endian, so that records sort as bytes: by name, then by the age of the pack.
type record [recordSize]byte

const (
	recordSize = 56
	nameSize   = len(protocol.Hash{})
	// markPack stands in place of a compression in the one record that a pack itself has, under its ID. IDs are
	// SHA-256 and names are keyed BLAKE3: one never is the other, and the mark keeps them apart even so.
	markPack = 0xff
	// limit24 bounds the fields of three bytes.
	limit24 = 1 << 24
)

func (r *record) name() []byte        { return r[:nameSize] }
func (r *record) pack() uint32        { return binary.BigEndian.Uint32(r[32:]) }
func (r *record) isPack() bool        { return r[49] == markPack }
func (r *record) number24(at int) int { return int(r[at])<<16 | int(r[at+1])<<8 | int(r[at+2]) }

func (r *record) put24(at, n int) {
	r[at], r[at+1], r[at+2] = byte(n>>16), byte(n>>8), byte(n)
}

// packRecord returns the record that finds a pack by its ID.
func packRecord(id protocol.PackID, number uint32) record {
	var r record
	copy(r[:], id[:])
	binary.BigEndian.PutUint32(r[32:], number)
	r[49] = markPack
	return r
}

// chunkRecord returns the record of a chunk; l.Pack is replaced by the number.
func chunkRecord(name protocol.Hash, number uint32, l *Location) record {
	var r record
	copy(r[:], name[:])
	binary.BigEndian.PutUint32(r[32:], number)
	r.put24(36, l.Frame)
	binary.BigEndian.PutUint32(r[39:], uint32(l.Offset))
	r.put24(43, l.Sealed)
	r.put24(46, l.Raw)
	r[49] = byte(l.Compression)
	r.put24(50, l.Start)
	r.put24(53, l.Length)
	return r
}

// location returns what the record says; the ID of the pack is for the caller to fill in.
func (r *record) location() Location {
	return Location{
		Frame:       r.number24(36),
		Offset:      int64(binary.BigEndian.Uint32(r[39:])),
		Sealed:      r.number24(43),
		Raw:         r.number24(46),
		Compression: Compression(r[49]),
		Start:       r.number24(50),
		Length:      r.number24(53),
	}
}

// packRecords returns the records of all chunks of a pack, its own first. The frames begin at the offset first.
func packRecords(id protocol.PackID, number uint32, first int64, index *PackIndex) ([]record, error) {
	records := make([]record, 0, index.Chunks()+1)
	records = append(records, packRecord(id, number))
	l := Location{Offset: first}
	for i := range index.Frames {
		f := &index.Frames[i]
		l.Frame, l.Sealed, l.Raw, l.Compression, l.Start = i, f.Sealed, f.Raw, f.Compression, 0
		if i >= limit24 || f.Sealed >= limit24 || f.Raw >= limit24 || l.Offset > MaxPackFramesLength+first {
			return nil, protocol.Errorf(protocol.KindUntrusted, "index pack %v: frame %d is out of its limits", id, i)
		}
		for _, c := range f.Chunks {
			if c.Length < 0 || l.Start+c.Length > f.Raw {
				return nil, protocol.Errorf(protocol.KindUntrusted, "index pack %v: a chunk ends behind frame %d", id, i)
			}
			l.Length = c.Length
			records = append(records, chunkRecord(c.Name, number, &l))
			l.Start += c.Length
		}
		l.Offset += int64(f.Sealed)
	}
	return records, nil
}
