// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// TestVerifyRefuses changes a good note in every place that counts.
func TestVerifyRefuses(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	grow(t, l, 9)
	key, good := l.Secret.Public(), string(l.Note(t, 0))
	if _, err := key.Verify([]byte(good)); err != nil {
		t.Fatal(err)
	}
	body, sig, _ := strings.Cut(good, "\n\n")
	lines := strings.Split(body, "\n")
	stranger := tlogtest.New(t, "log.example")
	other := tlogtest.New(t, "other.example")
	for name, text := range map[string]string{
		"nothing":                  "",
		"no signature":             body + "\n\n",
		"no end":                   strings.TrimSuffix(good, "\n"),
		"another size":             strings.Replace(good, "\n9\n", "\n8\n", 1),
		"another origin":           strings.Replace(good, "log.example\n9", "log.examplf\n9", 1),
		"an extension line":        body + "\nmore\n\n" + sig,
		"a root cut":               strings.Replace(good, lines[2], lines[2][1:], 1),
		"another key":              string(stranger.Note(t, 0)),
		"another log":              string(other.Note(t, 0)),
		"a broken line beside":     good + "— log.example !\n",
		"a broken one by that key": good + flip(strings.TrimPrefix(sig, "")),
		"a control character":      strings.Replace(good, "\n9\n", "\n\t9\n", 1),
		"no text":                  "\n\n" + sig,
	} {
		_, err := key.Verify([]byte(text))
		wantKind(t, name, err, protocol.KindUntrusted)
	}
}

// flip changes one byte of a signature, not of the key id before it.
func flip(line string) string {
	words := strings.Fields(line)
	raw, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil {
		panic(err)
	}
	raw[len(raw)-1] ^= 1
	return words[0] + " " + words[1] + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// TestBodiesRefused signs what is no checkpoint: the signature holds, the form does not.
func TestBodiesRefused(t *testing.T) {
	root := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	empty := base64.StdEncoding.EncodeToString(new(tlog.Frontier).Marshal())
	for name, body := range map[string]string{
		"two lines":           "log.example\n1\n",
		"an empty line":       "log.example\n1\n" + root + "\n\nx\n",
		"no size":             "log.example\n\n" + root + "\n",
		"a leading zero":      "log.example\n01\n" + root + "\n",
		"a sign":              "log.example\n+1\n" + root + "\n",
		"a negative size":     "log.example\n-1\n" + root + "\n",
		"a size too large":    "log.example\n4611686018427387905\n" + root + "\n",
		"beyond 64 bits":      "log.example\n18446744073709551616\n" + root + "\n",
		"hexadecimal":         "log.example\n1\n" + strings.Repeat("07", 32) + "\n",
		"a short root":        "log.example\n1\n" + root[4:] + "\n",
		"bits behind":         "log.example\n1\n" + root[:42] + "d=\n",
		"no padding":          "log.example\n1\n" + root[:43] + "\n",
		"the empty log, root": "log.example\n0\n" + root + "\n",
		"blanks":              "log.example\n1 \n" + root + "\n",
		"an origin too long":  strings.Repeat("l", 256) + "\n1\n" + root + "\n",
		"the frontier":        "log.example\n0\n" + empty + "\n",
	} {
		_, err := tlog.ParseCheckpoint(tlog.TestingOnlySignText("log.example", body))
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	c, err := tlog.ParseCheckpoint(tlog.TestingOnlySignText("log.example", "log.example\n4611686018427387904\n"+root+"\n"))
	if err != nil || c.Size != tlog.MaxSize {
		t.Errorf("the largest size: %v, %v", c.Size, err)
	}
	if c, err := tlog.ParseCheckpoint(tlogtest.New(t, "log.example").Note(t, 0)); err != nil || c.Size != 0 {
		t.Errorf("the empty log: %v, %v", c, err)
	}
}

// TestCosignatures: what holds, what does not, and at which time.
func TestCosignatures(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 9)
	bare := l.Note(t, 0)
	for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
		w, stranger := newWitness(t, "w.example", a), newWitness(t, "w.example", a)
		line := func(at protocol.Time) string { return string(w.Cosign(bare, c, at)) }
		other := c
		other.Size++
		foreign := tlogtest.New(t, "log.example")
		grow(t, foreign, 10)
		for name, want := range map[string]struct {
			lines string
			at    protocol.Time
		}{
			"one":                        {line(5_999_999_999), 5e9},
			"two, the newest counts":     {line(5e9) + line(9e9) + line(7e9), 9e9},
			"the same twice":             {line(5e9) + line(5e9), 5e9},
			"none":                       {"", 0},
			"of a stranger of that name": {string(stranger.Cosign(bare, c, 5e9)), 0},
			"one that does not hold":     {flip(line(5e9)), 0},
			"good and bad":               {line(5e9) + flip(line(6e9)), 0},
			"at no time":                 {line(0), 0},
			"before 1970":                {line(-5e9), 0},
			"the last second":            {line(1<<63 - 1), 9223372036e9},
			"of another checkpoint":      {string(w.Cosign(foreign.Note(t, 0), other, 5e9)), 0},
			"without a signature":        {tlog.TestingOnlyLine("w.example", w.Public(), []byte("1234567")), 0},
		} {
			at, ok := w.Public().VerifyCosignature(append(bytes.Clone(bare), want.lines...))
			if at != want.at || ok != (want.at != 0) {
				t.Errorf("%s, %s: %v at %v, want %v", a, name, ok, at, want.at)
			}
		}
		if _, ok := w.Public().VerifyCosignature([]byte("no note")); ok {
			t.Error("no note is cosigned")
		}
	}
}

