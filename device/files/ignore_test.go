// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ignorePatterns and ignorePaths are tried in every pairing.
var ignorePatterns = []string{
	"foo", "/foo", "foo/", "/foo/", "foo/bar", "/foo/bar", "foo/bar/", "*", "*/", "/*", "/*/", "**", "/**", "**/", "**/foo", "/**/foo",
	"**/foo/bar", "**/foo/", "foo/**", "foo/**/", "/foo/**", "foo/**/bar", "foo/*/bar", "foo/**/baz", "a/**/b", "a/**/**/b", "**/**/b",
	"foo**", "**foo", "foo**bar", "foo**/bar", "foo/**bar", "foo*/bar", "*oo/bar", "a**/b", "*/bar", "*/*/bar", "**/*.c", "*.c", "/*.c",
	"src/*.c", "src/**/*.c", "*.[ch]", "*.[!c]", "*.[^c]", "[a-c]", "[a-c]*", "[!a-c]", "[^a-c]*", "[]]", "[]-]", "[]a-]x", "[a-]", "[-a]",
	"[!]]", "[a", "[", "a[", "[]", "[!]", "[]a", "[[:alpha:]]", "[[:digit:]]*", "[[:upper:][:digit:]]", "[![:alpha:]]*", "[[:bogus:]]",
	"[[:alpha:]", "[[:]", "[[:a]", "[a[:digit:]b]", "[[:space:]]", "[[:punct:]]*", "[[:xdigit:]]", "[\\]]", "[\\a-c]", "[a-\\c]", "[\\\\]",
	"[c-a]", "[a-a]", "[--0]", "[a/b]", "foo[/]bar", "foo[!x]bar", "f[^o]o", "?", "??", "f?o", "foo?bar", "?/b", "a/?", "\\foo", "\\*", "\\!foo",
	"\\#foo", "#foo", "!foo", "!", "\\", "foo\\", "fo\\o", "foo\\/bar", "\\f\\o\\o", "a\\ b", "foo\\ ", "foo ", "foo  ", "foo \\ ", "foo\\  ",
	" foo", " ", "\\ ", "foo/ ", "foo\t", "foo\r", "\t", "/", "//", "//foo", "foo//bar", "foo//", "./foo", "../foo", "foo/.", ".*", ".foo", "*.",
	"*foo*", "*o*", "f*", "f**", "*o", "***", "***/foo", "foo/***", "foo/***/bar", "a*b*c", "*a*b", "*.tar.gz", "*.tar.*", "a/b/c", "/a/b/c",
	"a/b", "b/c", "*/b/*", "*/b", "**/b/**", "a/**", "a/*", "a/*/c", "/a", "c", "**/c", "x**/**y", "**/a/**/c", "a/**c", "foo/bar/**", "é", "é*", "?é",
	"[é]", "*\xff", "\xff?", "[\xfe-\xff]*", "[a-z]/[a-z]", "{a,b}", "a+b", "(a)", "a.b", "^a", "$a", "**/[ab]/c", "src/", "src/**", "!src", "*/src",
}

var ignorePaths = []string{
	"foo", "foo/", "bar", "foo/bar", "foo/bar/", "foo/bar/baz", "x/foo", "x/foo/", "x/foo/bar", "x/y/foo", "foo/x/bar", "foo/x/y/bar", "foox",
	"xfoo", "fooxbar", "foobar", "foo/xbar", "foox/bar", "foo/x/baz", "a", "a/", "a/b", "a/b/", "a/b/c", "a/x/b", "a/x/y/b", "b", "c", "b/c", "d/b/c",
	"a.c", "a.h", "a.x", "src/a.c", "src/x/a.c", "src", "src/", "x/src", "]", "-", "]x", "ax", "-x", "[", "[a", "a[", "[]", "[!]", "1", "12", "A",
	"Z", "_", "!", "!foo", "#foo", "*", "\\", "foo\\", "a b", "foo ", "foo  ", " foo", " ", "foo\t", "foo\r", ".foo", ".f", "foo.", "x.tar.gz",
	"abc", "aXbYc", "xaxb", "é", "éa", "aé", "x\xff", "\xffy", "\xfe", "{a,b}", "a+b", "(a)", "a.b", "^a", "$a", "x/y", "xa/by", "a/b/x/c", "f0o", "foo:bar",
	"ab", "x/a/c", "foo/x", "foo/b\xff", "a]",
}

