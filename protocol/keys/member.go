// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
)

// MemberKeys are the public keys of a member of an account: a device or a
// recovery method.
//
// Growth: fields are only ever added together with a new format version; a
// reader refuses a key it does not know.
type MemberKeys struct {
	Verify VerifyKey `cbor:"1,keyasint"`
	Wrap   WrapKey   `cbor:"2,keyasint"`
}

// ID returns the identifier that the keys certify: SHA-256 over a label and
// both keys, whose lengths are fixed.
func (m *MemberKeys) ID() protocol.MemberID {
	h := sha256.New()
	h.Write([]byte("solekey/v1/member\x00"))
	h.Write(m.Verify[:])
	h.Write(m.Wrap[:])
	return protocol.MemberID(h.Sum(nil))
}

// Check refuses keys that no honest device would publish.
func (m *MemberKeys) Check() error { return m.Wrap.Check() }

// MemberSecrets are the secrets of a member, made where it lives.
type MemberSecrets struct {
	hidden
	Signing *SigningSecret
	Wrap    *WrapSecret
}

// GenerateMemberSecrets returns new random secrets.
func GenerateMemberSecrets() *MemberSecrets {
	return &MemberSecrets{Signing: GenerateSigningSecret(), Wrap: GenerateWrapSecret()}
}

// NewMemberSecrets derives both key pairs from one secret, under the label; a
// recovery key gives its pairs in this way.
func NewMemberSecrets(from *Secret, label string) *MemberSecrets {
	signing, err := NewSigningSecret(from.derive(label+"/signing", SigningSeedSize, nil))
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	wrap, err := NewWrapSecret(from.derive(label+"/wrap", WrapSeedSize, nil))
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return &MemberSecrets{Signing: signing, Wrap: wrap}
}

// Public returns the public keys.
func (m *MemberSecrets) Public() *MemberKeys {
	return &MemberKeys{Verify: m.Signing.Public(), Wrap: m.Wrap.Public()}
}

// ID returns the identifier of the member.
func (m *MemberSecrets) ID() protocol.MemberID { return m.Public().ID() }
