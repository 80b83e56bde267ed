// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"testing"

	modnote "golang.org/x/mod/sumdb/note"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// untrusted fails unless an error of a parser says that it does not trust.
func untrusted(t *testing.T, err error) {
	t.Helper()
	if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
		t.Fatalf("%v is of kind %s", err, kind)
	}
}

func FuzzCheckpoint(f *testing.F) {
	l := tlogtest.New(f, "log.example")
	grow(f, l, 3)
	key := l.Secret.Public()
	f.Add(l.Note(f, 5e9, newWitness(f, "w.example", tlog.Ed25519)))
	f.Add(l.Note(f, 5e9, newWitness(f, "w.example", tlog.MLDSA44)))
	f.Add([]byte("log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x AAAAAAA=\n"))
	f.Add([]byte("log.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n\n— x AAAAAAB=\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := tlog.ParseCheckpoint(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		if again, err := tlog.Attach(raw); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("printed as %q, %v", again, err)
		}
		if !bytes.HasPrefix(raw, c.Body()) {
			t.Fatalf("%+v does not stand there", c)
		}
		if _, err := modnote.Open(raw, modnote.VerifierList()); err == nil {
			t.Fatal("opened by no key")
		}
		if _, err := key.Verify(raw); err != nil {
			untrusted(t, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(tlogtest.New(f, "log.example").Secret.Public().String())
	f.Add(newWitness(f, "w.example", tlog.Ed25519).Public().String())
	f.Add(newWitness(f, "w.example", tlog.MLDSA44).Public().String())
	f.Add(newWitness(f, "w.example", tlog.MLDSA44).Expose())
	f.Add(tlogtest.New(f, "log.example").Secret.Expose())
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := tlog.ParseLogKey(text); err != nil {
			untrusted(t, err)
		} else if k.String() != text {
			t.Fatalf("log key printed as %q", k)
		}
		if k, err := tlog.ParseWitnessKey(text); err != nil {
			untrusted(t, err)
		} else if k.String() != text {
			t.Fatalf("witness key printed as %q", k)
		}
		if s, err := tlog.ParseLogSecret(text); err != nil {
			untrusted(t, err)
		} else if s.Expose() != text {
			t.Fatal("log secret printed otherwise")
		}
		if s, err := tlog.ParseWitnessSecret(text); err != nil {
			untrusted(t, err)
		} else if s.Expose() != text {
			t.Fatal("witness secret printed otherwise")
		}
	})
}

// FuzzPolicy: the text of a policy reads back as the same policy.
func FuzzPolicy(f *testing.F) {
	log := "log " + tlogtest.New(f, "log.example").Secret.Public().String()
	w := newWitness(f, "w.example", tlog.Ed25519).Public().String()
	f.Add([]byte(log + "\nquorum none\n"))
	f.Add([]byte("# x\n" + log + " https://log\nwitness a " + w + "\ngroup b any a\ngroup c all b\nquorum c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := tlog.ParsePolicy(text)
		if err != nil {
			untrusted(t, err)
			return
		}
		again, err := tlog.ParsePolicy([]byte(p.String()))
		if err != nil || again.String() != p.String() || again.NeedsWitness() != p.NeedsWitness() {
			t.Fatalf("printed as %q, %v", p, err)
		}
	})
}

func FuzzAddCheckpoint(f *testing.F) {
	f.Add(request(f).Marshal())
	f.Add([]byte("old 0\n\nlog.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := tlog.ParseAddCheckpoint(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		if !bytes.Equal(r.Marshal(), raw) {
			t.Fatalf("printed as %q", r.Marshal())
		}
	})
}

func FuzzProof(f *testing.F) {
	r := request(f)
	f.Add((&tlog.Proof{Index: 3, Hashes: r.Proof, Note: r.Note}).Marshal())
	f.Add((&tlog.Proof{Extra: []byte("x"), Note: r.Note}).Marshal())
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := tlog.ParseProof(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		if !bytes.Equal(p.Marshal(), raw) {
			t.Fatalf("printed as %q", p.Marshal())
		}
	})
}

