// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"
)

// identifier is what every identifier can do.
type identifier interface {
	String() string
	IsZero() bool
	MarshalText() ([]byte, error)
}

// kinds of identifier: its length in bytes, how one is parsed, and where one is
// read to.
var identifiers = map[string]struct {
	size  int
	parse func(string) (identifier, error)
	empty func() encoding.TextUnmarshaler
}{
	"Hash":      {32, func(s string) (identifier, error) { x, err := ParseHash(s); return x, err }, func() encoding.TextUnmarshaler { return new(Hash) }},
	"AccountID": {32, func(s string) (identifier, error) { x, err := ParseAccountID(s); return x, err }, func() encoding.TextUnmarshaler { return new(AccountID) }},
	"MemberID":  {32, func(s string) (identifier, error) { x, err := ParseMemberID(s); return x, err }, func() encoding.TextUnmarshaler { return new(MemberID) }},
	"VaultID":   {16, func(s string) (identifier, error) { x, err := ParseVaultID(s); return x, err }, func() encoding.TextUnmarshaler { return new(VaultID) }},
	"RunID":     {16, func(s string) (identifier, error) { x, err := ParseRunID(s); return x, err }, func() encoding.TextUnmarshaler { return new(RunID) }},
	"PackID":    {32, func(s string) (identifier, error) { x, err := ParsePackID(s); return x, err }, func() encoding.TextUnmarshaler { return new(PackID) }},
	"RequestID": {16, func(s string) (identifier, error) { x, err := ParseRequestID(s); return x, err }, func() encoding.TextUnmarshaler { return new(RequestID) }},
}

func TestIdentifiersHaveOneText(t *testing.T) {
	for name, kind := range identifiers {
		good := strings.Repeat("0f", kind.size)
		x, err := kind.parse(good)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := x.MarshalText()
		if err != nil || string(text) != good || x.String() != good || x.IsZero() {
			t.Errorf("%s: prints as %s (%v)", name, text, err)
		}
		to := kind.empty()
		if err := to.UnmarshalText([]byte(good)); err != nil || to.(identifier).String() != good {
			t.Errorf("%s: reads as %v (%v)", name, to, err)
		}
		for what, bad := range map[string]string{
			"nothing": "", "one character less": good[1:], "one byte less": good[2:], "one byte more": good + "0f",
			"upper case": strings.ToUpper(good), "one in upper case": "F" + good[1:], "no hexadecimal": "g" + good[1:],
			"a blank before": " " + good[1:], "a sign": "+" + good[1:], "a prefix": "0x" + good[2:], "a line behind": good[1:] + "\n",
			"not ASCII": good[2:] + "ü",
		} {
			if x, err := kind.parse(bad); KindOf(err) != KindUntrusted || !x.IsZero() {
				t.Errorf("%s: %s: %v (%v)", name, what, x, err)
			}
			if err := to.UnmarshalText([]byte(bad)); err == nil || to.(identifier).String() != good {
				t.Errorf("%s: %s changes what was there to %v", name, what, to)
			}
		}
	}
}

func TestZeroIdentifiers(t *testing.T) {
	for name, kind := range identifiers {
		x, err := kind.parse(strings.Repeat("00", kind.size))
		if err != nil || !x.IsZero() {
			t.Errorf("%s: zero is not zero (%v)", name, err)
		}
		last, err := kind.parse(strings.Repeat("00", kind.size-1) + "01")
		if err != nil || last.IsZero() {
			t.Errorf("%s: one is zero (%v)", name, err)
		}
	}
}

func TestIdentifiersInJSON(t *testing.T) {
	type body struct {
		Vault VaultID
		Packs map[PackID]Hash
	}
	in := body{Vault: VaultID{1}, Packs: map[PackID]Hash{{2}: {3}}}
	data, err := json.Marshal(in)
	if err != nil || !strings.Contains(string(data), `"01000000000000000000000000000000"`) {
		t.Fatalf("%s (%v)", data, err)
	}
	var out body
	if err := json.Unmarshal(data, &out); err != nil || out.Vault != in.Vault || out.Packs[PackID{2}] != (Hash{3}) {
		t.Errorf("reads as %+v (%v)", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Vault":"01"}`), &out); KindOf(err) != KindUntrusted {
		t.Errorf("a short identifier: %v", err)
	}
}

// FuzzParseHash holds that what is read prints as the same text.
func FuzzParseHash(f *testing.F) {
	f.Add(strings.Repeat("0f", 32))
	f.Add(strings.Repeat("0F", 32))
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseHash(text)
		if err == nil && x.String() != text {
			t.Fatalf("prints as %s", x)
		}
		if err != nil && !x.IsZero() {
			t.Fatal("a refusal gives an identifier")
		}
	})
}
