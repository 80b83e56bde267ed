// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// SeedSize is the length of what a Secret is made from.
const SeedSize = ed25519.SeedSize

// Key verifies statements: Ed25519 (RFC 8032). The first entry of a provider's log
// names it, so that whoever holds the log knows whose statements these are. Any
// bytes are a key; one that nobody has the secret of verifies nothing.
type Key [ed25519.PublicKeySize]byte

// String returns the key in lower-case hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// IsZero reports whether every byte is zero, which is no key.
func (k Key) IsZero() bool { return k == Key{} }

// errSecret is what every attempt to marshal a secret gets.
var errSecret = errors.New("a secret does not marshal")

// Secret signs statements. It prints as hidden, does not marshal, and cannot be
// compared. The seed is in a function, into which nothing that prints can look.
type Secret struct {
	_    [0]func()
	seed func() []byte
}

// Generate returns a new random secret.
func Generate() *Secret {
	seed := make([]byte, SeedSize)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	return &Secret{seed: func() []byte { return seed }}
}

// ParseSecret returns the secret that a seed of SeedSize bytes gives.
func ParseSecret(seed []byte) (*Secret, error) {
	if len(seed) != SeedSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "seed of a statement key has %d bytes, want %d", len(seed), SeedSize)
	}
	own := append([]byte(nil), seed...)
	return &Secret{seed: func() []byte { return own }}, nil
}

// Expose returns a copy of the seed, for the provider's own key file.
func (s *Secret) Expose() []byte { return append([]byte(nil), s.seed()...) }

// Public returns the key that verifies what s signs.
func (s *Secret) Public() Key {
	return Key(ed25519.NewKeyFromSeed(s.seed()).Public().(ed25519.PublicKey))
}

// Format writes a placeholder whatever the verb.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText fails.
func (s *Secret) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalJSON fails.
func (s *Secret) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalBinary fails.
func (s *Secret) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR fails.
func (s *Secret) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// Signed is a statement whose signature held under Key, or that was just signed.
// Only Verify and Sign make one; it is immutable.
type Signed struct {
	s   Statement
	key Key
	raw []byte
}

// envelope is a signed statement as it travels.
//
// Growth: none of its own; what is added is added to the statement.
type envelope struct {
	Statement Statement `cbor:"1,keyasint"`
	Signature [64]byte  `cbor:"2,keyasint"`
}

// Sign sets the version and signs. A statement that no reader would take is
// protocol.KindInternal. Signing is deterministic.
func (s *Secret) Sign(st Statement) (*Signed, error) {
	st.Version = protocol.FormatVersion
	if err := st.check(); err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "sign statement")
	}
	e := envelope{Statement: st}
	copy(e.Signature[:], ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), st.signed()))
	return &Signed{s: st, key: s.Public(), raw: canonical.MustMarshal(&e)}, nil
}

// parse reads the form and verifies nothing.
func parse(raw []byte) (*envelope, error) {
	var e envelope
	if v, ok := version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse statement: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxSize, &e); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse statement")
	}
	if e.Statement.Version != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse statement: version %d is not known here", e.Statement.Version)
	}
	return &e, e.Statement.check()
}

// version returns the version of the statement inside the envelope.
func version(raw []byte) (uint64, bool) {
	if len(raw) < 2 || raw[0] != 0xa2 || raw[1] != 0x01 {
		return 0, false
	}
	return canonical.Version(raw[2:])
}

// Verify returns the statement that raw holds and k signed.
func (k Key) Verify(raw []byte) (*Signed, error) {
	e, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(k[:], e.Statement.signed(), e.Signature[:]) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "verify statement: the signature does not hold")
	}
	return &Signed{s: e.Statement, key: k, raw: append([]byte(nil), raw...)}, nil
}

// Statement returns a copy of what was signed.
func (s *Signed) Statement() Statement { return s.s }

// Key returns the key that signed.
func (s *Signed) Key() Key { return s.key }

// Bytes returns the encoding, which must not be changed.
func (s *Signed) Bytes() []byte { return s.raw }

// Question is what a client asks when it wants to know what is newest.
type Question struct {
	Log     protocol.Hash
	Kind    Kind // KindLedger or KindVault
	Account protocol.AccountID
	Vault   protocol.VaultID // KindVault
	Nonce   [16]byte         // random, one for each question
	// After is the time of the newest statement on the subject that the client
	// holds, and no less than what it knows of time otherwise: by it, what the
	// provider says now can be held against what it said then.
	After protocol.Time
}

// Answers demands, as protocol.KindUntrusted, that the statement is the answer to
// the question: about its subject, with its nonce, and that the provider looked
// after the moment that it names.
func (s *Signed) Answers(q Question) error {
	bad := func(why string) error {
		return protocol.Errorf(protocol.KindUntrusted, "statement about a %s: %s", q.Kind, why)
	}
	switch {
	case s.s.Subject() != Subject{Log: q.Log, Kind: q.Kind, Account: q.Account, Vault: q.Vault}:
		return bad("it is about something else")
	case q.Nonce == [16]byte{} || s.s.Nonce != q.Nonce:
		return bad("it does not answer this question")
	case s.s.Since <= q.After:
		return bad("it speaks of a time before the newest that is known here")
	}
	return nil
}
