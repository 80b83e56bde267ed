// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import "bytes"

// IgnoreFile holds the rules of one file with the syntax of gitignore. It does
// not change and may be used concurrently.
type IgnoreFile struct {
	rules []ignoreRule
}

type ignoreRule struct {
	text     []byte
	literal  int  // length of the leading part without wildcards
	negative bool // takes back
	folder   bool // folders only
	base     bool // has no slash: matches the last element at any depth
	suffix   bool // '*' and then no wildcard
}

// ParseIgnore reads rules as git does: '#' begins a comment, '!' takes back, a
// slash at the end means folders, one elsewhere anchors the rule to the file's
// folder, blanks at the end count only behind a backslash.
func ParseIgnore(data []byte) *IgnoreFile {
	f := new(IgnoreFile)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if end := bytes.IndexByte(line, 0); end >= 0 {
			line = line[:end]
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if rule := parseIgnoreRule(trimBlanks(line)); len(rule.text) > 0 {
			f.rules = append(f.rules, rule)
		}
	}
	return f
}

// trimBlanks cuts blanks at the end, but not one that a backslash protects.
func trimBlanks(line []byte) []byte {
	end := -1
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			if end < 0 {
				end = i
			}
			continue
		case '\\':
			i++
			if i == len(line) {
				return line
			}
		}
		end = -1
	}
	if end >= 0 {
		return line[:end]
	}
	return line
}

func parseIgnoreRule(line []byte) ignoreRule {
	var rule ignoreRule
	line, rule.negative = bytes.CutPrefix(line, []byte("!"))
	all := line
	line, rule.folder = bytes.CutSuffix(line, []byte("/"))
	rule.text = bytes.Clone(line)
	rule.base = bytes.IndexByte(line, '/') < 0
	rule.literal = min(literalLength(all), len(line))
	rule.suffix = len(all) > 0 && all[0] == '*' && literalLength(all[1:]) == len(all)-1
	return rule
}

func literalLength(text []byte) int {
	if i := bytes.IndexAny(text, `*?[\`); i >= 0 {
		return i
	}
	return len(text)
}

// Match says what the rules decide about a path relative to the file's folder,
// slashes between its elements: the last rule that matches wins. Where none
// matches, decided is false and the files of the folders above are to be asked.
// A rule is never asked about what lies in an ignored folder.
func (f *IgnoreFile) Match(path []byte, folder bool) (ignored, decided bool) {
	base := path[bytes.LastIndexByte(path, '/')+1:]
	for i := len(f.rules) - 1; i >= 0; i-- {
		rule := &f.rules[i]
		if rule.folder && !folder {
			continue
		}
		if rule.base && rule.matchBase(base) || !rule.base && rule.matchPath(path) {
			return !rule.negative, true
		}
	}
	return false, false
}

func (rule *ignoreRule) matchBase(name []byte) bool {
	if rule.literal == len(rule.text) {
		return bytes.Equal(rule.text, name)
	}
	if rule.suffix {
		return bytes.HasSuffix(name, rule.text[1:])
	}
	return wildmatch(rule.text, name, false) == wildYes
}

func (rule *ignoreRule) matchPath(path []byte) bool {
	text, literal := rule.text, rule.literal
	if text[0] == '/' {
		text, literal = text[1:], literal-1
	}
	if literal > 0 {
		if len(path) < literal || !bytes.Equal(text[:literal], path[:literal]) {
			return false
		}
		text, path = text[literal:], path[literal:]
		if len(text) == 0 && len(path) == 0 {
			return true
		}
	}
	return wildmatch(text, path, true) == wildYes
}