// gitIgnores asks git which of the paths it ignores, given the ignore files of a
// fresh repository. Paths with a slash at the end are made as folders.
func gitIgnores(t *testing.T, files map[string]string, paths []string) map[string]bool {
	t.Helper()
	root := t.TempDir()
	runGit(t, root, "", "init", "-q")
	for name, content := range files {
		put(t, filepath.Join(root, name), content)
	}
	var asked strings.Builder
	for _, path := range paths {
		if strings.HasSuffix(path, "/") {
			must(t, os.MkdirAll(filepath.Join(root, path), 0o755))
		}
		asked.WriteString(strings.TrimSuffix(path, "/") + "\x00")
	}
	out := runGit(t, root, asked.String(), "check-ignore", "--no-index", "-z", "--stdin")
	ignored := map[string]bool{}
	for _, path := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		ignored[path] = true
	}
	return ignored
}

func runGit(t *testing.T, root, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", root, "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 && args[0] == "check-ignore" {
		err = nil // none is ignored
	}
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// walkIgnores answers the same question as a walk does: nothing is asked about
// what lies in an ignored folder, the nearest file decides first.
func walkIgnores(files map[string]string, path string) bool {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for depth := 1; depth <= len(parts); depth++ {
		folder := depth < len(parts) || strings.HasSuffix(path, "/") || holdsFiles(files, path)
		if oneIgnored(files, parts[:depth], folder) {
			return true
		}
	}
	return false
}

func holdsFiles(files map[string]string, path string) bool {
	for name := range files {
		if strings.HasPrefix(name, path+"/") {
			return true
		}
	}
	return false
}

func oneIgnored(files map[string]string, parts []string, folder bool) bool {
	for above := len(parts) - 1; above >= 0; above-- {
		rules, ok := files[strings.Join(append(parts[:above:above], ".gitignore"), "/")]
		if !ok {
			continue
		}
		rest := strings.Join(parts[above:], "/")
		if ignored, decided := ParseIgnore([]byte(rules)).Match([]byte(rest), folder); decided {
			return ignored
		}
	}
	return false
}

// sameAsGit asks about files and about folders, each in a repository of its own.
func sameAsGit(t *testing.T, files map[string]string, paths []string) {
	t.Helper()
	var asFiles, asFolders []string
	for _, path := range paths {
		if strings.HasSuffix(path, "/") {
			asFolders = append(asFolders, path)
		} else {
			asFiles = append(asFiles, path)
		}
	}
	for _, some := range [][]string{asFiles, asFolders} {
		ignored := gitIgnores(t, files, some)
		for _, path := range some {
			if got, want := walkIgnores(files, path), ignored[strings.TrimSuffix(path, "/")]; got != want {
				dir, _, _ := strings.Cut(path, "/")
				t.Errorf("rules %q %q, path %q: ignored %v, git says %v", files[".gitignore"], files[dir+"/.gitignore"], path, got, want)
			}
		}
	}
}

// TestIgnorePairs holds every pattern with every path against git itself. The
// patterns are tried in one repository, each in a folder of its own.
func TestIgnorePairs(t *testing.T) {
	files := map[string]string{}
	var paths []string
	for i, pattern := range ignorePatterns {
		dir := "d" + strings.Repeat("x", i)
		files[dir+"/.gitignore"] = pattern + "\n"
		for _, path := range ignorePaths {
			paths = append(paths, dir+"/"+path)
		}
	}
	sameAsGit(t, files, paths)
}

func TestIgnoreFiles(t *testing.T) {
	tests := map[string]map[string]string{
		"take back":          {".gitignore": "*\n!foo\n!a.*\n"},
		"take back a folder": {".gitignore": "*\n!*/\n!*.c\n"},
		"not below ignored":  {".gitignore": "foo/\n!foo/bar\n"},
		"below contents":     {".gitignore": "foo/*\n!foo/bar\n"},
		"last wins":          {".gitignore": "foo\n!foo\nfoo\n"},
		"comments, blanks":   {".gitignore": "# foo\n\n   \nbar\n#a\n\\#foo\n"},
		"no end of line":     {".gitignore": "bar\nfoo"},
		"no end, carriage":   {".gitignore": "bar\nfoo\r"},
		"carriage returns":   {".gitignore": "foo\r\nbar/\r\n*.c\r\n#x\r\n\r\n"},
		"byte order mark":    {".gitignore": "\xef\xbb\xbffoo\n"},
		"nested":             {".gitignore": "*.c\nfoo\n", "src/.gitignore": "!*.c\n", "x/.gitignore": "!foo\n/y\n"},
		"nested anchored":    {"a/.gitignore": "/b\n", "x/.gitignore": "foo/bar\n", "x/y/.gitignore": "!/foo\n"},
		"nested in ignored":  {".gitignore": "foo/\n", "foo/.gitignore": "!bar\n!*\n"},
		"nested deep":        {"a/b/.gitignore": "c\n", "a/.gitignore": "!c\n", ".gitignore": "c\n"},
		"zero byte":          {".gitignore": "foo\x00x\nb\x00\n"},
		"long":               {".gitignore": strings.Repeat("nothing-of-that\n", 2000) + "foo\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) { sameAsGit(t, files, ignorePaths) })
	}
}

// TestIgnoreRandom builds patterns and paths from few letters, so that they
// often match.
func TestIgnoreRandom(t *testing.T) {
	pieces := []string{"a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "\\", " ", "/**/", "**/", "/**", "!", "a/", "[a-b]", "."}
	names := []string{"a", "b", "ab", "ba", "aa", "a b", ".a", "a.", "aab"}
	state := uint64(42)
	next := func(n int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int((state >> 33) % uint64(n))
	}
	files := map[string]string{}
	var paths []string
	for i := range 400 {
		dir := "r" + strings.Repeat("-", i%20) + string(rune('a'+i/20))
		rules := ""
		for range 1 + next(3) {
			for range 1 + next(5) {
				rules += pieces[next(len(pieces))]
			}
			rules += "\n"
		}
		files[dir+"/.gitignore"] = rules
		for range 40 {
			path := dir
			for range 1 + next(4) {
				path += "/" + names[next(len(names))]
			}
			paths = append(paths, path+[]string{"", "/"}[next(2)])
		}
	}
	sameAsGit(t, files, paths)
}

// TestWildmatchHostile ends, which it would not in this century if every '*'
// tried every length.
func TestWildmatchHostile(t *testing.T) {
	text := bytes.Repeat([]byte("a"), 200)
	for _, pattern := range []string{strings.Repeat("*a", 40) + "b", strings.Repeat("a*", 60) + "b", strings.Repeat("*[a]", 30) + "b"} {
		for _, slashes := range []bool{false, true} {
			if wildmatch([]byte(pattern), text, slashes) == wildYes {
				t.Errorf("%q matches", pattern)
			}
		}
	}
}

func FuzzIgnore(f *testing.F) {
	for _, pattern := range ignorePatterns {
		f.Add([]byte(pattern), []byte("foo/bar"))
	}
	f.Fuzz(func(t *testing.T, rules, path []byte) {
		if len(rules) > 100 || len(path) > 100 || len(path) == 0 {
			return
		}
		file := ParseIgnore(rules)
		ignored, decided := file.Match(path, false)
		if ignored && !decided {
			t.Fatal("ignored without a decision")
		}
	})
}
