// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// Type says what is sealed. The list is closed.
type Type uint8

// The types of sealed object.
const (
	TypeAccountSecret Type = 1  // wrap: the account secret of an epoch, to a holder
	TypeAccountLink   Type = 2  // box: the account secret of the epoch before
	TypeVaultSecrets  Type = 3  // box: a vault's secrets, under the account secret
	TypeWriterSecrets Type = 4  // wrap: a key that opens a writer's secrets for a vault
	TypeRunKey        Type = 5  // wrap: the key of a run, to a vault
	TypePack          Type = 6  // the keys of a pack
	TypeDetails       Type = 7  // box: what a snapshot record says to its owners
	TypeLabel         Type = 8  // box: the word people know something by
	TypeRecovery      Type = 9  // box: where an account is, under a recovery key
	TypeDevice        Type = 10 // box: a device's secrets at rest
	TypeAnchor        Type = 11 // box: the vault heads that an anchor commits to
)

// Context says where a sealed object belongs. All of it enters the key, so that
// nothing sealed for one place opens in another.
type Context struct {
	Account protocol.AccountID `cbor:"3,keyasint"`
	Vault   protocol.VaultID   `cbor:"4,keyasint"`
	Type    Type               `cbor:"5,keyasint"`
	ID      protocol.Hash      `cbor:"6,keyasint"` // of the object: a member, a run, zero where the type has one only
	Epoch   uint64             `cbor:"7,keyasint"`
	Parent  protocol.Hash      `cbor:"8,keyasint"` // the object it hangs on, zero where there is none
}

// bound is a context under its suite and version.
type bound struct {
	Suite   string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Context
}

// suite names every algorithm that a sealed object of this version uses.
const suite = "solekey/v1 HKDF-SHA256 AES-256-GCM MLKEM768-X25519"

// encode returns the bytes that enter key derivation and HPKE.
func (c Context) encode() []byte {
	if c.Type == 0 || c.Type > TypeAnchor {
		panic("solekey: internal error: a sealed object needs a type from the list")
	}
	return canonical.MustMarshal(bound{suite, protocol.FormatVersion, c})
}

// RunID32 returns a run's identifier in the width of Context.ID.
func RunID32(id protocol.RunID) (wide protocol.Hash) {
	copy(wide[:], id[:])
	return wide
}

// Sizes in bytes.
const (
	saltSize       = 32
	commitmentSize = 32
	tagSize        = 16
	nonceSize      = 12
)

// derive returns the one-time cipher and the commitment for a secret, salt and
// context. Salt and context together are never used twice, so one key seals one
// object and its nonces can count from zero. HKDF-SHA256 is collision-resistant
// in its whole output, so the commitment fixes secret, salt and context.
func derive(secret *keys.Secret, salt []byte, c Context) (cipher.AEAD, []byte) {
	out, err := hkdf.Key(sha256.New, secret.Expose(), salt, string(c.encode()), 32+commitmentSize)
	if err != nil {
		panic("solekey: internal error: derive: " + err.Error())
	}
	block, err := aes.NewCipher(out[:32])
	if err != nil {
		panic("solekey: internal error: aes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("solekey: internal error: gcm: " + err.Error())
	}
	return tapped(aead, out[:32]), out[32:]
}

// committed reports whether a stored commitment is the derived one.
func committed(stored, derived []byte) bool { return subtle.ConstantTimeCompare(stored, derived) == 1 }

// open is the one place where a derived key decrypts; its commitment was compared
// before.
func open(aead cipher.AEAD, number uint64, sealed, data []byte) ([]byte, error) {
	if testingOnlyOpen != nil {
		testingOnlyOpen()
	}
	return aead.Open(nil, nonce(number), sealed, data)
}

// testingOnlyOpen lets a test see that something is about to be decrypted.
var testingOnlyOpen func()

// errOpen is the one answer to everything that does not open, whatever the
// reason, so that a failure says nothing about a secret.
func errOpen(what string) error {
	return protocol.Errorf(protocol.KindUntrusted, "open %s: it was not sealed for this place with this key, or was changed", what)
}
