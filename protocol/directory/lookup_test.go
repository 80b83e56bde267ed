// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
)

// crowded returns a provider with some names, of which anna has three versions.
func crowded(t testing.TB) (*directorytest.Provider, *holder) {
	t.Helper()
	p, anna := directorytest.New(t), newHolder(t, "anna")
	for i := range 20 {
		p.MoveTo(fmt.Sprintf("name %d", i), directory.Opening{Account: protocol.AccountID{byte(i + 1)}})
	}
	p.Move("anna", anna.state)
	p.Publish()
	anna.rotate(1)
	p.Move("anna", anna.state)
	p.Publish()
	anna.addB()
	p.Move("anna", anna.state)
	p.Publish()
	return p, anna
}

func TestLook(t *testing.T) {
	p, anna := crowded(t)
	v, f := look(t, p, nil, "anna", nil)
	leaf, ok := f.Leaf()
	index, _ := p.Index("anna")
	if !ok || !f.Present() || f.Name() != "anna" || f.Index() != index || leaf.Version != 3 || f.View() != v {
		t.Errorf("found %+v", leaf)
	}
	if account, head := f.Head(nil); account != anna.state.Account() || head != anna.state.Head() {
		t.Errorf("it leads to account %s, entry %d", account, head.Seq)
	}
	v, f = look(t, p, v, "nobody", nil)
	if _, ok := f.Leaf(); ok || f.Present() {
		t.Error("there is nobody of that name")
	}
	if account, _ := f.Head(nil); !account.IsZero() {
		t.Error("nobody has an account")
	}
	for _, name := range []string{"", string(make([]byte, directory.MaxName+1))} {
		if _, err := p.World.VerifyName(v, name, p.Lookup("anna", 0, 0)); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}

// TestAnswersThatProveNothing changes an honest answer in ways that anybody on the
// way could, and by what else an honest provider said.
func TestAnswersThatProveNothing(t *testing.T) { // G24, G30, G31
	p, _ := crowded(t)
	other := directorytest.New(t)
	other.MoveTo("anna", directory.Opening{Account: protocol.AccountID{1}})
	other.Publish()
	v, _ := look(t, p, nil, "anna", nil)
	for name, change := range map[string]func(a *directory.Answer){
		"no proof of the index":        func(a *directory.Answer) { a.VRF = [80]byte{} },
		"the index of another name":    func(a *directory.Answer) { a.VRF = p.Lookup("name 1", 0, 0).VRF },
		"all of another name":          func(a *directory.Answer) { *a = *p.Lookup("name 1", 0, 0) },
		"the same name in another log": func(a *directory.Answer) { *a = *other.Lookup("anna", 0, 0) },
		"the path of another name":     func(a *directory.Answer) { a.Path = p.Lookup("name 1", 0, 0).Path },
		"an old path":                  func(a *directory.Answer) { a.Path = p.LookupAt(1, "anna", 0, 0).Path },
		"no path":                      func(a *directory.Answer) { a.Path = nil },
		"an old update":                func(a *directory.Answer) { old := p.LookupAt(1, "anna", 0, 0); a.Update = old.Update },
		"an old update and its proof": func(a *directory.Answer) {
			old := p.LookupAt(1, "anna", 0, 0)
			a.Update, a.UpdateProof = old.Update, old.UpdateProof
		},
		"no update":                       func(a *directory.Answer) { a.Update, a.UpdateProof = nil, nil },
		"an update that was never logged": func(a *directory.Answer) { a.Update[len(a.Update)-1] ^= 1 },
		"a leaf that was moved": func(a *directory.Answer) {
			leaf, err := directory.ParseLeaf(a.Path.Leaf.Value)
			if err != nil {
				t.Fatal(err)
			}
			leaf.Version++
			a.Path.Leaf.Value = leaf.Bytes()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := p.Lookup("anna", 0, 0)
			change(a)
			_, err := p.World.VerifyName(v, "anna", a)
			mustNothing(t, err)
		})
	}
	a := p.Lookup("nobody", 0, 0)
	a.Update, a.UpdateProof = p.Lookup("anna", 0, 0).Update, p.Lookup("anna", 0, 0).UpdateProof
	_, err := p.World.VerifyName(v, "nobody", a)
	mustNothing(t, err)
	a = p.Lookup("nobody", 0, 0)
	a.Openings = p.Lookup("anna", 0, 0).Openings
	_, err = p.World.VerifyName(v, "nobody", a)
	mustNothing(t, err)
}

