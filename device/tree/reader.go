// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// Read is a part of a pack that is to be fetched. Offsets are multiples of seal.BlockSize, and so are lengths: who
// serves the pack does not see where a frame begins.
type Read struct {
	Pack   protocol.PackID
	Offset int64
	Length int64
}

// Source serves parts of packs, and is believed nothing.
type Source interface {
	// Blocks calls visit with the number and the bytes of each read, once each, in any order, one at a time or
	// several. A read that goes beyond the end of its pack gives what there is. The bytes are valid during the call
	// of visit only. It stops at the first error of visit and returns it. For a pack that is not there the error is
	// of protocol.KindNotFound. It must be safe for concurrent use.
	Blocks(ctx context.Context, reads []Read, visit func(i int, b []byte) error) error
}

// ReaderOptions is what a Reader stands on.
type ReaderOptions struct {
	Index  *Index
	Source Source
	// Open opens a pack by its header, which is not trusted. It must be safe for concurrent use.
	Open func(h *seal.PackHeader) (*seal.Pack, error)
	// Names returns the names under the secret of a namer (PackIndex.Namer). It must be safe for concurrent use.
	Names func(namer protocol.MemberID) (*Names, error)
	// Workers is how many parts of packs are fetched and opened at once; 0: 4. Each takes up to 16 MiB.
	Workers int
	// Cache is how many bytes of opened frames are kept for Chunk; 0: 16 MiB.
	Cache int
}

// Want is a chunk that is to be read.
type Want struct {
	Kind   Kind
	Name   protocol.Hash
	Length uint64 // what the piece says; 0: whatever it has
}

// Reader gives chunks by their names. What it gives was opened, and named again under the name that was asked for;
// a chunk that lies in several packs is taken from the next one when one does not hold. It is safe for concurrent
// use.
type Reader struct {
	ReaderOptions
	decompressor *Decompressor
	buffers      sync.Pool // of raw frames, *[]byte
	packs        packCache
	frames       frameCache
}

const (
	readerWorkers = 4
	readerCache   = 16 << 20
)

// NewReader returns a reader.
func NewReader(o ReaderOptions) *Reader {
	if o.Workers == 0 {
		o.Workers = readerWorkers
	}
	if o.Cache == 0 {
		o.Cache = readerCache
	}
	r := &Reader{ReaderOptions: o, decompressor: NewDecompressor()}
	r.buffers.New = func() any { return new([]byte) }
	r.packs.room, r.frames.room = readerPacks, o.Cache
	return r
}

// Fetch reads chunks and calls visit for each, with its place in wants and its bytes, which are valid during the call
// only; or with why it cannot be had: protocol.KindNotFound when no pack holds it, protocol.KindUntrusted when none
// that does gives it truly. What lies together is fetched together and once, whatever the order of wants, so calls
// come in any order and several at a time. An error of visit ends it, and so does a source that cannot be reached;
// then some wants were not visited. Memory is bounded by Workers, not by wants.
func (r *Reader) Fetch(ctx context.Context, wants []Want, visit func(i int, chunk []byte, err error) error) error {
	f := &fetch{reader: r, wants: wants, visit: visit, open: make([]*attempt, 0, len(wants))}
	for i := range wants {
		f.open = append(f.open, &attempt{want: i})
	}
	return f.run(ctx)
}

// Prefetch brings the frames of chunks into the cache, as far as they can be had, so that Chunk has them at hand. It
// is for chunks of which one knows that they are needed soon; they should fit into the cache together.
func (r *Reader) Prefetch(ctx context.Context, wants []Want) error {
	f := &fetch{reader: r, wants: wants, keep: true, visit: func(int, []byte, error) error { return nil }}
	for i, w := range wants {
		if _, found := r.cached(w); !found {
			f.open = append(f.open, &attempt{want: i})
		}
	}
	return f.run(ctx)
}

// Chunk returns one chunk. It keeps the frame around it, since neighbours are often asked for next; the bytes belong
// to that frame and must not be changed. Its errors are those of Fetch. It is a Load.
func (r *Reader) Chunk(ctx context.Context, kind Kind, name protocol.Hash) ([]byte, error) {
	want := Want{Kind: kind, Name: name}
	if chunk, found := r.cached(want); found {
		return chunk, nil
	}
	var chunk []byte
	f := &fetch{reader: r, wants: []Want{want}, keep: true, open: []*attempt{{}}}
	f.visit = func(_ int, b []byte, err error) error {
		chunk = b
		return err
	}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return chunk, nil
}

// cached returns a chunk from the frames at hand, named again.
func (r *Reader) cached(w Want) ([]byte, bool) {
	locations, err := r.Index.Lookup(nil, w.Name)
	if err != nil {
		return nil, false // the fetch that follows finds the same error
	}
	for i := range locations {
		l := &locations[i]
		if frame, found := r.frames.find(frameKey{l.Pack, l.Frame}); found {
			if chunk, err := frame.cut(l, w); err == nil {
				return chunk, true
			}
		}
	}
	return nil, false
}

// cut takes a chunk out of a frame, and names it again.
func (f openedFrame) cut(l *Location, w Want) ([]byte, error) {
	if l.Start+l.Length > len(f.raw) || w.Length != 0 && uint64(l.Length) != w.Length {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read chunk %v: it has another length", w.Name)
	}
	chunk := f.raw[l.Start : l.Start+l.Length : l.Start+l.Length]
	if f.names.Name(w.Kind, chunk) != w.Name {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read chunk %v: the pack holds something else under its name", w.Name)
	}
	return chunk, nil
}
