// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

// matchClass matches one byte against the class that opens at p and returns
// where it closes. A class that does not close, or names an unknown set, is
// broken and matches nothing.
func matchClass(pattern []byte, p int, got byte) (end int, matched, broken bool) {
	p++
	c := at(pattern, p)
	negated := c == '!' || c == '^'
	if negated {
		p++
		c = at(pattern, p)
	}
	var before byte // start of a range, if a '-' follows
	for first := true; first || c != ']'; first = false {
		var hit, ok bool
		if p, c, hit, ok = classMember(pattern, p, before, got); !ok {
			return 0, false, true
		}
		matched = matched || hit
		before = c
		p++
		c = at(pattern, p)
	}
	return p, matched != negated, false
}

// classMember reads one member of a class: a byte, a range's end or a named
// set. It returns its last position and the byte that may begin a range.
func classMember(pattern []byte, p int, before, got byte) (last int, start byte, hit, ok bool) {
	c := at(pattern, p)
	next := at(pattern, p+1)
	switch {
	case c == 0:
		return p, 0, false, false
	case c == '\\':
		return p + 1, next, got == next, next != 0
	case c == '-' && before != 0 && next != 0 && next != ']':
		p++
		if next == '\\' {
			p++
			next = at(pattern, p)
		}
		return p, 0, before <= got && got <= next, next != 0
	case c == '[' && next == ':':
		return namedSet(pattern, p, got)
	}
	return p, c, got == c, true
}

// namedSet reads a set like [:alpha:]. Without ":]" the '[' stands for itself.
func namedSet(pattern []byte, p int, got byte) (last int, start byte, hit, ok bool) {
	end := p + 2
	for at(pattern, end) != 0 && pattern[end] != ']' {
		end++
	}
	if at(pattern, end) == 0 {
		return p, 0, false, false
	}
	if end-1 < p+2 || pattern[end-1] != ':' {
		return p, '[', got == '[', true
	}
	hit, ok = inSet(string(pattern[p+2:end-1]), got)
	return end, 0, hit, ok
}

// inSet reports whether an ASCII byte is in one of the sets of POSIX.
func inSet(name string, c byte) (in, known bool) {
	lower, upper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z'
	digit, graph := c >= '0' && c <= '9', c > ' ' && c < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	}
	return false, false
}
