// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/ed25519"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"

	"github.com/solekey/solekey/protocol"
)

// Algorithm says how a witness signs.
type Algorithm byte

// The algorithms of tlog-cosignature, by the type in their vkey.
const (
	Ed25519 Algorithm = algCosignature
	MLDSA44 Algorithm = algMLDSA44
)

// String returns the algorithm's name.
func (a Algorithm) String() string {
	switch a {
	case Ed25519:
		return "Ed25519"
	case MLDSA44:
		return "ML-DSA-44"
	}
	return "algorithm(" + strconv.Itoa(int(a)) + ")"
}

// timeSize is the length of the time before the signature in a cosignature.
const timeSize = 8

// second is one in the units of protocol.Time.
const second = 1_000_000_000

// WitnessKey is the public key of a witness.
type WitnessKey struct {
	vkey    vkey
	lattice *mldsa44.PublicKey // for ML-DSA-44
}

// ParseWitnessKey reads a key from its vkey, of type 0x04 (Ed25519) or 0x06
// (ML-DSA-44).
func ParseWitnessKey(text string) (*WitnessKey, error) {
	v, err := parseVKey(text)
	if err != nil {
		return nil, err
	}
	switch v.alg {
	case algCosignature:
		if err := checkEd25519(v); err != nil {
			return nil, err
		}
		return &WitnessKey{vkey: v}, nil
	case algMLDSA44:
		k := &WitnessKey{vkey: v, lattice: new(mldsa44.PublicKey)}
		if err := k.lattice.UnmarshalBinary(v.key); err != nil {
			return nil, protocol.Errorf(protocol.KindUntrusted, "the key of witness %s is no ML-DSA-44 key: %v", v.name, err)
		}
		return k, nil
	}
	return nil, protocol.Errorf(protocol.KindUnsupported, "the key of witness %s has type %#02x, want %#02x (Ed25519) or %#02x (ML-DSA-44)", v.name, v.alg, algCosignature, algMLDSA44)
}

// Name returns the witness's name.
func (k *WitnessKey) Name() string { return k.vkey.name }

// Algorithm says how the witness signs.
func (k *WitnessKey) Algorithm() Algorithm { return Algorithm(k.vkey.alg) }

// String returns the vkey.
func (k *WitnessKey) String() string { return k.vkey.String() }

// VerifyCosignature returns the time of the witness's cosignature in a note, in
// whole seconds; of several the newest. It is false where there is none, where one
// does not hold, and where one says no time, for that does not say that the
// checkpoint was the newest. It says nothing about the log's own signature.
func (k *WitnessKey) VerifyCosignature(raw []byte) (protocol.Time, bool) {
	n, err := parseNote(raw)
	if err != nil {
		return 0, false
	}
	c, err := parseBody(n.text)
	if err != nil {
		return 0, false
	}
	at, err := k.verify(n, c)
	return at, err == nil && at > 0
}

// verify returns the newest time by this key, 0 for none or one that says no time,
// and an error if one of its signatures does not hold.
func (k *WitnessKey) verify(n *parsedNote, c Checkpoint) (protocol.Time, error) {
	var newest protocol.Time
	for _, sig := range n.by(k.vkey.name, k.vkey.id()) {
		if len(sig) < timeSize {
			return 0, protocol.Errorf(protocol.KindUntrusted, "the cosignature of witness %s is too short", k.Name())
		}
		seconds := binary.BigEndian.Uint64(sig)
		if seconds > math.MaxInt64 || !k.holds(n.text, c, seconds, sig[timeSize:]) {
			return 0, protocol.Errorf(protocol.KindUntrusted, "the cosignature of witness %s does not hold", k.Name())
		}
		newest = max(newest, timeOf(seconds))
	}
	return newest, nil
}

func (k *WitnessKey) holds(text []byte, c Checkpoint, seconds uint64, sig []byte) bool {
	if k.Algorithm() == MLDSA44 {
		return len(sig) == mldsa44.SignatureSize && mldsa44.Verify(k.lattice, latticeMessage(k.Name(), seconds, c), nil, sig)
	}
	return ed25519.Verify(k.vkey.key, classicMessage(seconds, text), sig)
}

// timeOf converts whole seconds; what lies beyond the last second of Time becomes that.
func timeOf(seconds uint64) protocol.Time {
	return protocol.Time(min(seconds, math.MaxInt64/second)) * second
}

// secondsOf is the other way; what lies before 1970 becomes 0, which verifies
// nowhere.
func secondsOf(at protocol.Time) uint64 { return uint64(max(at, 0)) / second }

