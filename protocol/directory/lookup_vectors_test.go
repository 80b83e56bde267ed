// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/test/vectors"
)

func TestLookupVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "lookup",
		Generate: func(t *testing.T) []*vectors.Vector {
			b := newLookupBook(t)
			return slices.Concat(b.worlds(), b.answers(), b.anchors())
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"lookup-world": checkWorldVector, "lookup-answer": checkAnswerVector, "lookup-anchors": checkAnchorsVector,
		},
	})
}

// lookupBook is a provider from fixed seeds, at three moments: a log with anna's
// first version, with her second, and with nothing new.
type lookupBook struct {
	t       *testing.T
	log     *tlogtest.Log
	vrf     *vrf.Secret
	witness *tlog.WitnessSecret
	world   *directory.World
	replay  *directory.Replay
	store   *directory.MemoryStore
	at      protocol.Time
	raws    [][]byte
	opens   []directory.Opening
	notes   [][]byte
	roots   []uint64
}

func seedOf(word string) []byte { h := sha256.Sum256([]byte("lookup " + word)); return h[:] }

// secretText is the text of an Ed25519 key of the type, by its seed.
func secretText(name string, alg byte, seed []byte) string {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	id := sha256.Sum256(append([]byte(name+"\n"+string(rune(alg))), public...))
	return "PRIVATE+KEY+" + name + "+" + hex.EncodeToString(id[:4]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{alg}, seed...))
}

func newLookupBook(t *testing.T) *lookupBook {
	t.Helper()
	log, err := tlog.ParseLogSecret(secretText("log.example/lookup", 1, seedOf("log")))
	fatal(t, err)
	witness, err := tlog.ParseWitnessSecret(secretText("witness.example", 4, seedOf("witness")))
	fatal(t, err)
	names, err := vrf.Parse(seedOf("vrf"))
	fatal(t, err)
	says, err := statement.ParseSecret(seedOf("statements"))
	fatal(t, err)
	policy, err := tlog.ParsePolicy([]byte("log " + log.Public().String() + "\nwitness w " + witness.Public().String() + "\nquorum w\n"))
	fatal(t, err)
	world, err := directory.NewWorld(policy, names.Public(), says.Public())
	fatal(t, err)
	b := &lookupBook{
		t: t, log: tlogtest.Of(log), vrf: names, witness: witness, world: world, store: directory.NewMemoryStore(),
		at: protocol.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)),
	}
	b.replay = directory.NewReplay(log.Public(), b.store)
	b.add(&directory.Entry{Origin: &directory.Origin{VRF: names.Public(), Statement: directory.Key(says.Public())}})
	b.root()
	b.move()
	b.add(&directory.Entry{Anchor: b.anchor(0)})
	b.root()
	b.move()
	b.root()
	return b
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *lookupBook) add(e *directory.Entry) {
	b.t.Helper()
	fatal(b.t, b.replay.Entry(context.Background(), e.Bytes()))
	b.raws = append(b.raws, e.Bytes())
	b.log.Append(b.t, e.Bytes())
}

func (b *lookupBook) root() {
	b.t.Helper()
	b.at += protocol.Time(time.Hour)
	e, err := b.replay.NextRoot(context.Background(), b.at)
	fatal(b.t, err)
	b.add(e)
	b.store.Apply(directory.Change{New: b.replay.TakeChange().New})
	b.notes = append(b.notes, b.log.Note(b.t, b.at, b.witness))
	b.roots = append(b.roots, uint64(len(b.raws)-1))
}

func (b *lookupBook) secret() *keys.Secret {
	s, err := keys.NewSecret(seedOf("anna"))
	fatal(b.t, err)
	return s
}

func (b *lookupBook) index(name string) (protocol.Hash, vrf.Proof) {
	proof, out := b.vrf.Prove([]byte(name))
	return directory.Index(out), proof
}

// move moves anna to her next version.
func (b *lookupBook) move() {
	index, _ := b.index("anna")
	version := uint64(len(b.opens) + 1)
	account := protocol.AccountID(seedOf("account"))
	o := directory.Opening{Account: account, Ledger: ledger.Head{Seq: 3 * version, Hash: protocol.Hash(seedOf(fmt.Sprint("entry ", version)))}, Blind: [32]byte(seedOf("blind"))}
	key := func(v uint64) *directory.UpdateSecret { return directory.DeriveUpdateSecret(b.secret(), account, v) }
	b.opens = append(b.opens, o)
	b.add(&directory.Entry{Update: directory.NewUpdate(b.world.Log(), index, version, o, key(version), key(version+1))})
}

func (b *lookupBook) anchor(slot uint64) *directory.Anchor {
	k := directory.DeriveAnchorKey(b.secret(), "2026-11-21", slot)
	return directory.NewAnchor(b.world.Log(), k, directory.AnchorBoxHash([]byte("a box")))
}

