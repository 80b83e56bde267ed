// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"path"
	"strings"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Finding says which entries are looked for.
type Finding struct {
	patterns       *files.Patterns
	oldest, newest protocol.Time // by time of content; 0: no bound
}

// NewFinding reads patterns with the meaning that they have to restore, but one
// that names a folder does not mean what is below it.
func NewFinding(patterns []string, fold bool, oldest, newest protocol.Time) (*Finding, error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || strings.HasPrefix(p, "!") {
			return nil, protocol.Errorf(protocol.KindUsage, "pattern %q cannot be understood", p)
		}
	}
	parsed, err := files.ParsePatterns(patterns, fold)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "pattern")
	}
	return &Finding{patterns: parsed, oldest: oldest, newest: newest}, nil
}

// Find visits the entries of a snapshot that are looked for. Path is valid during
// the call of visit only. What could not be read is told to lost.
func (b *Browser) Find(ctx context.Context, s *Snapshot, f *Finding, visit Visitor, lost func(path []byte, err error)) error {
	return b.Walk(ctx, []byte{'/'}, s.root(), func(path []byte, e *tree.Entry) error {
		matched, below := f.matches(path, e)
		if matched && f.inTime(e) {
			if err := visit(path, e); err != nil {
				return err
			}
		}
		if e.Type == tree.TypeFolder && !below {
			return ErrSkip
		}
		return nil
	}, lost)
}

// matches reports whether the entry itself matches, and whether something below
// it may.
func (f *Finding) matches(path []byte, e *tree.Entry) (matched, below bool) {
	matched, below = f.patterns.Match(path)
	if !matched {
		return false, below
	}
	// A pattern matches all below what it matches; only what it does not match
	// already above is meant.
	parent := path[:len(path)-len(e.Name)-1]
	if len(parent) > 0 {
		if above, _ := f.patterns.Match(parent); above {
			matched = f.matchesName(e.Name)
		}
	}
	return matched, true
}

// matchesName reports whether a pattern without a slash matches the name itself.
func (f *Finding) matchesName(name []byte) bool {
	matched, _ := f.patterns.Match(name)
	return matched
}

func (f *Finding) inTime(e *tree.Entry) bool {
	if e.Timeless() {
		return f.oldest == 0 && f.newest == 0
	}
	return (f.oldest == 0 || e.Modified >= f.oldest) && (f.newest == 0 || e.Modified <= f.newest)
}