// TestFarTimes: a time beyond what Time can say is its last second, and one beyond
// 63 bits is no cosignature.
func TestFarTimes(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 2)
	w := newWitness(t, "w.example", tlog.Ed25519)
	for seconds, want := range map[uint64]protocol.Time{1 << 40: 9223372036e9, 1<<63 - 1: 9223372036e9, 1 << 63: 0, 1<<64 - 1: 0} {
		note := append(l.Note(t, 0), tlog.TestingOnlyCosignAt(w, c, seconds)...)
		if at, ok := w.Public().VerifyCosignature(note); at != want || ok != (want != 0) {
			t.Errorf("second %d: %v at %v", seconds, ok, at)
		}
	}
}

// TestNameBoundByLattice: an Ed25519 cosignature copied under another name of the same
// key holds, as the page has it; one by ML-DSA-44 does not. This is why a policy
// refuses one key under two names.
func TestNameBoundByLattice(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 2)
	seed := bytes.Repeat([]byte{3}, 32)
	for a, holds := range map[tlog.Algorithm]bool{tlog.Ed25519: true, tlog.MLDSA44: false} {
		one, err := tlog.TestingOnlyWitness("one.example", byte(a), seed)
		if err != nil {
			t.Fatal(err)
		}
		two, err := tlog.TestingOnlyWitness("two.example", byte(a), seed)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.Fields(string(one.Cosign(l.Note(t, 0), c, 5e9)))[2])
		if err != nil {
			t.Fatal(err)
		}
		copied := tlog.TestingOnlyLine("two.example", two.Public(), raw[4:])
		if _, ok := two.Public().VerifyCosignature(append(l.Note(t, 0), copied...)); ok != holds {
			t.Errorf("%s: a copy under another name holds: %v", a, ok)
		}
		text := "log " + l.Secret.Public().String() + "\nwitness a " + one.Public().String() + "\nwitness b " + two.Public().String() + "\nquorum none\n"
		_, err = tlog.ParsePolicy([]byte(text))
		wantKind(t, a.String()+" twice in a policy", err, protocol.KindUntrusted)
	}
}

