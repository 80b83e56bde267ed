// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// codeLetters is base32 with the alphabet of RFC 4648, without padding.
var codeLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// Sizes of codes in bytes.
const (
	shortCodeSize = 5 // 40 bits: 8 letters
	longCodeSum   = 4
	longCodeSize  = 1 + keys.SecretSize + longCodeSum
)

// shortCode returns 40 bits of the transcript under the label, as XXXX-XXXX.
func shortCode(label string, transcript protocol.Hash) string {
	sum := labelled(label, transcript[:])
	text := codeLetters.EncodeToString(sum[:shortCodeSize])
	return text[:4] + "-" + text[4:]
}

// clean takes away what people and screens add to a code, and turns digits that
// the alphabet lacks into the letters they are mistaken for.
func clean(typed string) string {
	drop := strings.NewReplacer(" ", "", "-", "", "\t", "", "\n", "", "\r", "", "0", "O", "1", "I", "8", "B")
	return drop.Replace(strings.ToUpper(typed))
}

func sameCode(typed, want string) bool {
	return subtle.ConstantTimeCompare([]byte(clean(typed)), []byte(clean(want))) == 1
}

// longCode writes the secret with version and check sum.
func longCode(secret *keys.Secret) string {
	code := append([]byte{protocol.FormatVersion}, secret.Expose()...)
	sum := sha256.Sum256(code)
	return codeLetters.EncodeToString(append(code, sum[:longCodeSum]...))
}

// parseLongCode reads it; a typing error is KindUsage.
func parseLongCode(typed string) (*keys.Secret, error) {
	if len(typed) > 1024 {
		return nil, protocol.Errorf(protocol.KindUsage, "the scanned code is too long")
	}
	text := clean(typed)
	code, err := codeLetters.DecodeString(text)
	if err != nil || len(code) != longCodeSize || codeLetters.EncodeToString(code) != text {
		return nil, protocol.Errorf(protocol.KindUsage, "the scanned code is incomplete or has a typing error")
	}
	sum := sha256.Sum256(code[:longCodeSize-longCodeSum])
	if string(sum[:longCodeSum]) != string(code[longCodeSize-longCodeSum:]) {
		return nil, protocol.Errorf(protocol.KindUsage, "the scanned code is incomplete or has a typing error")
	}
	if code[0] != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "the scanned code was made by a newer version: update this program")
	}
	return keys.NewSecret(code[1 : 1+keys.SecretSize])
}

// IsLongCode reports whether typed is a whole long code without a typing error,
// so that a slip costs no attempt.
func IsLongCode(typed string) bool {
	_, err := parseLongCode(typed)
	return err == nil
}
