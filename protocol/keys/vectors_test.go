// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "keys",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(signVectors(t), badSignVectors(t), deriveVectors(t), publicVectors(t))
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"keys-sign":     checkSign,
			"keys-verify":   checkVerify,
			"keys-derive":   checkDerive,
			"keys-wrap":     checkWrapSeed,
			"keys-wrap-key": checkWrapKey,
			"keys-member":   checkMember,
		},
	})
}

func signVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	for i, p := range purposes {
		s, message := seeded(t, byte(0x10+i)), []byte("a message for "+p.String())
		k, sig := s.Public(), s.Sign(p, message)
		_, name, _ := strings.Cut(p.String(), "/v1/")
		list = append(list, vectors.New("keys-sign-"+name, "a signature: parts are the public key, the message, the signature", "keys-sign", vectors.Valid, k[:], message, sig[:]).
			With("purpose", p.String()).WithHex("seed", s.Expose()))
	}
	return list
}

// badSignVectors are signatures that must not verify.
func badSignVectors(t *testing.T) []*vectors.Vector {
	s, other := seeded(t, 0x20), seeded(t, 0x21)
	k, ko, message := s.Public(), other.Public(), []byte("a message")
	sig, foreign, signed := s.Sign(PurposePack, message), other.Sign(PurposePack, message), toSign(PurposePack, message)
	var list []*vectors.Vector
	bad := func(name, says string, k VerifyKey, message []byte, sig Signature) {
		list = append(list, vectors.New("keys-verify-bad-"+name, says, "keys-verify", string(protocol.KindUntrusted), k[:], message, sig[:]).
			With("purpose", PurposePack.String()))
	}
	half := func(classic, lattice []byte) (m Signature) {
		copy(m[:], slices.Concat(classic, lattice))
		return m
	}
	lattice := func(signed []byte, context string) []byte {
		out := make([]byte, mldsa65.SignatureSize)
		if err := mldsa65.SignTo(s.in.lift().lattice, signed, []byte(context), false, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	list = append(list, vectors.New("keys-verify-good", "the signature that the bad ones are made of", "keys-verify", vectors.Valid, k[:], message, sig[:]).With("purpose", PurposePack.String()))
	bad("message", "another message", k, []byte("a massage"), sig)
	bad("key", "another key", ko, message, sig)
	bad("purpose", "made for another purpose", k, message, s.Sign(PurposeSnapshot, message))
	bad("classic", "the Ed25519 half is by another key", k, message, half(foreign[:64], sig[64:]))
	bad("lattice", "the ML-DSA half is by another key", k, message, half(sig[:64], foreign[64:]))
	bad("no-classic", "the Ed25519 half is zeros", k, message, half(make([]byte, 64), sig[64:]))
	bad("no-lattice", "the ML-DSA half is zeros", k, message, half(sig[:64], make([]byte, mldsa65.SignatureSize)))
	bad("context", "the ML-DSA half has no context string", k, message, half(sig[:64], lattice(signed, "")))
	bad("bare", "both halves sign the message itself, without purpose and SHA-512", k, message,
		half(ed25519.Sign(s.in.lift().classic, message), lattice(message, mldsaContext)))
	bad("s", "S of the Ed25519 half is not reduced: the group's order was added", k, message, half(plusOrder(sig[:64]), sig[64:]))
	small := k
	copy(small[:32], append([]byte{1}, make([]byte, 31)...))
	bad("small-order", "the Ed25519 key is the neutral point, under which R = 1, S = 0 holds; the ML-DSA half is another's", small, message,
		half(append([]byte{1}, make([]byte, 63)...), foreign[64:]))
	return list
}

// plusOrder adds the group's order to S.
func plusOrder(classic []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	scalar := slices.Clone(classic[32:])
	slices.Reverse(scalar)
	sum := new(big.Int).Add(new(big.Int).SetBytes(scalar), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(classic[:32]), sum...)
}

func deriveVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	for name, c := range map[string]struct {
		label string
		ids   [][]byte
	}{
		"label":     {"solekey/v1/test", nil},
		"one":       {"solekey/v1/test", [][]byte{bytes.Repeat([]byte{1}, 16)}},
		"two":       {"solekey/v1/test", [][]byte{{1}, {2, 3}}},
		"two-other": {"solekey/v1/test", [][]byte{{1, 2}, {3}}},
	} {
		secret := sha256.Sum256([]byte("derive"))
		s, err := NewSecret(secret[:])
		if err != nil {
			t.Fatal(err)
		}
		v := vectors.New("keys-derive-"+name, "a secret derived from another: the part is what comes out", "keys-derive", vectors.Valid, s.Derive(c.label, c.ids...).Expose()).
			WithHex("secret", secret[:]).With("label", c.label).With("ids", fmt.Sprint(len(c.ids)))
		for i, id := range c.ids {
			v.WithHex(fmt.Sprintf("id-%d", i), id)
		}
		list = append(list, v)
	}
	return list
}

func publicVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	for i := range 2 {
		seed := sha256.Sum256([]byte{byte(i)})
		wrap, err := NewWrapSecret(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		public := wrap.Public()
		list = append(list, vectors.New(fmt.Sprintf("keys-wrap-%d", i), "a wrap key from its seed", "keys-wrap", vectors.Valid, public[:]).WithHex("seed", seed[:]))
		secret, err := NewSecret(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		m := NewMemberSecrets(secret, "solekey/v1/recovery")
		id := m.ID()
		list = append(list, vectors.New(fmt.Sprintf("keys-member-%d", i), "a member's key pairs from one secret: parts are the verify key and the wrap key", "keys-member", vectors.Valid,
			slices.Clone(m.Public().Verify[:]), slices.Clone(m.Public().Wrap[:])).
			WithHex("secret", seed[:]).With("label", "solekey/v1/recovery").WithHex("id", id[:]))
	}
	out := GenerateWrapSecret().Public()
	for i := range out {
		out[i] = 0xff
	}
	return append(list, vectors.New("keys-wrap-key-bad-range", "an ML-KEM half whose coefficients are out of range", "keys-wrap-key", string(protocol.KindUntrusted), out[:]))
}

// purposeOf finds the purpose that a header names.
func purposeOf(t *testing.T, v *vectors.Vector) Purpose {
	t.Helper()
	for _, p := range purposes {
		if p.String() == v.Text(t, "purpose") {
			return p
		}
	}
	t.Fatal("the purpose is not in the list")
	return Purpose{}
}

// signed reads the parts of a signature's vector.
func signed(t *testing.T, v *vectors.Vector) (*VerifyKey, []byte, *Signature) {
	t.Helper()
	if len(v.Parts) != 3 || len(v.Parts[0]) != VerifyKeySize || len(v.Parts[2]) != SignatureSize {
		t.Fatal("the parts are not key, message, signature")
	}
	return (*VerifyKey)(v.Parts[0]), v.Parts[1], (*Signature)(v.Parts[2])
}

func checkSign(t *testing.T, v *vectors.Vector) {
	k, message, sig := signed(t, v)
	s, err := NewSigningSecret(v.Hex(t, "seed"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Public() != *k || s.Sign(purposeOf(t, v), message) != *sig {
		t.Error("the seed gives another key or signature")
	}
	v.Expect(t, k.Verify(purposeOf(t, v), message, sig))
}

func checkVerify(t *testing.T, v *vectors.Vector) {
	k, message, sig := signed(t, v)
	v.Expect(t, k.Verify(purposeOf(t, v), message, sig))
}

func checkDerive(t *testing.T, v *vectors.Vector) {
	s, err := NewSecret(v.Hex(t, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	var ids [][]byte
	for i := 0; fmt.Sprint(i) != v.Text(t, "ids"); i++ {
		ids = append(ids, v.Hex(t, fmt.Sprintf("id-%d", i)))
	}
	if got := s.Derive(v.Text(t, "label"), ids...).Expose(); !bytes.Equal(got, v.Body(t)) {
		t.Errorf("derives %x", got)
	}
}

func checkWrapSeed(t *testing.T, v *vectors.Vector) {
	s, err := NewWrapSecret(v.Hex(t, "seed"))
	if !v.Expect(t, err) {
		return
	}
	if k := s.Public(); !bytes.Equal(k[:], v.Body(t)) {
		t.Error("the seed gives another key")
	}
}

func checkWrapKey(t *testing.T, v *vectors.Vector) {
	k := WrapKey(v.Body(t))
	v.Expect(t, k.Check())
}

func checkMember(t *testing.T, v *vectors.Vector) {
	s, err := NewSecret(v.Hex(t, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	m := NewMemberSecrets(s, v.Text(t, "label"))
	public, id := m.Public(), m.ID()
	if !bytes.Equal(public.Verify[:], v.Parts[0]) || !bytes.Equal(public.Wrap[:], v.Parts[1]) || hex.EncodeToString(id[:]) != v.Text(t, "id") {
		t.Error("the secret gives other keys")
	}
}

// FuzzVerify changes a byte of a good key and of a good signature, or the
// message: nothing panics, and nothing holds but what was signed.
func FuzzVerify(f *testing.F) {
	s := GenerateSigningSecret()
	public, signature := s.Public(), s.Sign(PurposePack, []byte("m"))
	f.Add(uint16(0), byte(0), uint16(0), byte(0), "m")
	f.Add(uint16(31), byte(0x80), uint16(63), byte(0x10), "m")
	f.Fuzz(func(t *testing.T, keyAt uint16, keyMask byte, sigAt uint16, sigMask byte, message string) {
		k, sig := public, signature
		k[int(keyAt)%VerifyKeySize] ^= keyMask
		sig[int(sigAt)%SignatureSize] ^= sigMask
		err := k.Verify(PurposePack, []byte(message), &sig)
		if good := keyMask == 0 && sigMask == 0 && message == "m"; good != (err == nil) {
			t.Fatalf("holds: %t, should: %t", err == nil, good)
		}
	})
}

// FuzzWrapKey gives bytes of a server's choice as a wrap key.
func FuzzWrapKey(f *testing.F) {
	k := GenerateWrapSecret().Public()
	f.Add(k[:])
	f.Fuzz(func(t *testing.T, raw []byte) {
		var k WrapKey
		copy(k[:], raw)
		if err := k.Check(); err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatal(err)
		}
	})
}
