// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/mldsa"
	formatslog "github.com/transparency-dev/formats/log"
	formatsnote "github.com/transparency-dev/formats/note"
	formatsproof "github.com/transparency-dev/formats/proof"
	formatswitness "github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	modnote "golang.org/x/mod/sumdb/note"
	modtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// These tests hold what is made here against other people's code, and read here
// what theirs makes.

// TestForeignNotes: golang.org/x/mod opens our notes with our vkeys, and signs
// with our secret keys what we open.
func TestForeignNotes(t *testing.T) {
	l := tlogtest.New(t, "log.example/one")
	c := grow(t, l, 300)
	verifier, err := modnote.NewVerifier(l.Secret.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := modnote.Open(l.Note(t, 0), modnote.VerifierList(verifier))
	if err != nil || opened.Text != string(c.Body()) {
		t.Fatalf("opened %+v, %v", opened, err)
	}
	signer, err := modnote.NewSigner(l.Secret.Expose())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := modnote.Sign(&modnote.Note{Text: string(c.Body())}, signer)
	if err != nil || !bytes.Equal(theirs, l.Note(t, 0)) {
		t.Errorf("their note differs from ours: %v", err)
	}
	skey, vkey, err := modnote.GenerateKey(nil, "other.example")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := tlog.ParseLogSecret(skey)
	if err != nil || secret.Public().String() != vkey {
		t.Errorf("their key becomes %v, %v", secret.Public(), err)
	}
}

// TestForeignCheckpoints: transparency-dev/formats reads our checkpoints, with
// extension lines of somebody else's in them we read its.
func TestForeignCheckpoints(t *testing.T) {
	l := tlogtest.New(t, "log.example/one")
	c := grow(t, l, 5)
	verifier, err := formatsnote.NewVerifier(l.Secret.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	got, rest, _, err := formatslog.ParseCheckpoint(l.Note(t, 0), c.Origin, verifier)
	if err != nil || got.Size != c.Size || !bytes.Equal(got.Hash, c.Root[:]) || len(rest) > 0 {
		t.Fatalf("read %+v, rest %q, %v", got, rest, err)
	}
	signer, err := modnote.NewSigner(l.Secret.Expose())
	if err != nil {
		t.Fatal(err)
	}
	body := string(formatslog.Checkpoint{Origin: c.Origin, Size: c.Size, Hash: c.Root[:]}.Marshal()) + "an extension line\n"
	note, err := modnote.Sign(&modnote.Note{Text: body}, signer)
	if err != nil {
		t.Fatal(err)
	}
	read, err := l.Secret.Public().Verify(note)
	if err != nil || read != c {
		t.Fatalf("read %+v, %v", read, err)
	}
	for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
		w := newWitness(t, "w.example", a)
		cosigned, err := tlog.Attach(note, w.Cosign(note, c, 7e9))
		if at, ok := w.Public().VerifyCosignature(cosigned); err != nil || !ok || at != 7e9 {
			t.Errorf("%s over an extension line: %v, %v, %v", a, at, ok, err)
		}
	}
}

func newWitness(t testing.TB, name string, a tlog.Algorithm) *tlog.WitnessSecret {
	t.Helper()
	w, err := tlog.GenerateWitnessSecret(name, a)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// foreignVerifier is the key in transparency-dev/formats.
func foreignVerifier(t *testing.T, k *tlog.WitnessKey) modnote.Verifier {
	t.Helper()
	if k.Algorithm() == tlog.MLDSA44 {
		v, err := formatsnote.NewMLDSAVerifier(k.String())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, err := formatsnote.NewVerifierForCosignatureV1(k.String())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForeignCosignatures: transparency-dev/formats verifies our cosignatures of
// both algorithms and reads their time; we verify the ones it makes.
func TestForeignCosignatures(t *testing.T) {
	l := tlogtest.New(t, "log.example/one")
	grow(t, l, 9)
	for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
		w := newWitness(t, "witness.example/"+a.String(), a)
		opened, err := modnote.Open(l.Note(t, 1_700_000_000_999_999_999, w), modnote.VerifierList(foreignVerifier(t, w.Public())))
		if err != nil || len(opened.Sigs) != 1 {
			t.Fatalf("%s: %v", a, err)
		}
		if at, err := formatsnote.CoSigV1Timestamp(opened.Sigs[0]); err != nil || at.Unix() != 1_700_000_000 {
			t.Errorf("%s: time %v, %v", a, at, err)
		}
		var signer modnote.Signer
		if a == tlog.MLDSA44 {
			signer, err = formatsnote.NewMLDSASigner(w.Expose())
		} else {
			signer, err = formatsnote.NewSignerForCosignatureV1(w.Expose())
		}
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := modnote.Sign(&modnote.Note{Text: string(l.Head().Body())}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := w.Public().VerifyCosignature(theirs); !ok || at < 1_700_000_000e9 {
			t.Errorf("%s: theirs verifies as %v at %v", a, ok, at)
		}
	}
}

// TestForeignLattice: filippo.io/mldsa has the same ML-DSA-44 keys and verifies the
// message that the page defines, written out here once more.
func TestForeignLattice(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, 32)
	w, err := tlog.TestingOnlyWitness("w.example", byte(tlog.MLDSA44), seed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(w.Public().String(), "+"+base64.StdEncoding.EncodeToString(append([]byte{6}, key.PublicKey().Bytes()...))) {
		t.Error("the seed gives another public key")
	}
	l := tlogtest.New(t, "o")
	c := grow(t, l, 0x0102)
	raw, err := base64.StdEncoding.DecodeString(strings.Fields(string(w.Cosign(l.Note(t, 0), c, 0x0304*1e9)))[2])
	if err != nil || len(raw) != 4+8+2420 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	message := "subtree/v1\n\x00" + "\x09w.example" + "\x00\x00\x00\x00\x00\x00\x03\x04" + "\x01o" +
		"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x01\x02" + string(c.Root[:])
	if err := mldsa.Verify(key.PublicKey(), []byte(message), raw[12:], nil); err != nil {
		t.Error(err)
	}
}

// TestForeignProofs: transparency-dev/merkle verifies our proofs for every pair up
// to 40 and around the borders of tiles; the roots are those of golang.org/x/mod.
func TestForeignProofs(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	sizes := slices.Concat(ints(1, 40), []int{63, 64, 65, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 66_000})
	ctx := context.Background()
	var heads []tlog.Checkpoint
	for _, size := range sizes {
		heads = append(heads, grow(t, l, size))
	}
	for _, c := range heads {
		for _, index := range []uint64{0, 1, c.Size / 3, c.Size / 2, c.Size - 2, c.Size - 1} {
			if index >= c.Size {
				continue
			}
			p, err := tlog.ProveInclusion(ctx, l, c.Size, index)
			if err != nil {
				t.Fatal(err)
			}
			leaf := tlog.LeafHash(entry(int(index)))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, c.Size, leaf[:], slicesOf(p), c.Root[:]); err != nil {
				t.Errorf("entry %d of %d: %v", index, c.Size, err)
			}
			if err := tlog.VerifyInclusion(c, index, leaf, p); err != nil {
				t.Error(err)
			}
		}
		for _, older := range heads {
			if older.Size > c.Size {
				continue
			}
			p, err := tlog.ProveConsistency(ctx, l, older.Size, c.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, c.Size, slicesOf(p), older.Root[:], c.Root[:]); err != nil {
				t.Errorf("from %d to %d: %v", older.Size, c.Size, err)
			}
			if err := tlog.VerifyConsistency(older, c, p); err != nil {
				t.Error(err)
			}
		}
	}
}

func ints(from, to int) []int {
	var list []int
	for i := from; i <= to; i++ {
		list = append(list, i)
	}
	return list
}

func slicesOf(hashes []protocol.Hash) [][]byte {
	var out [][]byte
	for _, h := range hashes {
		out = append(out, bytes.Clone(h[:]))
	}
	return out
}

// modTiles serves a log's tiles to the client of golang.org/x/mod.
type modTiles struct{ l *tlogtest.Log }

func (r modTiles) Height() int                        { return 8 }
func (r modTiles) SaveTiles([]modtlog.Tile, [][]byte) {}
func (r modTiles) ReadTiles(tiles []modtlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		ours := tlog.Tile{Level: t.L, N: uint64(t.N), Width: t.W}
		if want := strings.Replace(t.Path(), "tile/8/", "tile/", 1); ours.Path() != want {
			return nil, fmt.Errorf("path %s, want %s", ours.Path(), want)
		}
		data, err := r.l.ReadTile(context.Background(), ours)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// TestForeignTiles: the client of golang.org/x/mod reads our tiles, verifies them
// against the checkpoint and makes the proofs that we make.
func TestForeignTiles(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	ctx := context.Background()
	for _, size := range []int{1, 200, 256, 300, 70_000} {
		c := grow(t, l, size)
		r := modtlog.TileHashReader(modtlog.Tree{N: int64(c.Size), Hash: modtlog.Hash(c.Root)}, modTiles{l})
		for _, index := range []int64{0, int64(size) / 2, int64(size) - 1} {
			theirs, err := modtlog.ProveRecord(int64(c.Size), index, r)
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			ours, err := tlog.ProveInclusion(ctx, l, c.Size, uint64(index))
			if err != nil || !slices.EqualFunc(theirs, ours, func(a modtlog.Hash, b protocol.Hash) bool { return [32]byte(a) == [32]byte(b) }) {
				t.Errorf("size %d, entry %d: another proof, %v", size, index, err)
			}
		}
	}
}

// TestForeignPolicies: transparency-dev/formats reads our policies and judges notes
// as we do.
func TestForeignPolicies(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	grow(t, l, 3)
	var secrets []*tlog.WitnessSecret
	text := "log " + l.Secret.Public().String() + "\n"
	for i := range 4 {
		// Theirs knows Ed25519 only.
		w := newWitness(t, fmt.Sprintf("w%d.example", i), tlog.Ed25519)
		secrets = append(secrets, w)
		text += fmt.Sprintf("witness w%d %s https://w%d.example/\n", i, w.Public(), i)
	}
	text += "group a 2 w0 w1 w2\ngroup both all a w3\nquorum both\n"
	policy, err := tlog.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := formatswitness.ParsePolicy([]byte(policy.String()))
	if err != nil {
		t.Fatal(err)
	}
	for mask := range 16 {
		var by []*tlog.WitnessSecret
		for i, w := range secrets {
			if mask>>i&1 == 1 {
				by = append(by, w)
			}
		}
		note := l.Note(t, 5e9, by...)
		_, err := policy.Verify(note)
		if theirs.Satisfied(note) != (err == nil) {
			t.Errorf("witnesses %04b: they say %v, we say %v", mask, theirs.Satisfied(note), err)
		}
	}
}

// TestForeignStandaloneProofs: transparency-dev/formats reads our proofs, and writes
// the same bytes.
func TestForeignStandaloneProofs(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 300)
	for _, extra := range [][]byte{nil, []byte("a hint")} {
		hashes, err := tlog.ProveInclusion(context.Background(), l, c.Size, 17)
		if err != nil {
			t.Fatal(err)
		}
		ours := &tlog.Proof{Extra: extra, Index: 17, Hashes: hashes, Note: l.Note(t, 0)}
		var theirs formatsproof.TLogProof
		if err := theirs.Unmarshal(ours.Marshal()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(theirs.Marshal(), ours.Marshal()) || theirs.Index != 17 || !bytes.Equal(theirs.ExtraData, extra) {
			t.Errorf("they read %+v", theirs)
		}
	}
}
