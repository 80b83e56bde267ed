// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"crypto"
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/bytemare/ksf"
	"github.com/bytemare/opaque"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// suite is the one suite of the password login; see api.LoginContext.
func suite() *opaque.Configuration {
	return &opaque.Configuration{
		OPRF: opaque.RistrettoSha512, AKE: opaque.RistrettoSha512, KSF: ksf.Argon2id,
		KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512, Context: []byte(api.LoginContext),
	}
}

// ServerSecret is what a server answers password logins with. It belongs in a
// file of its own: with it and the accounts' records passwords can be guessed
// offline; without it nobody can sign in by password. It opens no data.
type ServerSecret struct {
	keys   *opaque.ServerKeyMaterial
	mac    []byte
	_      [0]func() // not comparable
	public []byte
}

// GenerateServerSecret returns a new random secret.
func GenerateServerSecret() (*ServerSecret, error) {
	private, public := suite().KeyGen()
	return newServerSecret(&opaque.ServerKeyMaterial{
		Identity: []byte(api.LoginServer), PrivateKey: private,
		PublicKeyBytes: public.Encode(), OPRFGlobalSeed: suite().GenerateOPRFSeed(),
	})
}

// ParseServerSecret reads what Expose returned.
func ParseServerSecret(data []byte) (*ServerSecret, error) {
	keys, err := suite().DecodeServerKeyMaterial(data)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "read login keys")
	}
	return newServerSecret(keys)
}

func newServerSecret(keys *opaque.ServerKeyMaterial) (*ServerSecret, error) {
	mac, err := hkdf.Key(sha256.New, keys.OPRFGlobalSeed, nil, "solekey/v1/server-mac", sha256.Size)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "derive server key")
	}
	return &ServerSecret{keys: keys, mac: mac, public: keys.PublicKeyBytes}, nil
}

// Expose returns the secret's bytes, for its own file.
func (s *ServerSecret) Expose() []byte { return s.keys.Encode() }

// Public returns the public key of the password login.
func (s *ServerSecret) Public() []byte { return append([]byte(nil), s.public...) }

// String hides the secret.
func (*ServerSecret) String() string { return "(hidden)" }

// GoString hides the secret.
func (*ServerSecret) GoString() string { return "(hidden)" }

func (s *ServerSecret) server() (*opaque.Server, error) {
	server, err := suite().Server()
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "set up password login")
	}
	if err := server.SetKeyMaterial(s.keys); err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "set up password login")
	}
	return server, nil
}
