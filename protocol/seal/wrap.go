// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/hpke"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
)

// WrapSize is the length of a wrap in bytes: the encapsulation and a sealed
// secret.
const WrapSize = 1120 + keys.SecretSize + tagSize

// Wrap seals a secret to a recipient that a proven ledger gave, for the place
// the context names (HPKE, RFC 9180, base mode; MLKEM768-X25519, HKDF-SHA256,
// AES-256-GCM). The context must be the recipient's: of its account, with its
// identifier for a member, with its vault and epoch for a vault, and of a type
// that goes to such a recipient; otherwise the error is protocol.KindInternal.
// A wrap carries no authority: anyone who knows the public key could make one.
func Wrap(to directory.Recipient, c Context, secret *keys.Secret) ([]byte, error) {
	key, proven := to.Key()
	if !proven || !c.suits(&to) {
		return nil, protocol.Errorf(protocol.KindInternal, "wrap: the context is not the recipient's")
	}
	public, err := hpke.MLKEM768X25519().NewPublicKey(key[:])
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "wrap")
	}
	tapRecipient(key[:])
	wrap, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), c.encode(), secret.Expose())
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "wrap")
	}
	return wrap, nil
}

// suits reports whether what the context names may be wrapped to the recipient.
func (c *Context) suits(to *directory.Recipient) bool {
	if c.Account != to.Account() {
		return false
	}
	if to.Vault().IsZero() {
		return (c.Type == TypeAccountSecret || c.Type == TypeWriterSecrets) && c.ID == protocol.Hash(to.Member())
	}
	return c.Type == TypeRunKey && c.Vault == to.Vault() && c.Epoch == to.Epoch()
}

// Unwrap opens a wrap that was sealed to own for this very place. The error is
// protocol.KindUntrusted and says nothing more.
func Unwrap(own *keys.WrapSecret, c Context, wrap []byte) (*keys.Secret, error) {
	if len(wrap) != WrapSize {
		return nil, errOpen("wrap")
	}
	plaintext, err := hpke.Open(own.Private(), hpke.HKDFSHA256(), hpke.AES256GCM(), c.encode(), wrap)
	if err != nil {
		return nil, errOpen("wrap")
	}
	return keys.NewSecret(plaintext)
}
