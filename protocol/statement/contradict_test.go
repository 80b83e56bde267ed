// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// forge signs any bytes.
func forge(s *Secret, signed []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), signed)
}

// later moves a statement in time.
func later(s Statement, seconds int) Statement {
	return with(s, func(s *Statement) {
		s.Since += protocol.Time(seconds) * second
		s.Time += protocol.Time(seconds) * second
	})
}

// pair is two statements, and a part of the reason why they contradict each other;
// "" where they do not.
type pair struct {
	name string
	a, b Statement
	want string
}

func pairs() []pair {
	return []pair{
		{"the same", aboutLedger(), aboutLedger(), ""},
		{"the same, later", aboutLedger(), later(aboutLedger(), 60), ""},
		{"more, later", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Seq, s.Hash = 8, hash("entry 8") }), ""},
		{"less, later", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Seq, s.Hash = 6, hash("entry 6") }), "entry 6 was"},
		{"genesis, later", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Seq, s.Hash = 0, hash("entry 0") }), "entry 0 was"},
		{"less, while it looked", aboutLedger(), with(later(aboutLedger(), 1), func(s *Statement) { s.Seq, s.Hash = 6, hash("entry 6") }), ""},
		{"another hash", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Hash = hash("forged") }), "two different hashes"},
		{"another hash at one time", aboutLedger(), with(aboutLedger(), func(s *Statement) { s.Hash = hash("forged") }), "two different hashes"},
		{"another log", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Seq = 6; s.Log = hash("other") }), ""},
		{"another account", aboutLedger(), with(later(aboutLedger(), 60), func(s *Statement) { s.Seq = 6; s.Account[0] ^= 1 }), ""},
		{"another vault", aboutVault(), with(later(aboutVault(), 60), func(s *Statement) { s.Seq = 6; s.Vault[1] ^= 1 }), ""},
		{"a ledger and a vault", aboutLedger(), later(aboutVault(), 60), ""},
		{"an older record", aboutVault(), with(later(aboutVault(), 60), func(s *Statement) { s.Seq, s.Hash = 6, hash("6") }), "record 6 was"},
		{"an emptied vault", aboutVault(), with(later(aboutVault(), 60), func(s *Statement) { s.Seq, s.Hash = 0, protocol.Hash{} }), "record 0 was"},
		{"an older generation", aboutVault(), with(later(aboutVault(), 60), func(s *Statement) { s.Generation, s.GenerationHash = 2, hash("2") }), "generation 2 was"},
		{"another generation", aboutVault(), with(aboutVault(), func(s *Statement) { s.GenerationHash = hash("2") }), "two different hashes"},
		{"a newer record and an older generation", aboutVault(), with(later(aboutVault(), 60), func(s *Statement) {
			s.Seq, s.Hash, s.Generation, s.GenerationHash = 9, hash("9"), 2, hash("2")
		}), "generation 2 was"},
		{"a receipt again", receipt(), later(receipt(), 60), ""},
		{"a receipt with another date", receipt(), with(receipt(), func(s *Statement) { s.By += second }), ""},
		{"a version promised twice", receipt(), with(receipt(), func(s *Statement) { s.Hash = hash("other") }), "version 4 of one name twice"},
		{"a version promised to two accounts", receipt(), with(receipt(), func(s *Statement) { s.Hash = hash("other"); s.Account[0] ^= 1 }), "version 4 of one name twice"},
		{"an older version, later", receipt(), with(later(receipt(), 60), func(s *Statement) { s.NameVersion, s.Hash = 3, hash("3") }), ""},
		{"another name", receipt(), with(receipt(), func(s *Statement) { s.Index, s.Hash = hash("i"), hash("other") }), ""},
	}
}

func TestContradict(t *testing.T) {
	for _, c := range pairs() {
		t.Run(c.name, func(t *testing.T) {
			a, b := sign(t, c.a), sign(t, c.b)
			for _, pair := range [][2]*Signed{{a, b}, {b, a}} {
				why, yes := Contradict(pair[0], pair[1])
				if yes != (c.want != "") || !strings.Contains(why, c.want) {
					t.Errorf("%t, %q", yes, why)
				}
			}
		})
	}
}

func TestStatementsOfTwoKeysDoNotContradict(t *testing.T) {
	other, err := secret(t, "other").Sign(with(aboutLedger(), func(s *Statement) { s.Hash = hash("forged") }))
	if err != nil {
		t.Fatal(err)
	}
	if why, yes := Contradict(sign(t, aboutLedger()), other); yes {
		t.Error(why)
	}
}

// TestAnHonestProviderNeverContradictsItself lets a provider answer many askers
// while its ledger, vault and generations grow. Each answer begins to look, reads
// the chains at a moment of its own, and finishes, in any interleaving with the
// others and with what is appended; the clock is coarse.
func TestAnHonestProviderNeverContradictsItself(t *testing.T) {
	for seed := range uint64(100) {
		answered := honestly(t, rand.New(rand.NewPCG(seed, 1)))
		for i, a := range answered {
			for _, b := range answered[:i] {
				if why, yes := Contradict(a, b); yes {
					t.Fatalf("seed %d: %s", seed, why)
				}
			}
		}
	}
}

// honestly returns what an honest provider signed in a history of 80 steps.
func honestly(t *testing.T, r *rand.Rand) []*Signed {
	var clock, seq, generation uint64
	var open []*Statement
	var answered []*Signed
	now := func() protocol.Time { return protocol.Time(clock/4) * second / 16 }
	for range 80 {
		clock++
		at := r.IntN(len(open) + 1)
		switch r.IntN(5) {
		case 0:
			seq++
		case 1:
			generation++
		case 2: // somebody asks
			s := with(aboutVault(), func(s *Statement) { s.Since, s.Seq, s.Generation = now(), 0, 0 })
			open = append(open, &s)
		case 3: // one of the answers looks
			if at < len(open) && open[at].Seq == 0 {
				open[at].Seq, open[at].Generation = seq, generation
			}
		case 4: // one of those that looked finishes
			if at < len(open) && open[at].Seq > 0 {
				s := *open[at]
				s.Time, s.Hash, s.GenerationHash = now(), named("record", s.Seq), named("generation", s.Generation)
				answered, open = append(answered, sign(t, s)), append(open[:at], open[at+1:]...)
			}
		}
	}
	return answered
}

// named is the hash of a numbered thing, zero for number 0.
func named(word string, n uint64) protocol.Hash {
	if n == 0 {
		return protocol.Hash{}
	}
	return hash(fmt.Sprint(word, n))
}
