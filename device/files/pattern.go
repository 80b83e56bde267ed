// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"
	"unsafe"
)

// Patterns is an ordered list of patterns with the meaning they have to restic:
// one without a leading slash matches at any depth, `**` stands for any number
// of folders, a folder that matches takes along all below it, and one that
// begins with '!' takes back what earlier ones matched. It does not change and
// may be used concurrently.
type Patterns struct {
	list    []pattern
	fold    bool
	negated bool // some pattern is
}

type pattern struct {
	parts   []patternPart
	negated bool
}

type patternPart struct {
	text   string
	simple bool // no wildcards in it
	any    bool // `**`
}

// ParsePatterns reads patterns, with fold for any case. Empty ones are ignored.
func ParsePatterns(texts []string, fold bool) (*Patterns, error) {
	p := &Patterns{fold: fold}
	for _, text := range texts {
		if text == "" {
			continue
		}
		if fold {
			text = strings.ToLower(text)
		}
		one, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		p.list = append(p.list, one)
		p.negated = p.negated || one.negated
	}
	return p, nil
}

func parsePattern(text string) (pattern, error) {
	rest, negated := strings.CutPrefix(text, "!")
	p := pattern{negated: negated}
	for _, part := range splitPath(path.Clean(rest)) {
		if _, err := path.Match(part, ""); err != nil {
			return pattern{}, fmt.Errorf("pattern %q: %w", text, err)
		}
		p.parts = append(p.parts, patternPart{
			text:   part,
			simple: !strings.ContainsAny(part, `\[]*?`),
			any:    part == "**",
		})
	}
	return p, nil
}

// splitPath splits a cleaned path; an absolute one begins with the element "/".
func splitPath(p string) []string {
	parts := strings.Split(p, "/")
	if parts[0] == "" {
		parts[0] = "/"
	}
	if len(parts) == 2 && parts[1] == "" {
		return parts[:1]
	}
	return parts
}

// PatternLines returns the patterns of an exclude file: one a line, blanks
// around it and lines that begin with '#' ignored, $NAME and ${NAME} taken from
// the environment, $$ for a dollar.
func PatternLines(data []byte, environment func(string) string) []string {
	var lines []string
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range strings.SplitSeq(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		lines = append(lines, os.Expand(line, func(name string) string {
			if name == "$" {
				return "$"
			}
			return environment(name)
		}))
	}
	return lines
}

// Match reports whether the path matches, and whether something below it may:
// a folder that does not match is still entered for what it may hold.
func (p *Patterns) Match(path []byte) (matched, below bool) {
	text := string(path)
	if p.fold {
		text = strings.ToLower(text)
	}
	return p.match(splitPath(text), true)
}

// match is Match for a path in parts, folded if p is.
func (p *Patterns) match(parts []string, children bool) (matched, below bool) {
	for i := range p.list {
		one := &p.list[i]
		m := one.match(parts)
		if one.negated {
			matched, below = matched && !m, below && !m
			continue
		}
		matched = matched || m
		below = below || !children || one.mayMatchBelow(parts)
		if matched && below && !p.negated {
			break
		}
	}
	return matched, below
}

// match looks for the pattern anywhere in the path, or at its start if the
// pattern is absolute.
func (p *pattern) match(path []string) bool {
	if p.parts[0].text == "/" {
		return matchParts(p.parts, path, false)
	}
	if path[0] == "/" {
		path = path[1:]
	}
	for ; len(path) > 0; path = path[1:] {
		if matchParts(p.parts, path, false) {
			return true
		}
	}
	return false
}

// matchParts reports whether the path begins with what the parts describe,
// which is at least one element.
func matchParts(parts []patternPart, path []string, some bool) bool {
	for i, part := range parts {
		if part.any {
			for skip := 0; skip <= len(path); skip++ {
				if matchParts(parts[i+1:], path[skip:], some || skip > 0) {
					return true
				}
			}
			return false
		}
		if len(path) == 0 || !part.match(path[0]) {
			return false
		}
		path, some = path[1:], true
	}
	return some
}

func (part *patternPart) match(name string) bool {
	if part.simple {
		return part.text == name
	}
	ok, _ := path.Match(part.text, name)
	return ok
}

// mayMatchBelow reports whether the pattern can match something below the path.
func (p *pattern) mayMatchBelow(path []string) bool {
	if p.parts[0].text != "/" {
		return true
	}
	for i := range min(len(path), len(p.parts)) {
		if p.parts[i].any {
			return true
		}
		if !p.parts[i].match(path[i]) {
			return false
		}
	}
	return true
}

// viewString lends the bytes as a string for the length of a comparison.
func viewString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
