// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Head is the present state of a vault: the newest record of its chain of
// snapshots and the newest of its chain of generations. Numbers begin at 1; 0,
// with a zero hash, is an empty chain.
type Head struct {
	Seq            uint64        `json:"seq"`
	Hash           protocol.Hash `json:"hash"`
	Generation     uint64        `json:"generation"`
	GenerationHash protocol.Hash `json:"generation_hash"`
}

// HeadAnswer answers GET …/head. Statement is what the server signs of it, where
// the request asked for it.
type HeadAnswer struct {
	Head
	Statement []byte `json:"statement,omitempty"`
}

// PackState is what the server holds of a pack.
type PackState string

// The states of a pack.
const (
	PackAbsent  PackState = "absent"
	PackStored  PackState = "stored"
	PackRetired PackState = "retired" // kept for the retention, can be revived
	PackDropped PackState = "dropped" // gone; its name is not taken again
)

// StatRequest asks after packs.
type StatRequest struct {
	Packs []protocol.PackID `json:"packs"`
}

// StatResponse answers it in the same order.
type StatResponse struct {
	States []PackState `json:"states"`
}

// Read is one range of a pack: Offset and Length are multiples of BlockSize,
// the length may reach beyond the pack's end.
type Read struct {
	Pack   protocol.PackID `json:"pack"`
	Offset int64           `json:"offset"`
	Length int64           `json:"length"`
}

// Check refuses a read that is not of whole blocks.
func (r Read) Check() error {
	if r.Offset < 0 || r.Length <= 0 || r.Offset%BlockSize != 0 || r.Length%BlockSize != 0 || r.Offset > MaxPack || r.Length > MaxPack {
		return protocol.Errorf(protocol.KindUsage, "read of pack %s: %d+%d is no range of whole blocks of %d bytes", r.Pack, r.Offset, r.Length, BlockSize)
	}
	return nil
}

// BlocksRequest asks for ranges of packs.
type BlocksRequest struct {
	Reads []Read `json:"reads"`
}

// BlockStatus heads the answer to one read.
type BlockStatus uint8

// The statuses of a read.
const (
	BlockOK      BlockStatus = 0
	BlockAbsent  BlockStatus = 1 // not stored, or dropped; no bytes follow
	BlockRetired BlockStatus = 2 // served, but retired
)

// PackRecord is one pack in the listing of a vault, as canonical CBOR.
// Retired is 0 for a pack that is stored and not retired.
//
// Growth: this is an answer of the server that no signature covers; a change
// gets a new version of the interface.
type PackRecord struct {
	Cursor    uint64        `cbor:"1,keyasint"`
	Statement []byte        `cbor:"2,keyasint"`
	Received  protocol.Time `cbor:"3,keyasint"`
	Retired   protocol.Time `cbor:"4,keyasint"`
}

// MaxPackRecord bounds one encoded PackRecord.
const MaxPackRecord = MaxStatement + 64

// Marshal returns the canonical bytes.
func (r PackRecord) Marshal() []byte { return canonical.MustMarshal(r) }

// ParsePackRecord returns the record of its canonical bytes. Its statement is
// unverified.
func ParsePackRecord(data []byte) (PackRecord, error) {
	var r PackRecord
	if err := canonical.Unmarshal(data, MaxPackRecord, &r); err != nil {
		return PackRecord{}, err
	}
	return r, nil
}
