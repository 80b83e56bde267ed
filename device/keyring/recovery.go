// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// RecoveryKeySize is the length of a recovery key in bytes: 160 bits.
const RecoveryKeySize = 20

// RecoveryKey is what the holder keeps on paper: it finds the account, opens it
// and may add a device to it. Everything is derived from it; nothing of it ever
// leaves the device but the locator.
type RecoveryKey struct {
	secret *keys.Secret
	raw    func() [RecoveryKeySize]byte // a function, so that no printer follows it
}

// GenerateRecoveryKey returns a new random recovery key.
func GenerateRecoveryKey() *RecoveryKey {
	var raw [RecoveryKeySize]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never fails
	return newRecoveryKey(raw)
}

func newRecoveryKey(raw [RecoveryKeySize]byte) *RecoveryKey {
	digest := sha256.Sum256(append([]byte("solekey/v1/recovery-key\x00"), raw[:]...))
	secret, err := keys.NewSecret(digest[:])
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return &RecoveryKey{secret: secret, raw: func() [RecoveryKeySize]byte { return raw }}
}

// Sizes of the written form: groups of letters and digits, the last of which is
// a checksum.
const (
	groupSize   = 4
	groups      = 9
	checkedSize = (groups - 1) * groupSize
)

var recoveryAlphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// Written returns the form that is printed: nine groups of four, A to Z and 2
// to 7, the last group a checksum of 20 bits.
func (k *RecoveryKey) Written() string {
	raw := k.raw()
	text := recoveryAlphabet.EncodeToString(raw[:])
	text += checksum(text)
	var parts []string
	for i := 0; i < len(text); i += groupSize {
		parts = append(parts, text[i:i+groupSize])
	}
	return strings.Join(parts, "-")
}

// String hides the key.
func (k RecoveryKey) String() string { return "(secret)" }

// Format hides the key whatever the verb.
func (k RecoveryKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText fails: a recovery key is only ever written by Written.
func (k RecoveryKey) MarshalText() ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindInternal, "a recovery key does not marshal")
}

func checksum(text string) string {
	digest := sha256.Sum256([]byte("solekey/v1/recovery-checksum\x00" + text))
	return recoveryAlphabet.EncodeToString(digest[:])[:groupSize]
}

// ParseRecoveryKey reads the written form; case, spaces and dashes do not
// matter, and 0, 1, 8 are read as O, I, B. The error is protocol.KindWrongSecret, and says where it is wrong only
// as far as the length goes.
func ParseRecoveryKey(written string) (*RecoveryKey, error) {
	drop := strings.NewReplacer("-", "", " ", "", "\t", "", "\n", "", "\r", "", "0", "O", "1", "I", "8", "B")
	text := strings.ToUpper(drop.Replace(written))
	if len(text) != groups*groupSize {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "a recovery key has %d letters and digits, this has %d", groups*groupSize, len(text))
	}
	body := text[:checkedSize]
	decoded, err := recoveryAlphabet.DecodeString(body)
	if err != nil || checksum(body) != text[checkedSize:] {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "the recovery key is mistyped: its last group does not fit the others")
	}
	return newRecoveryKey([RecoveryKeySize]byte(decoded)), nil
}

// Locator returns where the provider keeps the recovery box: random to whoever
// does not hold the key.
func (k *RecoveryKey) Locator() protocol.Hash {
	return protocol.Hash(k.secret.Derive("recovery/locator").Expose())
}

// Member returns the secrets by which the key is a member of the account.
func (k *RecoveryKey) Member() *keys.MemberSecrets {
	return keys.NewMemberSecrets(k.secret, "recovery/member")
}

// Place says where an account is. Coming back with nothing starts from it, and
// nothing else is believed.
//
// Growth: a field is only ever added with a new format version.
type Place struct {
	Account protocol.AccountID `cbor:"1,keyasint"`
	Server  string             `cbor:"2,keyasint"` // URL
	Pin     protocol.Hash      `cbor:"3,keyasint"` // of the server's TLS key; zero: a public certificate
	Name    string             `cbor:"4,keyasint"` // of the account at the provider
	// World is the world that the account's devices joined, whole: with nothing else
	// to go by, nobody could be asked for it.
	World []byte `cbor:"5,keyasint"`
}

// maxPlace keeps the box within what a provider keeps of one.
const maxPlace = 64<<10 - seal.BoxOverhead

// SealPlace boxes the place for the recovery key.
func (k *RecoveryKey) SealPlace(p *Place) []byte {
	return seal.Box(k.secret.Derive("recovery/box"), k.placeContext(), canonical.MustMarshal(p))
}

// OpenPlace opens a recovery box. A provider that answers with anything that was
// not sealed with this key gets protocol.KindUntrusted.
func (k *RecoveryKey) OpenPlace(box []byte) (*Place, error) {
	plain, err := seal.OpenBox(k.secret.Derive("recovery/box"), k.placeContext(), box)
	if err != nil {
		return nil, err
	}
	p := new(Place)
	if err := canonical.Unmarshal(plain, maxPlace, p); err != nil {
		return nil, err
	}
	if _, err := p.Joins(); err != nil {
		return nil, err
	}
	return p, nil
}

// Joins returns the world to join.
func (p *Place) Joins() (*directory.World, error) { return directory.ParseWorld(p.World) }

func (k *RecoveryKey) placeContext() seal.Context {
	return seal.Context{Type: seal.TypeRecovery, ID: k.Locator()}
}
