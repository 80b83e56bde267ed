// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/solekey/solekey/protocol"
)

func TestSecretHides(t *testing.T) {
	s := parse(t, bytes.Repeat([]byte("secret.."), 4))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{s, *s} {
			if text := fmt.Sprintf(verb, v); text != "(secret)" {
				t.Errorf("%s prints %q", verb, text)
			}
		}
		inside := fmt.Sprintf(verb, struct{ s *Secret }{s}) + fmt.Sprintf(verb, struct{ s Secret }{*s})
		if strings.Contains(inside, "secret..") || strings.Contains(inside, "7365637265742e2e") || strings.Contains(inside, "115 101 99") {
			t.Errorf("%s inside something else prints %q", verb, inside)
		}
	}
	if text, err := json.Marshal(s); err == nil {
		t.Errorf("marshals as %s", text)
	}
	if _, err := s.MarshalText(); err == nil {
		t.Error("marshals as text")
	}
	if _, err := s.MarshalBinary(); err == nil {
		t.Error("marshals as bytes")
	}
	if _, err := s.MarshalCBOR(); err == nil {
		t.Error("marshals as CBOR")
	}
}

func TestParseAndExpose(t *testing.T) {
	for range 3 {
		s := Generate()
		again := parse(t, s.Expose())
		if again.Public() != s.Public() {
			t.Error("what was exposed gives another secret")
		}
		key := s.Public()
		if err := key.Check(); err != nil {
			t.Error(err)
		}
	}
	if one, other := Generate(), Generate(); one.Public() == other.Public() {
		t.Error("two secrets are the same")
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := Parse(make([]byte, n)); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("a seed of %d bytes: %v", n, err)
		}
	}
	s := Generate()
	s.Expose()[0] ^= 1
	if parse(t, s.Expose()).Public() != s.Public() {
		t.Error("what was exposed can be written to")
	}
}

// TestOneOutput: the holder of the secret can make other proofs, with a point of
// small order added, but no other output.
func TestOneOutput(t *testing.T) {
	s := parse(t, bytes.Repeat([]byte{9}, SeedSize))
	in, alpha := *s.in, []byte("alice")
	honest, want := s.Prove(alpha)
	torsion, err := new(edwards25519.Point).SetBytes(unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
	if err != nil {
		t.Fatal(err)
	}
	h := encodeToCurve(&in.public, alpha)
	gamma := new(edwards25519.Point).Add(new(edwards25519.Point).ScalarMult(in.x, h), torsion)
	verified := 0
	for i := range byte(64) {
		// One in eight challenges is a multiple of 8, and hides what was added.
		k, err := new(edwards25519.Scalar).SetUniformBytes(bytes.Repeat([]byte{i + 1}, 64))
		if err != nil {
			t.Fatal(err)
		}
		c := challenge(&in.public, h, gamma, new(edwards25519.Point).ScalarBaseMult(k), new(edwards25519.Point).ScalarMult(k, h))
		var proof Proof
		copy(proof[:32], gamma.Bytes())
		copy(proof[32:48], c[:])
		copy(proof[48:], new(edwards25519.Scalar).MultiplyAdd(scalarOf(c[:]), in.x, k).Bytes())
		got, err := in.public.Verify(alpha, &proof)
		if err != nil {
			continue
		}
		verified++
		if got != want || proof == honest {
			t.Fatalf("another proof gives another output: %x", got)
		}
	}
	if verified == 0 {
		t.Error("none of the other proofs verifies: this test shows nothing")
	}
}

// FuzzVerify holds that no proof but honest ones gives an output, and nothing
// falls over.
func FuzzVerify(f *testing.F) {
	s := parse(f, bytes.Repeat([]byte{9}, SeedSize))
	key := s.Public()
	for _, alpha := range []string{"", "alice", "bob"} {
		proof, _ := s.Prove([]byte(alpha))
		f.Add(key[:], []byte(alpha), proof[:])
	}
	f.Fuzz(func(t *testing.T, k, alpha, p []byte) {
		if len(k) != KeySize || len(p) != ProofSize {
			return
		}
		fuzzed, proof := Key(k), Proof(p)
		got, err := fuzzed.Verify(alpha, &proof)
		if err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatal(err)
		}
		if _, want := s.Prove(alpha); err == nil && fuzzed == key && got != want {
			t.Fatalf("another output: %x", got)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	s := Generate()
	for b.Loop() {
		s.Prove([]byte("alice"))
	}
}

func BenchmarkVerify(b *testing.B) {
	s := Generate()
	key := s.Public()
	proof, _ := s.Prove([]byte("alice"))
	for b.Loop() {
		if _, err := key.Verify([]byte("alice"), &proof); err != nil {
			b.Fatal(err)
		}
	}
}
