// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/ed25519"
	"encoding/hex"

	"github.com/solekey/solekey/protocol"
)

// smallOrder are the y-coordinates, without the sign bit, of the points whose
// order divides eight, the last two not reduced. Under such a key somebody who
// holds no secret can make signatures.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// checkEd25519 refuses keys of a wrong length or of small order.
func checkEd25519(v vkey) error {
	if len(v.key) != ed25519.PublicKeySize {
		return protocol.Errorf(protocol.KindUntrusted, "the key of %s has %d bytes, want %d", v.name, len(v.key), ed25519.PublicKeySize)
	}
	y := [ed25519.PublicKeySize]byte(v.key)
	y[31] &= 0x7f
	for _, bad := range smallOrder {
		if hex.EncodeToString(y[:]) == bad {
			return protocol.Errorf(protocol.KindUntrusted, "the key of %s is of small order: anybody could sign under it", v.name)
		}
	}
	return nil
}
