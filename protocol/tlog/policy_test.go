// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// circle is a log and witnesses w0.. to make policies of.
type circle struct {
	log       *tlogtest.Log
	witnesses []*tlog.WitnessSecret
}

func newCircle(t *testing.T, n int) *circle {
	t.Helper()
	c := &circle{log: tlogtest.New(t, "log.example")}
	grow(t, c.log, 3)
	for i := range n {
		a := tlog.Ed25519
		if i%2 == 1 {
			a = tlog.MLDSA44
		}
		c.witnesses = append(c.witnesses, newWitness(t, fmt.Sprintf("w%d.example", i), a))
	}
	return c
}

// text is the policy's log and witnesses, and the lines behind.
func (c *circle) text(lines string) string {
	text := "log " + c.log.Secret.Public().String() + "\n"
	for i, w := range c.witnesses {
		text += fmt.Sprintf("witness w%d %s\n", i, w.Public())
	}
	return text + lines
}

func (c *circle) policy(t *testing.T, lines string) *tlog.Policy {
	t.Helper()
	p, err := tlog.ParsePolicy([]byte(c.text(lines)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// note is cosigned by witness i at times[i], in seconds; 0 for not at all.
func (c *circle) note(t *testing.T, times ...int) []byte {
	t.Helper()
	note := c.log.Note(t, 0)
	for i, at := range times {
		if at == 0 {
			continue
		}
		var err error
		if note, err = tlog.Attach(note, c.witnesses[i].Cosign(note, c.log.Head(), protocol.Time(at)*1e9)); err != nil {
			t.Fatal(err)
		}
	}
	return note
}

// TestQuorumTime: the largest T such that the quorum holds by what is not older.
func TestQuorumTime(t *testing.T) {
	c := newCircle(t, 5)
	for _, test := range []struct {
		lines string
		times []int
		want  int // in seconds; -1: the quorum does not hold
	}{
		{"quorum none\n", nil, 0},
		{"quorum none\n", []int{5}, 0},
		{"quorum w0\n", nil, -1},
		{"quorum w0\n", []int{0, 5}, -1},
		{"quorum w0\n", []int{5, 9}, 5},
		{"group g any w0 w1 w2\nquorum g\n", []int{3, 9, 5}, 9},
		{"group g all w0 w1 w2\nquorum g\n", []int{3, 9, 5}, 3},
		{"group g 2 w0 w1 w2\nquorum g\n", []int{3, 9, 5}, 5},
		{"group g 2 w0 w1 w2\nquorum g\n", []int{3, 0, 0}, -1},
		{"group g 2 w0 w1 w2\nquorum g\n", []int{3, 3, 0}, 3},
		// One witness whose clock runs ahead moves a quorum of one, none of two.
		{"group g 2 w0 w1 w2\nquorum g\n", []int{1 << 32, 7, 5}, 7},
		// Groups of groups: two houses of which both must see it.
		{"group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup q all a b\nquorum q\n", []int{4, 8, 9, 6, 7}, 7},
		{"group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup q all a b\nquorum q\n", []int{4, 5, 9, 6, 7}, 5},
		{"group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup q all a b\nquorum q\n", []int{4, 5, 9, 0, 0}, -1},
		{"group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup q any a b\nquorum q\n", []int{0, 0, 9, 8, 0}, 8},
		// Who is not part of the quorum does not count.
		{"group a 2 w0 w1 w2\ngroup b any w3 w4\nquorum b\n", []int{1, 1, 1, 0, 0}, -1},
	} {
		w, err := c.policy(t, test.lines).Verify(c.note(t, test.times...))
		if test.want < 0 {
			wantKind(t, test.lines, err, protocol.KindUntrusted)
			var missing *tlog.QuorumError
			if !errors.As(err, &missing) || missing.Checkpoint != c.log.Head() || !strings.Contains(err.Error(), "which is not the quorum") {
				t.Errorf("%q: %v says no quorum is missing", test.lines, err)
			}
			continue
		}
		if err != nil || w.Time != min(protocol.Time(test.want), 9223372036)*1e9 || w.Checkpoint != c.log.Head() {
			t.Errorf("%q at %v: %+v, %v, want time %d", test.lines, test.times, w, err, test.want)
		}
		var names []string
		for i, at := range test.times {
			if at > 0 {
				names = append(names, fmt.Sprintf("w%d", i))
			}
		}
		if !slices.Equal(w.Cosigners, names) {
			t.Errorf("%q: cosigned by %v, want %v", test.lines, w.Cosigners, names)
		}
	}
}

// TestPolicyVerifyRefuses: what is wrong with a note is no matter of a quorum.
func TestPolicyVerifyRefuses(t *testing.T) {
	c := newCircle(t, 2)
	p := c.policy(t, "quorum w0\n")
	good := c.note(t, 5)
	stranger := tlogtest.New(t, "log.example")
	grow(t, stranger, 3)
	for name, note := range map[string][]byte{
		"no note":                  []byte("x"),
		"of another key":           stranger.Note(t, 5e9, c.witnesses[0]),
		"only the witness's":       tlog.TestingOnlyWithout(good, "log.example"),
		"one that is broken":       append(good, flip(string(c.witnesses[1].Cosign(good, c.log.Head(), 5e9)))...),
		"the log's broken besides": append(good, flip(string(c.log.Note(t, 0)[len(c.log.Head().Body())+1:]))...),
	} {
		_, err := p.Verify(note)
		wantKind(t, name, err, protocol.KindUntrusted)
		var missing *tlog.QuorumError
		if errors.As(err, &missing) {
			t.Errorf("%s: %v passes as a missing cosignature", name, err)
		}
	}
	// Others' signatures are passed over, even such as make no sense.
	withOthers := append(good, tlog.TestingOnlyLineID("somebody.example", 7, []byte("whatever"))...)
	if w, err := p.Verify(withOthers); err != nil || w.Time != 5e9 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestParsePolicy(t *testing.T) {
	c := newCircle(t, 3)
	p := c.policy(t, "  # a comment\n\n \t \n\tgroup  g\tall w0   w1 \nquorum g\n")
	if p.Log().String() != c.log.Secret.Public().String() || !p.NeedsWitness() || len(p.Witnesses()) != 3 || p.LogURL() != "" {
		t.Errorf("%+v", p)
	}
	if !strings.HasSuffix(p.String(), "\ngroup g 2 w0 w1\nquorum g\n") {
		t.Error(p.String())
	}
	again, err := tlog.ParsePolicy([]byte(p.String()))
	if err != nil || again.String() != p.String() {
		t.Errorf("read back: %v", err)
	}
	key := c.log.Secret.Public().String()
	urls, err := tlog.ParsePolicy([]byte("log " + key + " https://log.example/\nwitness ö " + c.witnesses[0].Public().String() + " https://w/\nquorum ö\n"))
	if err != nil || urls.LogURL() != "https://log.example/" || urls.Witnesses()[0].URL != "https://w/" || urls.Witnesses()[0].Name != "ö" {
		t.Errorf("%+v, %v", urls, err)
	}
	if free, err := tlog.ParsePolicy([]byte("quorum none\nlog " + key + "\n")); err != nil || free.NeedsWitness() {
		t.Errorf("%+v, %v", free, err)
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	c := newCircle(t, 3)
	w0, key := c.witnesses[0].Public().String(), c.log.Secret.Public().String()
	for name, text := range map[string]string{
		"nothing":               "",
		"no log":                "quorum none\n",
		"no quorum":             c.text(""),
		"two quorums":           c.text("quorum none\nquorum none\n"),
		"two logs":              c.text("log " + tlogtest.New(t, "o").Secret.Public().String() + "\nquorum none\n"),
		"no end":                c.text("quorum none"),
		"an unknown line":       c.text("maximum-age 5\nquorum none\n"),
		"a control character":   c.text("quorum none\r\n"),
		"delete":                c.text("quorum none\n#\x7f\n"),
		"an undefined quorum":   c.text("quorum x\n"),
		"defined later":         c.text("quorum g\ngroup g any w0\n"),
		"an undefined member":   c.text("group g any w9\nquorum none\n"),
		"itself":                c.text("group g any g\nquorum none\n"),
		"none as a member":      c.text("group g any none\nquorum none\n"),
		"none as a group":       c.text("group none any w0\nquorum none\n"),
		"a member twice":        c.text("group g any w0 w0\nquorum none\n"),
		"in two groups":         c.text("group g any w0\ngroup h any w0\nquorum none\n"),
		"0 of 1":                c.text("group g 0 w0\nquorum none\n"),
		"2 of 1":                c.text("group g 2 w0\nquorum none\n"),
		"01 of 1":               c.text("group g 01 w0\nquorum none\n"),
		"some of 1":             c.text("group g some w0\nquorum none\n"),
		"no members":            c.text("group g all\nquorum none\n"),
		"a name twice":          c.text("group w0 any w1\nquorum none\n"),
		"a witness twice":       c.text("witness w9 " + w0 + "\nquorum none\n"),
		"a witness's name":      c.text("witness w0 " + newWitness(t, "n", tlog.Ed25519).Public().String() + "\nquorum none\n"),
		"a witness's bad key":   c.text("witness w9 " + w0 + "A\nquorum none\n"),
		"a log's bad key":       "log " + key + "A\nquorum none\n",
		"log, too many words":   "log " + key + " u v\nquorum none\n",
		"log without a key":     "log\nquorum none\n",
		"witness without a key": c.text("witness w9\nquorum none\n"),
		"quorum without a name": c.text("quorum\n"),
		"too many groups":       c.text("group g0 any w0\n" + groups(tlog.MaxGroups) + "quorum none\n"),
		"too long":              c.text(strings.Repeat("#", tlog.MaxPolicy) + "\nquorum none\n"),
		"too many witnesses":    c.text(strings.Join(crowd(t, tlog.MaxWitnesses-2), "") + "quorum none\n"),
	} {
		_, err := tlog.ParsePolicy([]byte(text))
		wantKind(t, name, err, protocol.KindUntrusted)
	}
	_, err := tlog.ParsePolicy([]byte("log " + w0 + "\nquorum none\n"))
	wantKind(t, "a witness's key for the log's", err, protocol.KindUnsupported)
	_, err = tlog.ParsePolicy([]byte(c.text("witness l " + key + "\nquorum none\n")))
	wantKind(t, "the log's key for a witness's", err, protocol.KindUnsupported)
	if _, err := tlog.ParsePolicy([]byte(c.text(strings.Join(crowd(t, tlog.MaxWitnesses-3), "") + "group g0 any w0\n" + groups(tlog.MaxGroups-1) + "quorum none\n"))); err != nil {
		t.Errorf("as much as there may be: %v", err)
	}
}

// groups is n groups, each of the one before.
func groups(n int) string {
	text := ""
	for i := range n {
		text += fmt.Sprintf("group g%d any g%d\n", i+1, i)
	}
	return text
}

// crowd is n lines of witnesses.
func crowd(t *testing.T, n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("witness c%d %s\n", i, newWitness(t, "c.example", tlog.Ed25519).Public()))
	}
	return lines
}
