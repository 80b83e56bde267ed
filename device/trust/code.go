// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
)

// Code is what two people compare to know that each has the other, and not
// somebody in between: it is the same on both sides only if both have the same two
// accounts and the same log. See spec/contact-code.md.
type Code [sha256.Size]byte

// codeRounds make each try of an adversary who looks for two accounts with one code
// as dear as this many hashes.
const codeRounds = 1 << 18

// codeParts are what a code covers.
//
// Growth: none; another code has another label.
type codeParts struct {
	Version uint64             `cbor:"1,keyasint"`
	Log     protocol.Hash      `cbor:"2,keyasint"` // the log's identifier
	VRF     [32]byte           `cbor:"3,keyasint"`
	Lower   protocol.AccountID `cbor:"4,keyasint"` // of both, as bytes
	Higher  protocol.AccountID `cbor:"5,keyasint"`
}

// CodeOf returns the code of two accounts in the log of a world. Which one is whose
// does not matter, nor which witnesses a side demands.
func CodeOf(w *directory.World, a, b protocol.AccountID) Code {
	return codeIn(w.Log().ID(), w.VRF(), a, b)
}

func codeIn(log protocol.Hash, key [32]byte, a, b protocol.AccountID) Code {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	parts := codeParts{Version: protocol.FormatVersion, Log: log, VRF: key, Lower: a, Higher: b}
	sum := sha256.Sum256(append([]byte("solekey/v1/contact-code\x00"), canonical.MustMarshal(&parts)...))
	for range codeRounds {
		sum = sha256.Sum256(sum[:])
	}
	return sum
}

// codeLetters are the digits of a code in words: none of them is read as another.
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// The words of a code: its first 120 bits.
const (
	codeGroups    = 6
	codeGroupSize = 4
)

// String returns the first 120 bits in six groups of four letters, for people to
// read out.
func (c Code) String() string {
	var b strings.Builder
	for i := range codeGroups * codeGroupSize {
		if i > 0 && i%codeGroupSize == 0 {
			b.WriteByte('-')
		}
		var v byte
		for bit := range 5 {
			at := i*5 + bit
			v = v<<1 | c[at/8]>>(7-at%8)&1
		}
		b.WriteByte(codeLetters[v])
	}
	return b.String()
}

// codeScheme heads a code in full.
const codeScheme = "SOLEKEY-CODE:"

// Full returns the whole code, for a QR code.
func (c Code) Full() string { return codeScheme + strings.ToUpper(hex.EncodeToString(c[:])) }

// Matches reports whether a text is this code, in full or in words, however it was
// spaced and with letters that look alike.
func (c Code) Matches(text string) bool {
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	if strings.HasPrefix(text, codeScheme) {
		return text == c.Full()
	}
	alike := strings.NewReplacer("-", "", "O", "0", "I", "1", "L", "1", "U", "V")
	return alike.Replace(text) == alike.Replace(c.String())
}
