// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accountstest

import (
	"crypto"
	"testing"

	"github.com/bytemare/ksf"
	"github.com/bytemare/opaque"

	"github.com/solekey/solekey/protocol/api"
)

// suite is the suite of the password login, written out from api.LoginContext
// a second time, as a client would.
func suite() *opaque.Configuration {
	return &opaque.Configuration{
		OPRF: opaque.RistrettoSha512, AKE: opaque.RistrettoSha512, KSF: ksf.Argon2id,
		KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512, Context: []byte(api.LoginContext),
	}
}

func client(t testing.TB) *opaque.Client {
	t.Helper()
	c, err := suite().Client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// AnyRecord returns a well-formed password record that no password opens.
func AnyRecord(t testing.TB) []byte {
	t.Helper()
	record, err := suite().GetFakeRecord([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return record.Serialize()
}

// Register registers a password; send carries the request to the server.
func Register(t testing.TB, password string, send func(request []byte) (response []byte, err error)) ([]byte, error) {
	t.Helper()
	c := client(t)
	request, err := c.RegistrationInit([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := send(request.Serialize())
	if err != nil {
		return nil, err
	}
	response, err := c.Deserialize.RegistrationResponse(raw)
	if err != nil {
		return nil, err
	}
	record, _, err := c.RegistrationFinalize(response, nil, []byte(api.LoginServer))
	if err != nil {
		return nil, err
	}
	return record.Serialize(), nil
}

// Login returns the last message of a login; send carries the first to the
// server. It fails where the password is wrong or the name is not known.
func Login(t testing.TB, password string, send func(ke1 []byte) (ke2 []byte, err error)) ([]byte, error) {
	t.Helper()
	c := client(t)
	ke1, err := c.GenerateKE1([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := send(ke1.Serialize())
	if err != nil {
		return nil, err
	}
	ke2, err := c.Deserialize.KE2(raw)
	if err != nil {
		return nil, err
	}
	ke3, _, _, err := c.GenerateKE3(ke2, nil, []byte(api.LoginServer))
	if err != nil {
		return nil, err
	}
	return ke3.Serialize(), nil
}

// KE1 returns a first message of a login.
func KE1(t testing.TB) []byte {
	t.Helper()
	ke1, err := client(t).GenerateKE1([]byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	return ke1.Serialize()
}
