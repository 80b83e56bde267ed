// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFormatAndParse(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 2*lineBytes)
	for name, parts := range map[string][][]byte{
		"no bytes":         nil,
		"one byte":         {{1}},
		"whole lines":      {long},
		"a line and a bit": {long[:lineBytes+1]},
		"several parts":    {long, {1, 2}, long[:5]},
	} {
		v := New("x-"+strings.ReplaceAll(name, " ", "-"), "shows "+name, "bytes", Valid, parts...).WithHex("seed", []byte{0xab})
		text, err := v.Format()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := Parse(v.Name, text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(again.Parts) != len(parts) || !bytes.Equal(again.Hex(t, "seed"), []byte{0xab}) {
			t.Errorf("%s: read back as %+v", name, again)
		}
		for i := range parts {
			if !bytes.Equal(again.Parts[i], parts[i]) {
				t.Errorf("%s: part %d is %x", name, i, again.Parts[i])
			}
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	for name, v := range map[string]*Vector{
		"an empty part":    New("x-a", "a", "bytes", Valid, []byte{1}, nil),
		"a key twice":      New("x-a", "a", "bytes", Valid).With("case", "b"),
		"a line in a line": New("x-a", "a", "bytes", Valid).With("k", "b\nc"),
		"no value":         New("x-a", "a", "bytes", Valid).With("k", ""),
	} {
		if text, err := v.Format(); err == nil {
			t.Errorf("%s: written as %q", name, text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"no last line":        "case: a",
		"a header without :":  "case\n",
		"a key twice":         "case: a\ncase: b\n",
		"blanks behind":       "case: a \n",
		"a key with a blank":  "a case: a\n",
		"upper case":          "case: a\n\nAB\n",
		"no hexadecimal":      "case: a\n\nxy\n",
		"half a byte":         "case: a\n\nabc\n",
		"an empty part":       "case: a\n\n\n",
		"a short line inside": "case: a\n\nab\nab\n",
		"a long line":         "case: a\n\n" + strings.Repeat("ab", lineBytes+1) + "\n",
	} {
		if v, err := Parse("x", []byte(text)); err == nil {
			t.Errorf("%s: read as %+v", name, v)
		}
	}
}

func TestUnreadHeaderLines(t *testing.T) {
	v := New("x-a", "a", "bytes", Valid).With("new", "thing")
	v.Text(t, "case")
	v.Text(t, "format")
	if got := strings.Join(v.unread(), ","); got != "expect,new" {
		t.Errorf("unread lines are %q", got)
	}
}

// TestEveryVectorIsClaimed reads every file of spec/vectors, so that none lies
// there that no package's prefix covers and that is not in its one form.
func TestEveryVectorIsClaimed(t *testing.T) {
	entries, err := os.ReadDir(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	prefixes := []string{"canonical-", "keys-", "ledger-", "seal-", "pack-", "snapshot-", "tree-", "keyring-", "enrolment-", "backup-", "api-", "tlog-", "vrf-", "directory-", "statement-", "lookup-", "evidence-", "contact-code-"}
	for _, e := range entries {
		name, isVector := strings.CutSuffix(e.Name(), ".txt")
		if !isVector {
			if e.Name() != "README.md" {
				t.Errorf("%s is no vector", e.Name())
			}
			continue
		}
		claimed := false
		for _, p := range prefixes {
			claimed = claimed || strings.HasPrefix(name, p)
		}
		if !claimed {
			t.Errorf("vector %s belongs to no package", name)
		}
		text, err := os.ReadFile(filepath.Join(folder(t), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		v, err := Parse(name, text)
		if err != nil {
			t.Error(err)
			continue
		}
		if again, err := v.Format(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("vector %s is not in its one form: %v", name, err)
		}
	}
}
