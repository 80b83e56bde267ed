// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Limits of one batch.
const (
	MaxBatchEntries = 5000     // besides the Roots
	MaxBatchSize    = 16 << 20 // bytes of an encoded batch
	MaxVolume       = 1 << 14  // entries of a volume
)

// batchVersion is the version of Batch.
const batchVersion = 1

// Batch is one run of entries that entered the log together, as the journal
// keeps it. The batches are a chain: from them alone the log, its tiles and the
// directory are rebuilt.
//
// A volume stands for a run of batches, so that there are not as many blobs as
// there were moments at which something happened: from the one behind Prev up to
// Last, with all their entries.
//
// Growth: a field is only ever added with a new Version.
type Batch struct {
	Version uint64        `cbor:"1,keyasint"`
	Log     protocol.Hash `cbor:"2,keyasint"`
	From    uint64        `cbor:"3,keyasint"`          // position of the first entry
	Prev    protocol.Hash `cbor:"4,keyasint"`          // name of the blob of the batch before; zero for the first
	Entries [][]byte      `cbor:"5,keyasint"`          // the last is a Root
	Root    protocol.Hash `cbor:"6,keyasint"`          // of the Merkle tree after them
	Last    protocol.Hash `cbor:"7,keyasint,omitzero"` // of a volume: the last batch that it stands for
}

// ParseBatch reads a batch: syntax and limits only.
func ParseBatch(raw []byte) (*Batch, error) {
	if v, ok := canonical.Version(raw); ok && v != batchVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "read batch of the log: version %d is not known here", v)
	}
	var b Batch
	if err := canonical.Unmarshal(raw, MaxBatchSize, &b); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "read batch of the log")
	}
	most := MaxBatchEntries + 2
	if !b.Last.IsZero() {
		most = MaxVolume
	}
	if len(b.Entries) == 0 || len(b.Entries) > most {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read batch of the log: %d entries", len(b.Entries))
	}
	return &b, nil
}

// Bytes returns the encoding.
func (b *Batch) Bytes() []byte { return canonical.MustMarshal(b) }

// Name returns what the batch after this one calls its Prev.
func (b *Batch) Name() protocol.Hash {
	if !b.Last.IsZero() {
		return b.Last
	}
	return sha256.Sum256(b.Bytes())
}

// continues reports whether the batch comes next after the head. A volume may
// begin before: where it ends, its root says whether it is of this log.
func (b *Batch) continues(log protocol.Hash, head Head) bool {
	within := !b.Last.IsZero() && b.From < head.Size && head.Size < b.End()
	return b.Log == log && (within || b.From == head.Size && b.Prev == head.Batch)
}

// Join returns the volume that stands for the batches, each of which has to
// continue the one before.
func Join(batches []*Batch) (*Batch, error) {
	v := *batches[0]
	v.Entries, v.Last = nil, batches[len(batches)-1].Name()
	prev := v.Prev
	for _, b := range batches {
		if b.Log != v.Log || b.From != v.End() || b.Prev != prev {
			return nil, protocol.Errorf(protocol.KindInternal, "the batch at %d does not continue the one before", b.From)
		}
		v.Entries, v.Root, prev = append(v.Entries, b.Entries...), b.Root, b.Name()
	}
	return &v, nil
}

// End returns the log's size after the batch.
func (b *Batch) End() uint64 { return b.From + uint64(len(b.Entries)) }