// TestALeafThatLies has the provider put leaves into its tree that its log does
// not give. Only who replays the log sees all of those; these a look-up sees.
func TestALeafThatLies(t *testing.T) {
	for name, change := range map[string]func(p *directorytest.Provider, leaf *directory.Leaf){
		"another next key":         func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Next[0] ^= 1 },
		"closed":                   func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Next = protocol.Hash{} },
		"another version":          func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Version++ },
		"an entry beyond the log":  func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Position = 1 << 40 },
		"an entry of another name": func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Position = 3 },
		"an entry of another kind": func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Position = 1 },
		"the entry of an older version": func(p *directorytest.Provider, leaf *directory.Leaf) {
			old, err := directory.ParseLeaf(p.LookupAt(1, "anna", 0, 0).Path.Leaf.Value)
			if err != nil {
				t.Fatal(err)
			}
			leaf.Position = old.Position
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := crowded(t)
			v, f := look(t, p, nil, "anna", nil)
			leaf, _ := f.Leaf()
			change(p, &leaf)
			p.SetLeaf("anna", &leaf)
			p.Publish()
			_, _, err := p.World.Look(v, "anna", p.Lookup("anna", 0, v.Size()))
			if a := mustAlarm(t, err, directory.AlarmLeaf); !a.Provable() {
				t.Error("it should be a proof")
			}
		})
	}
}

// TestALeafOfSomebodyElse: another name's leaf, true in all it says, stands at the
// index.
func TestALeafOfSomebodyElse(t *testing.T) { // G24
	p, anna := crowded(t)
	v, _ := look(t, p, nil, "name 1", nil)
	leaf, _ := p.Leaf("anna")
	p.SetLeaf("name 1", &leaf)
	p.Publish()
	a := p.Lookup("name 1", 0, v.Size())
	a.Openings = p.Lookup("anna", 0, v.Size()).Openings
	_, _, err := p.World.Look(v, "name 1", a)
	if a := mustAlarm(t, err, directory.AlarmLeaf); !a.Provable() || anna.state == nil {
		t.Error("it should be a proof")
	}
}

func TestAnUpdateThatNobodySignedIsALie(t *testing.T) {
	p, _ := crowded(t)
	v, f := look(t, p, nil, "anna", nil)
	secret := directory.DeriveUpdateSecret(keys.GenerateSecret(), protocol.AccountID{}, 4)
	u := directory.NewUpdate(p.World.Log(), f.Index(), 4, directory.Opening{Account: protocol.AccountID{7}}, secret, secret)
	u.Signature[0] ^= 1
	p.Update(u, directory.Opening{Account: protocol.AccountID{7}})
	p.Publish()
	_, _, err := p.World.Look(v, "anna", p.Lookup("anna", 3, v.Size()))
	mustAlarm(t, err, directory.AlarmLeaf)
}

