// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// FuzzParseEntry holds that what is read prints as the same bytes, and that a
// refusal has one of two kinds.
func FuzzParseEntry(f *testing.F) {
	for _, e := range entriesOfEachKind(f, simLogKey(f, simOrigin)) {
		f.Add(e.Bytes())
	}
	f.Add([]byte{0xa2, 1, 1, 2, 0xa1, 0x0a, 0xa0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := ParseEntry(raw)
		if kind := protocol.KindOf(err); err != nil && kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
			t.Fatalf("refused as %s", kind)
		}
		if err == nil && !bytes.Equal(e.Bytes(), raw) {
			t.Fatalf("prints as %x", e.Bytes())
		}
		if err == nil {
			_ = e.VerifySignature(protocol.Hash{})
		}
	})
}

// FuzzPathProof holds that what is read prints as the same bytes, and that no
// proof shows another index or value than there is under one root.
func FuzzPathProof(f *testing.F) {
	m := newModel(f)
	asked := bitIndex("0110")
	m.set(Item{bitIndex("0111"), []byte{1}}, Item{bitIndex("01101"), []byte{2}}, Item{bitIndex("1"), []byte{3}})
	for _, index := range []protocol.Hash{asked, bitIndex("01101"), bitIndex("1"), bitIndex("00")} {
		f.Add(m.look(index).Bytes())
	}
	f.Add((&PathProof{}).Bytes())
	honest := m.look(asked).Bytes()
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePathProof(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), raw) {
			t.Fatalf("prints as %x", p.Bytes())
		}
		if _, ok, err := p.Verify(m.tree.Root(), asked); err == nil && (ok || !bytes.Equal(raw, honest)) {
			t.Fatal("another proof shows the same, or the same proof something else")
		}
	})
}

// FuzzTile holds that a tile that is read under some name prints as the same
// bytes.
func FuzzTile(f *testing.F) {
	m := newModel(f)
	for i := range byte(40) {
		m.set(Item{simHash("index", uint64(i)), []byte{i, 1}})
	}
	for _, data := range m.store.tiles {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &tileReader{data: data}
		if version, ok := r.byte(); !ok || version != tileVersion {
			return
		}
		n, ok := r.node(0, 0)
		if !ok || n == nil {
			return
		}
		rest := data[:len(data)-len(r.data)]
		top, err := parseTile(rest, n.hash, 0, protocol.Hash{})
		if err == nil && !bytes.Equal(tileOf(top), rest) {
			t.Fatalf("prints as %x", tileOf(top))
		}
		if _, err := parseTile(data, protocol.Hash{1}, 0, protocol.Hash{}); err == nil {
			t.Fatal("read under another name")
		}
	})
}

// FuzzParseLeaf holds leaves and openings to one form.
func FuzzParseLeaf(f *testing.F) {
	f.Add((&Leaf{Version: 1, Next: protocol.Hash{1}, Notice: &PendingNotice{}}).Bytes())
	f.Add((&Opening{}).Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, err := ParseLeaf(raw); err == nil && !bytes.Equal(l.Bytes(), raw) {
			t.Fatalf("a leaf prints as %x", l.Bytes())
		}
		if o, err := ParseOpening(raw); err == nil && !bytes.Equal(o.Bytes(), raw) {
			t.Fatalf("an opening prints as %x", o.Bytes())
		}
	})
}

// FuzzParseState holds states to one form, and that a replay on any of them does
// not fall over.
func FuzzParseState(f *testing.F) {
	l := newSimLog(f)
	l.add(newSimName(f, 1).next(l.key), &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(newSimName(f, 1).secret, DayOf(l.at), 0), protocol.Hash{})})
	l.root()
	f.Add(l.replay.State())
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parseState(raw, l.key.ID())
		if err != nil {
			return
		}
		if !bytes.Equal(s.bytes(), raw) {
			t.Fatalf("prints as %x", s.bytes())
		}
		r, err := ResumeReplay(l.key, l.store, raw)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Entry(t.Context(), (&Entry{Policy: &Policy{Number: s.Policy + 1, Prev: s.PolicyHash, Statement: "x"}}).Bytes())
		if e, err := r.NextRoot(t.Context(), r.Time()); err == nil {
			_ = r.Entry(t.Context(), e.Bytes())
		}
	})
}

// FuzzParsePeriod holds periods to one form.
func FuzzParsePeriod(f *testing.F) {
	f.Add("2026-03-30")
	f.Add("2026-03")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePeriod(text)
		if err == nil && (string(p) != text || p.Start() >= p.End() || p.IsMonth() && MonthOf(p.Start()) != p || !p.IsMonth() && DayOf(p.Start()) != p) {
			t.Fatalf("%q reads as %s", text, p)
		}
	})
}

// FuzzTree drives a tree by the input and holds it to the naive one.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0x10, 0x11, 0x90, 0x00, 0x12, 0x81, 0xff, 0x7f})
	f.Add(bytes.Repeat([]byte{0x0f, 0x8f, 0x4f}, 8))
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newModel(t)
		for len(script) > 2 {
			// Indexes that share long prefixes: a byte, at one of four places.
			var index protocol.Hash
			index[[]int{0, 1, 16, 31}[script[0]&3]] = script[1]
			item := Item{Index: index, Value: []byte{script[2]}}
			if script[0]&4 != 0 {
				item.Value = nil
			}
			m.set(item)
			m.look(index)
			index[31] ^= 1
			m.look(index)
			script = script[min(3, len(script)):]
			if len(m.held) > 64 {
				return
			}
		}
	})
}
