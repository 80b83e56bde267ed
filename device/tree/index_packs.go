// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"github.com/solekey/solekey/protocol"
)

// PackInfo is what the index keeps of a pack.
type PackInfo struct {
	ID     protocol.PackID
	Namer  protocol.MemberID // whose secrets name its chunks; zero: the vault's own
	Signer protocol.MemberID // the device that signed for it
	Cursor uint64            // where its receipt stands in the provider's order; 0: not received yet
	Size   int64             // bytes as stored
	Chunks int               // chunks it holds
	Usable bool              // whether Has may answer with its chunks, so that they are not sent again
}

// The table of packs is a file of 128 bytes for each pack, in the order in which they were added; the place in it
// is the pack's number. It only grows. What may change later, usable and removed, stands in the manifest.
//
//	0 ID (32)  32 namer (32)  64 signer (32)  96 cursor (8)  104 size (8)  112 chunks (4)  116 number (4)  120 zero (4)  124 checksum (4)
type packTable struct {
	f *os.File

	mu    sync.Mutex // guards known
	known [packsKnown]struct {
		number uint32 // plus one; 0: empty
		id     protocol.PackID
	}
}

const (
	packSize   = 128
	packsKnown = 1024
)

func printPack(number uint32, p *PackInfo) []byte {
	b := make([]byte, 0, packSize)
	b = append(append(append(b, p.ID[:]...), p.Namer[:]...), p.Signer[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Cursor)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Size))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Chunks))
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// parsePack returns the record of that number; ok is false when it is damaged.
func parsePack(b []byte, number uint32) (p PackInfo, ok bool) {
	if binary.BigEndian.Uint32(b[124:]) != checksum(b[:124]) || binary.BigEndian.Uint32(b[116:]) != number {
		return PackInfo{}, false
	}
	copy(p.ID[:], b)
	copy(p.Namer[:], b[32:])
	copy(p.Signer[:], b[64:])
	p.Cursor = binary.BigEndian.Uint64(b[96:])
	p.Size = int64(binary.BigEndian.Uint64(b[104:]))
	p.Chunks = int(binary.BigEndian.Uint32(b[112:]))
	return p, true
}

// write puts the record of that number into the file, not yet onto the medium.
func (t *packTable) write(number uint32, p *PackInfo) error {
	_, err := t.f.WriteAt(printPack(number, p), int64(number)*packSize)
	return err
}

// read returns the records from number on, as many as fit into buffer and were written below end.
func (t *packTable) read(buffer []byte, number, end uint32) ([]PackInfo, error) {
	n := min(len(buffer)/packSize, int(end-number))
	b := buffer[:n*packSize]
	if got, err := t.f.ReadAt(b, int64(number)*packSize); got < len(b) {
		return nil, errors.Join(err, damaged(t.f.Name(), "pack %d is missing", number))
	}
	packs := make([]PackInfo, n)
	for i := range packs {
		p, ok := parsePack(b[i*packSize:(i+1)*packSize], number+uint32(i))
		if !ok {
			return nil, damaged(t.f.Name(), "pack %d does not hold", number+uint32(i))
		}
		packs[i] = p
	}
	return packs, nil
}

// id returns the ID of the pack of that number.
func (t *packTable) id(number uint32) (protocol.PackID, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &t.known[number%packsKnown]
	if k.number == number+1 {
		return k.id, nil
	}
	var buffer [packSize]byte
	packs, err := t.read(buffer[:], number, number+1)
	if err != nil {
		return protocol.PackID{}, err
	}
	k.number, k.id = number+1, packs[0].ID
	return k.id, nil
}
