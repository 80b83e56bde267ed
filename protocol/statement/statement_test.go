// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

func TestSignedStatementsVerify(t *testing.T) {
	key := secret(t, "provider").Public()
	for _, s := range []Statement{aboutLedger(), aboutVault(), receipt()} {
		signed := sign(t, s)
		again, err := key.Verify(signed.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", s.Kind, err)
		}
		s.Version = 1
		if again.Statement() != s || again.Key() != key || signed.Statement() != s || signed.Key() != key {
			t.Errorf("%s: read as %+v", s.Kind, again.Statement())
		}
		mustEqual(t, again.Bytes(), signed.Bytes())
		mustEqual(t, sign(t, s).Bytes(), signed.Bytes())
		if len(signed.Bytes()) > MaxSize/2 {
			t.Errorf("%s: %d bytes", s.Kind, len(signed.Bytes()))
		}
	}
}

func TestAChangedStatementDoesNotVerify(t *testing.T) {
	key := secret(t, "provider").Public()
	for _, s := range []Statement{aboutLedger(), aboutVault(), receipt()} {
		raw := sign(t, s).Bytes()
		for at := range raw {
			for _, bit := range []byte{1, 0x80} {
				bad := append([]byte(nil), raw...)
				bad[at] ^= bit
				_, err := key.Verify(bad)
				if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
					t.Fatalf("%s, byte %d: %v", s.Kind, at, err)
				}
			}
		}
		other := secret(t, "somebody else").Public()
		if _, err := other.Verify(raw); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s verifies under another key: %v", s.Kind, err)
		}
	}
}

// unsound are statements that no reader takes, whoever signed them.
func unsound() map[string]Statement {
	return map[string]Statement{
		"no log":                         with(aboutLedger(), func(s *Statement) { s.Log = protocol.Hash{} }),
		"no account":                     with(aboutLedger(), func(s *Statement) { s.Account = protocol.AccountID{} }),
		"before 1970":                    with(aboutLedger(), func(s *Statement) { s.Since = -1 }),
		"times out of order":             with(aboutLedger(), func(s *Statement) { s.Since = s.Time + 1 }),
		"a look of more than a minute":   with(aboutLedger(), func(s *Statement) { s.Time = s.Since + MaxSpan + 1 }),
		"a ledger without a hash":        with(aboutLedger(), func(s *Statement) { s.Hash = protocol.Hash{} }),
		"a ledger with a vault":          with(aboutLedger(), func(s *Statement) { s.Vault = protocol.VaultID{1} }),
		"a ledger with a generation":     with(aboutLedger(), func(s *Statement) { s.Generation = 1 }),
		"a ledger with a promise":        with(aboutLedger(), func(s *Statement) { s.By = s.Time + 1 }),
		"a vault that is not named":      with(aboutVault(), func(s *Statement) { s.Vault = protocol.VaultID{} }),
		"a record without a hash":        with(aboutVault(), func(s *Statement) { s.Hash = protocol.Hash{} }),
		"no record with a hash":          with(aboutVault(), func(s *Statement) { s.Seq = 0 }),
		"a generation without a hash":    with(aboutVault(), func(s *Statement) { s.GenerationHash = protocol.Hash{} }),
		"no generation with a hash":      with(aboutVault(), func(s *Statement) { s.Generation = 0 }),
		"a vault with an index":          with(aboutVault(), func(s *Statement) { s.Index = hash("x") }),
		"a receipt without a hash":       with(receipt(), func(s *Statement) { s.Hash = protocol.Hash{} }),
		"a receipt without an index":     with(receipt(), func(s *Statement) { s.Index = protocol.Hash{} }),
		"a receipt without a version":    with(receipt(), func(s *Statement) { s.NameVersion = 0 }),
		"a receipt that is late at once": with(receipt(), func(s *Statement) { s.By = s.Time }),
		"a receipt with a nonce":         with(receipt(), func(s *Statement) { s.Nonce[3] = 1 }),
		"a receipt with a number":        with(receipt(), func(s *Statement) { s.Seq = 1 }),
	}
}

