// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"crypto/sha256"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// eachChunk opens every part of a whole pack and visits its chunks, each named
// again under the name by which the pack's index holds it. The chunk is the
// visitor's during the call; raw is room that is used again. Whatever does not
// hold is protocol.KindUntrusted, and every byte is held to something: what was
// visited before it is good.
func (v *Vault) eachChunk(id protocol.PackID, data []byte, d *tree.Decompressor, raw *[]byte, visit func(kind tree.Kind, name protocol.Hash, chunk []byte) error) error {
	if sha256.Sum256(data) != id {
		return protocol.Errorf(protocol.KindUntrusted, "pack %s: the server gave other bytes than were stored", id)
	}
	pack, index, err := v.openWhole(data)
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "pack %s", id)
	}
	names, err := v.namesOf(index.Namer)
	if err != nil {
		return err
	}
	lengths := make([]int, len(index.Frames))
	for i := range index.Frames {
		lengths[i] = index.Frames[i].Sealed
	}
	return pack.Verify(data, lengths, func(number int, frame []byte) error {
		f := &index.Frames[number]
		plain, err := d.Decompress((*raw)[:0], f.Compression, frame, f.Raw)
		if err != nil {
			return err
		}
		*raw = plain
		for _, c := range f.Chunks {
			chunk := plain[:c.Length]
			if names.Name(f.Kind, chunk) != c.Name {
				return protocol.Errorf(protocol.KindUntrusted, "pack %s holds something else under the name of chunk %s", id, c.Name)
			}
			if err := visit(f.Kind, c.Name, chunk); err != nil {
				return err
			}
			plain = plain[c.Length:]
		}
		return nil
	})
}

// openWhole opens header and index of a pack.
func (v *Vault) openWhole(data []byte) (*seal.Pack, *tree.PackIndex, error) {
	h, err := seal.ParsePackHeader(data)
	if err != nil {
		return nil, nil, err
	}
	pack, err := v.openPack(h)
	if err != nil {
		return nil, nil, err
	}
	length := pack.Lead().IndexLength
	if length > len(data) {
		return nil, nil, protocol.Errorf(protocol.KindUntrusted, "its index is longer than the pack")
	}
	plain, err := pack.OpenIndex(data[len(data)-length:])
	if err != nil {
		return nil, nil, err
	}
	index, err := tree.ParsePackIndex(plain)
	return pack, index, err
}
