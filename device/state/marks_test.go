// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestMarksMoveForwardOnly(t *testing.T) {
	a, b := protocol.Hash{1}, protocol.Hash{2}
	cases := []struct {
		name     string
		from, to Position
		word     string // in the refusal, "" where it is taken
	}{
		{"first", Position{}, Position{1, a}, ""},
		{"same", Position{3, a}, Position{3, a}, ""},
		{"next", Position{3, a}, Position{4, b}, ""},
		{"far ahead", Position{3, a}, Position{400, b}, ""},
		{"empty stays empty", Position{}, Position{}, ""},
		{"older", Position{3, a}, Position{2, b}, "rollback"},
		{"emptied", Position{3, a}, Position{}, "rollback"},
		{"another at the same place", Position{3, a}, Position{3, b}, "fork"},
		{"hash without number", Position{}, Position{0, a}, "wrong hash"},
		{"number without hash", Position{3, a}, Position{4, protocol.Hash{}}, "wrong hash"},
	}
	advance := map[string]struct {
		check, move func(*Vault, Position) error
		read        func(*Vault) (Position, error)
	}{
		"head":       {(*Vault).CheckHead, (*Vault).AdvanceHead, (*Vault).Head},
		"generation": {(*Vault).CheckGeneration, (*Vault).AdvanceGeneration, (*Vault).Generation},
	}
	for which, f := range advance {
		for _, c := range cases {
			t.Run(which+" "+c.name, func(t *testing.T) {
				w := newWorld(t)
				v := w.open().Vault(w.vault)
				must(t, f.move(v, c.from))
				want := c.to
				for _, err := range []error{f.check(v, c.to), f.move(v, c.to)} {
					if c.word == "" {
						must(t, err)
						continue
					}
					want = c.from
					wantKind(t, err, protocol.KindUntrusted)
					if !strings.Contains(err.Error(), c.word) {
						t.Fatalf("error %q does not speak of a %s", err, c.word)
					}
				}
				got, err := f.read(w.again().Vault(w.vault))
				must(t, err)
				if got != want {
					t.Fatalf("the mark is at %v after a restart, want %v", got, want)
				}
			})
		}
	}
}

func TestCursorIsTheHighest(t *testing.T) {
	w := newWorld(t)
	v := w.open().Vault(w.vault)
	for _, c := range []struct{ to, want uint64 }{{5, 5}, {3, 5}, {9, 9}} {
		must(t, v.AdvanceCursor(c.to))
		if got, err := w.again().Vault(w.vault).Cursor(); got != c.want || err != nil {
			t.Fatalf("cursor %d, %v after %d, want %d", got, err, c.to, c.want)
		}
	}
}

func TestMarksOfVaultsAreApart(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	must(t, s.Vault(w.vault).AdvanceHead(Position{7, protocol.Hash{7}}))
	other := protocol.VaultID{9}
	if got, err := s.Vault(other).Head(); got != (Position{}) || err != nil {
		t.Fatalf("another vault's head is %v, %v", got, err)
	}
	if s.Vault(other).ID() != other {
		t.Fatal("a vault has another identifier")
	}
}

func TestTwoProcessesMoveOneMark(t *testing.T) {
	w := newWorld(t)
	first := w.open().Vault(w.vault)
	second := w.again().Vault(w.vault)
	must(t, first.AdvanceHead(Position{5, protocol.Hash{5}}))
	wantKind(t, second.AdvanceHead(Position{4, protocol.Hash{4}}), protocol.KindUntrusted)
	must(t, second.AdvanceHead(Position{6, protocol.Hash{6}}))
	wantKind(t, first.AdvanceHead(Position{5, protocol.Hash{5}}), protocol.KindUntrusted)
}
