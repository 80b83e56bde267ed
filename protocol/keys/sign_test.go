// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"filippo.io/mldsa"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"github.com/solekey/solekey/protocol"
)

var purposes = []Purpose{PurposeLedgerEntry, PurposePack, PurposeSnapshot, PurposeGeneration, PurposeSession}

func seeded(t *testing.T, fill byte) *SigningSecret {
	t.Helper()
	s, err := NewSigningSecret(bytes.Repeat([]byte{fill}, SigningSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSizes(t *testing.T) {
	if SigningSeedSize != 64 || VerifyKeySize != 1984 || SignatureSize != 3373 || WrapKeySize != 1216 || SecretSize != 32 {
		t.Error("a size is not the page's")
	}
}

func TestSignAndVerify(t *testing.T) {
	s := seeded(t, 1)
	k := s.Public()
	for _, message := range [][]byte{nil, {0}, []byte("a message"), make([]byte, 1<<20)} {
		for _, p := range purposes {
			sig := s.Sign(p, message)
			if err := k.Verify(p, message, &sig); err != nil {
				t.Errorf("%s: %v", p, err)
			}
			if sig != s.Sign(p, message) {
				t.Errorf("%s: signing twice gives two signatures", p)
			}
		}
	}
}

// untrusted holds an outcome of Verify to a refusal.
func untrusted(t *testing.T, what string, err error) {
	t.Helper()
	if protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("%s: %v", what, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	s, other := seeded(t, 1), seeded(t, 2)
	k, ko := s.Public(), other.Public()
	message := []byte("a message")
	sig, sigOther := s.Sign(PurposePack, message), other.Sign(PurposePack, message)
	mixed := func(classic, lattice *Signature) *Signature {
		m := *classic
		copy(m[ed25519.SignatureSize:], lattice[ed25519.SignatureSize:])
		return &m
	}
	untrusted(t, "another key", ko.Verify(PurposePack, message, &sig))
	untrusted(t, "another message", k.Verify(PurposePack, []byte("a massage"), &sig))
	untrusted(t, "no signature", k.Verify(PurposePack, message, nil))
	untrusted(t, "zeros", k.Verify(PurposePack, message, new(Signature)))
	untrusted(t, "a lattice half of another", k.Verify(PurposePack, message, mixed(&sig, &sigOther)))
	untrusted(t, "a classic half of another", k.Verify(PurposePack, message, mixed(&sigOther, &sig)))
	untrusted(t, "no lattice half", k.Verify(PurposePack, message, mixed(&sig, new(Signature))))
	untrusted(t, "no classic half", k.Verify(PurposePack, message, mixed(new(Signature), &sig)))
	mixedKey := k
	copy(mixedKey[ed25519.PublicKeySize:], ko[ed25519.PublicKeySize:])
	untrusted(t, "a key of two halves", mixedKey.Verify(PurposePack, message, &sig))
	untrusted(t, "a key of zeros", new(VerifyKey).Verify(PurposePack, message, &sig))
	for _, signed := range purposes {
		for _, asked := range purposes {
			sig := s.Sign(signed, message)
			if err := k.Verify(asked, message, &sig); (err == nil) != (signed == asked) {
				t.Errorf("signed for %s, asked for %s: %v", signed, asked, err)
			}
		}
	}
}

// TestEveryByteOfASignatureCounts flips bits all over a signature, a key and a
// message; the spots of the long halves are sampled.
func TestEveryByteOfASignatureCounts(t *testing.T) {
	s := seeded(t, 1)
	k, message := s.Public(), []byte("a message of some length")
	sig := s.Sign(PurposeSnapshot, message)
	for at := 0; at < SignatureSize; at += 1 + at/40 {
		changed := sig
		changed[at] ^= 1 << (at % 8)
		untrusted(t, "signature", k.Verify(PurposeSnapshot, message, &changed))
	}
	for at := 0; at < VerifyKeySize; at += 1 + at/20 {
		changed := k
		changed[at] ^= 1 << (at % 8)
		untrusted(t, "key", changed.Verify(PurposeSnapshot, message, &sig))
	}
	for at := range message {
		changed := bytes.Clone(message)
		changed[at] ^= 1
		untrusted(t, "message", k.Verify(PurposeSnapshot, changed, &sig))
	}
}

// TestAgainstSecondImplementation holds ML-DSA-65 to another implementation, in
// both directions, byte for byte.
func TestAgainstSecondImplementation(t *testing.T) {
	for fill := range byte(20) {
		s := seeded(t, fill)
		k, message := s.Public(), []byte{fill, 'm'}
		theirs, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), s.Expose()[ed25519.SeedSize:])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(theirs.PublicKey().Bytes(), k[ed25519.PublicKeySize:]) {
			t.Fatalf("seed %d: another public key", fill)
		}
		digest := sha512.Sum512(message)
		signed := slices.Concat([]byte("solekey/v1/pack\x00"), digest[:])
		opts := &mldsa.Options{Context: "solekey/v1/composite"}
		want, err := theirs.SignDeterministic(signed, opts)
		if err != nil {
			t.Fatal(err)
		}
		sig := s.Sign(PurposePack, message)
		if !bytes.Equal(sig[ed25519.SignatureSize:], want) {
			t.Errorf("seed %d: another signature", fill)
		}
		if err := mldsa.Verify(theirs.PublicKey(), signed, sig[ed25519.SignatureSize:], opts); err != nil {
			t.Errorf("seed %d: they refuse our signature: %v", fill, err)
		}
		hedged, err := theirs.Sign(nil, signed, opts)
		if err != nil {
			t.Fatal(err)
		}
		copy(sig[ed25519.SignatureSize:], hedged)
		if err := k.Verify(PurposePack, message, &sig); err != nil {
			t.Errorf("seed %d: we refuse their hedged signature: %v", fill, err)
		}
		if !ed25519.Verify(k[:ed25519.PublicKeySize], signed, sig[:ed25519.SignatureSize]) {
			t.Errorf("seed %d: the classic half is no Ed25519 signature of the signed bytes", fill)
		}
	}
}

// TestHalvesAreNoSignaturesOfTheirOwn shows that neither half passes for a
// signature over the bare message, and that a bare one does not pass for a half.
func TestHalvesAreNoSignaturesOfTheirOwn(t *testing.T) {
	s := seeded(t, 3)
	k, message := s.Public(), []byte("a message")
	sig := s.Sign(PurposePack, message)
	if ed25519.Verify(k[:ed25519.PublicKeySize], message, sig[:ed25519.SignatureSize]) {
		t.Error("the classic half signs the bare message")
	}
	signed := toSign(PurposePack, message)
	if mldsa65.Verify(&k.Verifier().lattice, signed, nil, sig[ed25519.SignatureSize:]) {
		t.Error("the lattice half is a signature without a context")
	}
	for name, context := range map[string][]byte{"no context": nil, "another context": []byte("solekey/v2/composite")} {
		foreign := sig
		if err := mldsa65.SignTo(s.in.lift().lattice, signed, context, false, foreign[ed25519.SignatureSize:]); err != nil {
			t.Fatal(err)
		}
		untrusted(t, name, k.Verify(PurposePack, message, &foreign))
	}
}

// TestNonCanonicalS adds the group's order to S: the same point equation holds,
// and a signature would have two forms.
func TestNonCanonicalS(t *testing.T) {
	order, ok := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	if !ok {
		t.Fatal("the order is no number")
	}
	s := seeded(t, 4)
	k, message := s.Public(), []byte("a message")
	sig := s.Sign(PurposePack, message)
	scalar := slices.Clone(sig[32:64])
	slices.Reverse(scalar)
	n := new(big.Int).SetBytes(scalar)
	for range 3 {
		n.Add(n, order)
		if n.BitLen() > 256 {
			break
		}
		b := n.FillBytes(make([]byte, 32))
		slices.Reverse(b)
		changed := sig
		copy(changed[32:64], b)
		untrusted(t, "S and the order", k.Verify(PurposePack, message, &changed))
	}
}

// smallOrder are encodings of the points of small order, two of them not
// canonical.
var smallOrder = [][32]byte{
	{0: 1},
	{},
	{31: 0x80},
	{0: 1, 31: 0x80},
	{0: 0xec, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff, 16: 0xff, 17: 0xff, 18: 0xff, 19: 0xff, 20: 0xff, 21: 0xff, 22: 0xff, 23: 0xff, 24: 0xff, 25: 0xff, 26: 0xff, 27: 0xff, 28: 0xff, 29: 0xff, 30: 0xff, 31: 0x7f},
}

// TestSmallOrder gives a key a classic half of small order, under which one
// Ed25519 signature holds for many messages. The composite still needs the
// lattice half, so nothing is forged but by who has its secret.
func TestSmallOrder(t *testing.T) {
	s := seeded(t, 5)
	honest, message := s.Public(), []byte("a message")
	sig := s.Sign(PurposePack, message)
	anything := 0
	for _, point := range smallOrder {
		k := honest
		copy(k[:], point[:])
		for _, r := range smallOrder {
			forged := sig
			copy(forged[:64], append(r[:], make([]byte, 32)...))
			untrusted(t, "an honest key", honest.Verify(PurposePack, message, &forged))
			if k.Verify(PurposePack, message, &forged) == nil {
				anything++
			}
			untrusted(t, "another message", k.Verify(PurposePack, []byte("another"), &forged))
		}
	}
	if anything == 0 {
		t.Error("no small-order key accepts anything: this test tests nothing")
	}
}

func TestPurposesAreClosedAndApart(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range purposes {
		name := p.String()
		if seen[name] || len(name) < len("solekey/v1/x") || name[:11] != "solekey/v1/" || bytes.ContainsRune([]byte(name), 0) {
			t.Errorf("purpose %q", name)
		}
		seen[name] = true
	}
	if f := reflect.TypeFor[Purpose]().Field(0); f.IsExported() {
		t.Error("another package can make a purpose")
	}
	defer func() {
		if recover() == nil {
			t.Error("a signature without a purpose")
		}
	}()
	seeded(t, 1).Sign(Purpose{}, nil)
}

func BenchmarkSign(b *testing.B) {
	s, message := GenerateSigningSecret(), make([]byte, 4096)
	for b.Loop() {
		s.Sign(PurposePack, message)
	}
}

func BenchmarkVerify(b *testing.B) {
	s, message := GenerateSigningSecret(), make([]byte, 4096)
	k, sig := s.Public(), s.Sign(PurposePack, message)
	b.Run("key", func(b *testing.B) {
		for b.Loop() {
			if err := k.Verify(PurposePack, message, &sig); err != nil {
				b.Fatal(err)
			}
		}
	})
	v := k.Verifier()
	b.Run("verifier", func(b *testing.B) {
		for b.Loop() {
			if err := v.Verify(PurposePack, message, &sig); err != nil {
				b.Fatal(err)
			}
		}
	})
}
