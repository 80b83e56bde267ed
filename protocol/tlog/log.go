// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
)

// seedSize is the length of the seed of each kind of key here.
const seedSize = 32

// LogKey is the public key of a log. Its name is the log's origin.
type LogKey struct{ vkey vkey }

// ParseLogKey reads a key from its vkey, of type 0x01 (Ed25519).
func ParseLogKey(text string) (*LogKey, error) {
	v, err := parseVKey(text)
	if err != nil {
		return nil, err
	}
	if v.alg != algEd25519 {
		return nil, protocol.Errorf(protocol.KindUnsupported, "the key of log %s has type %#02x, want %#02x (Ed25519)", v.name, v.alg, algEd25519)
	}
	if err := checkEd25519(v); err != nil {
		return nil, err
	}
	return &LogKey{v}, nil
}

// Origin returns the log's name, the first line of its checkpoints.
func (k *LogKey) Origin() string { return k.vkey.name }

// String returns the vkey.
func (k *LogKey) String() string { return k.vkey.String() }

// ID returns what stands for this log in signed things: the hash of its vkey, and
// so of its name and its key.
func (k *LogKey) ID() protocol.Hash {
	return sha256.Sum256([]byte("solekey/v1/log-key\x00" + k.String()))
}

// Verify returns the checkpoint in a note if the log signed it. It says nothing
// about witnesses: that is Policy.Verify.
func (k *LogKey) Verify(raw []byte) (Checkpoint, error) {
	n, err := parseNote(raw)
	if err != nil {
		return Checkpoint{}, err
	}
	return k.verify(n)
}

// Bare returns a note that the log signed without all signatures but the log's
// first: what is kept of it, or shown as evidence.
func (k *LogKey) Bare(raw []byte) ([]byte, error) {
	n, err := parseNote(raw)
	if err != nil {
		return nil, err
	}
	if _, err := k.verify(n); err != nil {
		return nil, err
	}
	l := line{name: k.vkey.name, id: k.vkey.id(), sig: n.by(k.vkey.name, k.vkey.id())[0]}
	n.lines = []line{l}
	return n.format()
}

func (k *LogKey) verify(n *parsedNote) (Checkpoint, error) {
	c, err := parseBody(n.text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != k.Origin() {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "checkpoint is of log %q, want %q", c.Origin, k.Origin())
	}
	sigs := n.by(k.vkey.name, k.vkey.id())
	if len(sigs) == 0 {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "checkpoint is not signed by log %s", k.Origin())
	}
	for _, sig := range sigs {
		if !ed25519.Verify(k.vkey.key, n.text, sig) {
			return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "the signature of log %s does not hold", k.Origin())
		}
	}
	return c, nil
}

// errSecret is what every attempt to marshal a secret gets.
var errSecret = errors.New("a secret does not marshal")

// hidden makes the types that embed it print as hidden, refuse to marshal, and
// not comparable. They keep the secret in a function, into which nothing that
// prints or reflects can look.
type hidden struct{ _ [0]func() }

// String returns a placeholder.
func (hidden) String() string { return "(secret)" }

// GoString returns a placeholder.
func (hidden) GoString() string { return "(secret)" }

// Format writes a placeholder whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText fails.
func (hidden) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalJSON fails.
func (hidden) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalBinary fails.
func (hidden) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR fails.
func (hidden) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// LogSecret signs the checkpoints of a log.
type LogSecret struct {
	hidden
	public *LogKey
	seed   func() []byte
}

// GenerateLogSecret returns a new key for the log of this origin.
func GenerateLogSecret(origin string) (*LogSecret, error) {
	if err := checkName(origin); err != nil {
		return nil, err
	}
	return newLogSecret(origin, newSeed()), nil
}

// newSeed returns fresh random bytes for a key.
func newSeed() []byte {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	return seed
}

func newLogSecret(origin string, seed []byte) *LogSecret {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return &LogSecret{public: &LogKey{vkey{origin, algEd25519, public}}, seed: func() []byte { return seed }}
}

// ParseLogSecret reads what Expose returned.
func ParseLogSecret(text string) (*LogSecret, error) {
	name, alg, seed, err := parseSecret(text)
	if err != nil {
		return nil, err
	}
	if alg != algEd25519 {
		return nil, protocol.Errorf(protocol.KindUnsupported, "secret key of log %s has type %#02x, want %#02x (Ed25519)", name, alg, algEd25519)
	}
	s := newLogSecret(name, seed)
	if s.Expose() != text {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the secret key of %s does not belong to its id", name)
	}
	return s, nil
}

// Expose returns the key in the text form that golang.org/x/mod/sumdb/note uses.
// It is for the key's own file.
func (s *LogSecret) Expose() string { return formatSecret(s.public.vkey, s.seed()) }

// Public returns the public key.
func (s *LogSecret) Public() *LogKey { return s.public }

// Sign returns the note over the checkpoint with the log's one signature line.
// The origin is the key's, whatever c says. Whoever calls it has made sure that
// this log never signed another root at this size.
func (s *LogSecret) Sign(c Checkpoint) []byte {
	c.Origin = s.public.Origin()
	body := c.Body()
	sig := ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), body)
	l := line{name: s.public.vkey.name, id: s.public.vkey.id(), sig: sig}
	return append(append(body, '\n'), l.format()...)
}
