// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"

	"github.com/solekey/solekey/protocol"
)

// check holds an entry to what its syntax alone demands.
func (e *Entry) check() error {
	if n := e.set(); n != 1 {
		return malformed("%d bodies, want exactly one", n)
	}
	switch {
	case e.Origin != nil:
		return e.Origin.check()
	case e.Update != nil:
		return e.Update.check()
	case e.Notice != nil:
		return e.Notice.check()
	case e.Anchor != nil:
		return e.Anchor.check()
	case e.Root != nil:
		return e.Root.check()
	case e.Policy != nil:
		return e.Policy.check()
	case e.Custodian != nil:
		return e.Custodian.check()
	case e.Release != nil:
		return e.Release.check()
	}
	return nil
}

func malformed(format string, args ...any) error {
	return protocol.Wrap(protocol.KindUntrusted, protocol.Errorf(protocol.KindUntrusted, format, args...), "parse log entry")
}

func (o *Origin) check() error {
	if err := o.VRF.Check(); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "parse log entry: origin")
	}
	return o.Statement.check("statement")
}

func (u *Update) check() error {
	if u.Version == 0 {
		return malformed("update to version 0")
	}
	return u.Key.check("update")
}

func (n *Notice) check() error {
	if n.Version == 0 || n.Next.IsZero() {
		return malformed("notice of version 0, or without a next key")
	}
	return n.Key.check("notice")
}

func (a *Anchor) check() error {
	if _, err := ParsePeriod(string(a.Period)); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "parse log entry: anchor")
	}
	return a.Key.check("anchor")
}

func (r *Root) check() error {
	if r.Size == 0 || r.Time < 0 || r.Time > maxTime {
		return malformed("root of size %d and time %s", r.Size, r.Time)
	}
	return nil
}

func (p *Policy) check() error {
	if p.Number == 0 || (p.Number == 1) != p.Prev.IsZero() {
		return malformed("policy statement %d has the wrong predecessor", p.Number)
	}
	if len(p.Statement) == 0 || len(p.Statement) > MaxStatementSize {
		return malformed("policy statement of %d bytes, 1 to %d allowed", len(p.Statement), MaxStatementSize)
	}
	return nil
}

func (c *Custodian) check() error {
	if c.Number == 0 || c.Custodian.IsZero() {
		return malformed("custodian use without number or key")
	}
	return nil
}

func (r *Release) check() error {
	if r.Number == 0 || !isWord(r.Program) || !isWord(r.Version) {
		return malformed("release without number, or of a program or version that is no word")
	}
	return nil
}

// isWord allows 1 to MaxWordSize printable characters of ASCII, no blank.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxWordSize
}

// check refuses a key that is not written in the one way that the curve has for
// it, so that implementations which read more of them than others do not come to
// different answers.
func (k *Key) check(whose string) error {
	y := *k
	y[31] &= 0x7f
	signed := y != *k
	notReduced := y[0] >= prime[0] && bytes.Equal(y[1:], prime[1:])
	one, minusOne := Key{1}, prime
	minusOne[0]--
	if notReduced || signed && (y == one || y == minusOne) || *k == (Key{}) {
		return malformed("%s key is not in its one form", whose)
	}
	return nil
}

// prime is the order of the curve's field, 2^255 - 19, little-endian.
var prime = func() (p Key) {
	for i := range p {
		p[i] = 0xff
	}
	p[0], p[31] = 0xed, 0x7f
	return p
}()
