// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"bytes"
	"crypto/sha512"

	"filippo.io/edwards25519"

	"github.com/solekey/solekey/protocol"
)

// Sizes in bytes.
const (
	KeySize    = 32
	ProofSize  = 80
	OutputSize = 64

	challengeSize = 16
)

// The suite of RFC 9381, section 5.5, and the bytes that part its hashes.
const (
	suite = 0x03

	encodeFront    = 0x01
	challengeFront = 0x02
	outputFront    = 0x03
	back           = 0x00
)

// Key is a public key. Any bytes are one until Check or Verify looked at them.
type Key [KeySize]byte

// Proof shows that an output is the one that a key gives for an input: a point,
// a challenge, a scalar.
type Proof [ProofSize]byte

// Output is what the function gives: 64 bytes that nobody without the secret can
// tell from random ones before they see the proof.
type Output [OutputSize]byte

// Check refuses, as protocol.KindUntrusted, a key that is no point, that is not
// written in the one way, or that has small order: under such a key the holder
// could prove more than one output.
func (k *Key) Check() error {
	_, err := k.point()
	return err
}

// point is the full key validation of RFC 9381, section 5.4.5.
func (k *Key) point() (*edwards25519.Point, error) {
	p, ok := decode(k[:])
	if !ok {
		return nil, protocol.Errorf(protocol.KindUntrusted, "check VRF key: it is no point of the curve in its one form")
	}
	if isNeutral(new(edwards25519.Point).MultByCofactor(p)) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "check VRF key: it has small order")
	}
	return p, nil
}

// Verify returns the output that the proof shows for the input, or an error of
// protocol.KindUntrusted. All its inputs are public, so it may take its time as
// it comes.
func (k *Key) Verify(alpha []byte, proof *Proof) (Output, error) {
	y, err := k.point()
	if err != nil {
		return Output{}, err
	}
	if proof == nil {
		return Output{}, protocol.Errorf(protocol.KindUntrusted, "verify VRF proof: there is none")
	}
	gamma, ok := decode(proof[:32])
	if !ok {
		return Output{}, protocol.Errorf(protocol.KindUntrusted, "verify VRF proof: its point is none in its one form")
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(proof[48:])
	if err != nil {
		return Output{}, protocol.Errorf(protocol.KindUntrusted, "verify VRF proof: its scalar is not reduced")
	}
	c := scalarOf(proof[32:48])
	h := encodeToCurve(k, alpha)

	// U = s*B - c*Y and V = s*H - c*Gamma are what the prover committed to.
	minus := new(edwards25519.Scalar).Negate(c)
	u := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(minus, y, s)
	v := new(edwards25519.Point).VarTimeMultiScalarMult([]*edwards25519.Scalar{s, minus}, []*edwards25519.Point{h, gamma})
	if want := challenge(k, h, gamma, u, v); !bytes.Equal(want[:], proof[32:48]) {
		return Output{}, protocol.Errorf(protocol.KindUntrusted, "verify VRF proof: it does not hold")
	}
	return output(gamma), nil
}

// output is the hash of a proof's point, without the part of small order that a
// dishonest prover could have added to it.
func output(gamma *edwards25519.Point) Output {
	h := sha512.New()
	h.Write([]byte{suite, outputFront})
	h.Write(new(edwards25519.Point).MultByCofactor(gamma).Bytes())
	h.Write([]byte{back})
	return Output(h.Sum(nil))
}

// challenge hashes the five points of a proof.
func challenge(k *Key, points ...*edwards25519.Point) [challengeSize]byte {
	h := sha512.New()
	h.Write([]byte{suite, challengeFront})
	h.Write(k[:])
	for _, p := range points {
		h.Write(p.Bytes())
	}
	h.Write([]byte{back})
	return [challengeSize]byte(h.Sum(nil))
}

// encodeToCurve finds the point that belongs to an input, by trying and
// incrementing (RFC 9381, section 5.4.1.1). How often it tries depends on the
// input, which is no secret to whoever computes it. One try in two fails: that
// all 256 do is not to be expected before the end of the world.
func encodeToCurve(k *Key, alpha []byte) *edwards25519.Point {
	for ctr := range 256 {
		h := sha512.New()
		h.Write([]byte{suite, encodeFront})
		h.Write(k[:])
		h.Write(alpha)
		h.Write([]byte{byte(ctr), back})
		p, ok := decode(h.Sum(nil)[:32])
		if !ok {
			continue
		}
		if p.MultByCofactor(p); !isNeutral(p) {
			return p
		}
	}
	panic("solekey: internal error: no point of the curve in 256 tries")
}

// decode reads a point as RFC 8032, section 5.1.3, does: only in the form in
// which it is written, which the library below does not demand.
func decode(b []byte) (*edwards25519.Point, bool) {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || !bytes.Equal(p.Bytes(), b) {
		return nil, false
	}
	return p, true
}

func isNeutral(p *edwards25519.Point) bool {
	return p.Equal(edwards25519.NewIdentityPoint()) == 1
}

// scalarOf reads a challenge, which is always below the group's order.
func scalarOf(c []byte) *edwards25519.Scalar {
	var wide [32]byte
	copy(wide[:], c)
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(wide[:])
	if err != nil {
		panic("solekey: internal error: VRF challenge: " + err.Error())
	}
	return s
}
