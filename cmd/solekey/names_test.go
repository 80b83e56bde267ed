// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"unicode"
)

func TestPrintable(t *testing.T) {
	for raw, want := range map[string]string{
		"plain":              "plain",
		"/päth/日本 x":         "/päth/日本 x",
		"line\nbreak":        `line\nbreak`,
		"\x1b[31mred":        `\x1b[31mred`,
		"\xff\xfe":           `\xff\xfe`,
		"\u202egnp.exe":      `\u202egnp.exe`,
		`back\slash`:         `back\\slash`,
		`a "quoted" name`:    `a "quoted" name`,
		"a \"quoted\"\tname": `a "quoted"\tname`,
		"\u0000":             `\x00`,
		"\u009b2J":           `\u009b2J`,
		"":                   "",
	} {
		if got := printable([]byte(raw)); got != want {
			t.Errorf("%q: %s, not %s", raw, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("a\x1b[0m\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, r := range printable(raw) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q gives %q", raw, printable(raw))
			}
		}
	})
}

// TestNameForPrograms demands that a program that reads gets the bytes.
func TestNameForPrograms(t *testing.T) {
	a, _, _ := newTestApp()
	if got := a.name([]byte("\x1b\xff\n")); got != "\x1b\xff\n" {
		t.Errorf("%q", got)
	}
}

func TestAddBase64(t *testing.T) {
	m := map[string]any{}
	addBase64(m, "path", []byte("fine"))
	if len(m) > 0 {
		t.Errorf("%v", m)
	}
	addBase64(m, "path", []byte("\xff"))
	if m["path_base64"] != "/w==" {
		t.Errorf("%v", m)
	}
}

func TestPathOf(t *testing.T) {
	for _, c := range [][3]string{
		{"", "", "/"}, {"/a", "b", "/a/b"}, {"a/", "/b/", "/a/b"}, {"", "//x", "/x"}, {"/a", "..", "/"}, {"a", strings.Repeat("../", 9), "/"},
	} {
		if got := pathOf(c[0], c[1]); got != c[2] {
			t.Errorf("%q below %q: %q", c[1], c[0], got)
		}
	}
}
