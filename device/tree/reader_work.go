// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// read reads spans on several goroutines and returns the first error that ends the fetch.
func (f *fetch) read(ctx context.Context, spans []*span) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan *span)
	var wait sync.WaitGroup
	for range min(f.reader.Workers, len(spans)) {
		wait.Go(func() {
			for s := range queue {
				if err := f.readSpan(ctx, s); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, s := range spans {
		if ctx.Err() != nil {
			break
		}
		queue <- s // a worker takes it: none ends before the queue does
	}
	close(queue)
	wait.Wait()
	return context.Cause(ctx)
}

// readSpan reads one span. Only what must end the whole fetch is an error; what does not hold is tried elsewhere.
func (f *fetch) readSpan(ctx context.Context, s *span) error {
	if ctx.Err() != nil {
		return nil // another span's error is the one that counts
	}
	seen := false
	var fatal error
	err := f.reader.Source.Blocks(ctx, []Read{s.read}, func(_ int, b []byte) error {
		if seen {
			return nil
		}
		seen = true
		fatal = f.openSpan(ctx, s, b)
		return fatal
	})
	switch {
	case fatal != nil:
		return fatal
	case err == nil && seen:
		return nil
	case err == nil || bad(err):
		if !seen {
			f.fail(protocol.Wrap(protocol.KindUntrusted, orMissing(err), "read pack %v", s.read.Pack), s.attempts...)
		}
		return nil
	}
	return wrapParse(err, "read pack "+s.read.Pack.String())
}

// orMissing is what a source that says nothing has said.
func orMissing(err error) error {
	if err == nil {
		return protocol.Errorf(protocol.KindUntrusted, "the source gave nothing")
	}
	return err
}

// bad reports whether an error condemns one place of a chunk, and not the whole fetch.
func bad(err error) bool {
	switch protocol.KindOf(err) {
	case protocol.KindNotFound, protocol.KindUntrusted, protocol.KindUnsupported:
		return true
	}
	return false
}

// openSpan opens the frames in the bytes of a span and visits their chunks.
func (f *fetch) openSpan(ctx context.Context, s *span, b []byte) error {
	pack, err := f.reader.pack(ctx, s, b)
	if err != nil {
		if bad(err) {
			f.fail(err, s.attempts...)
			return nil
		}
		return err
	}
	rest := s.attempts
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && rest[n].at.Frame == rest[0].at.Frame && rest[n].at.Offset == rest[0].at.Offset {
			n++
		}
		if err := f.openFrame(pack, rest[:n], b[min(int64(len(b)), rest[0].at.Offset-s.read.Offset):]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// pack returns an opened pack: one that is at hand, or by the header, which is fetched when it is not in the span.
func (r *Reader) pack(ctx context.Context, s *span, b []byte) (*openedPack, error) {
	if p, found := r.packs.find(s.read.Pack); found {
		return p, nil
	}
	if s.read.Offset == 0 {
		return r.openPack(s.read.Pack, b)
	}
	var p *openedPack
	header := Read{s.read.Pack, 0, seal.BlockSize}
	err := r.Source.Blocks(ctx, []Read{header}, func(_ int, b []byte) (err error) {
		p, err = r.openPack(s.read.Pack, b)
		return err
	})
	if err == nil && p == nil {
		err = orMissing(nil)
	}
	return p, err
}

// openPack opens a pack by its header and keeps it at hand.
func (r *Reader) openPack(id protocol.PackID, b []byte) (*openedPack, error) {
	h, err := seal.ParsePackHeader(b)
	if err != nil {
		return nil, err
	}
	info, found, err := r.Index.Pack(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, protocol.Errorf(protocol.KindNotFound, "pack %v was removed meanwhile", id)
	}
	names, err := r.Names(info.Namer)
	if err != nil {
		return nil, err
	}
	p, err := r.Open(h)
	if err != nil {
		return nil, err
	}
	opened := &openedPack{p, names}
	r.packs.add(id, opened, 1)
	return opened, nil
}

// openFrame opens the frame that bytes begin with and visits those of its chunks that are wanted.
func (f *fetch) openFrame(pack *openedPack, attempts []*attempt, b []byte) error {
	l := &attempts[0].at
	if len(b) < l.Sealed {
		f.fail(protocol.Errorf(protocol.KindUntrusted, "read pack %v: it is cut off", l.Pack), attempts...)
		return nil
	}
	frame, err := pack.OpenFrame(l.Frame, b[:l.Sealed])
	if err != nil {
		f.fail(err, attempts...)
		return nil
	}
	raw, done, err := f.raw(pack, l, frame)
	if err != nil {
		f.fail(err, attempts...)
		return nil
	}
	defer done()
	for _, a := range attempts {
		chunk, err := (openedFrame{raw, pack.names}).cut(&a.at, f.wants[a.want])
		if err != nil {
			f.fail(err, a)
			continue
		}
		if err := f.visit(a.want, chunk, nil); err != nil {
			return err
		}
	}
	return nil
}

// raw returns the bytes of a frame before compression; done is called when they are needed no more.
func (f *fetch) raw(pack *openedPack, l *Location, frame []byte) (raw []byte, done func(), err error) {
	r := f.reader
	if f.keep || l.Compression == CompressNone {
		if l.Compression != CompressNone {
			frame, err = r.decompressor.Decompress(nil, l.Compression, frame, l.Raw)
		}
		if err == nil && f.keep {
			r.frames.add(frameKey{l.Pack, l.Frame}, openedFrame{frame, pack.names}, len(frame))
		}
		return frame, func() {}, err
	}
	buffer := r.buffers.Get().(*[]byte)
	done = func() { r.buffers.Put(buffer) }
	raw, err = r.decompressor.Decompress((*buffer)[:0], l.Compression, frame, l.Raw)
	if err != nil {
		done()
		return nil, nil, err
	}
	*buffer = raw
	return raw, done, nil
}
