// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// secret returns the key that the word gives.
func secret(t testing.TB, word string) *Secret {
	t.Helper()
	seed := sha256.Sum256([]byte(word))
	s, err := ParseSecret(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hash returns a hash that the word gives.
func hash(word string) protocol.Hash { return sha256.Sum256([]byte(word)) }

const second = protocol.Time(1e9)

// aboutLedger, aboutVault and receipt are sound statements, each to be changed.
func aboutLedger() Statement {
	return Statement{
		Log: hash("log"), Kind: KindLedger, Nonce: [16]byte{1}, Since: 100 * second, Time: 101 * second,
		Account: protocol.AccountID(hash("account")), Seq: 7, Hash: hash("entry 7"),
	}
}

func aboutVault() Statement {
	s := aboutLedger()
	s.Kind, s.Vault = KindVault, protocol.VaultID{1}
	s.Generation, s.GenerationHash = 3, hash("generation 3")
	return s
}

func receipt() Statement {
	s := aboutLedger()
	s.Kind, s.Nonce, s.Seq, s.Hash = KindReceipt, [16]byte{}, 0, hash("leaf")
	s.Index, s.NameVersion, s.By = hash("index"), 4, 90000*second
	return s
}

func sign(t testing.TB, s Statement) *Signed {
	t.Helper()
	signed, err := secret(t, "provider").Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// with returns the statement after the change.
func with(s Statement, change func(*Statement)) Statement {
	change(&s)
	return s
}

func mustEqual(t *testing.T, a, b []byte) {
	t.Helper()
	if !bytes.Equal(a, b) {
		t.Errorf("%x is not %x", a, b)
	}
}
