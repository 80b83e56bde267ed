// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

const (
	// Frames that do not fit into the open pack are set aside, within these
	// bounds: they begin the next one, and shorter ones behind them fill the
	// pack up. So full packs, all padded to one size, waste little.
	asideLength = 4 << 20
	asideFrames = 4
	// packGap is the room below which a pack counts as full.
	packGap = 64 << 10
	// nodesLength is how many bytes of frames of nodes and lists are held
	// back, to lie together in a pack where they are read together.
	nodesLength = 4 << 20
)

// openPack is the pack that is being filled.
type openPack struct {
	writer  *seal.PackWriter
	index   PackIndex
	printed int // upper bound of the index's length
	chunks  int
}

// room returns how long the next sealed frame may be, provided that it adds
// printed bytes to the index.
func (o *openPack) room(printed int) int {
	const tags = 2 * seal.FrameOverhead // of padding and index
	return seal.PackTarget - o.writer.Len() - o.printed - printed - tags
}

// fits reports whether a frame goes into the pack.
func (o *openPack) fits(f *Frame) bool {
	return f.Sealed <= o.room(f.printedLength()) && o.chunks+len(f.Chunks) <= MaxPackChunks
}

// add seals a frame, which fits, into the pack.
func (o *openPack) add(f *Frame, bytes []byte) error {
	if _, err := o.writer.Append(bytes); err != nil {
		return err
	}
	o.index.Frames = append(o.index.Frames, *f)
	o.printed += f.printedLength()
	o.chunks += len(f.Chunks)
	return nil
}

// shelf holds frames back, in one piece of memory that is used again.
type shelf struct {
	frames []Frame
	bytes  []byte // of all frames, one after the other
}

// put copies a frame onto the shelf.
func (s *shelf) put(f *Frame, bytes []byte) {
	s.frames = append(s.frames, *f)
	s.bytes = append(s.bytes, bytes...)
}

// empty hands each frame to place, in the order in which they came, and clears
// the shelf.
func (s *shelf) empty(place func(f *Frame, bytes []byte) error) error {
	rest := s.bytes
	for i := range s.frames {
		n := s.frames[i].Sealed - sealOverhead
		if err := place(&s.frames[i], rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	clear(s.frames)
	s.frames, s.bytes = s.frames[:0], s.bytes[:0]
	return nil
}

// packing lays frames into packs, in the order in which they come but for
// those held back. One goroutine runs it.
type packing struct {
	packer *Packer
	open   *openPack // nil: none begun
	aside  shelf     // what did not fit into the open pack
	nodes  shelf
}

// take takes a compressed frame over; the bytes are the caller's again when it
// returns.
func (k *packing) take(ctx context.Context, f *Frame, bytes []byte) error {
	if f.Kind == KindFile {
		return k.place(ctx, f, bytes)
	}
	k.nodes.put(f, bytes)
	if len(k.nodes.bytes) < nodesLength {
		return nil
	}
	return k.placeNodes(ctx)
}

func (k *packing) placeNodes(ctx context.Context) error {
	return k.nodes.empty(func(f *Frame, bytes []byte) error { return k.place(ctx, f, bytes) })
}

// place lays a frame into the open pack, sets it aside, or begins another pack.
func (k *packing) place(ctx context.Context, f *Frame, bytes []byte) error {
	if k.open == nil {
		k.begin()
	}
	if k.open.fits(f) {
		return k.open.add(f, bytes)
	}
	if k.open.room(0) > packGap && len(k.aside.frames) < asideFrames && len(k.aside.bytes)+len(bytes) <= asideLength {
		k.aside.put(f, bytes)
		return nil
	}
	if err := k.next(ctx); err != nil {
		return err
	}
	return k.open.add(f, bytes)
}

// next closes the open pack as a full one and begins another with what was set
// aside, which leaves room for one frame more at least.
func (k *packing) next(ctx context.Context) error {
	if err := k.close(ctx, true); err != nil {
		return err
	}
	k.begin()
	return k.aside.empty(k.open.add)
}

func (k *packing) begin() {
	k.open = &openPack{
		writer:  k.packer.run.NewPack(k.packer.takePack()),
		index:   PackIndex{Namer: k.packer.namer},
		printed: packIndexHead + 3,
	}
}

// end lays down everything that was held back and closes the last pack.
func (k *packing) end(ctx context.Context) error {
	if err := k.placeNodes(ctx); err != nil {
		return err
	}
	if len(k.aside.frames) > 0 { // they fit into one pack more
		if err := k.next(ctx); err != nil {
			return err
		}
	}
	if k.open == nil {
		return nil
	}
	return k.close(ctx, false)
}

// close hands the open pack over to be finished and sent. It waits while as
// many packs as allowed are being sent.
func (k *packing) close(ctx context.Context, full bool) error {
	p := k.packer
	select {
	case p.sending <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	o := k.open
	k.open = nil
	p.senders.Go(func() {
		if err := p.finish(ctx, o, full); err != nil {
			p.fail(err)
		}
		<-p.sending
	})
	return nil
}

// finish seals index and padding, and gives the pack to the sink.
func (p *Packer) finish(ctx context.Context, o *openPack, full bool) error {
	index := o.index.Print()
	content := o.writer.Len() + len(index) + seal.FrameOverhead
	steps := fullSteps(content)
	if !full {
		steps = lastSteps(content, p.steps())
	}
	bytes, err := o.writer.Finish(index, steps)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "finish pack")
	}
	f := &Finished{ID: sha256.Sum256(bytes), Bytes: bytes, Index: &o.index, Last: !full}
	if err := p.sink(ctx, f); err != nil {
		return err
	}
	p.sent(f)
	p.givePack(bytes)
	return nil
}
