// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "evidence",
		Generate: generate,
		Check: map[string]func(*testing.T, *vectors.Vector){
			"evidence": checkEncoding, "evidence-text": checkText,
		},
	})
}

func generate(t *testing.T) []*vectors.Vector {
	b := newBook(t, "evil")
	var list []*vectors.Vector
	all := map[string]*file{}
	for _, c := range crimes(t, "evil") {
		f := *c.file
		f.Version, f.Log = protocol.FormatVersion, b.key.String()
		all[c.name] = &f
		if strings.HasSuffix(c.name, "-later") || strings.HasPrefix(c.name, "regress-") && c.name != "regress-gone" {
			continue // what these add is tried by the tests
		}
		list = append(list, vectors.New("evidence-"+c.name, c.says, "evidence", vectors.Valid, canonical.MustMarshal(&f)).With("kind", c.kind).With("log", f.Log))
	}
	bad := func(name, says string, kind protocol.Kind, f file) {
		list = append(list, vectors.New("evidence-bad-"+name, says, "evidence", string(kind), canonical.MustMarshal(&f)))
	}
	other := *all["fork"]
	other.Log = newBook(t, "good").key.String()
	bad("log", "a fork, under the name of another log", protocol.KindUntrusted, other)
	two := *all["fork"]
	two.Split = all["split"].Split
	bad("two-kinds", "two kinds in one file", protocol.KindUntrusted, two)
	bad("no-kind", "no kind", protocol.KindUntrusted, file{Version: 1, Log: b.key.String()})
	bad("version", "a version that is not known", protocol.KindUnsupported, file{Version: 2, Log: b.key.String()})
	bad("one-log", "one checkpoint twice", protocol.KindUntrusted, file{Version: 1, Log: b.key.String(), Fork: &fork{A: b.notes[0], B: b.notes[0]}})
	kept := *all["promise"]
	p := *kept.Promise
	p.Shown = *b.newest(p.Shown.Index)
	kept.Promise = &p
	bad("promise-early", "a promise whose time has not come", protocol.KindUntrusted, kept)
	same := *all["statements"]
	s := *same.Statements
	s.B = s.A
	same.Statements = &s
	bad("one-statement", "one statement twice", protocol.KindUntrusted, same)
	good := sealed(t, all["fork"], b)
	texts := map[string]string{"text-bad-behind": string(good) + "\n", "text-bad-cut": string(good[:len(good)-len(endLine)-1]), "text-bad-words": "The provider is evil.\n"}
	list = append(list, vectors.New("evidence-text", "evidence of a fork as it is handed out", "evidence-text", vectors.Valid, good).With("kind", "fork").With("log", b.key.String()))
	for name, text := range texts {
		list = append(list, vectors.New("evidence-"+name, "a text that is not in the one form", "evidence-text", string(protocol.KindUntrusted), []byte(text)))
	}
	return list
}

func checkEncoding(t *testing.T, v *vectors.Vector) {
	f, err := decode(v.Body(t))
	var verdict *Verdict
	if err == nil {
		verdict, err = f.verify(Options{})
	}
	checkVerdict(t, v, verdict, err)
	if err == nil && !bytes.Equal(canonical.MustMarshal(f), v.Body(t)) {
		t.Error("prints as other bytes")
	}
}

func checkText(t *testing.T, v *vectors.Vector) {
	verdict, err := Verify(v.Body(t), Options{})
	checkVerdict(t, v, verdict, err)
}

func checkVerdict(t *testing.T, v *vectors.Vector, verdict *Verdict, err error) {
	t.Helper()
	if v.Expect(t, err) && (verdict.Kind != v.Text(t, "kind") || verdict.Log.String() != v.Text(t, "log")) {
		t.Errorf("convicts %s of %s", verdict.Log, verdict.Kind)
	}
}
