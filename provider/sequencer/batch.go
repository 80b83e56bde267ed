// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Limits of one batch.
const (
	MaxBatchEntries = 5000     // besides the Roots
	MaxBatchSize    = 16 << 20 // bytes of an encoded batch
)

// batchVersion is the version of Batch.
const batchVersion = 1

// Batch is one run of entries that entered the log together, as the journal
// keeps it. The batches are a chain: from them alone the log, its tiles and the
// directory are rebuilt.
//
// Growth: a field is only ever added with a new Version.
type Batch struct {
	Version uint64        `cbor:"1,keyasint"`
	Log     protocol.Hash `cbor:"2,keyasint"`
	From    uint64        `cbor:"3,keyasint"` // position of the first entry
	Prev    protocol.Hash `cbor:"4,keyasint"` // name of the blob of the batch before; zero for the first
	Entries [][]byte      `cbor:"5,keyasint"` // the last is a Root
	Root    protocol.Hash `cbor:"6,keyasint"` // of the Merkle tree after them
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
	if len(b.Entries) == 0 || len(b.Entries) > MaxBatchEntries+2 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read batch of the log: %d entries", len(b.Entries))
	}
	return &b, nil
}

// Bytes returns the encoding.
func (b *Batch) Bytes() []byte { return canonical.MustMarshal(b) }

// End returns the log's size after the batch.
func (b *Batch) End() uint64 { return b.From + uint64(len(b.Entries)) }
