// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build tap

package seal

import (
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"sync"
)

// A program that was built with the tag tap tells a test what is sealed under
// which key, so that the test can hold it to the rule that no pair of key and
// nonce ever seals two plaintexts, and to whom. It tells hashes only. No program
// that is handed out has the tag.

// tap is who is told.
type tap struct {
	mu   sync.Mutex // guards tell
	tell func(line string)
}

var theTap = new(tap)

// Tap makes tell hear of everything that is sealed from now on: "seal KEY NONCE
// PLAINTEXT" and "wrap RECIPIENT", in hex, all but the nonce as SHA-256.
func Tap(tell func(line string)) { theTap.listen(tell) }

func (t *tap) listen(tell func(line string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell = tell
}

func (t *tap) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tell != nil {
		t.tell(fmt.Sprintf(format, args...))
	}
}

// tappedAEAD tells of every seal.
type tappedAEAD struct {
	cipher.AEAD
	key [sha256.Size]byte
}

func tapped(aead cipher.AEAD, key []byte) cipher.AEAD { return tappedAEAD{aead, sha256.Sum256(key)} }

// Seal tells, and seals.
func (a tappedAEAD) Seal(dst, nonce, plaintext, data []byte) []byte {
	theTap.say("seal %x %x %x", a.key, nonce, sha256.Sum256(plaintext))
	return a.AEAD.Seal(dst, nonce, plaintext, data)
}

func tapRecipient(key []byte) { theTap.say("wrap %x", sha256.Sum256(key)) }