// part is what the checkpoint of a number shows to who holds a size.
func (b *lookupBook) part(number int, from uint64) directory.CheckpointPart {
	size := b.roots[number] + 1
	p := directory.CheckpointPart{Note: b.notes[number], Root: b.raws[size-1], RootProof: b.proof(size, size-1)}
	if from == 0 {
		p.Origin, p.OriginProof = b.raws[0], b.proof(size, 0)
	} else if from < size {
		var err error
		p.Consistency, err = tlog.ProveConsistency(context.Background(), b.log, from, size)
		fatal(b.t, err)
	}
	return p
}

func (b *lookupBook) proof(size, position uint64) []protocol.Hash {
	proof, err := tlog.ProveInclusion(context.Background(), b.log, size, position)
	fatal(b.t, err)
	return proof
}

func (b *lookupBook) path(tree, index protocol.Hash) *directory.PathProof {
	p, err := directory.NewTree(tree, b.store).Prove(context.Background(), index)
	fatal(b.t, err)
	return p
}

func (b *lookupBook) rootOf(number int) *directory.Root {
	e, err := directory.ParseEntry(b.raws[b.roots[number]])
	fatal(b.t, err)
	return e.Root
}

// answer is the honest one.
func (b *lookupBook) answer(number int, name string, since int, from uint64) *directory.Answer {
	index, proof := b.index(name)
	a := &directory.Answer{CheckpointPart: b.part(number, from), VRF: proof, Path: b.path(b.rootOf(number).Names, index)}
	value, present, err := a.Path.Verify(b.rootOf(number).Names, index)
	fatal(b.t, err)
	if !present {
		return a
	}
	leaf, err := directory.ParseLeaf(value)
	fatal(b.t, err)
	a.Update, a.UpdateProof = b.raws[leaf.Position], b.proof(b.roots[number]+1, leaf.Position)
	a.Openings = b.opens[since:leaf.Version]
	return a
}

func (b *lookupBook) worlds() []*vectors.Vector {
	h := b.world.Hash()
	newer := append([]byte(nil), b.world.Bytes()...)
	newer[2] = 2
	raw := b.world.Bytes()
	return []*vectors.Vector{
		vectors.New("lookup-world", "a world that demands one witness", "lookup-world", vectors.Valid, raw).WithHex("hash", h[:]),
		vectors.New("lookup-world-bad-version", "a version that is not known", "lookup-world", string(protocol.KindUnsupported), newer),
		vectors.New("lookup-world-bad-trailing", "a byte behind", "lookup-world", string(protocol.KindUntrusted), append(append([]byte(nil), raw...), 0)),
	}
}

func (b *lookupBook) answers() []*vectors.Vector {
	var list []*vectors.Vector
	add := func(name, says, asked, found string, parts ...*directory.Answer) {
		expect := vectors.Valid
		if found == "" {
			expect = string(protocol.KindUntrusted)
		}
		v := vectors.New("lookup-answer-"+name, says, "lookup-answer", expect, b.world.Bytes()).With("name", asked)
		for _, p := range parts {
			v.Parts = append(v.Parts, p.Bytes())
		}
		if found == "" {
			found = "none"
		}
		list = append(list, v.With("found", found))
	}
	first := b.answer(1, "anna", 0, 0)
	size := b.roots[1] + 1
	change := func(do func(a *directory.Answer)) *directory.Answer {
		a := b.answer(2, "anna", 1, size)
		do(a)
		return a
	}
	add("first", "the first look at a name", "anna", "version 1, ledger entry 3", first)
	add("next", "a look from version 1 on", "anna", "version 2, ledger entry 6", first, b.answer(2, "anna", 1, size))
	add("whole", "a first look at two versions", "anna", "version 2, ledger entry 6", b.answer(2, "anna", 0, 0))
	add("absent", "a name that is not there", "bert", "absent", b.answer(2, "bert", 0, 0))
	alarm := func(name, says, kind string, a *directory.Answer) {
		add(name, says, "anna", "", first, a)
		list[len(list)-1].With("alarm", kind)
	}
	alarm("bad-rollback", "an older checkpoint", "rollback", b.answer(0, "anna", 0, size))
	alarm("bad-inconsistent", "a consistency proof that does not hold", "inconsistent", change(func(a *directory.Answer) { a.Consistency[0][0] ^= 1 }))
	alarm("bad-chain", "the opening of another version", "chain", change(func(a *directory.Answer) { a.Openings = b.opens[:1] }))
	alarm("bad-path", "the path of before", "none", change(func(a *directory.Answer) { a.Path = first.Path }))
	alarm("bad-index", "the VRF proof of another name", "none", change(func(a *directory.Answer) { _, a.VRF = b.index("bert") }))
	alarm("bad-update", "the update of before", "none", change(func(a *directory.Answer) { a.Update = first.Update }))
	alarm("bad-root", "the root of before", "none", change(func(a *directory.Answer) { a.Root = first.Root }))
	alarm("bad-silence", "no opening of the new version", "none", change(func(a *directory.Answer) { a.Openings = nil }))
	bare := change(func(a *directory.Answer) {
		a.Note = b.log.Secret.Sign(b.log.At(b.t, b.roots[2]+1))
	})
	alarm("bad-quorum", "a checkpoint that nobody cosigned", "none", bare)
	list[len(list)-1].Header[2].Value = string(protocol.KindUnreachable)
	return list
}