func FuzzLines(f *testing.F) {
	l := tlogtest.New(f, "log.example")
	w := newWitness(f, "w.example", tlog.Ed25519)
	line := w.Cosign(l.Note(f, 0), l.Head(), 5e9)
	f.Add(line)
	f.Add([]byte("12\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n, err := tlog.ParseConflict(raw); err != nil {
			untrusted(t, err)
		} else if n > tlog.MaxSize {
			t.Fatalf("the size is %d", n)
		}
		lines, err := tlog.ParseLines(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		if !bytes.Equal(bytes.Join(lines, nil), raw) {
			t.Fatalf("printed as %q", lines)
		}
		if at, ok := w.Public().VerifyCosignature(append(l.Note(t, 0), raw...)); ok && at != 5e9 {
			t.Fatalf("cosigned at %v", at)
		}
	})
}

func FuzzTilePath(f *testing.F) {
	f.Add("tile/0/x001/234.p/5")
	f.Add("tile/entries/x999/x001/234")
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := tlog.ParseTilePath(path)
		if err != nil {
			untrusted(t, err)
			return
		}
		if tile.Path() != path {
			t.Fatalf("printed as %q", tile.Path())
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(tlog.AppendBundle(tlog.AppendBundle(nil, []byte("one")), nil), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, width uint8) {
		tile := tlog.Tile{Level: tlog.LevelEntries, Width: int(width) + 1}
		cut, cutErr := tile.Cut(raw)
		entries, err := tlog.ParseBundle(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		var again []byte
		for i, e := range entries {
			again = tlog.AppendBundle(again, e)
			if i == int(width) && (cutErr != nil || !bytes.Equal(cut, again)) {
				t.Fatalf("cut to %x, %v", cut, cutErr)
			}
		}
		if !bytes.Equal(again, raw) {
			t.Fatalf("printed as %x", again)
		}
		if len(entries) <= int(width) && cutErr == nil {
			t.Fatalf("%d entries cut to %d", len(entries), tile.Width)
		}
	})
}

func FuzzFrontier(f *testing.F) {
	f.Add(new(tlog.Frontier).Marshal())
	f.Add(append([]byte{0, 0, 0, 0, 0, 0, 0, 5}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		at, err := tlog.ParseFrontier(raw)
		if err != nil {
			untrusted(t, err)
			return
		}
		if !bytes.Equal(at.Marshal(), raw) {
			t.Fatalf("printed as %x", at.Marshal())
		}
		at.Root()
	})
}

// FuzzVerifyProofs gives proofs of any shape: nothing panics, and what holds is
// the proof that there is.
func FuzzVerifyProofs(f *testing.F) {
	l := tlogtest.New(f, "log.example")
	heads := []tlog.Checkpoint{grow(f, l, 5), grow(f, l, 9)}
	f.Add(uint64(5), uint64(9), uint64(2), make([]byte, 96))
	f.Add(uint64(0), uint64(0), uint64(0), []byte{})
	f.Fuzz(func(t *testing.T, older, newer, index uint64, raw []byte) {
		var proof []protocol.Hash
		for len(raw) >= 32 {
			proof = append(proof, protocol.Hash(raw))
			raw = raw[32:]
		}
		a, b := heads[0], heads[1]
		a.Size, b.Size = older, newer
		if err := tlog.VerifyConsistency(a, b, proof); err != nil {
			untrusted(t, err)
		} else if older != newer && older != 0 && (older != 5 || newer != 9) {
			t.Fatalf("%d extends %d", newer, older)
		}
		if err := tlog.VerifyInclusion(b, index, protocol.Hash{1}, proof); err == nil {
			t.Fatal("a made-up leaf is in the log")
		}
	})
}
