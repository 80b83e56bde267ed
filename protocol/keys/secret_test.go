// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// marked is a seed whose bytes are easy to find again, in whatever form.
func marked(n int) []byte { return bytes.Repeat([]byte{0xa7, 0x5b}, n/2) }

// marks are the forms in which two bytes of a marked seed can show themselves.
var marks = []string{"a75b", "A75B", "5ba7", "167 91", "91 167", "167,91", "167, 91", "0xa7", "a7 5b", "p1un", "W6db", "\xa7\x5b", `\xa7`}

func secrets(t *testing.T) map[string]any {
	t.Helper()
	secret, err := NewSecret(marked(SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	signing, err := NewSigningSecret(marked(SigningSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := NewWrapSecret(marked(WrapSeedSize))
	if err != nil {
		t.Fatal(err)
	}
	member := &MemberSecrets{Signing: signing, Wrap: wrap}
	return map[string]any{
		"Secret": secret, "SigningSecret": signing, "WrapSecret": wrap, "MemberSecrets": member,
		"Secret by value": *secret, "SigningSecret by value": *signing, "WrapSecret by value": *wrap, "MemberSecrets by value": *member,
		"in an exported field":              struct{ S *Secret }{secret},
		"in an unexported field":            struct{ s *Secret }{secret},
		"by value in an unexported field":   struct{ s Secret }{*secret},
		"signing in an unexported field":    struct{ s SigningSecret }{*signing},
		"wrap in an unexported field":       struct{ s WrapSecret }{*wrap},
		"member in an unexported field":     struct{ s MemberSecrets }{*member},
		"in a list":                         []*Secret{secret},
		"in a map":                          map[string]any{"s": *secret},
		"in an error":                       fmt.Errorf("failed with %v and %x", secret, *wrap),
		"behind a pointer to an unexported": &struct{ s Secret }{*secret},
	}
}

func shows(out string) (string, bool) {
	for _, mark := range marks {
		if strings.Contains(out, mark) {
			return mark, true
		}
	}
	return "", false
}

func TestSecretsDoNotPrint(t *testing.T) {
	for name, s := range secrets(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o", "%b", "%c", "%U", "%08x", "% x", "%#x"} {
			if mark, found := shows(fmt.Sprintf(verb, s)); found {
				t.Errorf("%s: %s shows %q", name, verb, mark)
			}
		}
		if mark, found := shows(fmt.Sprint(s) + fmt.Sprintln(s)); found {
			t.Errorf("%s: printing shows %q", name, mark)
		}
	}
}

func TestSecretsDoNotMarshal(t *testing.T) {
	for name, s := range secrets(t) {
		var out bytes.Buffer
		j, jsonErr := json.Marshal(s)
		x, _ := xml.Marshal(s)
		gobErr := gob.NewEncoder(&out).Encode(s)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s)
		c, _ := canonical.Marshal(s)
		for _, text := range []string{string(j), string(x), out.String(), string(c)} {
			if mark, found := shows(text); found {
				t.Errorf("%s: marshalling shows %q in %q", name, mark, text)
			}
		}
		if !strings.Contains(name, " ") && (jsonErr == nil || gobErr == nil) {
			t.Errorf("%s: json says %v, gob says %v", name, jsonErr, gobErr)
		}
	}
}

func TestSecretsRefuseEveryMarshaller(t *testing.T) {
	type refuser interface {
		MarshalText() ([]byte, error)
		MarshalJSON() ([]byte, error)
		MarshalBinary() ([]byte, error)
		MarshalCBOR() ([]byte, error)
		String() string
		GoString() string
	}
	for name, s := range secrets(t) {
		r, ok := s.(refuser)
		if !ok {
			if !strings.Contains(name, " ") {
				t.Errorf("%s does not refuse", name)
			}
			continue
		}
		for _, marshal := range []func() ([]byte, error){r.MarshalText, r.MarshalJSON, r.MarshalBinary, r.MarshalCBOR} {
			if b, err := marshal(); err == nil || b != nil {
				t.Errorf("%s: marshals as %x", name, b)
			}
		}
		if r.String() != "(secret)" || r.GoString() != "(secret)" {
			t.Errorf("%s: prints as %s", name, r.String())
		}
		if _, err := canonical.Marshal(s); err == nil {
			t.Errorf("%s: has a canonical encoding", name)
		}
	}
}

func TestSecretsAreNotComparable(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Secret](), reflect.TypeFor[SigningSecret](), reflect.TypeFor[WrapSecret](), reflect.TypeFor[MemberSecrets](),
	} {
		if typ.Comparable() {
			t.Errorf("%s can be compared with ==", typ)
		}
	}
}

func TestSecretSizes(t *testing.T) {
	for n := range 80 {
		if _, err := NewSecret(make([]byte, n)); (err == nil) != (n == SecretSize) || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("a secret of %d bytes: %v", n, err)
		}
		if _, err := NewSigningSecret(make([]byte, n)); (err == nil) != (n == SigningSeedSize) || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("a signing seed of %d bytes: %v", n, err)
		}
		if _, err := NewWrapSecret(make([]byte, n)); (err == nil) != (n == WrapSeedSize) || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("a wrap seed of %d bytes: %v", n, err)
		}
	}
}

func TestSecretsKeepNothingOfTheCallers(t *testing.T) {
	seed := marked(SecretSize)
	s, err := NewSecret(seed)
	if err != nil {
		t.Fatal(err)
	}
	seed[0] = 0
	out := s.Expose()
	out[1] = 0
	if !bytes.Equal(s.Expose(), marked(SecretSize)) {
		t.Error("a secret changes with bytes outside it")
	}
	signing, wrap := GenerateSigningSecret(), GenerateWrapSecret()
	signing.Expose()[0] ^= 1
	wrap.Expose()[0] ^= 1
	again, err := NewSigningSecret(signing.Expose())
	if err != nil || again.Public() != signing.Public() {
		t.Errorf("a signing secret changes with bytes outside it: %v", err)
	}
	wrapAgain, err := NewWrapSecret(wrap.Expose())
	if err != nil || wrapAgain.Public() != wrap.Public() {
		t.Errorf("a wrap secret changes with bytes outside it: %v", err)
	}
}

func TestEqual(t *testing.T) {
	a, b := GenerateSecret(), GenerateSecret()
	same, err := NewSecret(a.Expose())
	if err != nil {
		t.Fatal(err)
	}
	if !a.Equal(same) || a.Equal(b) {
		t.Error("secrets compare wrongly")
	}
}

func TestGeneratedSecretsDiffer(t *testing.T) {
	a, b := GenerateMemberSecrets(), GenerateMemberSecrets()
	if a.ID() == b.ID() || a.Public().Wrap == b.Public().Wrap || a.Public().Verify == b.Public().Verify {
		t.Error("two members have keys in common")
	}
	if bytes.Equal(GenerateSecret().Expose(), make([]byte, SecretSize)) {
		t.Error("a generated secret is zero")
	}
}

// TestZeroSecretIsNone shows that a secret nobody made cannot be used: sealing
// under zeros by mistake would look like sealing.
func TestZeroSecretIsNone(t *testing.T) {
	for name, use := range map[string]func(){
		"expose":  func() { new(Secret).Expose() },
		"derive":  func() { new(Secret).Derive("label") },
		"sign":    func() { new(SigningSecret).Sign(PurposePack, nil) },
		"private": func() { new(WrapSecret).Private() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the zero value works", name)
				}
			}()
			use()
		}()
	}
}
