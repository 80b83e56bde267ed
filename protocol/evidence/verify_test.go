// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

func TestEvidenceConvicts(t *testing.T) {
	key := newBook(t, "evil").key
	kinds := map[string]bool{}
	for _, c := range crimes(t, "evil") {
		t.Run(c.name, func(t *testing.T) {
			raw := sealed(t, c.file, newBook(t, "evil"))
			for _, o := range []Options{{}, {Log: key}} {
				v, err := Verify(raw, o)
				if err != nil {
					t.Fatal(err)
				}
				if v.Kind != c.kind || v.Log.String() != key.String() || v.By[0] != "log "+key.String() || v.Broken == "" || !strings.HasPrefix(v.What, "The provider") {
					t.Errorf("verdict %+v", v)
				}
				if !bytes.Contains(raw, []byte(v.What)) {
					t.Error("the words above do not say what is proved")
				}
			}
			if _, err := Verify(raw, Options{Log: newBook(t, "good").key}); protocol.KindOf(err) != protocol.KindUntrusted {
				t.Errorf("it convicts another log: %v", err)
			}
		})
		kinds[c.kind] = true
	}
	for _, kind := range []string{"fork", "split", "statements", "promise", "rules", "order", "leaf", "regress", "key", "histories"} {
		if !kinds[kind] {
			t.Errorf("no evidence of kind %s", kind)
		}
	}
}

func TestAForkNamesTheWitnessesOfBothSides(t *testing.T) {
	b := newBook(t, "evil")
	v, err := Verify(sealed(t, forks(t, "evil")[0].file, b), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"log " + b.key.String(), "witness " + b.witness.Public().String()}; !slices.Equal(v.By, want) {
		t.Errorf("convicted are %q", v.By)
	}
}

// TestForgedEvidence: somebody who has evidence against his own log, or honest parts
// of another's, wants the honest one convicted.
func TestForgedEvidence(t *testing.T) {
	evil, good := newBook(t, "evil"), newBook(t, "good")
	for _, c := range crimes(t, "evil") {
		f := *c.file
		f.Version, f.Log = protocol.FormatVersion, good.key.String()
		if _, err := Verify(text(&f), Options{}); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s, with the name of an honest log: %v", c.name, err)
		}
	}
	list := crimes(t, "evil")
	for _, a := range list {
		for _, b := range list {
			if a.kind == b.kind {
				continue
			}
			f := *a.file
			f.Version, f.Log = protocol.FormatVersion, evil.key.String()
			both(&f, b.file)
			if _, err := Verify(text(&f), Options{}); protocol.KindOf(err) != protocol.KindUntrusted {
				t.Errorf("%s and %s in one file: %v", a.name, b.name, err)
			}
		}
	}
	none := file{Version: protocol.FormatVersion, Log: evil.key.String()}
	if _, err := Verify(text(&none), Options{}); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a file without evidence: %v", err)
	}
}

// both sets the kinds of the other file, too.
func both(f, other *file) {
	switch {
	case other.Fork != nil:
		f.Fork = other.Fork
	case other.Split != nil:
		f.Split = other.Split
	case other.Statements != nil:
		f.Statements = other.Statements
	case other.Promise != nil:
		f.Promise = other.Promise
	case other.Rules != nil:
		f.Rules = other.Rules
	case other.Order != nil:
		f.Order = other.Order
	case other.Leaf != nil:
		f.Leaf = other.Leaf
	case other.Regress != nil:
		f.Regress = other.Regress
	case other.Key != nil:
		f.Key = other.Key
	case other.Histories != nil:
		f.Histories = other.Histories
	}
}

// text returns the text of a file that proves nothing.
func text(f *file) []byte { return f.format(&Verdict{What: "nothing"}) }

// TestEachByteCounts changes each byte of a file's encoding. Where the change is in
// a part that a verdict rests on, there is none any more; in no case is another log
// convicted.
func TestEachByteCounts(t *testing.T) {
	evil := newBook(t, "evil")
	for _, c := range crimes(t, "evil") {
		f := *c.file
		f.Version, f.Log, f.Witnesses = protocol.FormatVersion, evil.key.String(), nil
		data := canonical.MustMarshal(&f)
		kept, step := 0, max(len(data)/80, 1)
		for at := 0; at < len(data); at += step {
			bad := bytes.Clone(data)
			bad[at] ^= 4
			g, err := decode(bad)
			if err != nil {
				continue
			}
			v, err := g.verify(Options{})
			if err == nil {
				kept++
			}
			if err == nil && v.Log.String() != evil.key.String() {
				t.Fatalf("%s, byte %d: convicts %s", c.name, at, v.Log)
			}
		}
		// What may change: cosignatures, and in the entry of a broken rule nothing.
		if kept > len(data)/step/2 {
			t.Errorf("%s: %d of %d changes change nothing", c.name, kept, len(data)/step)
		}
	}
}

func TestParse(t *testing.T) {
	good := string(sealed(t, forks(t, "evil")[0].file, newBook(t, "evil")))
	begin := strings.Index(good, beginLine)
	if _, err := Verify([]byte(good[begin:]), Options{}); err != nil {
		t.Errorf("without the words above: %v", err)
	}
	if _, err := Verify([]byte("Everything is fine.\n"+good[begin:]), Options{}); err != nil {
		t.Errorf("with other words above: %v", err)
	}
	body := good[begin+len(beginLine)+1:]
	for name, text := range map[string]string{
		"nothing":                  "",
		"only words":               "The provider is evil.\n",
		"words without end":        strings.Repeat("x\n", maxPreamble) + good[begin:],
		"no end":                   strings.TrimSuffix(good, endLine+"\n"),
		"a line behind":            good + "\n",
		"a word before the line":   "x" + good[begin:],
		"an empty line":            good[:begin] + beginLine + "\n\n" + body,
		"a line that is too short": good[:begin] + beginLine + "\n" + body[:10] + "\n" + body[10:],
		"a line that is too long":  good[:begin] + beginLine + "\n" + strings.Replace(body, "\n", "", 1),
		"blanks":                   good[:begin] + beginLine + "\n" + strings.Replace(body, "\n", " \n", 1),
		"carriage returns":         strings.ReplaceAll(good, "\n", "\r\n"),
		"too large":                beginLine + "\n" + strings.Repeat("A", MaxText),
	} {
		if _, err := Verify([]byte(text), Options{}); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := file{Version: 2, Log: "x"}
	if _, err := Verify(text(&f), Options{}); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("a newer version: %v", err)
	}
}
