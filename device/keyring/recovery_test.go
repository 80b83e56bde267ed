// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/seal"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

func someKey(fill byte) *RecoveryKey {
	var raw [RecoveryKeySize]byte
	for i := range raw {
		raw[i] = fill + byte(i)*fill
	}
	return newRecoveryKey(raw)
}

func TestRecoveryKeyThereAndBack(t *testing.T) {
	for _, k := range []*RecoveryKey{GenerateRecoveryKey(), someKey(0), someKey(7), someKey(255)} {
		text := k.Written()
		if len(text) != 44 || strings.Count(text, "-") != 8 || strings.Trim(text, alphabet+"-") != "" {
			t.Fatalf("written as %q", text)
		}
		digits := strings.NewReplacer("O", "0", "I", "1", "B", "8").Replace(text)
		for _, form := range []string{
			text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", " "), "  " + text + "\r\n",
			digits, strings.ToLower(strings.ReplaceAll(digits, "-", "\t")),
		} {
			again, err := ParseRecoveryKey(form)
			if err != nil || again.raw() != k.raw() || again.Locator() != k.Locator() || again.Member().ID() != k.Member().ID() {
				t.Errorf("%q: %v", form, err)
			}
		}
	}
	if one, other := GenerateRecoveryKey(), GenerateRecoveryKey(); one.raw() == other.raw() {
		t.Error("two keys are the same")
	}
}

// TestRecoveryKeyMistyped finds every error in one character, every exchange of
// two neighbours and every exchange of two groups, in a few fixed keys.
func TestRecoveryKeyMistyped(t *testing.T) {
	for _, k := range []*RecoveryKey{someKey(0), someKey(3), someKey(99)} {
		right := strings.ReplaceAll(k.Written(), "-", "")
		wrong := map[string]bool{}
		for i := range right {
			for _, c := range alphabet + "9!" {
				wrong[right[:i]+string(c)+right[i+1:]] = true
			}
			wrong[right[:i]+right[i+1:]] = true
			if i > 0 {
				wrong[right[:i-1]+string(right[i])+string(right[i-1])+right[i+1:]] = true
			}
			wrong[right[:i]+"A"+right[i:]] = true
		}
		for i := 0; i < len(right); i += groupSize {
			for j := i + groupSize; j < len(right); j += groupSize {
				wrong[right[:i]+right[j:j+4]+right[i+4:j]+right[i:i+4]+right[j+4:]] = true
			}
		}
		delete(wrong, right)
		for text := range wrong {
			_, err := ParseRecoveryKey(text)
			wantKind(t, text, err, protocol.KindWrongSecret, "recovery key")
			if err != nil && strings.Contains(err.Error(), right[:8]) {
				t.Error("the error shows the key")
			}
		}
	}
	for _, text := range []string{"", "-", strings.Repeat("A", 36), strings.Repeat("é", 18), strings.Repeat("A", 1<<16)} {
		_, err := ParseRecoveryKey(text)
		wantKind(t, "no key", err, protocol.KindWrongSecret, "")
	}
}

func TestRecoveryKeyHides(t *testing.T) {
	k := someKey(5)
	raw := k.raw()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, value := range []any{k, *k, []*RecoveryKey{k}, struct{ K *RecoveryKey }{k}, struct{ k RecoveryKey }{*k}} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", raw[:8])) || strings.Contains(text, "5 10 15") || strings.Contains(text, "0x5, 0xa") {
				t.Errorf("%s of %T prints %q", verb, value, text)
			}
		}
	}
	if _, err := json.Marshal(k); err == nil {
		t.Error("it marshals")
	}
}

func TestPlace(t *testing.T) {
	k := someKey(1)
	p := &Place{Account: protocol.AccountID{1}, Server: "https://backup.example:8443", Pin: protocol.Hash{2}, Name: "anna", World: directorytest.New(t).World.Bytes()}
	box := k.SealPlace(p)
	again, err := k.OpenPlace(box)
	if err != nil || !reflect.DeepEqual(again, p) {
		t.Fatalf("%+v, %v", again, err)
	}
	if bytes.Equal(box, k.SealPlace(p)) {
		t.Error("two boxes are alike")
	}
	_, err = someKey(2).OpenPlace(box)
	wantKind(t, "another key", err, protocol.KindUntrusted, "")
	for _, bad := range damaged(box) {
		_, err := k.OpenPlace(bad)
		wantKind(t, "a changed box", err, protocol.KindUntrusted, "")
	}
	secret := k.secret.Derive("recovery/box")
	noWorld := *p
	noWorld.World = nil
	for what, plain := range map[string][]byte{
		"nothing": nil, "not CBOR": {0xff}, "another type": {0x80}, "too long": make([]byte, maxPlace+1), "no world": canonical.MustMarshal(noWorld),
	} {
		_, err := k.OpenPlace(seal.Box(secret, k.placeContext(), plain))
		wantKind(t, what, err, protocol.KindUntrusted, "")
	}
	_, err = k.OpenPlace(seal.Box(secret, seal.Context{Type: seal.TypeRecovery}, []byte{0xa0}))
	wantKind(t, "sealed for no locator", err, protocol.KindUntrusted, "")
}

// TestDerivationsDiffer: what the provider sees of a kit, its locator, says
// nothing about what it opens.
func TestDerivationsDiffer(t *testing.T) {
	k := someKey(1)
	member := k.Member()
	seen := map[string]bool{}
	for _, part := range [][]byte{
		k.secret.Expose(), k.secret.Derive("recovery/locator").Expose(), k.secret.Derive("recovery/box").Expose(),
		member.Wrap.Expose(), member.Signing.Expose(),
	} {
		if seen[string(part[:32])] {
			t.Error("two derivations agree")
		}
		seen[string(part[:32])] = true
	}
	if loc := k.Locator(); string(loc[:]) != string(k.secret.Derive("recovery/locator").Expose()) {
		t.Error("the locator is not what the page says")
	}
}

// TestComingBack opens an account with a kit alone: from paper to content.
func TestComingBack(t *testing.T) {
	w := newWorld(t)
	k := GenerateRecoveryKey()
	w.edit(w.anna, func(d *Draft) error { return d.AddRecovery(k.Member().Public()) })
	joined := directorytest.New(t).World
	box := k.SealPlace(&Place{Account: w.state.Account(), Server: "https://a.example", World: joined.Bytes()})
	again, err := ParseRecoveryKey(k.Written())
	must(t, err)
	place, err := again.OpenPlace(box)
	must(t, err)
	world, err := place.Joins()
	must(t, err)
	if place.Account != w.state.Account() || world.Hash() != joined.Hash() {
		t.Error("another account, or another world")
	}
	sameVault(t, w.opened(w.anna)[0], w.opened(again.Member())[0])
}

func FuzzParseRecoveryKey(f *testing.F) {
	f.Add(someKey(1).Written())
	f.Add("0189-öſı")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseRecoveryKey(text)
		if err != nil {
			if protocol.KindOf(err) != protocol.KindWrongSecret || k != nil {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		again, err := ParseRecoveryKey(k.Written())
		if err != nil || again.raw() != k.raw() {
			t.Fatalf("%q is another key: %v", text, err)
		}
	})
}
