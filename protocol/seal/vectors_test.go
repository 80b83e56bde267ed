// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/test/vectors"
)

func TestSealVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "seal",
		Generate: func(t *testing.T) []*vectors.Vector { return append(boxVectors(t), wrapVectors(t)...) },
		Check: map[string]func(*testing.T, *vectors.Vector){
			"seal-context": checkContext, "seal-box": checkBox, "seal-wrap": checkWrap,
		},
	})
}

// withContext writes the header lines of a context.
func withContext(v *vectors.Vector, c Context) *vectors.Vector {
	return v.WithHex("account", c.Account[:]).WithHex("vault", c.Vault[:]).With("type", fmt.Sprint(c.Type)).
		WithHex("id", c.ID[:]).With("epoch", fmt.Sprint(c.Epoch)).WithHex("parent", c.Parent[:])
}

func number(t *testing.T, v *vectors.Vector, key string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v.Text(t, key), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// contextOf reads them back.
func contextOf(t *testing.T, v *vectors.Vector) Context {
	t.Helper()
	return Context{
		Account: protocol.AccountID(v.Hex(t, "account")), Vault: protocol.VaultID(v.Hex(t, "vault")), Type: Type(number(t, v, "type")),
		ID: protocol.Hash(v.Hex(t, "id")), Epoch: number(t, v, "epoch"), Parent: protocol.Hash(v.Hex(t, "parent")),
	}
}

func secretOf(t *testing.T, v *vectors.Vector, key string) *keys.Secret {
	t.Helper()
	s, err := keys.NewSecret(v.Hex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func boxVectors(*testing.T) []*vectors.Vector {
	secret, salt, plaintext := seeded("vector secret"), seededBytes("vector salt", saltSize), []byte("Anna's laptop")
	c := someContext(TypeLabel)
	good := box(secret, c, plaintext, salt)
	list := []*vectors.Vector{
		withContext(vectors.New("seal-context", "the canonical encoding of a context under its suite and version", "seal-context", vectors.Valid, c.encode()), c),
		withContext(vectors.New("seal-context-zero", "a context with nothing but a type", "seal-context", vectors.Valid, Context{Type: TypeDevice}.encode()), Context{Type: TypeDevice}),
	}
	add := func(name, says, expect string, c Context, bytes []byte, plaintext []byte) {
		parts := [][]byte{bytes}
		if len(plaintext) > 0 {
			parts = append(parts, plaintext)
		}
		list = append(list, withContext(vectors.New("seal-box-"+name, says, "seal-box", expect, parts...), c).WithHex("secret", secret.Expose()))
	}
	for kind := TypeAccountSecret; kind <= TypeAnchor; kind++ {
		add(fmt.Sprintf("type-%02d", kind), fmt.Sprintf("a box of type %d", kind), vectors.Valid, someContext(kind), box(secret, someContext(kind), plaintext, salt), plaintext)
	}
	add("empty", "a box of nothing", vectors.Valid, c, box(secret, c, nil, salt), nil)
	for name, at := range map[string]int{"format": 0, "salt": 1, "commitment": 33, "ciphertext": 65, "tag": len(good) - 1} {
		changed := bytes.Clone(good)
		changed[at] ^= 1
		add("changed-"+name, "one bit of the "+name+" is flipped", "untrusted", c, changed, nil)
	}
	add("short", "the last byte is missing", "untrusted", c, good[:len(good)-1], nil)
	add("too-short", "one byte less than the shortest box", "untrusted", c, box(secret, c, nil, salt)[:BoxOverhead-1], nil)
	add("long", "one byte more", "untrusted", c, append(bytes.Clone(good), 0), nil)
	for name, other := range map[string]Context{"epoch": otherContexts(c)["epoch above"], "parent": otherContexts(c)["parent"], "vault": otherContexts(c)["vault"]} {
		add("other-"+name, "sealed for another "+name, "untrusted", other, good, nil)
	}
	return list
}

func checkContext(t *testing.T, v *vectors.Vector) {
	if got := contextOf(t, v).encode(); v.Expect(t, nil) && !bytes.Equal(got, v.Body(t)) {
		t.Errorf("context is encoded as %x", got)
	}
}

func checkBox(t *testing.T, v *vectors.Vector) {
	secret, c, sealed := secretOf(t, v, "secret"), contextOf(t, v), v.Parts[0]
	got, err := OpenBox(secret, c, sealed)
	if !v.Expect(t, err) {
		return
	}
	if want := bytes.Join(v.Parts[1:], nil); !bytes.Equal(got, want) {
		t.Errorf("opens to %q, want %q", got, want)
	}
	if again := box(secret, c, got, sealed[1:1+saltSize]); !bytes.Equal(again, sealed) {
		t.Error("does not seal to the same bytes")
	}
}

func wrapVectors(t *testing.T) []*vectors.Vector {
	own, secret, random := seededWrap("vector own"), seeded("vector wrapped"), seededBytes("vector random", 64)
	c := someContext(TypeRunKey)
	good := secondWrap(t, own.Public(), c, secret.Expose(), random)
	var list []*vectors.Vector
	add := func(name, says, expect string, c Context, wrap []byte) {
		v := withContext(vectors.New("seal-wrap-"+name, says, "seal-wrap", expect, wrap), c).WithHex("own-seed", own.Expose())
		if expect == vectors.Valid {
			v.WithHex("random", random).WithHex("secret", secret.Expose())
		}
		list = append(list, v)
	}
	for _, kind := range []Type{TypeAccountSecret, TypeWriterSecrets, TypeRunKey} {
		add(fmt.Sprintf("type-%02d", kind), fmt.Sprintf("a wrap of type %d; random is ML-KEM's m, then the ephemeral X25519 key", kind), vectors.Valid,
			someContext(kind), secondWrap(t, own.Public(), someContext(kind), secret.Expose(), random))
	}
	for name, at := range map[string]int{"lattice": 0, "curve": 1088, "curve-top-bit": 1119, "secret": 1120, "tag": WrapSize - 1} {
		changed := bytes.Clone(good)
		changed[at] ^= 0x80
		add("changed-"+name, "one bit is flipped: "+name, "untrusted", c, changed)
	}
	add("short", "the last byte is missing", "untrusted", c, good[:WrapSize-1])
	add("long", "one byte more", "untrusted", c, append(bytes.Clone(good), 0))
	add("other-epoch", "sealed for another epoch", "untrusted", otherContexts(c)["epoch above"], good)
	add("other-type", "sealed as another type", "untrusted", otherContexts(c)["type 1"], good)
	add("length-31", "holds 31 bytes, and no secret has that length", "untrusted", c, secondWrap(t, own.Public(), c, secret.Expose()[:31], random))
	return list
}

func checkWrap(t *testing.T, v *vectors.Vector) {
	own, err := keys.NewWrapSecret(v.Hex(t, "own-seed"))
	if err != nil {
		t.Fatal(err)
	}
	c := contextOf(t, v)
	got, err := Unwrap(own, c, v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	if !got.Equal(secretOf(t, v, "secret")) {
		t.Error("opens to another secret")
	}
	if again := secondWrap(t, own.Public(), c, v.Hex(t, "secret"), v.Hex(t, "random")); !bytes.Equal(again, v.Body(t)) {
		t.Error("does not seal to the same bytes")
	}
}

// fixedRun is a run that is the same in every test run.
func fixedRun(t testing.TB) *Run {
	own := seededWrap("vector vault")
	r := &Run{
		account: protocol.AccountID(seededBytes("vector account", 32)), vault: protocol.VaultID(seededBytes("vector vault", 16)),
		epoch: 3, id: protocol.RunID(seededBytes("vector run", 16)), key: seeded("vector run key"),
	}
	c := runContext(r.account, r.vault, r.epoch, r.id)
	r.wrap = secondWrap(t, own.Public(), c, r.key.Expose(), seededBytes("vector run random", 64))
	return r
}

// A pack's vector holds its parts, without the padding, which is sealed zeros:
// header with lead, each sealed frame, sealed index.
func TestPackVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "pack", Generate: packVectors,
		Check: map[string]func(*testing.T, *vectors.Vector){"pack": checkPack, "pack-size": checkPackSize},
	})
}

func packVectors(t *testing.T) []*vectors.Vector {
	list := packSizeVectors()
	for _, n := range []int{0, 1, 3} {
		pack, parts := fixedPack(t, n)
		list = append(list, packVector(fmt.Sprintf("frames-%d", n), fmt.Sprintf("a pack of %d frames", n), vectors.Valid, pack, parts))
	}
	pack, parts := fixedPack(t, 2)
	change := func(name, says, expect string, change func(parts [][]byte)) {
		changed := make([][]byte, len(parts))
		for i := range parts {
			changed[i] = bytes.Clone(parts[i])
		}
		change(changed)
		list = append(list, packVector(name, says, expect, pack, changed))
	}
	for name, at := range map[string]int{"magic": 0, "account": offAccount, "vault": offVault, "epoch": offEpoch, "run": offRun, "wrap": offWrap, "salt": offSalt, "commitment": offCommitment, "lead": offLead, "lead-tag": PackHeaderSize - 1} {
		change("changed-"+name, "one bit is flipped: "+name, "untrusted", func(parts [][]byte) { parts[0][at] ^= 1 })
	}
	change("version-2", "the version is one that is not known", "unsupported", func(parts [][]byte) { parts[0][7] = 2 })
	change("short-header", "the header is one byte short", "untrusted", func(parts [][]byte) { parts[0] = parts[0][:PackHeaderSize-1] })
	change("changed-frame", "one bit of a frame is flipped", "untrusted", func(parts [][]byte) { parts[2][0] ^= 1 })
	change("swapped-frames", "two frames of one length have changed places", "untrusted", func(parts [][]byte) { parts[1], parts[2] = parts[2], parts[1] })
	change("changed-index", "one bit of the index is flipped", "untrusted", func(parts [][]byte) { parts[len(parts)-1][3] ^= 1 })
	change("index-as-frame", "the index stands in a frame's place", "untrusted", func(parts [][]byte) { parts[1] = parts[len(parts)-1] })
	lead := func(name, says string, end, index uint32) {
		forged := forgeFixed(t, end, index)
		list = append(list, packVector(name, says, "untrusted", forged, [][]byte{forged[:PackHeaderSize], forged[len(forged)-21:]}))
	}
	lead("lead-inside-header", "the lead says that the frames end inside the header", PackHeaderSize-1, 21)
	lead("lead-short-index", "the lead says that the index is shorter than its tag", PackHeaderSize, 15)
	lead("lead-beyond", "the lead points beyond the largest pack", MaxPackSize-tagSize, tagSize)
	return list
}

// forgeFixed is forge under the fixed run.
func forgeFixed(t *testing.T, end, index uint32) []byte {
	w := fixedRun(t).newPack(nil, seededBytes("vector pack salt", saltSize))
	w.buf = w.seal(nonceIndex, w.buf, []byte("index"), nil)
	lead := binary.BigEndian.AppendUint32(nil, end)
	w.seal(nonceLead, w.buf[offLead:offLead], binary.BigEndian.AppendUint32(lead, index), w.buf[:offLead])
	return w.buf
}

// fixedPack returns a pack of n frames of 40 bytes, and its parts.
func fixedPack(t *testing.T, n int) (pack []byte, parts [][]byte) {
	t.Helper()
	w := fixedRun(t).newPack(nil, seededBytes("vector pack salt", saltSize))
	for i := range n {
		if _, err := w.Append(seededBytes(fmt.Sprint("vector frame ", i), 40)); err != nil {
			t.Fatal(err)
		}
	}
	pack, err := w.Finish([]byte("index"), 0)
	if err != nil {
		t.Fatal(err)
	}
	parts = append(parts, pack[:PackHeaderSize])
	for i := range n {
		parts = append(parts, pack[PackHeaderSize+56*i:PackHeaderSize+56*(i+1)])
	}
	return pack, append(parts, pack[len(pack)-21:])
}

func packVector(name, says, expect string, pack []byte, parts [][]byte) *vectors.Vector {
	own := seededWrap("vector vault")
	v := vectors.New("pack-"+name, says, "pack", expect, parts...).WithHex("vault-seed", own.Expose())
	if expect == vectors.Valid {
		sum := sha256.Sum256(pack)
		v.WithHex("run-key", seeded("vector run key").Expose()).With("size", fmt.Sprint(len(pack))).WithHex("sha256", sum[:])
	}
	return v
}

// openParts opens a vector's parts and seals the pack again from what they hold.
func openParts(own *keys.WrapSecret, parts [][]byte) (run *Run, again []byte, err error) {
	h, err := ParsePackHeader(parts[0])
	if err != nil {
		return nil, nil, err
	}
	if run, err = OpenRun(own, h); err != nil {
		return nil, nil, err
	}
	p, err := OpenPack(run, h)
	if err != nil {
		return nil, nil, err
	}
	w := run.newPack(nil, parts[0][offSalt:offCommitment])
	for i, part := range parts[1 : len(parts)-1] {
		frame, err := p.OpenFrame(i, part)
		if err != nil {
			return nil, nil, err
		}
		if _, err := w.Append(frame); err != nil {
			return nil, nil, err
		}
	}
	index, err := p.OpenIndex(parts[len(parts)-1])
	if err != nil {
		return nil, nil, err
	}
	again, err = w.Finish(index, 0)
	return run, again, err
}

func checkPack(t *testing.T, v *vectors.Vector) {
	own, err := keys.NewWrapSecret(v.Hex(t, "vault-seed"))
	if err != nil {
		t.Fatal(err)
	}
	run, again, err := openParts(own, v.Parts)
	if !v.Expect(t, err) {
		return
	}
	sum := sha256.Sum256(again)
	if !run.key.Equal(secretOf(t, v, "run-key")) || uint64(len(again)) != number(t, v, "size") || !bytes.Equal(sum[:], v.Hex(t, "sha256")) {
		t.Error("does not seal to the same pack")
	}
}

func packSizeVectors() []*vectors.Vector {
	var list []*vectors.Vector
	for i, c := range []struct{ content, steps int }{
		{0, 0}, {PackFloor - 16, 0}, {PackFloor - 15, 0}, {PackFloor - 15, 2}, {1 << 20, 0}, {PackTarget - 16, 0}, {PackTarget, 0}, {PackTarget, 3}, {MaxPackSize - 16, 0},
	} {
		list = append(list, vectors.New(fmt.Sprintf("pack-size-%d", i), fmt.Sprintf("the padded size of %d bytes, %d steps up", c.content, c.steps), "pack-size", vectors.Valid).
			With("content", fmt.Sprint(c.content)).With("steps", fmt.Sprint(c.steps)).With("size", fmt.Sprint(PackSize(c.content, c.steps))))
	}
	return list
}

func checkPackSize(t *testing.T, v *vectors.Vector) {
	got := PackSize(int(number(t, v, "content")), int(number(t, v, "steps")))
	if v.Expect(t, nil) && uint64(got) != number(t, v, "size") {
		t.Errorf("padded size is %d", got)
	}
}
