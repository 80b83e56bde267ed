// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/solekey/solekey/protocol/tlog"
)

// secretText returns the text of an Ed25519 key of the type whose seed the word
// gives, so that vectors come out the same each time.
func secretText(name, word string, alg byte) string {
	public := ed25519.NewKeyFromSeed(seed(word)).Public().(ed25519.PublicKey)
	id := sha256.Sum256(append([]byte(name+"\n"+string(rune(alg))), public...))
	return "PRIVATE+KEY+" + name + "+" + hex.EncodeToString(id[:4]) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{alg}, seed(word)...))
}

func logSecret(t testing.TB, word string) *tlog.LogSecret {
	t.Helper()
	s, err := tlog.ParseLogSecret(secretText("log.example/"+word, word+"/log", 1))
	check(t, err)
	return s
}

func witnessSecret(t testing.TB, word string) *tlog.WitnessSecret {
	t.Helper()
	s, err := tlog.ParseWitnessSecret(secretText("witness.example/"+word, word+"/witness", 4))
	check(t, err)
	return s
}
