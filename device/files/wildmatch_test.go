// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import "testing"

// TestWildmatch is git's own table, for what its command line cannot reach.
func TestWildmatch(t *testing.T) {
	tests := []struct {
		text, pattern string
		path, plain   bool // with and without regard to slashes
	}{
		{"foo", "foo", true, true},
		{"foo", "bar", false, false},
		{"", "", true, true},
		{"foo", "???", true, true},
		{"foo", "??", false, false},
		{"foo", "*", true, true},
		{"foo", "f*", true, true},
		{"foo", "*f", false, false},
		{"foo", "*foo*", true, true},
		{"foobar", "*ob*a*r*", true, true},
		{"aaaaaaabababab", "*ab", true, true},
		{"foo*", `foo\*`, true, true},
		{"foobar", `foo\*bar`, false, false},
		{`f\oo`, `f\\oo`, true, true},
		{"ball", "*[al]?", true, true},
		{"ten", "[ten]", false, false},
		{"ten", "**[!te]", true, true},
		{"ten", "**[!ten]", false, false},
		{"ten", "t[a-g]n", true, true},
		{"ten", "t[!a-g]n", false, false},
		{"ton", "t[^a-g]n", true, true},
		{"a]b", "a[]]b", true, true},
		{"a-b", "a[]-]b", true, true},
		{"aab", "a[]a-]b", true, true},
		{"]", "]", true, true},
		{"foo/baz/bar", "foo*bar", false, true},
		{"foo/baz/bar", "foo**bar", false, true},
		{"foobazbar", "foo**bar", true, true},
		{"foo/baz/bar", "foo/**/bar", true, true},
		{"foo/b/a/z/bar", "foo/**/bar", true, true},
		{"foo/bar", "foo/**/bar", true, false},
		{"foo/bar", "foo/**/**/bar", true, false},
		{"foo/bar", "foo?bar", false, true},
		{"foo/bar", "foo[/]bar", false, true},
		{"foo/bar", "foo[^a-z]bar", false, true},
		{"foo", "**/foo", true, false},
		{"XXX/foo", "**/foo", true, true},
		{"bar/baz/foo", "*/foo", false, true},
		{"foo/bar/baz", "**/bar*", false, true},
		{"deep/foo/bar/baz", "**/bar/*", true, true},
		{"deep/foo/bar/baz/", "**/bar/*", false, true},
		{"deep/foo/bar", "**/bar/**", false, false},
		{"deep/foo/bar/baz/x", "**/bar/*/*", true, true},
		{"a/b", "a/**", true, true},
		{"a1B", "[[:alpha:]][[:digit:]][[:upper:]]", true, true},
		{"a", "[[:digit:][:upper:][:space:]]", false, false},
		{" ", "[[:digit:][:upper:][:space:]]", true, true},
		{"5", "[[:xdigit:]]", true, true},
		{"_", "[[:alnum:][:alpha:][:blank:][:cntrl:][:digit:][:graph:][:lower:][:print:][:punct:][:space:][:upper:][:xdigit:]]", true, true},
		{"\x7f", "[[:cntrl:]]", true, true},
		{"\t", "[[:blank:]]", true, true},
		{"~", "[[:graph:]]", true, true},
		{" ", "[[:graph:]]", false, false},
		{" ", "[[:print:]]", true, true},
		{"a", "[[:digit:][:upper:][:spaci:]]", false, false},
		{"y", "[a-c[:digit:]x-z]", true, true},
		{"q", "[a-c[:digit:]x-z]", false, false},
		{`]`, `[\\-^]`, true, true},
		{"[", `[\\-^]`, false, false},
		{"-", `[\-_]`, true, true},
		{"]", `[\]]`, true, true},
		{"a[]b", "a[]b", false, false},
		{"ab[", "ab[", false, false},
		{"ab", "[!", false, false},
		{"ab", "[-", false, false},
		{"-", "[--A]", true, true},
		{"5", "[--A]", true, true},
		{"-", "[a-e-n]", true, true},
		{"[ab]", "[[]ab]", true, true},
		{"[ab]", "[[:]ab]", true, true},
		{"[ab]", "[[::]ab]", false, false},
		{"[ab]", "[[:digit]ab]", true, true},
		{`[ab]`, `[\[:]ab]`, true, true},
		{"?a?b", `\??\?b`, true, true},
		{"abc", `\a\b\c`, true, true},
		{"foo", "", false, false},
		{"a/", `a\`, false, false},
		{"-adobe-courier-bold-o-normal--12-120-75-75-m-70-iso8859-1", "-*-*-*-*-*-*-12-*-*-*-m-*-*-*", true, true},
		{"-adobe-courier-bold-o-normal--12-120-75-75-X-70-iso8859-1", "-*-*-*-*-*-*-12-*-*-*-m-*-*-*", false, false},
		{"abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txt", "**/*a*b*g*n*t", true, true},
		{"abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txtz", "**/*a*b*g*n*t", false, false},
		{"foo/bba/arr", "foo/**arr", false, true},
		{"foo/bba/arr", "foo/*/arr", true, true},
	}
	for _, tt := range tests {
		if got := wildmatch([]byte(tt.pattern), []byte(tt.text), true) == wildYes; got != tt.path {
			t.Errorf("path %q, pattern %q: %v", tt.text, tt.pattern, got)
		}
		if got := wildmatch([]byte(tt.pattern), []byte(tt.text), false) == wildYes; got != tt.plain {
			t.Errorf("text %q, pattern %q: %v", tt.text, tt.pattern, got)
		}
	}
}
