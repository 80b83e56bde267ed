// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/test/vectors"
)

func checkLogKey(t *testing.T, v *vectors.Vector) {
	k, err := tlog.ParseLogKey(string(v.Body(t)))
	if !v.Expect(t, err) {
		return
	}
	made := tlog.TestingOnlyLog(v.Text(t, "name"), v.Hex(t, "seed")).Public()
	if id := k.ID(); made.String() != k.String() || !bytes.Equal(id[:], v.Hex(t, "id")) {
		t.Errorf("the seed gives %s with id %s", made, id)
	}
}

func checkWitnessKey(t *testing.T, v *vectors.Vector) {
	k, err := tlog.ParseWitnessKey(string(v.Body(t)))
	if !v.Expect(t, err) {
		return
	}
	made, err := tlog.TestingOnlyWitness(v.Text(t, "name"), byte(number(t, v, "type")), v.Hex(t, "seed"))
	if err != nil || made.Public().String() != k.String() {
		t.Errorf("the seed gives another key, %v", err)
	}
}

func checkCheckpoint(t *testing.T, v *vectors.Vector) {
	k, err := tlog.ParseLogKey(v.Text(t, "key"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := k.Verify(v.Body(t))
	if v.Expect(t, err) && c.Size != number(t, v, "size") {
		t.Errorf("size %d", c.Size)
	}
}

func checkCosignature(t *testing.T, v *vectors.Vector) {
	k, err := tlog.ParseWitnessKey(v.Text(t, "key"))
	if err != nil {
		t.Fatal(err)
	}
	at, ok := k.VerifyCosignature(v.Body(t))
	if !ok {
		v.Expect(t, protocol.Errorf(protocol.KindUntrusted, "not cosigned"))
		return
	}
	if v.Expect(t, nil) && uint64(at/1e9) != number(t, v, "time") {
		t.Errorf("at %v", at)
	}
}

func checkPolicy(t *testing.T, v *vectors.Vector) {
	p, err := tlog.ParsePolicy(v.Parts[0])
	var w tlog.Witnessed
	if err == nil {
		w, err = p.Verify(v.Parts[1])
	}
	if !v.Expect(t, err) {
		return
	}
	names := strings.Join(w.Cosigners, " ")
	if names == "" {
		names = "-"
	}
	if uint64(w.Time/1e9) != number(t, v, "time") || names != v.Text(t, "cosigners") {
		t.Errorf("%+v", w)
	}
}

func number(t *testing.T, v *vectors.Vector, key string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v.Text(t, key), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hashes converts parts of a vector.
func hashes(t *testing.T, parts [][]byte) []protocol.Hash {
	t.Helper()
	var out []protocol.Hash
	for _, p := range parts {
		if len(p) != 32 {
			t.Fatal("a part is no hash")
		}
		out = append(out, protocol.Hash(p))
	}
	return out
}

func checkInclusion(t *testing.T, v *vectors.Vector) {
	h := hashes(t, v.Parts)
	v.Expect(t, tlog.VerifyInclusion(tlog.Checkpoint{Size: number(t, v, "size"), Root: h[0]}, number(t, v, "index"), h[1], h[2:]))
}

func checkConsistency(t *testing.T, v *vectors.Vector) {
	h := hashes(t, v.Parts)
	v.Expect(t, tlog.VerifyConsistency(tlog.Checkpoint{Size: number(t, v, "older"), Root: h[0]}, tlog.Checkpoint{Size: number(t, v, "newer"), Root: h[1]}, h[2:]))
}

func checkTile(t *testing.T, v *vectors.Vector) {
	tile, err := tlog.ParseTilePath(v.Text(t, "path"))
	if !v.Expect(t, err) {
		return
	}
	data, err := newStage(t).log.ReadTile(context.Background(), tile)
	if err != nil || !bytes.Equal(data, v.Body(t)) {
		t.Errorf("the tile differs: %v", err)
	}
}

func checkRequest(t *testing.T, v *vectors.Vector) {
	r, err := tlog.ParseAddCheckpoint(v.Body(t))
	if v.Expect(t, err) && (r.Old != number(t, v, "old") || uint64(len(r.Proof)) != number(t, v, "hashes")) {
		t.Errorf("%+v", r)
	}
}

func checkProof(t *testing.T, v *vectors.Vector) {
	policy, err := tlog.ParsePolicy(v.Parts[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := tlog.ParseProof(v.Parts[2])
	if err == nil {
		_, err = p.Verify(policy, protocol.Hash(v.Parts[1]))
	}
	v.Expect(t, err)
}
