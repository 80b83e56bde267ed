// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package canonical is the one strict byte encoding: nothing is hashed, signed
// or sealed that did not pass through it.
//
// The encoding is CBOR (RFC 8949) in its core deterministic form (section
// 4.2.1), restricted further: no floats, no tags, no indefinite lengths, no
// simple values but true and false, no text that is not UTF-8. Structures are
// maps whose keys are small integers. Marshal writes it; Unmarshal accepts only
// what Marshal would have written, byte for byte. See spec/canonical.md.
package canonical

import (
	"bytes"
	"encoding/binary"

	"github.com/fxamacker/cbor/v2"

	"github.com/solekey/solekey/protocol"
)

// Limits of every encoded value, whatever its type allows. A reader refuses
// what exceeds them before it allocates.
const (
	MaxNesting  = 16
	MaxElements = 1 << 17 // elements of one array
	MaxPairs    = 1 << 10 // pairs of one map
)

var encMode, decMode = modes()

// modes builds the two modes; their options are constants, so an error is ours.
func modes() (cbor.EncMode, cbor.DecMode) {
	enc, err := encOptions().EncMode()
	if err != nil {
		panic("solekey: internal error: canonical encoder: " + err.Error())
	}
	dec, err := decOptions().DecMode()
	if err != nil {
		panic("solekey: internal error: canonical decoder: " + err.Error())
	}
	return enc, dec
}

func encOptions() cbor.EncOptions {
	opts := cbor.CoreDetEncOptions()
	opts.TagsMd = cbor.TagsForbidden
	opts.NilContainers = cbor.NilContainerAsEmpty
	return opts
}

func decOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8RejectInvalid,
		IntDec:            cbor.IntDecConvertNone,
		MaxNestedLevels:   MaxNesting,
		MaxArrayElements:  MaxElements,
		MaxMapPairs:       MaxPairs,
	}
}

// Marshal returns the encoding of v. It fails only for types that have none: a
// float, a tag, or a nil pointer that is not omitted.
func Marshal(v any) ([]byte, error) {
	data, err := encMode.Marshal(v)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "encode %T", v)
	}
	if !plain(data) {
		return nil, protocol.Errorf(protocol.KindInternal, "encode %T: it holds a float, a null or a tag", v)
	}
	return data, nil
}

// MustMarshal is Marshal for types that are known to have an encoding; it
// panics where they have none, which is a bug of ours and never of the data.
func MustMarshal(v any) []byte {
	data, err := Marshal(v)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return data
}

// Unmarshal decodes data, of at most limit bytes, into the value v points to.
// It refuses, as protocol.KindUntrusted, whatever Marshal would not have
// written for the decoded value; v is then undefined and must not be used.
func Unmarshal(data []byte, limit int, v any) error {
	if len(data) > limit {
		return protocol.Errorf(protocol.KindUntrusted, "decode %T: %d bytes, at most %d allowed", v, len(data), limit)
	}
	if err := decMode.Unmarshal(data, v); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "decode %T", v)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "decode %T", v)
	}
	if !bytes.Equal(data, again) || !plain(data) {
		return protocol.Errorf(protocol.KindUntrusted, "decode %T: the encoding is not canonical", v)
	}
	return nil
}

// Version returns what an encoded map holds under the key 1, where that is an
// unsigned integer: the version of every format. It is for the error alone, to
// tell what a newer program wrote from what nobody should have written.
func Version(data []byte) (uint64, bool) {
	if len(data) < 3 || data[0] < 0xa1 || data[0] > 0xb7 || data[1] != 0x01 || data[2]>>5 != 0 {
		return 0, false
	}
	version, n := head(data[2:])
	return version, n > 0
}

// plain reports whether well-formed data of definite lengths holds no floats,
// no tags, and no simple values but true and false. The heads of all items
// follow each other, so that no nesting has to be kept.
func plain(data []byte) bool {
	for len(data) > 0 {
		major := data[0] >> 5
		value, n := head(data)
		switch {
		case n == 0 || major == 6 || major == 7 && data[0] != 0xf4 && data[0] != 0xf5:
			return false
		case major == 2 || major == 3:
			if value > uint64(len(data)-n) {
				return false
			}
			n += int(value)
		}
		data = data[n:]
	}
	return true
}

// head returns the argument of the item's head that data begins with and the
// head's length, 0 where data ends before it or its length is indefinite.
func head(data []byte) (uint64, int) {
	short := data[0] & 31
	if short < 24 {
		return uint64(short), 1
	}
	width := 1 << (short - 24)
	if short > 27 || len(data) < 1+width {
		return 0, 0
	}
	var wide [8]byte
	copy(wide[8-width:], data[1:1+width])
	return binary.BigEndian.Uint64(wide[:]), 1 + width
}