func TestAccept(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 9)
	note := l.Note(t, 0)
	w, other := newWitness(t, "w.example", tlog.MLDSA44), newWitness(t, "v.example", tlog.Ed25519)
	mine, theirs := string(w.Cosign(note, c, 5e9)), string(other.Cosign(note, c, 6e9))
	line, at, err := w.Public().Accept(note, []byte(theirs+mine))
	if err != nil || at != 5e9 || string(line) != mine {
		t.Fatalf("%q at %v, %v", line, at, err)
	}
	logLine := string(note[bytes.LastIndex(note, []byte("\n\n"))+2:])
	for name, answer := range map[string]string{
		"nothing":        "",
		"another's":      theirs,
		"the log's":      logLine,
		"a bad one":      flip(mine),
		"no lines":       "hello\n",
		"no end":         strings.TrimSuffix(mine, "\n"),
		"an empty line":  mine + "\n" + mine,
		"too many lines": strings.Repeat(mine, tlog.MaxSignatures+1),
	} {
		_, _, err := w.Public().Accept(note, []byte(answer))
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	_, _, err = w.Public().Accept([]byte("no note"), []byte(mine))
	wantKind(t, "no note", err, protocol.KindUntrusted)
	_, _, err = w.Public().Accept(tlog.TestingOnlySignText("x", "no\ncheckpoint\n"), []byte(mine))
	wantKind(t, "no checkpoint", err, protocol.KindUntrusted)
}

func TestAttach(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 9)
	note := l.Note(t, 0)
	w, v := newWitness(t, "w.example", tlog.Ed25519), newWitness(t, "v.example", tlog.Ed25519)
	first, err := tlog.Attach(note, w.Cosign(note, c, 5e9), v.Cosign(note, c, 6e9))
	if err != nil {
		t.Fatal(err)
	}
	again, err := tlog.Attach(first, w.Cosign(note, c, 9e9))
	if err != nil || bytes.Count(again, []byte("— ")) != 3 {
		t.Fatalf("%s, %v", again, err)
	}
	if at, ok := w.Public().VerifyCosignature(again); !ok || at != 9e9 {
		t.Errorf("%v at %v", ok, at)
	}
	if same, err := tlog.Attach(note); err != nil || !bytes.Equal(same, note) {
		t.Errorf("nothing attached changes the note: %v", err)
	}
	_, err = tlog.Attach(note, []byte("no line\n"))
	wantKind(t, "no line", err, protocol.KindUntrusted)
	_, err = tlog.Attach([]byte("no note"), w.Cosign(note, c, 5e9))
	wantKind(t, "no note", err, protocol.KindUntrusted)
	for i := range tlog.MaxSignatures {
		note, err = tlog.Attach(note, tlog.TestingOnlyLineID("w.example", uint32(i), []byte("12345678")))
	}
	wantKind(t, "a line too many", err, protocol.KindUsage)
	full := append(bytes.Clone(first), bytes.Repeat(w.Cosign(first, c, 5e9), tlog.MaxSignatures)...)
	_, err = tlog.ParseCheckpoint(full)
	wantKind(t, "too many lines", err, protocol.KindUntrusted)
	_, err = tlog.ParseCheckpoint(append(first, make([]byte, tlog.MaxNote)...))
	wantKind(t, "too many bytes", err, protocol.KindUntrusted)
}

// TestBare leaves the log's own line.
func TestBare(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 9)
	bare := l.Note(t, 0)
	w := newWitness(t, "w.example", tlog.MLDSA44)
	full := append(l.Note(t, 5e9, w), bare[len(c.Body())+1:]...)
	got, err := l.Secret.Public().Bare(full)
	if err != nil || !bytes.Equal(got, bare) {
		t.Errorf("%s, %v", got, err)
	}
	_, err = l.Secret.Public().Bare(tlogtest.New(t, "log.example").Note(t, 0))
	wantKind(t, "another key", err, protocol.KindUntrusted)
	_, err = l.Secret.Public().Bare([]byte("no note"))
	wantKind(t, "no note", err, protocol.KindUntrusted)
}

// TestCosignNeedsANote: to cosign what was not verified is our own bug.
func TestCosignNeedsANote(t *testing.T) {
	defer func() {
		if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "solekey: internal error: ") {
			t.Error("no panic")
		}
	}()
	newWitness(t, "w", tlog.Ed25519).Cosign([]byte("no note"), tlog.Checkpoint{}, 0)
}