func (b *lookupBook) anchors() []*vectors.Vector {
	var list []*vectors.Vector
	answer := func(slot uint64, box []byte) *directory.AnchorsAnswer {
		root := b.rootOf(2)
		outer := b.path(root.Anchors, directory.Period("2026-11-21").Index())
		index := b.anchor(slot).Index
		return &directory.AnchorsAnswer{CheckpointPart: b.part(2, 0), Periods: []directory.PeriodAnswer{{
			Period: "2026-11-21", Outer: outer, Paths: []directory.AnchorAnswer{{Index: index, Path: b.path(protocol.Hash(outer.Leaf.Value), index), Box: box}},
		}}}
	}
	add := func(name, says, found string, slot uint64, box string) {
		index, expect := b.anchor(slot).Index, vectors.Valid
		if found == "" {
			expect, found = string(protocol.KindUntrusted), "none"
		}
		list = append(list, vectors.New("lookup-anchors-"+name, says, "lookup-anchors", expect, b.world.Bytes(), answer(slot, []byte(box)).Bytes()).
			With("period", "2026-11-21").WithHex("index", index[:]).With("found", found))
	}
	add("there", "an anchor and its box", "box", 0, "a box")
	add("withheld", "an anchor whose box is withheld", "commitment", 0, "")
	add("absent", "an index with no anchor", "absent", 1, "")
	add("bad-box", "another box than the committed one", "", 0, "another box")
	add("bad-absent", "a box where there is no anchor", "", 1, "a box")
	return list
}

func checkWorldVector(t *testing.T, v *vectors.Vector) {
	w, err := directory.ParseWorld(v.Body(t))
	if v.Expect(t, err) && w.Hash().String() != v.Text(t, "hash") {
		t.Errorf("its hash is %s", w.Hash())
	}
}

// checkAnswerVector looks each answer up, one after the other, and pins what it
// finds. The ledger is left out: heads are taken from the openings.
func checkAnswerVector(t *testing.T, v *vectors.Vector) {
	w, err := directory.ParseWorld(v.Parts[0])
	fatal(t, err)
	var view *directory.View
	var pin *directory.Pin
	found := "none"
	for _, part := range v.Parts[1:] {
		a, err := directory.ParseAnswer(part)
		fatal(t, err)
		var f *directory.Found
		if view, f, err = w.Look(view, v.Text(t, "name"), a); err == nil && f.Present() {
			pin, err = f.TestingOnlyOpened(pin)
		}
		if err != nil {
			expectAlarm(t, v, err)
			return
		}
		found = "absent"
		if f.Present() {
			found = fmt.Sprintf("version %d, ledger entry %d", pin.Version, pin.Ledger.Seq)
		}
	}
	if v.Expect(t, nil) && found != v.Text(t, "found") {
		t.Errorf("found is %s", found)
	}
}

func expectAlarm(t *testing.T, v *vectors.Vector, err error) {
	t.Helper()
	kind := "none"
	if a := (*directory.Alarm)(nil); errors.As(err, &a) {
		kind = string(a.Kind)
	}
	v.Expect(t, err)
	if kind != v.Text(t, "alarm") || v.Text(t, "found") != "none" {
		t.Errorf("the alarm is %s: %v", kind, err)
	}
}

func checkAnchorsVector(t *testing.T, v *vectors.Vector) {
	w, err := directory.ParseWorld(v.Parts[0])
	fatal(t, err)
	a, err := directory.ParseAnchorsAnswer(v.Parts[1])
	fatal(t, err)
	view, err := w.Advance(nil, &a.CheckpointPart)
	fatal(t, err)
	asked := []directory.AnchorQuestion{{Period: directory.Period(v.Text(t, "period")), Index: protocol.Hash(v.Hex(t, "index"))}}
	got, err := w.VerifyAnchors(view, asked, a)
	want := v.Text(t, "found")
	if !v.Expect(t, err) {
		return
	}
	found := "absent"
	if got[0].Present {
		found = "commitment"
	}
	if got[0].Box != nil {
		found = "box"
	}
	if found != want {
		t.Errorf("found is %s", found)
	}
}
