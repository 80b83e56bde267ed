// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
)

// ReassignDelay is how long, by the log's time, a Notice stands before it can be
// carried out.
const ReassignDelay = 30 * day

// day is a day in nanoseconds.
const day = protocol.Time(24 * 3600 * 1_000_000_000)

// errSecret is what every attempt to marshal a secret gets.
var errSecret = errors.New("a secret does not marshal")

// hidden makes the types that embed it print as hidden, refuse to marshal, and
// not comparable.
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

// UpdateSecret signs one version of one name. Whoever holds the account secret
// derives it, and nobody else.
type UpdateSecret struct {
	hidden
	seed *keys.Secret // of Ed25519
}

// DeriveUpdateSecret returns what signs the version of the account's name. The
// account secret is the one in force before the append that the update goes
// with, for version 1 the one in force after it.
func DeriveUpdateSecret(accountSecret *keys.Secret, account protocol.AccountID, version uint64) *UpdateSecret {
	return &UpdateSecret{seed: accountSecret.Derive("solekey/v1/directory-update", account[:], uint64Bytes(version))}
}

// Public returns the key that verifies what s signs.
func (s *UpdateSecret) Public() Key { return publicOf(s.seed) }

// KeyHash returns what a leaf holds of the key of its next version.
func KeyHash(key Key) protocol.Hash { return hash("solekey/v1/directory-key", key[:]) }

func publicOf(seed *keys.Secret) Key {
	return Key(ed25519.NewKeyFromSeed(seed.Expose()).Public().(ed25519.PublicKey))
}

func sign(seed *keys.Secret, message []byte) Signature {
	return Signature(ed25519.Sign(ed25519.NewKeyFromSeed(seed.Expose()), message))
}

// uint64Bytes returns n in eight bytes, big-endian.
func uint64Bytes(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// NewUpdate returns the update of a name to the version that commits to the
// opening, signed with that version's key. A next of nil closes the name for
// ever.
func NewUpdate(log *tlog.LogKey, index protocol.Hash, version uint64, o Opening, key, next *UpdateSecret) *Update {
	u := &Update{Index: index, Version: version, Commitment: Commit(index, version, o), Key: key.Public()}
	if next != nil {
		u.Next = KeyHash(next.Public())
	}
	u.Signature = sign(key.seed, u.signed(log.ID()))
	return u
}

// NewNotice returns the notice that the name, whose leaf has the version, is to
// be given to the identity of the opening. Key is the new identity's for
// version+1, next the one for the version after.
func NewNotice(log *tlog.LogKey, index protocol.Hash, version uint64, o Opening, key, next *UpdateSecret) *Notice {
	n := &Notice{Index: index, Version: version, Commitment: Commit(index, version+1, o), Key: key.Public(), Next: KeyHash(next.Public())}
	n.Signature = sign(key.seed, n.signed(log.ID()))
	return n
}

// named is what an Update and a Notice sign.
type named struct {
	Log        protocol.Hash `cbor:"1,keyasint"`
	Index      protocol.Hash `cbor:"2,keyasint"`
	Version    uint64        `cbor:"3,keyasint"`
	Commitment protocol.Hash `cbor:"4,keyasint"`
	Key        Key           `cbor:"5,keyasint"`
	Next       protocol.Hash `cbor:"6,keyasint,omitzero"`
}

// signed returns what the signature covers. The log is in it, so that nothing
// from one log counts in another.
func (u *Update) signed(log protocol.Hash) []byte {
	return toSign("solekey/v1/directory-update", named{log, u.Index, u.Version, u.Commitment, u.Key, u.Next})
}

func (n *Notice) signed(log protocol.Hash) []byte {
	return toSign("solekey/v1/directory-notice", named{log, n.Index, n.Version, n.Commitment, n.Key, n.Next})
}

// toSign returns the label, a zero byte and the encoding of v.
func toSign(label string, v any) []byte {
	return append(append([]byte(label), 0), canonical.MustMarshal(v)...)
}

// VerifySignature reports, as protocol.KindUntrusted, whether the entry should be
// signed in the log of this ID and is not, by the key that it names. Whether that
// key may sign it is for a Replay to say.
func (e *Entry) VerifySignature(log protocol.Hash) error {
	var ok bool
	switch {
	case e.Update != nil:
		ok = ed25519.Verify(e.Update.Key[:], e.Update.signed(log), e.Update.Signature[:])
	case e.Notice != nil:
		ok = ed25519.Verify(e.Notice.Key[:], e.Notice.signed(log), e.Notice.Signature[:])
	case e.Anchor != nil:
		ok = ed25519.Verify(e.Anchor.Key[:], e.Anchor.signed(log), e.Anchor.Signature[:])
	default:
		return nil
	}
	if !ok {
		return protocol.Errorf(protocol.KindUntrusted, "the %s is not signed with the key that it names", e.Kind())
	}
	return nil
}
