// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "vrf",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(proveVectors(t), badProofVectors(t), keyVectors(t))
		},
		Check: map[string]func(*testing.T, *vectors.Vector){"vrf-prove": checkProve, "vrf-verify": checkVerify, "vrf-key": checkKey},
	})
}

// input adds the input to a vector; the empty one has no line.
func input(v *vectors.Vector, alpha []byte) *vectors.Vector {
	if len(alpha) == 0 {
		return v
	}
	return v.WithHex("input", alpha)
}

func inputOf(t *testing.T, v *vectors.Vector) []byte {
	if _, ok := v.Lookup("input"); !ok {
		return nil
	}
	return v.Hex(t, "input")
}

func proveVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	prove := func(name, says string, seed, alpha []byte) {
		s := parse(t, seed)
		key := s.Public()
		proof, out := s.Prove(alpha)
		list = append(list, input(vectors.New("vrf-prove-"+name, says+": parts are key, proof and output", "vrf-prove", vectors.Valid, key[:], proof[:], out[:]).WithHex("seed", seed), alpha))
	}
	for _, c := range rfcCases {
		prove("rfc9381-"+c.name, "example "+c.name+" of RFC 9381", unhex(t, c.seed), unhex(t, c.alpha))
	}
	prove("name", "a name", bytes.Repeat([]byte{7}, SeedSize), []byte("alice"))
	prove("long", "an input of 1,000 bytes", bytes.Repeat([]byte{7}, SeedSize), bytes.Repeat([]byte{'x'}, 1000))
	return list
}

// order is the order of the group, as a number.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func badProofVectors(t *testing.T) []*vectors.Vector {
	s, alpha := parse(t, bytes.Repeat([]byte{7}, SeedSize)), []byte("alice")
	key := s.Public()
	good, _ := s.Prove(alpha)
	var list []*vectors.Vector
	bad := func(name, says string, alpha []byte, change func(p *Proof)) {
		p := good
		change(&p)
		list = append(list, input(vectors.New("vrf-verify-bad-"+name, says, "vrf-verify", string(protocol.KindUntrusted), key[:], p[:]), alpha))
	}
	list = append(list, input(vectors.New("vrf-verify-good", "the proof that the bad ones are made of: parts are key and proof", "vrf-verify", vectors.Valid, key[:], good[:]), alpha))
	bad("input", "another input", []byte("alicf"), func(*Proof) {})
	bad("no-input", "no input", nil, func(*Proof) {})
	bad("challenge", "another challenge", alpha, func(p *Proof) { p[40] ^= 1 })
	bad("scalar", "another scalar", alpha, func(p *Proof) { p[48] ^= 1 })
	bad("scalar-not-reduced", "the group's order was added to the scalar", alpha, func(p *Proof) {
		scalar := slices.Clone(p[48:])
		slices.Reverse(scalar)
		sum := new(big.Int).Add(new(big.Int).SetBytes(scalar), order).FillBytes(make([]byte, 32))
		slices.Reverse(sum)
		copy(p[48:], sum)
	})
	bad("point", "another point", alpha, func(p *Proof) { copy(p[:32], key[:]) })
	bad("no-point", "no point of the curve", alpha, func(p *Proof) { copy(p[:32], append([]byte{2}, make([]byte, 31)...)) })
	bad("neutral", "the neutral point", alpha, func(p *Proof) { copy(p[:32], append([]byte{1}, make([]byte, 31)...)) })
	bad("point-not-reduced", "the neutral point, written with p added", alpha, func(p *Proof) {
		copy(p[:32], append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 31)...))
		p[31] = 0x7f
	})
	bad("zeros", "zeros", alpha, func(p *Proof) { *p = Proof{} })
	return list
}

func keyVectors(t *testing.T) []*vectors.Vector {
	good := parse(t, bytes.Repeat([]byte{7}, SeedSize)).Public()
	list := []*vectors.Vector{vectors.New("vrf-key-good", "a key", "vrf-key", vectors.Valid, good[:])}
	bad := func(name, says string, k []byte) {
		list = append(list, vectors.New("vrf-key-bad-"+name, says, "vrf-key", string(protocol.KindUntrusted), k))
	}
	ones := bytes.Repeat([]byte{0xff}, 31)
	zeros := make([]byte, 31)
	bad("neutral", "the neutral point", append([]byte{1}, zeros...))
	bad("neutral-signed", "the neutral point with a sign that zero has not", append(append([]byte{1}, zeros[:30]...), 0x80))
	bad("neutral-not-reduced", "the neutral point, written with p added", append(append([]byte{0xee}, ones[:30]...), 0x7f))
	bad("order-2", "the point of order 2", append(append([]byte{0xec}, ones[:30]...), 0x7f))
	bad("order-4", "a point of order 4", make([]byte, 32))
	bad("order-8", "a point of order 8", unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
	bad("order-8-other", "another point of order 8", unhex(t, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"))
	bad("no-point", "no point of the curve", append([]byte{2}, zeros...))
	bad("ones", "ones", append([]byte{0xff}, ones...))
	return list
}

func checkProve(t *testing.T, v *vectors.Vector) {
	s := parse(t, v.Hex(t, "seed"))
	alpha := inputOf(t, v)
	key := s.Public()
	proof, out := s.Prove(alpha)
	got, err := key.Verify(alpha, &proof)
	if v.Expect(t, err) && (!bytes.Equal(key[:], v.Parts[0]) || !bytes.Equal(proof[:], v.Parts[1]) || !bytes.Equal(out[:], v.Parts[2]) || got != out) {
		t.Errorf("%s: proof %x, output %x", v.Name, proof, out)
	}
}

func checkVerify(t *testing.T, v *vectors.Vector) {
	key, proof := Key(v.Parts[0]), Proof(v.Parts[1])
	_, err := key.Verify(inputOf(t, v), &proof)
	v.Expect(t, err)
}

func checkKey(t *testing.T, v *vectors.Vector) {
	key := Key(v.Body(t))
	v.Expect(t, key.Check())
}
