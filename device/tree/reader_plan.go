// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// fetch is one call of Fetch.
type fetch struct {
	reader *Reader
	wants  []Want
	visit  func(i int, chunk []byte, err error) error
	keep   bool       // whether frames go into the cache
	open   []*attempt // what was not visited yet

	mu     sync.Mutex // guards failed
	failed []*attempt // to be tried at their next place
}

// attempt is a want with the place that is tried now.
type attempt struct {
	want  int // number in wants
	tried int // places tried before
	at    Location
	err   error // of the last place
}

// span is a part of a pack that is fetched as one: the frames of its attempts, which are in the order of the pack.
type span struct {
	read     Read
	attempts []*attempt
}

const (
	// spanLength is how far a span reaches: beyond it, the next frame begins another.
	spanLength = 4 << 20
	// spanGap is the largest gap between two frames that are fetched as one.
	spanGap = 2 * seal.BlockSize
)

// run visits everything: what lies somewhere is read there, what failed there is tried at its next place.
func (f *fetch) run(ctx context.Context) error {
	for len(f.open) > 0 {
		placed, err := f.place()
		if err != nil {
			return err
		}
		if err := f.read(ctx, spans(placed)); err != nil {
			return err
		}
		f.open, f.failed = f.failed, nil
	}
	return nil
}

// place looks up where each open want lies; what lies nowhere, or nowhere else, is visited with its error.
func (f *fetch) place() ([]*attempt, error) {
	var placed []*attempt
	var locations []Location
	for _, a := range f.open {
		var err error
		name := f.wants[a.want].Name
		if locations, err = f.reader.Index.Lookup(locations[:0], name); err != nil {
			return nil, err
		}
		if a.tried < len(locations) {
			a.at = locations[a.tried]
			placed = append(placed, a)
			continue
		}
		if a.err == nil {
			a.err = protocol.Errorf(protocol.KindNotFound, "chunk %v is in no pack that is known", name)
		}
		if err := f.visit(a.want, nil, a.err); err != nil {
			return nil, err
		}
	}
	return placed, nil
}

// fail notes that an attempt did not succeed at its place.
func (f *fetch) fail(err error, attempts ...*attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range attempts {
		a.err = err
		a.tried++
	}
	f.failed = append(f.failed, attempts...)
}

// spans puts attempts together that lie together. Packs come in the order in which wants first need them.
func spans(attempts []*attempt) []*span {
	rank := map[protocol.PackID]int{}
	for _, a := range attempts {
		if _, found := rank[a.at.Pack]; !found {
			rank[a.at.Pack] = len(rank)
		}
	}
	slices.SortStableFunc(attempts, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(rank[a.at.Pack], rank[b.at.Pack]), cmp.Compare(a.at.Offset, b.at.Offset), cmp.Compare(a.at.Start, b.at.Start))
	})
	var all []*span
	for _, a := range attempts {
		if len(all) == 0 || !all[len(all)-1].extend(a) {
			all = append(all, newSpan(a))
		}
	}
	return all
}

// blocks returns the part of a pack, in whole blocks, that holds a frame.
func (l *Location) blocks() (begin, end int64) {
	begin = l.Offset &^ (seal.BlockSize - 1)
	end = (l.Offset + int64(l.Sealed) + seal.BlockSize - 1) &^ (seal.BlockSize - 1)
	return begin, end
}

// newSpan begins a span with an attempt. What lies near the beginning of its pack is fetched with the header, which
// saves a request.
func newSpan(a *attempt) *span {
	begin, end := a.at.blocks()
	if begin <= spanGap {
		begin = 0
	}
	return &span{Read{a.at.Pack, begin, end - begin}, []*attempt{a}}
}

// extend takes an attempt into the span, if it lies near enough.
func (s *span) extend(a *attempt) bool {
	begin, end := a.at.blocks()
	old := s.read.Offset + s.read.Length
	if a.at.Pack != s.read.Pack || begin > old+spanGap || end > old && end > s.read.Offset+spanLength {
		return false
	}
	s.read.Length = max(old, end) - s.read.Offset
	s.attempts = append(s.attempts, a)
	return true
}
