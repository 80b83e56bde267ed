// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "tlog",
		Generate: func(t *testing.T) []*vectors.Vector {
			s := newStage(t)
			return slices.Concat(s.keyVectors(t), s.noteVectors(t), s.policyVectors(t), s.treeVectors(t), s.wireVectors(t))
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"tlog-log-key":     checkLogKey,
			"tlog-witness-key": checkWitnessKey,
			"tlog-checkpoint":  checkCheckpoint,
			"tlog-cosignature": checkCosignature,
			"tlog-policy":      checkPolicy,
			"tlog-inclusion":   checkInclusion,
			"tlog-consistency": checkConsistency,
			"tlog-tile":        checkTile,
			"tlog-request":     checkRequest,
			"tlog-proof":       checkProof,
		},
	})
}

// stage is what the vectors are made of: a log of 300 entries "entry N" and three
// witnesses, all from seeds.
type stage struct {
	seeds     [][]byte
	log       *tlogtest.Log
	witnesses []*tlog.WitnessSecret
}

const vectorTime = 1_700_000_000e9

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	for i := range 4 {
		seed := sha256.Sum256(fmt.Appendf(nil, "tlog %d", i))
		s.seeds = append(s.seeds, seed[:])
	}
	s.log = tlogtest.Of(tlog.TestingOnlyLog("log.example/one", s.seeds[0]))
	grow(t, s.log, 300)
	for i, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44, tlog.Ed25519} {
		w, err := tlog.TestingOnlyWitness(fmt.Sprintf("w%d.example", i), byte(a), s.seeds[i+1])
		if err != nil {
			t.Fatal(err)
		}
		s.witnesses = append(s.witnesses, w)
	}
	return s
}

func (s *stage) keyVectors(*testing.T) []*vectors.Vector {
	key := s.log.Secret.Public()
	id := key.ID()
	list := []*vectors.Vector{
		vectors.New("tlog-log-key", "a log's key from its seed: the part is the text of the public key", "tlog-log-key", vectors.Valid, []byte(key.String())).
			With("name", key.Origin()).WithHex("seed", s.seeds[0]).WithHex("id", id[:]),
		vectors.New("tlog-log-key-bad-id", "the id of the text is another name's", "tlog-log-key", string(protocol.KindUntrusted), []byte("x"+key.String())),
		vectors.New("tlog-log-key-bad-small-order", "a key of small order, under which anybody signs", "tlog-log-key", string(protocol.KindUntrusted), []byte(tlog.TestingOnlyVKey("log.example", 1, append([]byte{1}, make([]byte, 31)...)))),
		vectors.New("tlog-log-key-bad-type", "a witness's key", "tlog-log-key", string(protocol.KindUnsupported), []byte(s.witnesses[0].Public().String())),
	}
	for i, w := range s.witnesses[:2] {
		list = append(list, vectors.New(fmt.Sprintf("tlog-witness-key-%d", i), "a witness's key from its seed, "+w.Public().Algorithm().String(), "tlog-witness-key", vectors.Valid, []byte(w.Public().String())).
			With("name", w.Public().Name()).With("type", strconv.Itoa(int(w.Public().Algorithm()))).WithHex("seed", s.seeds[i+1]))
	}
	return append(list, vectors.New("tlog-witness-key-bad-type", "a log's key", "tlog-witness-key", string(protocol.KindUnsupported), []byte(key.String())))
}

