// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/zalando/go-keyring"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// keyringService is the name under which entries stand in the keyring.
const keyringService = "solekey"

// keyringKeeper keeps the key in the operating system's keyring.
type keyringKeeper struct{}

type keyringParameters struct {
	Entry string `json:"entry"`
}

// KeyringAvailable reports whether this session has an operating system's
// keyring that answers; the error says why not.
func KeyringAvailable() error {
	_, err := keyring.Get(keyringService, "is-it-there")
	if err == nil || errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return errNoKeyring(err)
}

func errNoKeyring(err error) error {
	return protocol.Wrap(protocol.KindNotFound, err, "this session has no keyring that answers; protect the device by a passphrase, a key file or a TPM")
}

// make writes under a new name, so that the key in force stays until the new
// box is written.
func (keyringKeeper) make(d *Device) (*keys.Secret, any, error) {
	var fresh [8]byte
	_, _ = rand.Read(fresh[:]) // crypto/rand.Read never fails
	p := keyringParameters{Entry: "device " + d.Member.String()[:16] + " " + hex.EncodeToString(fresh[:])}
	key := keys.GenerateSecret()
	err := keyring.Set(keyringService, p.Entry, base64.StdEncoding.EncodeToString(key.Expose()))
	if err != nil {
		return nil, nil, errNoKeyring(err)
	}
	return key, p, nil
}

func (keyringKeeper) recover(parameters json.RawMessage) (*keys.Secret, error) {
	var p keyringParameters
	if err := decodeParameters(parameters, &p); err != nil {
		return nil, err
	}
	text, err := keyring.Get(keyringService, p.Entry)
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "unlock this device: the keyring has no entry %q of %s any more", p.Entry, keyringService)
	}
	if err != nil {
		return nil, errNoKeyring(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != keys.SecretSize {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "unlock this device: the keyring's entry %q was changed", p.Entry)
	}
	return keys.NewSecret(raw)
}

func (keyringKeeper) drop(parameters json.RawMessage) {
	var p keyringParameters
	if decodeParameters(parameters, &p) == nil {
		_ = keyring.Delete(keyringService, p.Entry) // a key without a box opens nothing
	}
}
