// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import "bytes"

// wild is what git's matcher answers. Beside yes and no it tells its caller, a
// '*' that tries one length after the other, when trying on is in vain; that
// keeps hostile patterns from taking exponential time.
type wild int

const (
	wildNo wild = iota
	wildYes
	wildAbort     // no longer match of the '*' before can help
	wildAbortStar // only a `**` before can help
)

// wildmatch matches one text against one pattern as git does. With slashes on,
// '*', '?' and classes match no slash, and only `**` alone between slashes does.
func wildmatch(pattern, text []byte, slashes bool) wild {
	m := wildMatcher{pattern: pattern, text: text, slashes: slashes}
	return m.run(0, 0)
}

type wildMatcher struct {
	pattern, text []byte
	slashes       bool
}

// at is the byte at i, or 0 behind the end: neither patterns nor names hold one.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// run matches the pattern from p against the text from t. What stands before p
// was consumed by a '*', so that a `**` at p counts as standing at the start.
func (m *wildMatcher) run(p, t int) wild {
	start := p
	for ; p < len(m.pattern); p, t = p+1, t+1 {
		c, got := m.pattern[p], at(m.text, t)
		if got == 0 && c != '*' {
			return wildAbort
		}
		switch c {
		case '*':
			var answer wild
			var done bool
			if p, t, answer, done = m.star(p, t, start); done {
				return answer
			}
		case '?':
			if m.slashes && got == '/' {
				return wildNo
			}
		case '[':
			end, matched, broken := matchClass(m.pattern, p, got)
			if broken {
				return wildAbort
			}
			if !matched || m.slashes && got == '/' {
				return wildNo
			}
			p = end
		case '\\':
			p++
			c = at(m.pattern, p)
			fallthrough
		default:
			if got != c {
				return wildNo
			}
		}
	}
	if t < len(m.text) {
		return wildNo
	}
	return wildYes
}

// star matches the '*' or `**` at p. It is done with an answer, or has consumed
// both up to a slash, where the caller goes on.
func (m *wildMatcher) star(p, t, start int) (int, int, wild, bool) {
	first := p
	for at(m.pattern, p) == '*' {
		p++
	}
	across := !m.slashes
	if m.slashes && p-first > 1 && m.alone(first, p, start) {
		if at(m.pattern, p) == '/' && m.run(p+1, t) == wildYes {
			return 0, 0, wildYes, true
		}
		across = true
	}
	if p == len(m.pattern) {
		if !across && bytes.IndexByte(m.text[t:], '/') >= 0 {
			return 0, 0, wildAbortStar, true
		}
		return 0, 0, wildYes, true
	}
	if !across && m.pattern[p] == '/' {
		slash := bytes.IndexByte(m.text[t:], '/')
		if slash < 0 {
			return 0, 0, wildAbort, true
		}
		return p, t + slash, wildNo, false
	}
	return 0, 0, m.lengths(p, t, across), true
}

// alone reports whether the stars from first up to p fill a whole element.
func (m *wildMatcher) alone(first, p, start int) bool {
	if first > start && m.pattern[first-1] != '/' {
		return false
	}
	next := at(m.pattern, p)
	return next == 0 || next == '/' || next == '\\' && at(m.pattern, p+1) == '/'
}

// lengths tries what follows a star at p behind ever more of the text.
func (m *wildMatcher) lengths(p, t int, across bool) wild {
	next := m.pattern[p]
	literal := next != '*' && next != '?' && next != '[' && next != '\\'
	for t < len(m.text) {
		if literal {
			for t < len(m.text) && m.text[t] != next && (across || m.text[t] != '/') {
				t++
			}
			if at(m.text, t) != next && across {
				return wildAbort
			}
			if at(m.text, t) != next {
				return wildAbortStar
			}
		}
		answer := m.run(p, t)
		if answer != wildNo && (!across || answer != wildAbortStar) {
			return answer
		}
		if answer == wildNo && !across && at(m.text, t) == '/' {
			return wildAbortStar
		}
		t++
	}
	return wildAbort
}
