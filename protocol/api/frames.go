// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/solekey/solekey/protocol"
)

// AppendRecord appends one record to a body of records: u32 big-endian length,
// then the bytes.
func AppendRecord(body, record []byte) []byte {
	body = binary.BigEndian.AppendUint32(body, uint32(len(record)))
	return append(body, record...)
}

// ReadRecord reads the next record of a body, of at most limit bytes. It
// returns io.EOF exactly at the end of the body; a body that ends within a
// record is protocol.KindUntrusted.
func ReadRecord(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, endsWithin(err, "the length of a record")
	}
	size := binary.BigEndian.Uint32(head[:])
	if int64(size) > int64(limit) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read record: %d bytes, at most %d allowed", size, limit)
	}
	record := make([]byte, size)
	if _, err := io.ReadFull(r, record); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, endsWithin(err, "a record")
	}
	return record, nil
}

// endsWithin names a body that ends too early; other errors, and a clean end,
// stay what they are.
func endsWithin(err error, what string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return protocol.Errorf(protocol.KindUntrusted, "read records: the body ends within %s: %w", what, err)
	}
	return err
}

// BlockHead heads the answer to one read: one byte status, u64 big-endian length.
type BlockHead struct {
	Status BlockStatus
	Length int64
}

// BlockHeadSize is the size of an encoded BlockHead.
const BlockHeadSize = 9

// Append appends the encoded head.
func (h BlockHead) Append(body []byte) []byte {
	return binary.BigEndian.AppendUint64(append(body, byte(h.Status)), uint64(h.Length))
}

// ReadBlockHead reads the head of the next answer. The length never exceeds
// what a read may ask for.
func ReadBlockHead(r io.Reader) (BlockHead, error) {
	var raw [BlockHeadSize]byte
	if _, err := io.ReadFull(r, raw[:]); err != nil {
		return BlockHead{}, endsWithin(err, "the head of a read")
	}
	length := binary.BigEndian.Uint64(raw[1:])
	if length > MaxPack || raw[0] > byte(BlockRetired) {
		return BlockHead{}, protocol.Errorf(protocol.KindUntrusted, "read blocks: status %d with %d bytes", raw[0], length)
	}
	return BlockHead{Status: BlockStatus(raw[0]), Length: int64(length)}, nil
}