func (s *stage) noteVectors(t *testing.T) []*vectors.Vector {
	key, good := s.log.Secret.Public().String(), string(s.log.Note(t, 0))
	note := func(name, says, expect, text string) *vectors.Vector {
		return vectors.New("tlog-checkpoint-"+name, says, "tlog-checkpoint", expect, []byte(text)).With("key", key)
	}
	bad := string(protocol.KindUntrusted)
	ok := func(v *vectors.Vector, size int) *vectors.Vector { return v.With("size", strconv.Itoa(size)) }
	list := []*vectors.Vector{
		ok(note("good", "a checkpoint that its log signed", vectors.Valid, good), 300),
		ok(note("empty", "the empty log", vectors.Valid, string(s.log.NoteOf(t, s.log.At(t, 0), 0))), 0),
		ok(note("others", "signatures of keys that are not known are passed over", vectors.Valid, good+string(tlog.TestingOnlyLineID("log.example/one", 7, []byte("whatever")))), 300),
		note("bad-size", "the size is changed", bad, strings.Replace(good, "\n300\n", "\n301\n", 1)),
		note("bad-zero", "the size has a leading zero", bad, strings.Replace(good, "\n300\n", "\n0300\n", 1)),
		note("bad-second", "a second signature by the key does not hold", bad, good+flip(good[strings.Index(good, "\n\n")+2:])),
		note("bad-extension", "a line is added behind the root", bad, strings.Replace(good, "\n\n", "\nmore\n\n", 1)),
		note("bad-end", "the last newline is missing", bad, strings.TrimSuffix(good, "\n")),
	}
	c := s.log.Head()
	cosigned := func(name, says, expect string, w *tlog.WitnessSecret, lines ...string) {
		v := vectors.New("tlog-cosignature-"+name, says, "tlog-cosignature", expect, []byte(good+strings.Join(lines, ""))).With("key", w.Public().String())
		if expect == vectors.Valid {
			v.With("time", strconv.Itoa(vectorTime/1e9))
		}
		list = append(list, v)
	}
	for _, w := range s.witnesses[:2] {
		line := string(w.Cosign([]byte(good), c, vectorTime))
		older := string(w.Cosign([]byte(good), c, vectorTime-5e9))
		kind := strings.ToLower(w.Public().Algorithm().String())
		cosigned(kind, "a cosignature, "+kind, vectors.Valid, w, line)
		cosigned(kind+"-twice", "of two by one key the newest counts", vectors.Valid, w, line, older)
		cosigned(kind+"-bad-other", "of another witness", bad, w, strings.Replace(line, w.Public().Name(), "x.example", 1))
		cosigned(kind+"-bad-bit", "the last bit is changed", bad, w, flip(line))
		cosigned(kind+"-bad-beside", "one that holds and one that does not", bad, w, line, flip(older))
		cosigned(kind+"-bad-time", "it says no time, and so not that it is the newest", bad, w, string(w.Cosign([]byte(good), c, 0)))
	}
	return list
}

