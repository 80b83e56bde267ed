// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"

	"filippo.io/edwards25519"

	"github.com/solekey/solekey/protocol"
)

// SeedSize is the length of a secret in bytes.
const SeedSize = 32

// errSecret is what every attempt to marshal a secret gets.
var errSecret = errors.New("a secret does not marshal")

// Secret computes the function. It prints as hidden and does not marshal.
type Secret struct {
	_  [0]func() // not comparable
	in **secret  // behind two pointers, which package fmt does not follow
}

// secret is what a Secret holds.
type secret struct {
	seed   [SeedSize]byte
	x      *edwards25519.Scalar
	prefix [32]byte // the half of the hashed seed that nonces come from
	public Key
}

// Generate returns a new random secret.
func Generate() *Secret {
	seed := make([]byte, SeedSize)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	s, err := Parse(seed)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return s
}

// Parse returns the secret that the seed, of SeedSize bytes, gives.
func Parse(seed []byte) (*Secret, error) {
	if len(seed) != SeedSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "VRF seed has %d bytes, want %d", len(seed), SeedSize)
	}
	in := &secret{seed: [SeedSize]byte(seed)}
	digest := sha512.Sum512(seed)
	x, err := new(edwards25519.Scalar).SetBytesWithClamping(digest[:32])
	if err != nil {
		panic("solekey: internal error: VRF seed: " + err.Error())
	}
	in.x = x
	copy(in.prefix[:], digest[32:])
	copy(in.public[:], new(edwards25519.Point).ScalarBaseMult(x).Bytes())
	return &Secret{in: &in}, nil
}

// Expose returns a copy of the seed, for the provider's own key file.
func (s *Secret) Expose() []byte { return append([]byte(nil), (*s.in).seed[:]...) }

// Public returns the key that verifies what s proves.
func (s *Secret) Public() Key { return (*s.in).public }

// Prove returns the output for the input and the proof of it. Both are
// determined by secret and input. What touches the secret takes constant time.
func (s *Secret) Prove(alpha []byte) (Proof, Output) {
	in := *s.in
	h := encodeToCurve(&in.public, alpha)
	gamma := new(edwards25519.Point).ScalarMult(in.x, h)
	k := in.nonce(h)
	c := challenge(&in.public, h, gamma, new(edwards25519.Point).ScalarBaseMult(k), new(edwards25519.Point).ScalarMult(k, h))

	var proof Proof
	copy(proof[:32], gamma.Bytes())
	copy(proof[32:48], c[:])
	copy(proof[48:], new(edwards25519.Scalar).MultiplyAdd(scalarOf(c[:]), in.x, k).Bytes())
	return proof, output(gamma)
}

// nonce derives the nonce of a proof as RFC 8032 does (RFC 9381, section
// 5.4.2.2): never the same one for two inputs, and no randomness that could fail.
func (s *secret) nonce(h *edwards25519.Point) *edwards25519.Scalar {
	hash := sha512.New()
	hash.Write(s.prefix[:])
	hash.Write(h.Bytes())
	k, err := new(edwards25519.Scalar).SetUniformBytes(hash.Sum(nil))
	if err != nil {
		panic("solekey: internal error: VRF nonce: " + err.Error())
	}
	return k
}

// String returns a placeholder.
func (Secret) String() string { return "(secret)" }

// GoString returns a placeholder.
func (Secret) GoString() string { return "(secret)" }

// Format writes a placeholder whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText fails.
func (Secret) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalJSON fails.
func (Secret) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalBinary fails.
func (Secret) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR fails.
func (Secret) MarshalCBOR() ([]byte, error) { return nil, errSecret }
