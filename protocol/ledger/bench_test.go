// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// longHistory is a ledger of n entries, most of them names and rotations.
func longHistory(b *testing.B, n int) *story {
	s := tell(b, begin)
	for i := len(s.entries); i < n; i++ {
		line := "A: name-member B"
		switch {
		case i%100 == 50:
			line = fmt.Sprintf("A: add-device D%d writer", i)
		case i%100 == 75:
			line = "B: rotate"
		}
		e, err := Sign(s.state, protocol.Time(i), (&act{s: s, words: strings.Fields(line[3:]), options: map[string]string{}}).body(), member(line[:1]))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.state.extend([]*Entry{e}, nil); err != nil {
			b.Fatal(err)
		}
		s.entries = append(s.entries, e)
	}
	return s
}

func BenchmarkParse(b *testing.B) {
	raw := tell(b, begin).entries[1].Bytes()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify1000 is the floor of BenchmarkFold1000: the signature checks.
func BenchmarkVerify1000(b *testing.B) {
	entries := longHistory(b, 1000).entries
	verifiers := map[protocol.MemberID]*keys.Verifier{}
	for _, name := range []string{"A", "B"} {
		k := member(name).Public().Verify
		verifiers[id(name)] = k.Verifier()
	}
	for b.Loop() {
		for _, e := range entries {
			if err := verifiers[e.Signer()].Verify(keys.PurposeLedgerEntry, e.f.signed(), e.f.Signature); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkFold1000(b *testing.B) {
	entries := longHistory(b, 1000).entries
	for b.Loop() {
		if _, err := Fold(entries, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtendByOne(b *testing.B) {
	s := longHistory(b, 1000)
	e, err := Sign(s.state, 0, Body{Close: &Close{}}, member("A"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.state.Extend([]*Entry{e}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