// classicMessage is what an Ed25519 cosignature signs. It names no witness: see
// "one key, one witness" in spec/tlog.md.
func classicMessage(seconds uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// latticeMessage is what an ML-DSA-44 cosignature of a whole tree signs. It does
// not cover extension lines. Names and origins are at most MaxName bytes long.
func latticeMessage(witness string, seconds uint64, c Checkpoint) []byte {
	m := []byte("subtree/v1\n\x00")
	m = append(append(m, byte(len(witness))), witness...)
	m = binary.BigEndian.AppendUint64(m, seconds)
	m = append(append(m, byte(len(c.Origin))), c.Origin...)
	m = binary.BigEndian.AppendUint64(m, 0)
	m = binary.BigEndian.AppendUint64(m, c.Size)
	return append(m, c.Root[:]...)
}

// Accept picks this witness's line from what it answered, verifies it against the
// note that it was asked about, and returns it with its time. What else is in the
// answer is passed over.
func (k *WitnessKey) Accept(raw, answer []byte) ([]byte, protocol.Time, error) {
	lines, err := ParseLines(answer)
	if err != nil {
		return nil, 0, err
	}
	n, err := parseNote(raw)
	if err != nil {
		return nil, 0, err
	}
	c, err := parseBody(n.text)
	if err != nil {
		return nil, 0, err
	}
	n.lines = nil
	for _, text := range lines {
		l, err := parseLine(text)
		if err != nil {
			return nil, 0, err
		}
		if l.name != k.vkey.name || l.id != k.vkey.id() {
			continue
		}
		n.lines = []line{*l}
		at, err := k.verify(n, c)
		if err != nil {
			return nil, 0, err
		}
		return l.format(), at, nil
	}
	return nil, 0, protocol.Errorf(protocol.KindUntrusted, "the answer holds no cosignature of witness %s", k.Name())
}

// WitnessSecret makes cosignatures.
type WitnessSecret struct {
	hidden
	public *WitnessKey
	seed   func() []byte
}

// GenerateWitnessSecret returns a new key of the algorithm for the witness.
func GenerateWitnessSecret(name string, a Algorithm) (*WitnessSecret, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return newWitnessSecret(name, byte(a), newSeed())
}

func newWitnessSecret(name string, alg byte, seed []byte) (*WitnessSecret, error) {
	k := &WitnessKey{vkey: vkey{name: name, alg: alg}}
	switch alg {
	case algCosignature:
		k.vkey.key = ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	case algMLDSA44:
		k.lattice, _ = mldsa44.NewKeyFromSeed((*[seedSize]byte)(seed))
		k.vkey.key = k.lattice.Bytes()
	default:
		return nil, protocol.Errorf(protocol.KindUnsupported, "a witness has no keys of type %#02x", alg)
	}
	return &WitnessSecret{public: k, seed: func() []byte { return seed }}, nil
}

// ParseWitnessSecret reads what Expose returned.
func ParseWitnessSecret(text string) (*WitnessSecret, error) {
	name, alg, seed, err := parseSecret(text)
	if err != nil {
		return nil, err
	}
	s, err := newWitnessSecret(name, alg, seed)
	if err != nil {
		return nil, err
	}
	if s.Expose() != text {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the secret key of %s does not belong to its id", name)
	}
	return s, nil
}

// Expose returns the key as text. It is for the key's own file.
func (s *WitnessSecret) Expose() string { return formatSecret(s.public.vkey, s.seed()) }

// Public returns the public key.
func (s *WitnessSecret) Public() *WitnessKey { return s.public }

// Cosign returns the signature line of this witness for a note, which ends in a
// newline. c is the checkpoint that the caller verified in the note, and found to
// extend every one that it cosigned before; at is the witness's clock, of which
// whole seconds are kept.
func (s *WitnessSecret) Cosign(raw []byte, c Checkpoint, at protocol.Time) []byte {
	n, err := parseNote(raw)
	if err != nil {
		panic("solekey: internal error: cosign a note that was not verified: " + err.Error())
	}
	seconds := secondsOf(at)
	var sig []byte
	if s.public.Algorithm() == MLDSA44 {
		sig = make([]byte, mldsa44.SignatureSize)
		_, key := mldsa44.NewKeyFromSeed((*[seedSize]byte)(s.seed()))
		if err := mldsa44.SignTo(key, latticeMessage(s.public.Name(), seconds, c), nil, false, sig); err != nil {
			panic("solekey: internal error: cosign: " + err.Error())
		}
	} else {
		sig = ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), classicMessage(seconds, n.text))
	}
	l := line{name: s.public.vkey.name, id: s.public.vkey.id(), sig: append(binary.BigEndian.AppendUint64(nil, seconds), sig...)}
	return l.format()
}
