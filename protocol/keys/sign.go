// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"github.com/solekey/solekey/protocol"
)

// Sizes in bytes of signing seeds, verify keys and signatures.
const (
	SigningSeedSize = ed25519.SeedSize + mldsa65.SeedSize
	VerifyKeySize   = ed25519.PublicKeySize + mldsa65.PublicKeySize
	SignatureSize   = ed25519.SignatureSize + mldsa65.SignatureSize
)

// mldsaContext is the context string of ML-DSA (FIPS 204, section 5.2). It
// keeps the ML-DSA half of a composite from verifying as a signature of its own.
const mldsaContext = "solekey/v1/composite"

// VerifyKey is a composite public key: Ed25519, then ML-DSA-65.
type VerifyKey [VerifyKeySize]byte

// Signature is a composite signature: Ed25519, then ML-DSA-65.
type Signature [SignatureSize]byte

// SigningSecret signs. It is made on the device that uses it and never leaves.
type SigningSecret struct {
	hidden
	in veil[signing]
}

// signing is what a signing secret holds.
type signing struct {
	seed    [SigningSeedSize]byte
	classic ed25519.PrivateKey
	lattice *mldsa65.PrivateKey
	public  VerifyKey
}

// GenerateSigningSecret returns a new random signing secret.
func GenerateSigningSecret() *SigningSecret {
	seed := make([]byte, SigningSeedSize)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	s, err := NewSigningSecret(seed)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return s
}

// NewSigningSecret returns the secret that the seed, of SigningSeedSize bytes
// (Ed25519's, then ML-DSA's), gives.
func NewSigningSecret(seed []byte) (*SigningSecret, error) {
	if len(seed) != SigningSeedSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "signing seed has %d bytes, want %d", len(seed), SigningSeedSize)
	}
	s := &signing{classic: ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize])}
	copy(s.seed[:], seed)
	public, private := mldsa65.NewKeyFromSeed((*[mldsa65.SeedSize]byte)(seed[ed25519.SeedSize:]))
	s.lattice = private
	copy(s.public[:], s.classic.Public().(ed25519.PublicKey))
	copy(s.public[ed25519.PublicKeySize:], public.Bytes())
	return &SigningSecret{in: veiled(s)}, nil
}

// Expose returns a copy of the seed, for the device's own secret file.
func (s *SigningSecret) Expose() []byte { return append([]byte(nil), s.in.lift().seed[:]...) }

// Public returns the key that verifies what s signs.
func (s *SigningSecret) Public() VerifyKey { return s.in.lift().public }

// Sign signs the message under the purpose. It is deterministic: a write that
// is retried after a crash carries the same bytes and stays idempotent.
func (s *SigningSecret) Sign(p Purpose, message []byte) Signature {
	signed := toSign(p, message)
	var sig Signature
	copy(sig[:], ed25519.Sign(s.in.lift().classic, signed))
	err := mldsa65.SignTo(s.in.lift().lattice, signed, []byte(mldsaContext), false, sig[ed25519.SignatureSize:])
	if err != nil {
		panic("solekey: internal error: sign: " + err.Error())
	}
	return sig
}

// Verify reports, as protocol.KindUntrusted, whether sig is no signature of k
// over the message under the purpose. Both halves must hold.
func (k *VerifyKey) Verify(p Purpose, message []byte, sig *Signature) error {
	return k.Verifier().Verify(p, message, sig)
}

// Verifier is a verify key made ready. Half the time of a verification goes into
// expanding the ML-DSA key, so whoever verifies much by one key keeps this. It
// is immutable and safe for concurrent use.
type Verifier struct {
	classic [ed25519.PublicKeySize]byte
	lattice mldsa65.PublicKey
}

// Verifier returns k made ready. Any bytes are a key; one that nobody has the
// secret of verifies nothing.
func (k *VerifyKey) Verifier() *Verifier {
	v := &Verifier{classic: [ed25519.PublicKeySize]byte(k[:])}
	v.lattice.Unpack((*[mldsa65.PublicKeySize]byte)(k[ed25519.PublicKeySize:]))
	return v
}

// Verify is VerifyKey.Verify.
func (v *Verifier) Verify(p Purpose, message []byte, sig *Signature) error {
	signed := toSign(p, message)
	if sig == nil ||
		!ed25519.Verify(v.classic[:], signed, sig[:ed25519.SignatureSize]) ||
		!mldsa65.Verify(&v.lattice, signed, []byte(mldsaContext), sig[ed25519.SignatureSize:]) {
		return protocol.Errorf(protocol.KindUntrusted, "verify %s: the signature does not hold", p)
	}
	return nil
}

// toSign returns what both halves sign: the purpose, one zero byte (no purpose
// holds one, so the purpose ends unambiguously), and SHA-512 of the message,
// so that a large message is read once.
func toSign(p Purpose, message []byte) []byte {
	if p.name == "" {
		panic("solekey: internal error: a signature needs a purpose")
	}
	digest := sha512.Sum512(message)
	return append(append([]byte(p.name), 0), digest[:]...)
}
