// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// request is a good request to a witness.
func request(t testing.TB) *tlog.AddCheckpoint {
	t.Helper()
	l := tlogtest.New(t, "log.example")
	grow(t, l, 7)
	grow(t, l, 20)
	proof, err := tlog.ProveConsistency(context.Background(), l, 7, 20)
	if err != nil {
		t.Fatal(err)
	}
	return &tlog.AddCheckpoint{Old: 7, Proof: proof, Note: l.Note(t, 0)}
}

func TestAddCheckpoint(t *testing.T) {
	r := request(t)
	good := string(r.Marshal())
	again, err := tlog.ParseAddCheckpoint([]byte(good))
	if err != nil || again.Old != 7 || len(again.Proof) != len(r.Proof) || !bytes.Equal(again.Note, r.Note) || string(again.Marshal()) != good {
		t.Fatalf("%+v, %v", again, err)
	}
	hash := good[strings.Index(good, "\n")+1:][:45]
	for name, text := range map[string]string{
		"nothing":           "",
		"no old size":       strings.TrimPrefix(good, "old 7\n"),
		"a leading zero":    strings.Replace(good, "old 7", "old 07", 1),
		"a sign":            strings.Replace(good, "old 7", "old -7", 1),
		"two blanks":        strings.Replace(good, "old 7", "old  7", 1),
		"a blank behind":    strings.Replace(good, "old 7", "old 7 ", 1),
		"too large":         strings.Replace(good, "old 7", "old 4611686018427387905", 1),
		"a carriage return": strings.Replace(good, "old 7\n", "old 7\r\n", 1),
		"a short hash":      strings.Replace(good, hash, hash[4:], 1),
		"no hash":           strings.Replace(good, hash, "hello\n", 1),
		"too many hashes":   strings.Replace(good, hash, strings.Repeat(hash, tlog.MaxProof+1), 1),
		"only the size":     "old 7\n",
		"no note":           good[:strings.Index(good, "\n\n")+2],
		"no checkpoint":     good[:strings.Index(good, "\n\n")+2] + string(tlog.TestingOnlySignText("x", "no checkpoint\n")),
	} {
		_, err := tlog.ParseAddCheckpoint([]byte(text))
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	if _, err := tlog.ParseAddCheckpoint([]byte(strings.Replace(good, hash, strings.Repeat(hash, tlog.MaxProof-len(r.Proof)+1), 1))); err != nil {
		t.Errorf("the longest proof: %v", err)
	}
}

func TestParseConflict(t *testing.T) {
	if n, err := tlog.ParseConflict([]byte("20852163\n")); err != nil || n != 20852163 {
		t.Errorf("%d, %v", n, err)
	}
	for _, text := range []string{"", "5", "05\n", "5\n\n", " 5\n", "x\n", "18446744073709551616\n"} {
		_, err := tlog.ParseConflict([]byte(text))
		wantKind(t, text, err, protocol.KindUntrusted)
	}
}

func TestProofs(t *testing.T) {
	c := newCircle(t, 1)
	grow(t, c.log, 90)
	policy := c.policy(t, "quorum w0\n")
	hashes, err := tlog.ProveInclusion(context.Background(), c.log, 90, 40)
	if err != nil {
		t.Fatal(err)
	}
	p := &tlog.Proof{Index: 40, Hashes: hashes, Note: c.note(t, 5)}
	for _, extra := range [][]byte{nil, {}, []byte("a hint")} {
		p.Extra = extra
		text := p.Marshal()
		again, err := tlog.ParseProof(text)
		if err != nil || !bytes.Equal(again.Marshal(), text) || !bytes.Equal(again.Extra, extra) {
			t.Fatalf("%s: %v", text, err)
		}
		w, err := again.Verify(policy, tlog.LeafHash(entry(40)))
		if err != nil || w.Size != 90 || w.Time != 5e9 {
			t.Errorf("%+v, %v", w, err)
		}
		_, err = again.Verify(policy, tlog.LeafHash(entry(41)))
		wantKind(t, "another entry", err, protocol.KindUntrusted)
	}
	unseen := &tlog.Proof{Index: 40, Hashes: hashes, Note: c.note(t)}
	_, err = unseen.Verify(policy, tlog.LeafHash(entry(40)))
	wantKind(t, "without a cosignature", err, protocol.KindUntrusted)
	good := string(p.Marshal())
	for name, test := range map[string]struct {
		text string
		kind protocol.Kind
	}{
		"nothing":         {"", protocol.KindUnsupported},
		"another version": {strings.Replace(good, "@v1", "@v2", 1), protocol.KindUnsupported},
		"only a header":   {"c2sp.org/tlog-proof@v1\n", protocol.KindUntrusted},
		"bad extra":       {strings.Replace(good, "extra ", "extra !", 1), protocol.KindUntrusted},
		"extra twice":     {strings.Replace(good, "index", "extra AAAA\nindex", 1), protocol.KindUntrusted},
		"no index":        {strings.Replace(good, "index 40\n", "", 1), protocol.KindUntrusted},
		"a leading zero":  {strings.Replace(good, "index 40", "index 040", 1), protocol.KindUntrusted},
		"no note":         {good[:strings.Index(good, "\n\n")+2], protocol.KindUntrusted},
		"no end of proof": {good[:strings.Index(good, "\n\n")], protocol.KindUntrusted},
		"no checkpoint":   {good[:strings.Index(good, "\n\n")+2] + string(tlog.TestingOnlySignText("x", "no checkpoint\n")), protocol.KindUntrusted},
	} {
		_, err := tlog.ParseProof([]byte(test.text))
		wantKind(t, name, err, test.kind)
	}
}
