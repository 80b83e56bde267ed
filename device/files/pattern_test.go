// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"slices"
	"testing"
)

func TestPatternMatch(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"", "", false},
		{"test.go", "/foo/bar/test.go", true},
		{"test.go", "/foo/bar/testxgo", false},
		{"foo.go", "/foo/foo.go", true},
		{"*.c", "/foo/bar/test.c", true},
		{"*.c", "/foo/bar.c/test.go", true},
		{"*.c", "/foo/bar/test.go", false},
		{"*", "/foo/bar/test.go", true},
		{"foo*", "/foo/bar/test.go", true},
		{"foo*/*", "/foo/bar", true},
		{"foo*/*", "/foo", false},
		{"foo*/*/test.*", "/x/foobar/y/test.go", true},
		{"/foo", "/foo", true},
		{"/foo", "/foo/bar", true},
		{"/foo", "/x/foo", false},
		{"/foo/*", "/foo", false},
		{"/foo/*", "/foo/bar/baz", true},
		{"/*/test", "/a/test", true},
		{"/*/*/bar/test.*", "/foo/bar/bar/test.go", true},
		{"/*/*/bar/test.*", "/foo/bar/test.go", false},
		{"bar/baz", "/foo/bar/baz", true},
		{"bar/baz", "/foo/bar/x/baz", false},
		{"bar/", "/foo/bar/baz", true},
		{"./bar", "/foo/bar", true},
		{"a/../b", "/b", true},
		{"/", "/anything", true},
		{"**", "/foo", true},
		{"**", "/", false},
		{"/**", "/", true},
		{"foo/**", "/foo", true},
		{"foo/**", "/foo/x/y", true},
		{"/foo/**/test", "/foo/test", true},
		{"/foo/**/test", "/foo/a/b/test", true},
		{"/foo/**/test", "/x/foo/test", false},
		{"foo/**/bar/**/x.*", "/a/foo/bar/q/r/x.go", true},
		{"foo/**/bar/**/x.*", "/a/foo/q/r/x.go", false},
		{"**/test.go", "/a/b/test.go", true},
		{"foo**bar", "/fooxbar", true},
		{"foo**bar", "/foo/bar", false},
		{"[a-c]x", "/bx", true},
		{"[^a-c]x", "/bx", false},
		{"[^a-c]x", "/dx", true},
		{`\*`, "/*", true},
		{`\*`, "/x", false},
		{"?", "/é", true},
		{"foo", "bar/foo", true},
		{"/foo", "foo", false},
		{"*.log", "/var/\xff.log", true},
	}
	for _, tt := range tests {
		p, err := ParsePatterns([]string{tt.pattern}, false)
		must(t, err)
		if got, _ := p.Match([]byte(tt.path)); got != tt.want {
			t.Errorf("pattern %q, path %q: %v", tt.pattern, tt.path, got)
		}
	}
}

func TestPatternsList(t *testing.T) {
	tests := []struct {
		patterns []string
		fold     bool
		path     string
		want     bool
	}{
		{nil, false, "/foo", false},
		{[]string{"*.go", "!test.go"}, false, "/foo/test.go", false},
		{[]string{"*.go", "!test.go"}, false, "/foo/other.go", true},
		{[]string{"!test.go", "*.go"}, false, "/foo/test.go", true},
		{[]string{"*.go", "!test.go", "/foo/*"}, false, "/foo/test.go", true},
		{[]string{"/foo/*", "!/foo/bar"}, false, "/foo/bar/baz", false},
		{[]string{"*.GO"}, true, "/Foo/TEST.Go", true},
		{[]string{"*.GO"}, false, "/foo/test.go", false},
		{[]string{"ÜBER"}, true, "/über", true},
	}
	for _, tt := range tests {
		p, err := ParsePatterns(tt.patterns, tt.fold)
		must(t, err)
		if got, _ := p.Match([]byte(tt.path)); got != tt.want {
			t.Errorf("patterns %q, path %q: %v", tt.patterns, tt.path, got)
		}
	}
}

func TestPatternsBelow(t *testing.T) {
	tests := []struct {
		patterns []string
		path     string
		want     bool
	}{
		{[]string{"/foo/bar"}, "/", true},
		{[]string{"/foo/bar"}, "/foo", true},
		{[]string{"/foo/bar"}, "/foo/bar/baz", true},
		{[]string{"/foo/bar"}, "/other", false},
		{[]string{"/foo/*/x"}, "/foo/any", true},
		{[]string{"/foo/**/x"}, "/foo/a/b/c", true},
		{[]string{"/foo/**/x"}, "/bar", false},
		{[]string{"x"}, "/anywhere", true},
		{[]string{"/foo", "!/foo/bar"}, "/foo/bar", false},
	}
	for _, tt := range tests {
		p, err := ParsePatterns(tt.patterns, false)
		must(t, err)
		if _, got := p.Match([]byte(tt.path)); got != tt.want {
			t.Errorf("patterns %q, path %q: below is %v", tt.patterns, tt.path, got)
		}
	}
}

func TestPatternsRefused(t *testing.T) {
	for _, bad := range []string{"[", "a/[b", "[]a]", `x\`} {
		if _, err := ParsePatterns([]string{bad}, false); err == nil {
			t.Errorf("pattern %q was taken", bad)
		}
	}
}

func TestPatternLines(t *testing.T) {
	environment := func(name string) string { return map[string]string{"HOME": "/home/x", "EXT": "go"}[name] }
	got := PatternLines([]byte("\xef\xbb\xbf*.tmp\r\n\n  # comment\n  $HOME/cache  \n*.${EXT}\na$$b\n!keep"), environment)
	want := []string{"*.tmp", "/home/x/cache", "*.go", "a$b", "!keep"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
