// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/hpke"
	"crypto/rand"

	"github.com/solekey/solekey/protocol"
)

// Sizes in bytes of a wrap secret's seed and of a wrap key.
const (
	WrapSeedSize = 32
	WrapKeySize  = 1216
)

// WrapKey is a public key to wrap secrets to: MLKEM768-X25519. It confers
// nothing by itself: what may be wrapped to it is decided by a folded ledger.
type WrapKey [WrapKeySize]byte

// WrapSecret opens what was wrapped to its public key.
type WrapSecret struct {
	hidden
	in veil[wrapping]
}

// wrapping is what a wrap secret holds.
type wrapping struct {
	seed    [WrapSeedSize]byte
	private hpke.PrivateKey
}

// GenerateWrapSecret returns a new random wrap secret.
func GenerateWrapSecret() *WrapSecret {
	seed := make([]byte, WrapSeedSize)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	s, err := NewWrapSecret(seed)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return s
}

// NewWrapSecret returns the secret that the seed, of WrapSeedSize bytes, gives.
func NewWrapSecret(seed []byte) (*WrapSecret, error) {
	if len(seed) != WrapSeedSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "wrap seed has %d bytes, want %d", len(seed), WrapSeedSize)
	}
	private, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "wrap seed")
	}
	return &WrapSecret{in: veiled(&wrapping{seed: [WrapSeedSize]byte(seed), private: private})}, nil
}

// Expose returns a copy of the seed, for the device's own secret file and for
// sealing a vault's secret to its members.
func (s *WrapSecret) Expose() []byte { return append([]byte(nil), s.in.lift().seed[:]...) }

// Private returns the key for protocol/seal, the only package that opens.
func (s *WrapSecret) Private() hpke.PrivateKey { return s.in.lift().private }

// Public returns the key that others wrap to.
func (s *WrapSecret) Public() WrapKey { return WrapKey(s.in.lift().private.PublicKey().Bytes()) }

// Check refuses bytes that are no public key of the suite.
func (k *WrapKey) Check() error {
	_, err := hpke.MLKEM768X25519().NewPublicKey(k[:])
	return protocol.Wrap(protocol.KindUntrusted, err, "wrap key")
}
