// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/rand"
	"encoding/json"

	"golang.org/x/crypto/argon2"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// passphraseKeeper derives the key from a passphrase with Argon2id.
type passphraseKeeper struct {
	ask func() ([]byte, error)
}

// argonParameters stand beside the box, so that later versions can raise them.
type argonParameters struct {
	KDF    string `json:"kdf"`
	Memory uint32 `json:"memory_kib"`
	Time   uint32 `json:"time"`
	Lanes  uint8  `json:"lanes"`
	Salt   []byte `json:"salt"`
}

// What new boxes use, and what is accepted: whoever can write the file must be
// able neither to make guessing cheap nor to make this machine run out of memory.
const (
	argonName       = "argon2id"
	argonMemory     = 64 << 10 // KiB
	argonTime       = 3
	argonLanes      = 1
	argonMaxMemory  = 1 << 20 // KiB
	argonMaxTime    = 32
	argonMaxLanes   = 16
	argonSaltSize   = 16
	maxPassphrase   = 1024
	argonSaltLimits = 64
)

func (k passphraseKeeper) make(*Device) (*keys.Secret, any, error) {
	p := argonParameters{KDF: argonName, Memory: argonMemory, Time: argonTime, Lanes: argonLanes, Salt: make([]byte, argonSaltSize)}
	_, _ = rand.Read(p.Salt) // crypto/rand.Read never fails
	key, err := k.derive(p)
	return key, p, err
}

func (k passphraseKeeper) recover(parameters json.RawMessage) (*keys.Secret, error) {
	var p argonParameters
	if err := decodeParameters(parameters, &p); err != nil {
		return nil, err
	}
	if p.KDF != argonName || p.Memory < argonMemory || p.Memory > argonMaxMemory || p.Time < argonTime || p.Time > argonMaxTime ||
		p.Lanes < argonLanes || p.Lanes > argonMaxLanes || len(p.Salt) < argonSaltSize || len(p.Salt) > argonSaltLimits {
		return nil, protocol.Errorf(protocol.KindUntrusted, "unlock this device: the passphrase's parameters are outside of what is allowed; the passphrase was not used")
	}
	return k.derive(p)
}

func (k passphraseKeeper) drop(json.RawMessage) {}

func (k passphraseKeeper) derive(p argonParameters) (*keys.Secret, error) {
	if k.ask == nil {
		return nil, protocol.Errorf(protocol.KindUsage, "this device is protected by a passphrase, and there is no way to ask for it: give --password-file or --password-command")
	}
	passphrase, err := k.ask()
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 || len(passphrase) > maxPassphrase {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "a passphrase has between 1 and %d bytes", maxPassphrase)
	}
	return keys.NewSecret(argon2.IDKey(passphrase, p.Salt, p.Time, p.Memory, p.Lanes, keys.SecretSize))
}
