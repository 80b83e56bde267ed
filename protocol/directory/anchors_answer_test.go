// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
)

// anchored returns a provider that holds two anchors of one day, and what to ask
// for: both, one that is not there, and one of a day that has none.
func anchored(t testing.TB) (*directorytest.Provider, []directory.AnchorQuestion) {
	t.Helper()
	p := directorytest.New(t)
	secret, today := keys.GenerateSecret(), directory.DayOf(p.Now())
	var asked []directory.AnchorQuestion
	for slot := range uint64(3) {
		k := directory.DeriveAnchorKey(secret, today, slot)
		if slot < 2 {
			box := []byte{byte(slot), 1}
			p.LeaveAnchor(directory.NewAnchor(p.World.Log(), k, directory.AnchorBoxHash(box)), box)
		}
		asked = append(asked, directory.AnchorQuestion{Period: today, Index: k.Index()})
	}
	asked = append(asked, directory.AnchorQuestion{Period: "2020-02", Index: directory.DeriveAnchorKey(secret, "2020-02", 0).Index()})
	p.Publish()
	return p, asked
}

func TestAnchorsAnswer(t *testing.T) {
	p, asked := anchored(t)
	v := mustAdvance(t, p, nil)
	a := p.Anchors(asked, v.Size())
	if _, err := p.World.Advance(v, &a.CheckpointPart); err != nil {
		t.Fatal(err)
	}
	found, err := p.World.VerifyAnchors(v, asked, a)
	if err != nil || len(found) != len(asked) {
		t.Fatal(err)
	}
	for i, f := range found {
		there := i < 2
		if f.AnchorQuestion != asked[i] || f.Present != there || (f.Box != nil) != there || f.Commitment.IsZero() == there {
			t.Errorf("index %d is found as %+v", i, f)
		}
		if there && directory.AnchorBoxHash(f.Box) != f.Commitment {
			t.Errorf("index %d has another box", i)
		}
	}
	p.DropBox(asked[0].Index) // the log holds it, and the provider does not give it
	found, err = p.World.VerifyAnchors(v, asked, p.Anchors(asked, v.Size()))
	if err != nil || !found[0].Present || found[0].Box != nil || found[1].Box == nil {
		t.Errorf("a box is withheld: %+v, %v", found, err)
	}
}

// TestAnchorsThatAreHidden plays what a server can do against who comes back with
// no memory.
func TestAnchorsThatAreHidden(t *testing.T) {
	p, asked := anchored(t)
	v := mustAdvance(t, p, nil)
	early, err := p.World.Advance(nil, part(p, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(a *directory.AnchorsAnswer){
		"nothing is said":                func(a *directory.AnchorsAnswer) { a.Periods = nil },
		"a period is left out":           func(a *directory.AnchorsAnswer) { a.Periods = a.Periods[:1] },
		"an index is left out":           func(a *directory.AnchorsAnswer) { a.Periods[0].Paths = a.Periods[0].Paths[1:] },
		"a period as nothing":            func(a *directory.AnchorsAnswer) { a.Periods[0].Outer = &directory.PathProof{} },
		"an index as nothing":            func(a *directory.AnchorsAnswer) { a.Periods[0].Paths[0].Path = &directory.PathProof{} },
		"another box":                    func(a *directory.AnchorsAnswer) { a.Periods[0].Paths[0].Box[0] ^= 1 },
		"the box of the other":           func(a *directory.AnchorsAnswer) { a.Periods[0].Paths[0].Box = a.Periods[0].Paths[1].Box },
		"a box for nothing":              func(a *directory.AnchorsAnswer) { a.Periods[0].Paths[2].Box = []byte{1} },
		"no proof of the period":         func(a *directory.AnchorsAnswer) { a.Periods[0].Outer = nil },
		"no proof of the index":          func(a *directory.AnchorsAnswer) { a.Periods[0].Paths[0].Path = nil },
		"the answer to another question": func(a *directory.AnchorsAnswer) { *a = *p.Anchors(asked[3:], v.Size()) },
	} {
		a := p.Anchors(asked, v.Size())
		change(a)
		_, err := p.World.VerifyAnchors(v, asked, a)
		if protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.World.VerifyAnchors(early, asked, p.Anchors(asked, 0)); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("under a view from before: %v", err)
	}
	if _, err := directorytest.New(t).World.VerifyAnchors(v, asked, p.Anchors(asked, 0)); err == nil {
		t.Error("the view of a log of one name with another key serves")
	}
}

func TestParseAnchorsAnswer(t *testing.T) {
	p, asked := anchored(t)
	raw := p.Anchors(asked, 0).Bytes()
	a, err := directory.ParseAnchorsAnswer(raw)
	if err != nil || !bytes.Equal(a.Bytes(), raw) {
		t.Fatalf("it does not come back: %v", err)
	}
	for name, change := range map[string]func(a *directory.AnchorsAnswer){
		"a period that is none": func(a *directory.AnchorsAnswer) { a.Periods[0].Period = "2026-13" },
		"a box that is too large": func(a *directory.AnchorsAnswer) {
			a.Periods[0].Paths[0].Box = make([]byte, directory.MaxAnchorBoxSize+1)
		},
		"too many indexes": func(a *directory.AnchorsAnswer) {
			a.Periods[0].Paths = make([]directory.AnchorAnswer, directory.MaxAnchorIndexes)
			for i := range a.Periods[0].Paths {
				a.Periods[0].Paths[i].Path = &directory.PathProof{}
			}
		},
	} {
		a := p.Anchors(asked, 0)
		change(a)
		if _, err := directory.ParseAnchorsAnswer(a.Bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Version = 2
	if _, err := directory.ParseAnchorsAnswer(canonical.MustMarshal(a)); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("a newer version: %v", err)
	}
}

// FuzzAnchorsAnswer feeds what a server may send. Whatever is taken says of each
// index what the log holds.
func FuzzAnchorsAnswer(f *testing.F) {
	p, asked := anchored(f)
	v := mustAdvance(f, p, nil)
	honest := p.Anchors(asked, v.Size())
	want, err := p.World.VerifyAnchors(v, asked, honest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := directory.ParseAnchorsAnswer(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(a.Bytes(), raw) {
			t.Fatal("prints as other bytes")
		}
		found, err := p.World.VerifyAnchors(v, asked, a)
		if err != nil {
			return
		}
		for i, f := range found {
			if f.Present != want[i].Present || f.Commitment != want[i].Commitment || f.Box != nil && !bytes.Equal(f.Box, want[i].Box) {
				t.Fatalf("index %d is found as %+v", i, f)
			}
		}
	})
}
