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
func (o *openPack) add(j *job) error {
	if _, err := o.writer.Append(j.packed); err != nil {
		return err
	}
	o.index.Frames = append(o.index.Frames, j.frame)
	o.printed += j.frame.printedLength()
	o.chunks += len(j.frame.Chunks)
	return nil
}

// packing lays frames into packs, in the order in which they come but for
// those set aside. One goroutine runs it.
type packing struct {
	packer *Packer
	open   *openPack // nil: none begun
	aside  []*job
	nodes  []*job
}

func length(jobs []*job) int {
	n := 0
	for _, j := range jobs {
		n += len(j.packed)
	}
	return n
}

// take takes a compressed frame over.
func (k *packing) take(ctx context.Context, j *job) error {
	if j.frame.Kind == KindFile {
		return k.place(ctx, j)
	}
	// Frames of nodes are few and short: they wait in buffers of their length.
	packed := append(make([]byte, 0, len(j.packed)), j.packed...)
	k.packer.pool.give(j.packed)
	j.packed = packed
	k.nodes = append(k.nodes, j)
	if length(k.nodes) < nodesLength {
		return nil
	}
	return k.placeNodes(ctx)
}

func (k *packing) placeNodes(ctx context.Context) error {
	for _, j := range k.nodes {
		if err := k.place(ctx, j); err != nil {
			return err
		}
	}
	k.nodes = nil
	return nil
}

// place lays a frame into the open pack, sets it aside, or begins another pack.
func (k *packing) place(ctx context.Context, j *job) error {
	if k.open == nil {
		k.begin()
	}
	if k.open.fits(&j.frame) {
		return k.add(j)
	}
	if k.open.room(0) > packGap && len(k.aside) < asideFrames && length(k.aside)+len(j.packed) <= asideLength {
		k.aside = append(k.aside, j)
		return nil
	}
	if err := k.close(ctx, true); err != nil {
		return err
	}
	waiting := append(k.aside, j)
	k.aside = nil
	for _, j := range waiting {
		if err := k.place(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

func (k *packing) add(j *job) error {
	err := k.open.add(j)
	k.packer.pool.give(j.packed)
	j.packed = nil
	return err
}

func (k *packing) begin() {
	k.open = &openPack{
		writer:  k.packer.run.NewPack(k.packer.takePack()),
		index:   PackIndex{Namer: k.packer.namer},
		printed: packIndexHead + 3,
	}
}

// end lays down everything that waits and closes the last pack.
func (k *packing) end(ctx context.Context) error {
	if err := k.placeNodes(ctx); err != nil {
		return err
	}
	for len(k.aside) > 0 { // what did not fit goes into one pack more
		waiting := k.aside
		k.aside = nil
		if err := k.close(ctx, true); err != nil {
			return err
		}
		for _, j := range waiting {
			if err := k.place(ctx, j); err != nil {
				return err
			}
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
