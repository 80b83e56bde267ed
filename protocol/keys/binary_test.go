// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"bytes"
	"encoding"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// TestBinary holds the encoding of the long arrays to that of byte strings, and their lengths to what they have.
func TestBinary(t *testing.T) {
	secret := keys.GenerateMemberSecrets()
	verify, wrap := secret.Signing.Public(), secret.Wrap.Public()
	signature := secret.Signing.Sign(keys.PurposeLedgerEntry, []byte("message"))
	cases := []struct {
		value, empty any
		bytes        []byte
	}{
		{verify, new(keys.VerifyKey), verify[:]},
		{wrap, new(keys.WrapKey), wrap[:]},
		{signature, new(keys.Signature), signature[:]},
	}
	for _, c := range cases {
		encoded := canonical.MustMarshal(c.value)
		if !bytes.Equal(encoded, canonical.MustMarshal(c.bytes)) {
			t.Errorf("%T is not encoded as its bytes", c.value)
		}
		if err := canonical.Unmarshal(encoded, len(encoded), c.empty); err != nil {
			t.Errorf("%T: %v", c.value, err)
		}
		if again, err := c.empty.(encoding.BinaryMarshaler).MarshalBinary(); err != nil || !bytes.Equal(again, c.bytes) {
			t.Errorf("%T comes back as something else: %v", c.value, err)
		}
		for _, wrong := range [][]byte{nil, c.bytes[1:], append([]byte{0}, c.bytes...)} {
			short := canonical.MustMarshal(wrong)
			if err := canonical.Unmarshal(short, len(short), c.empty); protocol.KindOf(err) != protocol.KindUntrusted {
				t.Errorf("%T of %d bytes: %v", c.value, len(wrong), err)
			}
		}
	}
}
