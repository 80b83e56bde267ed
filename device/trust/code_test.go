// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"regexp"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/test/vectors"
)

// TestCode: two people see one code if they have the same two accounts in the same
// log, and else two.
func TestCode(t *testing.T) {
	w, alice, bob := aliceAndBob(t)
	a, b := alice.synced().State.Account(), bob.synced().State.Account()
	code := CodeOf(w.p.World, a, b)
	if code != CodeOf(w.p.World, b, a) {
		t.Error("the two sides see two codes")
	}
	if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(code.String()) {
		t.Errorf("the code reads %s", code)
	}
	for name, other := range map[string]Code{
		"another contact": CodeOf(w.p.World, a, protocol.AccountID{1}),
		"somebody twice":  CodeOf(w.p.World, a, a),
		"another log":     CodeOf(newWorld(t).p.World, a, b),
	} {
		if other == code || other.Matches(code.String()) || other.Matches(code.Full()) {
			t.Errorf("%s has the same code", name)
		}
	}
	stricter, err := directory.NewWorld(w.p.World.Policy(), w.p.World.VRF(), w.p.World.Statements())
	must(t, err)
	if CodeOf(stricter, a, b) != code {
		t.Error("the code depends on who demands what")
	}
}

func TestCodeMatches(t *testing.T) {
	code := Code{0: 0xff, 5: 0x42, 14: 7}
	text := code.String()
	spoken := strings.NewReplacer("-", " ", "0", "o", "1", "l").Replace(strings.ToLower(text))
	for _, same := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), spoken, " " + text + "\n", code.Full(), strings.ToLower(code.Full())} {
		if !code.Matches(same) {
			t.Errorf("%q is not %s", same, text)
		}
	}
	for _, other := range []string{"", "-", text[1:], text + "0", "1" + text[1:], code.Full()[:20], code.Full() + "00", "SOLEKEY-CODE:" + text} {
		if code.Matches(other) {
			t.Errorf("%q is %s", other, text)
		}
	}
}

func TestCodeVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "contact-code",
		Generate: func(t *testing.T) []*vectors.Vector {
			return []*vectors.Vector{
				codeVector("contact-code-two", "two accounts", protocol.Hash{1}, protocol.AccountID{2}, protocol.AccountID{3}),
				codeVector("contact-code-turned", "the same two, the other way round", protocol.Hash{1}, protocol.AccountID{3}, protocol.AccountID{2}),
				codeVector("contact-code-log", "the same two in another log", protocol.Hash{4}, protocol.AccountID{2}, protocol.AccountID{3}),
			}
		},
		Check: map[string]func(*testing.T, *vectors.Vector){"contact-code": checkCode},
	})
}

func codeVector(name, says string, log protocol.Hash, a, b protocol.AccountID) *vectors.Vector {
	key := [32]byte{5}
	code := codeIn(log, key, a, b)
	return vectors.New(name, says, "contact-code", vectors.Valid).
		WithHex("log", log[:]).WithHex("vrf", key[:]).WithHex("own", a[:]).WithHex("other", b[:]).
		With("words", code.String()).With("full", code.Full())
}

func checkCode(t *testing.T, v *vectors.Vector) {
	code := codeIn(protocol.Hash(v.Hex(t, "log")), [32]byte(v.Hex(t, "vrf")), protocol.AccountID(v.Hex(t, "own")), protocol.AccountID(v.Hex(t, "other")))
	if v.Expect(t, nil) && (code.String() != v.Text(t, "words") || code.Full() != v.Text(t, "full")) {
		t.Errorf("the code is %s, %s", code, code.Full())
	}
}
