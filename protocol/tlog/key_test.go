// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// wantKind fails unless err is of the kind.
func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Errorf("%s: %v (%q), want kind %q", what, err, protocol.KindOf(err), kind)
	}
}

func TestLogKeys(t *testing.T) {
	s, err := tlog.GenerateLogSecret("log.example/one")
	if err != nil {
		t.Fatal(err)
	}
	again, err := tlog.ParseLogSecret(s.Expose())
	if err != nil || again.Public().String() != s.Public().String() {
		t.Fatalf("%v, %v", again, err)
	}
	k, err := tlog.ParseLogKey(s.Public().String())
	if err != nil || k.Origin() != "log.example/one" || k.ID() != s.Public().ID() || k.ID().IsZero() {
		t.Fatalf("%v, %v", k, err)
	}
	other, err := tlog.GenerateLogSecret("log.example/one")
	if err != nil || other.Public().ID() == k.ID() {
		t.Errorf("two keys have one id, or %v", err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"no key":        "log.example/one",
		"no name":       k.String()[len("log.example/one"):],
		"another name":  "x" + k.String(),
		"another id":    strings.Replace(k.String(), "+", "+0", 1),
		"upper case id": strings.ToUpper(k.String()[:25]) + k.String()[25:],
		"a blank":       " " + k.String(),
		"cut":           k.String()[:len(k.String())-4],
		"more":          k.String() + "AAAA",
	} {
		_, err := tlog.ParseLogKey(text)
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	w := newWitness(t, "w", tlog.MLDSA44)
	_, err = tlog.ParseLogKey(w.Public().String())
	wantKind(t, "a witness's key", err, protocol.KindUnsupported)
	_, err = tlog.ParseLogSecret(w.Expose())
	wantKind(t, "a witness's secret", err, protocol.KindUnsupported)
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "a b", "a+b", "a\nb", "a\u00a0b", "a\xff", "\x01", strings.Repeat("n", tlog.MaxName+1)} {
		_, err := tlog.GenerateLogSecret(name)
		wantKind(t, fmt.Sprintf("log %q", name), err, protocol.KindUntrusted)
		_, err = tlog.GenerateWitnessSecret(name, tlog.Ed25519)
		wantKind(t, fmt.Sprintf("witness %q", name), err, protocol.KindUntrusted)
	}
	longest := strings.Repeat("ö", tlog.MaxName/2)
	l := tlogtest.New(t, longest)
	w := newWitness(t, longest, tlog.MLDSA44)
	if at, ok := w.Public().VerifyCosignature(l.Note(t, 9e9, w)); !ok || at != 9e9 {
		t.Errorf("the longest names: %v, %v", at, ok)
	}
}

// TestSmallOrderKeys refuses keys under which anybody signs.
func TestSmallOrderKeys(t *testing.T) {
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		key, err := hex.DecodeString(y)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tlog.ParseLogKey(tlog.TestingOnlyVKey("log.example", 1, key))
		wantKind(t, "log "+y, err, protocol.KindUntrusted)
		_, err = tlog.ParseWitnessKey(tlog.TestingOnlyVKey("w.example", 4, key))
		wantKind(t, "witness "+y, err, protocol.KindUntrusted)
	}
}

func TestWitnessKeys(t *testing.T) {
	for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
		s := newWitness(t, "w.example", a)
		k, err := tlog.ParseWitnessKey(s.Public().String())
		if err != nil || k.Name() != "w.example" || k.Algorithm() != a || k.String() != s.Public().String() {
			t.Fatalf("%s: %v, %v", a, k, err)
		}
		again, err := tlog.ParseWitnessSecret(s.Expose())
		if err != nil || again.Public().String() != k.String() {
			t.Fatalf("%s: %v", a, err)
		}
		text := s.Expose()
		for name, bad := range map[string]string{
			"cut": text[:len(text)-4], "another id": strings.Replace(text, "w.example+", "w.example+0", 1),
			"another name": strings.Replace(text, "w.example", "v.example", 1), "no secret": k.String(), "empty": "",
		} {
			_, err := tlog.ParseWitnessSecret(bad)
			wantKind(t, name, err, protocol.KindUntrusted)
		}
		short := tlog.TestingOnlyVKey("w.example", byte(a), make([]byte, 31))
		_, err = tlog.ParseWitnessKey(short)
		wantKind(t, "a short key", err, protocol.KindUntrusted)
	}
	_, err := tlog.GenerateWitnessSecret("w.example", 1)
	wantKind(t, "another algorithm", err, protocol.KindUnsupported)
	_, err = tlog.ParseWitnessKey(tlogtest.New(t, "l").Secret.Public().String())
	wantKind(t, "a log's key", err, protocol.KindUnsupported)
	if got := tlog.Algorithm(9).String() + tlog.Ed25519.String() + tlog.MLDSA44.String(); got != "algorithm(9)Ed25519ML-DSA-44" {
		t.Error(got)
	}
}

// TestSecretsDoNotShow prints and marshals secrets in every way there is.
func TestSecretsDoNotShow(t *testing.T) {
	l, err := tlog.GenerateLogSecret("log.example")
	if err != nil {
		t.Fatal(err)
	}
	w := newWitness(t, "w.example", tlog.MLDSA44)
	key := func(text string) string { return text[strings.LastIndex(text, "+")+1:] }
	for name, s := range map[string]any{"log": l, "witness": w, "by value": *l, "inside": struct{ S *tlog.WitnessSecret }{w}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, s)
			if strings.Contains(text, key(l.Expose())) || strings.Contains(text, key(w.Expose())) {
				t.Errorf("%s with %s shows the key: %s", name, verb, text)
			}
		}
		if text, err := json.Marshal(s); err == nil {
			t.Errorf("%s marshals as %s", name, text)
		}
	}
	for name, err := range map[string]error{
		"text":   second(l.MarshalText()),
		"binary": second(l.MarshalBinary()),
		"cbor":   second(w.MarshalCBOR()),
	} {
		if err == nil {
			t.Errorf("marshals as %s", name)
		}
	}
	if l.String() != "(secret)" || l.GoString() != "(secret)" {
		t.Error("a secret has another placeholder")
	}
}

func second(_ []byte, err error) error { return err }