func TestUnsoundStatementsAreRefusedOnBothSides(t *testing.T) {
	for name, s := range unsound() {
		if _, err := secret(t, "provider").Sign(s); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("%s: signed: %v", name, err)
		}
		if _, err := secret(t, "provider").Public().Verify(forced(t, s)); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: taken: %v", name, err)
		}
	}
}

// forced signs whatever the statement says.
func forced(t testing.TB, s Statement) []byte {
	t.Helper()
	if s.Version == 0 {
		s.Version = protocol.FormatVersion
	}
	e := envelope{Statement: s}
	copy(e.Signature[:], forge(secret(t, "provider"), s.signed()))
	return canonical.MustMarshal(&e)
}

func TestNewerStatementsAreUnsupported(t *testing.T) {
	newer := with(aboutLedger(), func(s *Statement) { s.Version = 2 })
	kind := with(aboutLedger(), func(s *Statement) { s.Kind = 4 })
	for name, s := range map[string]Statement{"version": newer, "kind": kind} {
		if _, err := secret(t, "provider").Public().Verify(forced(t, s)); protocol.KindOf(err) != protocol.KindUnsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := aboutVault()
	unasked := s
	unasked.Nonce = [16]byte{}
	if err := sign(t, unasked).Answers(Question{Log: s.Log, Kind: s.Kind, Account: s.Account, Vault: s.Vault}); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a question without a nonce is answered: %v", err)
	}
	q := Question{Log: s.Log, Kind: s.Kind, Account: s.Account, Vault: s.Vault, Nonce: s.Nonce, After: s.Since - 1}
	if err := sign(t, s).Answers(q); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Question){
		"another log":          func(q *Question) { q.Log = hash("x") },
		"another kind":         func(q *Question) { q.Kind, q.Vault = KindLedger, protocol.VaultID{} },
		"another account":      func(q *Question) { q.Account[0] ^= 1 },
		"another vault":        func(q *Question) { q.Vault[0] ^= 1 },
		"another question":     func(q *Question) { q.Nonce[0] ^= 2 },
		"no nonce":             func(q *Question) { q.Nonce = [16]byte{} },
		"the moment of before": func(q *Question) { q.After = s.Since },
		"a replay":             func(q *Question) { q.After = s.Time },
	} {
		asked := q
		change(&asked)
		if err := sign(t, s).Answers(asked); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	s := secret(t, "provider")
	hidden := fmt.Sprintf("%x", s.Expose())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, text := range []string{fmt.Sprintf(verb, s), fmt.Sprintf(verb, struct{ S *Secret }{s}), fmt.Sprintf(verb, []*Secret{s})} {
			if strings.Contains(strings.ToLower(text), hidden[:16]) {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("a secret marshals as JSON")
	}
	if _, err := canonical.Marshal(s); err == nil {
		t.Error("a secret marshals as CBOR")
	}
	if _, err := s.MarshalText(); err == nil {
		t.Error("a secret marshals as text")
	}
	if _, err := ParseSecret(make([]byte, 31)); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a short seed is taken: %v", err)
	}
	if again, err := ParseSecret(s.Expose()); err != nil || again.Public() != s.Public() {
		t.Errorf("what is exposed does not come back: %v", err)
	}
	if one, two := Generate(), Generate(); one.Public() == two.Public() || s.Public().IsZero() || s.Public().String() == "" {
		t.Error("keys are not what they should be")
	}
}

func TestKindsHaveWords(t *testing.T) {
	for kind, want := range map[Kind]string{KindLedger: "ledger", KindVault: "vault", KindReceipt: "receipt", 9: "unknown"} {
		if kind.String() != want {
			t.Errorf("kind %d is %q", kind, kind)
		}
	}
}
