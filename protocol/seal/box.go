// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/rand"

	"github.com/solekey/solekey/protocol/keys"
)

// BoxOverhead is how many bytes a box is longer than its plaintext: format,
// salt, commitment, tag.
const BoxOverhead = 1 + saltSize + commitmentSize + tagSize

// boxFormat is the first byte of a box.
const boxFormat = 1

// Box seals a small value under the secret for the place the context names.
func Box(secret *keys.Secret, c Context, plaintext []byte) []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	return box(secret, c, plaintext, salt)
}

// box is Box with its randomness as an argument.
func box(secret *keys.Secret, c Context, plaintext, salt []byte) []byte {
	aead, commitment := derive(secret, salt, c)
	out := make([]byte, 0, len(plaintext)+BoxOverhead)
	out = append(out, boxFormat)
	out = append(out, salt...)
	out = append(out, commitment...)
	return aead.Seal(out, nonce(0), plaintext, nil)
}

// OpenBox opens a box that was sealed under the secret for this very place. The
// error is protocol.KindUntrusted and says nothing more.
func OpenBox(secret *keys.Secret, c Context, sealed []byte) ([]byte, error) {
	if len(sealed) < BoxOverhead || sealed[0] != boxFormat {
		return nil, errOpen("box")
	}
	salt, rest := sealed[1:1+saltSize], sealed[1+saltSize:]
	aead, commitment := derive(secret, salt, c)
	if !committed(rest[:commitmentSize], commitment) {
		return nil, errOpen("box")
	}
	plaintext, err := open(aead, 0, rest[commitmentSize:], nil)
	if err != nil {
		return nil, errOpen("box")
	}
	return plaintext, nil
}
