// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

// Choice says which entries of a snapshot are meant. Its nil value means all.
type Choice struct {
	patterns []*files.Patterns
	include  bool // what matches is meant, as against left out
}

// NewChoice reads patterns: either some of what is meant or some of what is not;
// those of the second list match whatever the case.
func NewChoice(include, includeFold, exclude, excludeFold []string) (*Choice, error) {
	in, out := len(include)+len(includeFold) > 0, len(exclude)+len(excludeFold) > 0
	switch {
	case in && out:
		return nil, protocol.Errorf(protocol.KindUsage, "either say what to include or what to exclude, not both")
	case !in && !out:
		return nil, nil
	case out:
		include, includeFold = exclude, excludeFold
	}
	c := &Choice{include: in}
	for i, texts := range [][]string{include, includeFold} {
		p, err := files.ParsePatterns(texts, i == 1)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "pattern")
		}
		c.patterns = append(c.patterns, p)
	}
	return c, nil
}

// Means reports whether the entry at a path is meant, and whether something
// below it may be.
func (c *Choice) Means(path []byte) (meant, below bool) {
	if c == nil {
		return true, true
	}
	for _, p := range c.patterns {
		m, b := p.Match(path)
		meant, below = meant || m, below || b
	}
	if c.include {
		return meant, meant || below
	}
	return !meant, !meant
}

// spares returns what says that a path is not meant, nil where all are.
func (c *Choice) spares() func(path []byte) bool {
	if c == nil {
		return nil
	}
	return func(path []byte) bool {
		meant, _ := c.Means(path)
		return !meant
	}
}