func TestParseAnswer(t *testing.T) {
	p, _ := crowded(t)
	raw := p.Lookup("anna", 0, 0).Bytes()
	a, err := directory.ParseAnswer(raw)
	if err != nil || !bytes.Equal(a.Bytes(), raw) {
		t.Fatalf("an answer does not come back: %v", err)
	}
	a.Version = 2
	for name, c := range map[string]struct {
		raw  []byte
		kind protocol.Kind
	}{
		"a newer version": {canonical.MustMarshal(a), protocol.KindUnsupported},
		"a byte behind":   {append(bytes.Clone(raw), 0), protocol.KindUntrusted},
		"cut":             {raw[:len(raw)-1], protocol.KindUntrusted},
		"nothing":         {nil, protocol.KindUntrusted},
	} {
		if _, err := directory.ParseAnswer(c.raw); protocol.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := p.Lookup("anna", 0, 0)
	many.Note = make([]byte, tlog.MaxNote+1)
	if _, err := directory.ParseAnswer(many.Bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a note without end: %v", err)
	}
}

// TestProofSize holds the size of a look-up in a directory of a million names to
// its bound. Depth of paths is what counts, so they are lengthened by hand.
func TestProofSize(t *testing.T) {
	p, _ := crowded(t)
	a := p.Lookup("anna", 0, 0)
	lengthen := func(proof *[]protocol.Hash, to int) {
		*proof = append(*proof, make([]protocol.Hash, max(to-len(*proof), 0))...)
	}
	const names, entries = 20 + 3, 24 // of 2^20 names the path is seldom longer; the log has 2^24 entries
	a.Origin, a.OriginProof = nil, nil
	lengthen(&a.Path.Siblings, names)
	lengthen(&a.UpdateProof, entries)
	lengthen(&a.RootProof, entries)
	lengthen(&a.Consistency, entries)
	if n := a.ProofSize(); n > 4096 {
		t.Errorf("the proofs of a look-up take %d bytes", n)
	}
}

// BenchmarkLook verifies a look-up without its ledger: the checkpoint with three
// cosignatures, the consistency, the index, the path and the update.
func BenchmarkLook(b *testing.B) {
	p := directorytest.WithWitnesses(b, 2, 3)
	for i := range 200 {
		p.MoveTo(fmt.Sprintf("name %d", i), directory.Opening{Account: protocol.AccountID{byte(i + 1)}})
	}
	first := p.Publish()
	v, _, err := p.World.Look(nil, "name 7", p.Lookup("name 7", 0, 0))
	if err != nil {
		b.Fatal(err)
	}
	p.Publish()
	raw := p.Lookup("name 7", 0, first.Size).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		a, err := directory.ParseAnswer(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := p.World.Look(v, "name 7", a); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAnswer feeds a look-up with what a server may send. Whatever is taken is what
// the log holds.
func FuzzAnswer(f *testing.F) {
	p, _ := crowded(f)
	v, found := look(f, p, nil, "anna", nil)
	leaf, _ := found.Leaf()
	f.Add(p.Lookup("anna", 0, v.Size()).Bytes())
	f.Add(p.LookupAt(1, "anna", 0, 0).Bytes())
	f.Add(p.Lookup("nobody", 0, v.Size()).Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := directory.ParseAnswer(raw)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
				t.Fatalf("refused as %s", kind)
			}
			return
		}
		if !bytes.Equal(a.Bytes(), raw) {
			t.Fatal("prints as other bytes")
		}
		_, got, err := p.World.Look(v, "anna", a)
		if err != nil {
			return
		}
		if l, ok := got.Leaf(); !ok || l != leaf {
			t.Fatal("another leaf is taken")
		}
	})
}

// FuzzWorld reads worlds.
func FuzzWorld(f *testing.F) {
	p := directorytest.WithWitnesses(f, 2, 3)
	f.Add(p.World.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := directory.ParseWorld(raw)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
				t.Fatalf("refused as %s", kind)
			}
			return
		}
		again, err := directory.NewWorld(w.Policy(), w.VRF(), w.Statements())
		if err != nil || !bytes.Equal(again.Bytes(), raw) || again.Hash() != w.Hash() {
			t.Fatalf("a world does not come back: %v", err)
		}
	})
}

func TestWorld(t *testing.T) {
	p, other := directorytest.New(t), directorytest.New(t)
	w, err := directory.ParseWorld(p.World.Bytes())
	if err != nil || w.Hash() != p.World.Hash() || w.Log().String() != p.World.Log().String() {
		t.Fatalf("a world does not come back: %v", err)
	}
	if w.Hash() == other.World.Hash() {
		t.Error("two worlds have one hash")
	}
	type fields struct {
		Version   uint64   `cbor:"1,keyasint"`
		Log       string   `cbor:"2,keyasint"`
		VRF       [32]byte `cbor:"3,keyasint"`
		Statement [32]byte `cbor:"4,keyasint"`
		Policy    string   `cbor:"5,keyasint"`
	}
	for name, change := range map[string]func(f *fields){
		"a policy of another log":   func(f *fields) { f.Policy = other.World.Policy().String() },
		"a policy with a comment":   func(f *fields) { f.Policy = "# two\n" + f.Policy },
		"a policy without a quorum": func(f *fields) { f.Policy = "log " + f.Log + "\n" },
		"another log":               func(f *fields) { f.Log = other.World.Log().String() },
		"a VRF key of small order":  func(f *fields) { f.VRF = [32]byte{1} },
		"no statement key":          func(f *fields) { f.Statement = [32]byte{} },
		"a newer version":           func(f *fields) { f.Version = 2 },
	} {
		var f fields
		if err := canonical.Unmarshal(p.World.Bytes(), directory.MaxWorldSize, &f); err != nil {
			t.Fatal(err)
		}
		change(&f)
		_, err := directory.ParseWorld(canonical.MustMarshal(&f))
		if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && (kind != protocol.KindUnsupported || f.Version != 2) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