func (s *stage) policyVectors(t *testing.T) []*vectors.Vector {
	text := "# two of three\nlog " + s.log.Secret.Public().String() + "\n"
	for i, w := range s.witnesses {
		text += fmt.Sprintf("witness w%d %s\n", i, w.Public())
	}
	text += "group two 2 w0 w1 w2\nquorum two\n"
	note, c := s.log.Note(t, 0), s.log.Head()
	cosigned := func(times ...int64) []byte {
		out := note
		for i, at := range times {
			var err error
			if at == 0 {
				continue
			}
			if out, err = tlog.Attach(out, s.witnesses[i].Cosign(note, c, vectorTime+protocol.Time(at)*1e9)); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	v := func(name, says, expect, text string, note []byte) *vectors.Vector {
		return vectors.New("tlog-policy-"+name, says, "tlog-policy", expect, []byte(text), note)
	}
	bad := string(protocol.KindUntrusted)
	return []*vectors.Vector{
		v("two", "two of three cosigned: the time is the older one's", vectors.Valid, text, cosigned(0, 8, 5)).With("time", "1700000005").With("cosigners", "w1 w2"),
		v("three", "all three cosigned: the time is the middle one's", vectors.Valid, text, cosigned(9, 3, 5)).With("time", "1700000005").With("cosigners", "w0 w1 w2"),
		v("none", "no quorum is asked for", vectors.Valid, strings.Replace(text, "quorum two", "quorum none", 1), note).With("time", "0").With("cosigners", "-"),
		v("bad-one", "one of three is not two", bad, text, cosigned(9)),
		v("bad-line", "a line that is not known", bad, text+"maximum-age 72h\n", cosigned(9, 3, 5)),
		v("bad-twice", "one key under two names", bad, strings.Replace(text, "group", "witness w3 "+s.witnesses[0].Public().String()+"\ngroup", 1), cosigned(9, 3, 5)),
		v("bad-member", "a member of two groups", bad, strings.Replace(text, "quorum", "group more any w0\nquorum", 1), cosigned(9, 3, 5)),
		v("bad-logs", "two logs", bad, "log "+tlog.TestingOnlyLog("other.example", s.seeds[3]).Public().String()+"\n"+text, cosigned(9, 3, 5)),
	}
}

func (s *stage) treeVectors(t *testing.T) []*vectors.Vector {
	ctx, bad := context.Background(), string(protocol.KindUntrusted)
	var list []*vectors.Vector
	hash := func(h protocol.Hash) []byte { return bytes.Clone(h[:]) }
	inclusion := func(name, says, expect string, size, index uint64, proof []protocol.Hash) {
		list = append(list, vectors.New("tlog-inclusion-"+name, says, "tlog-inclusion", expect, append([][]byte{hash(s.log.At(t, size).Root), hash(tlog.LeafHash(entry(int(index))))}, slicesOf(proof)...)...).
			With("size", strconv.FormatUint(size, 10)).With("index", strconv.FormatUint(index, 10)))
	}
	proof := func(size, index uint64) []protocol.Hash {
		p, err := tlog.ProveInclusion(ctx, s.log, size, index)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	inclusion("1-0", "the only entry", vectors.Valid, 1, 0, proof(1, 0))
	inclusion("300-299", "the last entry", vectors.Valid, 300, 299, proof(300, 299))
	inclusion("300-50", "an entry", vectors.Valid, 300, 50, proof(300, 50))
	inclusion("bad-index", "the proof is the next entry's", bad, 300, 50, proof(300, 51))
	inclusion("bad-long", "a hash too many", bad, 300, 50, append(proof(300, 50), protocol.Hash{}))
	consistency := func(name, says, expect string, older, newer uint64, proof []protocol.Hash) {
		list = append(list, vectors.New("tlog-consistency-"+name, says, "tlog-consistency", expect, append([][]byte{hash(s.log.At(t, older).Root), hash(s.log.At(t, newer).Root)}, slicesOf(proof)...)...).
			With("older", strconv.FormatUint(older, 10)).With("newer", strconv.FormatUint(newer, 10)))
	}
	for _, pair := range [][2]uint64{{0, 5}, {5, 5}, {4, 5}, {77, 300}, {256, 300}} {
		p, err := tlog.ProveConsistency(ctx, s.log, pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		consistency(fmt.Sprintf("%d-%d", pair[0], pair[1]), "one log at two sizes", vectors.Valid, pair[0], pair[1], p)
		consistency(fmt.Sprintf("bad-%d-%d", pair[0], pair[1]), "a hash too many", bad, pair[0], pair[1], append(p, protocol.Hash{}))
	}
	for _, path := range []string{"tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"} {
		tile, err := tlog.ParseTilePath(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.log.ReadTile(ctx, tile)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.NewReplacer("/", "-", ".", "-").Replace(strings.TrimPrefix(path, "tile/"))
		list = append(list, vectors.New("tlog-tile-"+name, "a tile of the log of 300 entries \"entry N\", N from 0", "tlog-tile", vectors.Valid, data).With("path", path))
	}
	return list
}

func (s *stage) wireVectors(t *testing.T) []*vectors.Vector {
	ctx := context.Background()
	con, err := tlog.ProveConsistency(ctx, s.log, 77, 300)
	if err != nil {
		t.Fatal(err)
	}
	in, err := tlog.ProveInclusion(ctx, s.log, 300, 50)
	if err != nil {
		t.Fatal(err)
	}
	request := (&tlog.AddCheckpoint{Old: 77, Proof: con, Note: s.log.Note(t, 0)}).Marshal()
	proof := (&tlog.Proof{Extra: []byte("a hint"), Index: 50, Hashes: in, Note: s.log.Note(t, vectorTime, s.witnesses[0])}).Marshal()
	policy := "log " + s.log.Secret.Public().String() + "\nwitness w " + s.witnesses[0].Public().String() + "\nquorum w\n"
	leaf, other, bad := tlog.LeafHash(entry(50)), tlog.LeafHash(entry(51)), string(protocol.KindUntrusted)
	return []*vectors.Vector{
		vectors.New("tlog-request", "what a witness is sent", "tlog-request", vectors.Valid, request).With("old", "77").With("hashes", strconv.Itoa(len(con))),
		vectors.New("tlog-request-bad-zero", "the old size has a leading zero", "tlog-request", bad, bytes.Replace(request, []byte("old 77"), []byte("old 077"), 1)),
		vectors.New("tlog-request-bad-end", "no empty line ends the proof", "tlog-request", bad, bytes.Replace(request, []byte("\n\n"), []byte("\n"), 1)),
		vectors.New("tlog-proof", "a proof that stands alone: parts are the policy, the hash of the entry, the proof", "tlog-proof", vectors.Valid, []byte(policy), leaf[:], proof),
		vectors.New("tlog-proof-bad-leaf", "of another entry", "tlog-proof", bad, []byte(policy), other[:], proof),
		vectors.New("tlog-proof-bad-version", "of a version that is not known", "tlog-proof", string(protocol.KindUnsupported), []byte(policy), leaf[:], bytes.Replace(proof, []byte("@v1"), []byte("@v2"), 1)),
	}
}
