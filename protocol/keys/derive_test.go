// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// hkdfByHand is RFC 5869 with SHA-256, an empty salt and one block, written from
// the RFC alone.
func hkdfByHand(secret, info []byte, size int) []byte {
	mac := func(key, data []byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write(data)
		return h.Sum(nil)
	}
	prk := mac(make([]byte, 32), secret)
	var out, block []byte
	for i := byte(1); len(out) < size; i++ {
		block = mac(prk, append(append(bytes.Clone(block), info...), i))
		out = append(out, block...)
	}
	return out[:size]
}

// infoByHand lays the parts out as spec/keys.md says.
func infoByHand(parts ...[]byte) []byte {
	var info []byte
	for _, p := range parts {
		info = binary.BigEndian.AppendUint32(info, uint32(len(p)))
		info = append(info, p...)
	}
	return info
}

func TestDeriveIsWhatThePageSays(t *testing.T) {
	s, err := NewSecret(marked(SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][][]byte{nil, {{}}, {{1}}, {{1, 2}, {3}}} {
		parts := append([][]byte{[]byte("solekey/v1/derive"), []byte("a label")}, ids...)
		want := hkdfByHand(marked(SecretSize), infoByHand(parts...), SecretSize)
		if got := s.Derive("a label", ids...).Expose(); !bytes.Equal(got, want) {
			t.Errorf("ids %x: %x, want %x", ids, got, want)
		}
	}
}

// TestDeriveSeparates tries lists of parts that would give one input if they
// were only laid end to end.
func TestDeriveSeparates(t *testing.T) {
	s := GenerateSecret()
	seen := map[string]string{}
	for name, out := range map[string]*Secret{
		"label":            s.Derive("ab"),
		"label and part":   s.Derive("a", []byte("b")),
		"one part":         s.Derive("a", []byte("bc")),
		"two parts":        s.Derive("a", []byte("b"), []byte("c")),
		"an empty part":    s.Derive("ab", nil),
		"two empty parts":  s.Derive("ab", nil, nil),
		"an empty behind":  s.Derive("a", []byte("bc"), nil),
		"an empty before":  s.Derive("a", nil, []byte("bc")),
		"no label":         s.Derive("", []byte("ab")),
		"another secret":   GenerateSecret().Derive("ab"),
		"a length as part": s.Derive("a", []byte{0, 0, 0, 1, 'b'}),
	} {
		key := string(out.Expose())
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q give one secret", name, other)
		}
		seen[key] = name
	}
	if !s.Derive("a", []byte("b")).Equal(s.Derive("a", []byte("b"))) {
		t.Error("deriving twice gives two secrets")
	}
}

// TestWrapKeyByHand computes MLKEM768-X25519's public key from its seed by
// SHAKE256, ML-KEM and X25519 alone.
func TestWrapKeyByHand(t *testing.T) {
	for _, seed := range [][]byte{marked(WrapSeedSize), make([]byte, WrapSeedSize), GenerateWrapSecret().Expose()} {
		s, err := NewWrapSecret(seed)
		if err != nil {
			t.Fatal(err)
		}
		expanded := sha3.SumSHAKE256(seed, 96)
		kem, err := mlkem.NewDecapsulationKey768(expanded[:64])
		if err != nil {
			t.Fatal(err)
		}
		dh, err := ecdh.X25519().NewPrivateKey(expanded[64:])
		if err != nil {
			t.Fatal(err)
		}
		want := append(kem.EncapsulationKey().Bytes(), dh.PublicKey().Bytes()...)
		if got := s.Public(); !bytes.Equal(got[:], want) {
			t.Errorf("seed %x: another public key", seed)
		}
	}
}

// TestWrapKeyOfXWing is the first vector of the X-Wing draft: its seed, and how
// its public key begins.
func TestWrapKeyOfXWing(t *testing.T) {
	seed, err := hex.DecodeString("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewWrapSecret(seed)
	if err != nil {
		t.Fatal(err)
	}
	public := s.Public()
	if got := hex.EncodeToString(public[:16]); got != "e2236b35a8c24b39b10aa1323a96a919" {
		t.Errorf("the public key begins with %s", got)
	}
}

func TestWrapKeyCheck(t *testing.T) {
	good := GenerateWrapSecret().Public()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	range12 := good
	range12[0], range12[1] = 0xff, 0xff // a coefficient of ML-KEM above 3328
	if err := range12.Check(); err == nil {
		t.Error("an ML-KEM half out of range passes")
	}
	if (&MemberKeys{Wrap: good}).Check() != nil || (&MemberKeys{Wrap: range12}).Check() == nil {
		t.Error("a member's keys are checked otherwise")
	}
}

func TestMemberID(t *testing.T) {
	m, err := NewSecret(marked(SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	secrets := NewMemberSecrets(m, "test")
	public := secrets.Public()
	want := sha256.Sum256(bytes.Join([][]byte{[]byte("solekey/v1/member\x00"), public.Verify[:], public.Wrap[:]}, nil))
	if secrets.ID() != want || public.ID() != want {
		t.Errorf("the identifier is %s", secrets.ID())
	}
	signing, err := NewSigningSecret(hkdfByHand(marked(32), infoByHand([]byte("solekey/v1/derive"), []byte("test/signing")), SigningSeedSize))
	if err != nil || signing.Public() != public.Verify {
		t.Errorf("the signing half is not derived as the page says: %v", err)
	}
	wrap, err := NewWrapSecret(hkdfByHand(marked(32), infoByHand([]byte("solekey/v1/derive"), []byte("test/wrap")), WrapSeedSize))
	if err != nil || wrap.Public() != public.Wrap {
		t.Errorf("the wrap half is not derived as the page says: %v", err)
	}
	for at := range []int{0, 1, 2} {
		k := *public
		switch at {
		case 0:
			k.Verify[0] ^= 1
		case 1:
			k.Verify[VerifyKeySize-1] ^= 1
		case 2:
			k.Wrap[WrapKeySize-1] ^= 1
		}
		if k.ID() == want {
			t.Errorf("keys that differ at place %d have one identifier", at)
		}
	}
}
