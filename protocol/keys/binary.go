// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import "github.com/solekey/solekey/protocol"

// The public types of this package are long arrays, and the encoder of
// protocol/canonical takes an array byte by byte. What follows gives it the bytes
// at once; the encoding is the same, a byte string of that length.

// MarshalBinary returns the bytes of the key.
func (k VerifyKey) MarshalBinary() ([]byte, error) { return k[:], nil }

// UnmarshalBinary takes the bytes of a key, as many as it has.
func (k *VerifyKey) UnmarshalBinary(b []byte) error { return fill(k[:], b, "verify key") }

// MarshalBinary returns the bytes of the signature.
func (s Signature) MarshalBinary() ([]byte, error) { return s[:], nil }

// UnmarshalBinary takes the bytes of a signature, as many as it has.
func (s *Signature) UnmarshalBinary(b []byte) error { return fill(s[:], b, "signature") }

// MarshalBinary returns the bytes of the key.
func (k WrapKey) MarshalBinary() ([]byte, error) { return k[:], nil }

// UnmarshalBinary takes the bytes of a key, as many as it has.
func (k *WrapKey) UnmarshalBinary(b []byte) error { return fill(k[:], b, "wrap key") }

func fill(dst, b []byte, what string) error {
	if len(b) != len(dst) {
		return protocol.Errorf(protocol.KindUntrusted, "%s has %d bytes, want %d", what, len(b), len(dst))
	}
	copy(dst, b)
	return nil
}
