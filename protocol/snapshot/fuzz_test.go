// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
)

// fuzz holds a parser to printing what it took, refusing the rest with a kind,
// and never panicking, neither while parsing nor while verifying.
func fuzz[T any](f *testing.F, parse func([]byte) (*T, error), verify func(*T, *ledger.State) error) {
	w := newWorld(f, "fuzz")
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := parse(raw)
		if err != nil {
			if v != nil || protocol.KindOf(err) != protocol.KindUntrusted && protocol.KindOf(err) != protocol.KindUnsupported {
				t.Errorf("value %v, error %v", v, err)
			}
			return
		}
		if !bytes.Equal(canonical.MustMarshal(v), raw) {
			t.Error("does not print as it was parsed")
		}
		if err := verify(v, w.state); err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("verify gives the kind %q: %v", protocol.KindOf(err), err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	w := newWorld(f, "fuzz")
	l := w.line(0)
	one := l.run(w.anna)
	l.list(w.bert, one)
	r := l.next()
	r.Others = []ledger.VaultHead{{Vault: w.vaults[1], Seq: 1, Hash: one}}
	l.keep(r.Sign(w.writer))
	for _, raw := range l.raws {
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	fuzz(f, Parse, func(r *Record, s *ledger.State) error { return r.Verify(s) })
}

func FuzzGeneration(f *testing.F) {
	w := newWorld(f, "fuzz")
	l := w.line(0)
	f.Add(w.generation(l, PruneRetire, 1, 2).Sign(w.anna))
	l.run(w.anna)
	f.Add(w.generation(l, PruneDrop, 1).Sign(w.writer))
	fuzz(f, ParseGeneration, func(g *Generation, s *ledger.State) error { return g.Verify(s) })
}

func FuzzPackStatement(f *testing.F) {
	w := newWorld(f, "fuzz")
	f.Add(w.statement().Sign(w.anna))
	f.Add(w.statement().Sign(w.idle))
	fuzz(f, ParsePackStatement, func(p *PackStatement, s *ledger.State) error {
		_, err := p.Verify(s)
		return err
	})
}
