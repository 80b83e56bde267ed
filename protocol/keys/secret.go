// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
)

// SecretSize is the length of a Secret in bytes.
const SecretSize = 32

// errSecret is what every attempt to marshal a secret gets.
var errSecret = errors.New("a secret does not marshal")

// veil keeps a secret's bytes from whoever prints what holds the secret. In an
// unexported field of something printed, package fmt calls no method and prints
// the field as it is; a verb that does not fit a pointer makes it follow the
// first one. The second one it never follows.
type veil[T any] struct{ outer **T }

func veiled[T any](v *T) veil[T] { return veil[T]{&v} }

// lift returns what is behind the veil; it panics where there is nothing.
func (v veil[T]) lift() *T { return *v.outer }

// hidden makes the types that embed it print as hidden, refuse to marshal, and
// not comparable.
type hidden struct{ _ [0]func() }

// String returns a placeholder.
func (hidden) String() string { return "(secret)" }

// GoString returns a placeholder.
func (hidden) GoString() string { return "(secret)" }

// Format writes a placeholder whatever the verb, so that no verb reaches the
// bytes by reflection.
func (hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText fails.
func (hidden) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalJSON fails.
func (hidden) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalBinary fails.
func (hidden) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR fails.
func (hidden) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// Secret is a symmetric secret of 32 uniformly random bytes. The zero value is
// no secret: using it panics, so that nothing is ever sealed under zeros.
type Secret struct {
	hidden
	in veil[[SecretSize]byte]
}

// GenerateSecret returns a new random secret.
func GenerateSecret() *Secret {
	b := new([SecretSize]byte)
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return &Secret{in: veiled(b)}
}

// NewSecret returns the secret that b, of SecretSize bytes, holds.
func NewSecret(b []byte) (*Secret, error) {
	if len(b) != SecretSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "secret has %d bytes, want %d", len(b), SecretSize)
	}
	return &Secret{in: veiled((*[SecretSize]byte)(append([]byte(nil), b...)))}, nil
}

// Expose returns a copy of the bytes. It is for sealing and for the device's
// own secret file; whoever calls it answers for where the bytes go.
func (s *Secret) Expose() []byte { return append([]byte(nil), s.in.lift()[:]...) }

// Equal compares in constant time.
func (s *Secret) Equal(other *Secret) bool {
	return subtle.ConstantTimeCompare(s.in.lift()[:], other.in.lift()[:]) == 1
}

// Derive returns the secret that HKDF-SHA256 (RFC 5869) gives for the label,
// a constant of the caller, and the public identifiers that bind it. Each part
// is preceded by its length, so that no two lists of parts give one input.
func (s *Secret) Derive(label string, ids ...[]byte) *Secret {
	return &Secret{in: veiled((*[SecretSize]byte)(s.derive(label, SecretSize, ids)))}
}

func (s *Secret) derive(label string, size int, ids [][]byte) []byte {
	info := appendPart(nil, []byte("solekey/v1/derive"))
	info = appendPart(info, []byte(label))
	for _, id := range ids {
		info = appendPart(info, id)
	}
	key, err := hkdf.Key(sha256.New, s.in.lift()[:], nil, string(info), size)
	if err != nil {
		panic("solekey: internal error: derive: " + err.Error())
	}
	return key
}

// appendPart appends a length of four bytes, big-endian, and the part.
func appendPart(dst, part []byte) []byte {
	n := uint32(len(part))
	dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(dst, part...)
}
