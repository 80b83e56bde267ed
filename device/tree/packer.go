// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// Finished is a pack, ready to be sent.
type Finished struct {
	ID    protocol.PackID
	Bytes []byte // the sink's until it returns; then the memory is used again
	Index *PackIndex
	Last  bool // the last pack of the run
}

// Sink stores a pack. It is called from several goroutines at a time. When it
// returns nil the pack is stored, and its chunks are found where the caller
// looks for them before Packer.Add; the packer itself forgets them then.
type Sink func(ctx context.Context, pack *Finished) error

// PackerOptions say how a packer works. Run, Secrets and Sink are required.
type PackerOptions struct {
	Run     *seal.Run
	Secrets *Secrets
	Sink    Sink
	Workers int // frames compressed at a time; 0: one for each processor
	Uploads int // packs in the hands of the sink at a time, 16 MiB each; 0: 2
}

// Stats counts what a packer did.
type Stats struct {
	Chunks int64 // added, each name once
	Raw    int64 // their bytes
	Packs  int64 // that the sink took
	Stored int64 // bytes of these
}

// errClosed is what a packer answers after its end.
var errClosed = errors.New("the packer was closed")

// Packer turns the new chunks of one run into packs. Frames are compressed on
// several processors and sealed in the order in which their chunks were added,
// so that one goroutine that adds the same chunks gets packs of the same
// sizes. It is safe for concurrent use. It holds a pack that is being filled,
// those being sent, and about 4 MiB for each worker.
//
// The first error, whether of the sink or of a context, ends it: every later
// call returns that error, and packs which the sink took stay good.
type Packer struct {
	run     *seal.Run
	namer   protocol.MemberID
	padding *keys.Secret
	sink    Sink

	life   context.Context // of the goroutines; its cause is the first error
	cancel context.CancelCauseFunc

	slots   chan struct{} // one for each frame between Add and its pack
	jobs    chan *job     // to the workers
	order   chan *job     // the same, to the one that seals
	sealed  chan struct{} // closed when that one is done
	sending chan struct{} // one for each pack being sent
	workers sync.WaitGroup
	senders sync.WaitGroup
	pool    buffers
	adding  sync.RWMutex // held for reading by each Add, so that the end waits for them

	mu       sync.Mutex // guards what follows
	segments [lastKind + 2]segment
	inFlight map[protocol.Hash]struct{} // added and not yet with the sink
	digest   runDigest
	stats    Stats
	packs    [][]byte // buffers of packs that nobody uses
	ended    bool
}

// NewPacker returns a packer that works until Flush or Close, one of which
// must be called, or until ctx is done.
func NewPacker(ctx context.Context, o PackerOptions) *Packer {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Uploads <= 0 {
		o.Uploads = 2
	}
	slots := o.Workers + 2
	p := &Packer{
		run: o.Run, namer: o.Secrets.Namer, padding: o.Secrets.Padding, sink: o.Sink,
		slots: make(chan struct{}, slots), jobs: make(chan *job, slots), order: make(chan *job, slots),
		sealed: make(chan struct{}), sending: make(chan struct{}, o.Uploads),
		inFlight: make(map[protocol.Hash]struct{}),
	}
	p.life, p.cancel = context.WithCancelCause(ctx)
	for range o.Workers {
		p.workers.Go(p.work)
	}
	go p.seal()
	return p
}

// Has reports whether a chunk was added and its pack is not yet with the sink.
func (p *Packer) Has(name protocol.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.inFlight[name]
	return ok
}

// Stats returns the counts so far.
func (p *Packer) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Add stores a chunk of 1 to MaxChunkLength bytes, whose name the caller
// computed and did not find: by Has first, then among what is stored. Of a name
// that is in flight already it does nothing. The plaintext is copied. Add waits while the sink is
// slower than the caller.
func (p *Packer) Add(ctx context.Context, kind Kind, name protocol.Hash, plaintext []byte) error {
	if n := len(plaintext); !kind.valid() || n < 1 || n > MaxChunkLength {
		return protocol.Errorf(protocol.KindInternal, "add chunk: %d bytes of %v", n, kind)
	}
	p.adding.RLock()
	defer p.adding.RUnlock()
	if p.life.Err() != nil {
		return context.Cause(p.life)
	}
	ready, err := p.gather(kind, name, plaintext)
	for _, j := range ready {
		if err == nil {
			err = p.submit(ctx, j)
		}
	}
	return err
}

// gather notes the chunk and returns the frames that are complete with it.
func (p *Packer) gather(kind Kind, name protocol.Hash, plaintext []byte) ([]*job, error) {
	alone := len(plaintext) >= MinChunkLength
	lane := int(kind)
	if kind == KindFile && !alone && looksRandom(plaintext) {
		lane = 0 // what does not shrink is gathered apart, and not compressed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.inFlight[name]; ok {
		return nil, nil
	}
	p.note(name, len(plaintext))
	if alone {
		one := segment{p.newJob(kind, len(plaintext), false)}
		one.add(name, plaintext)
		return []*job{one.job}, nil
	}
	var ready []*job
	s := &p.segments[lane]
	if !s.fits(len(plaintext)) {
		ready = append(ready, s.cut())
	}
	if s.job == nil {
		s.job = p.newJob(kind, segmentLength, lane == 0)
	}
	s.add(name, plaintext)
	return ready, nil
}

func (p *Packer) note(name protocol.Hash, n int) {
	p.inFlight[name] = struct{}{}
	p.digest.add(name)
	p.stats.Chunks++
	p.stats.Raw += int64(n)
}

func (p *Packer) newJob(kind Kind, room int, tried bool) *job {
	return &job{frame: Frame{Kind: kind}, tried: tried, bytes: p.pool.take(room), done: make(chan struct{})}
}

// submit sends a frame on its way once there is a slot for it. The channels
// have room for as many frames as there are slots, so they never block.
func (p *Packer) submit(ctx context.Context, j *job) error {
	select {
	case p.slots <- struct{}{}:
		p.order <- j
		p.jobs <- j
		return nil
	case <-p.life.Done():
	case <-ctx.Done():
		p.fail(context.Cause(ctx)) // the chunks of this frame are lost
	}
	return context.Cause(p.life)
}

// work compresses frames.
func (p *Packer) work() {
	c := newCompressor()
	for j := range p.jobs {
		if p.life.Err() == nil {
			j.compress(c)
		}
		close(j.done)
	}
}

// seal lays compressed frames into packs, in the order of submission.
func (p *Packer) seal() {
	defer close(p.sealed)
	k := packing{packer: p}
	for j := range p.order {
		<-j.done
		if p.life.Err() == nil {
			if err := k.take(p.life, &j.frame, j.bytes); err != nil {
				p.fail(err)
			}
		}
		p.pool.give(j.bytes)
		<-p.slots
	}
	if p.life.Err() == nil {
		if err := k.end(p.life); err != nil {
			p.fail(err)
		}
	}
}

// fail ends the packer with its first error.
func (p *Packer) fail(err error) { p.cancel(err) }

// Flush stores what was added and ends the packer. When it returns nil, every
// chunk is with the sink.
func (p *Packer) Flush(ctx context.Context) error {
	rest, err := p.end()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { p.fail(context.Cause(ctx)) })
	defer stop()
	for _, j := range rest {
		if err = p.submit(ctx, j); err != nil {
			break
		}
	}
	p.wait()
	if p.life.Err() != nil {
		err = context.Cause(p.life)
	}
	p.cancel(errClosed)
	return err
}

// Close ends the packer and drops what is not with the sink yet. After Flush
// it does nothing.
func (p *Packer) Close() {
	p.cancel(errClosed) // what waits in Add does so no longer
	if _, err := p.end(); err == nil {
		p.wait()
	}
}

// end closes the packer to further chunks and returns the frames begun.
func (p *Packer) end() ([]*job, error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, errClosed
	}
	p.ended = true
	var rest []*job
	for i := range p.segments {
		if j := p.segments[i].cut(); j != nil {
			rest = append(rest, j)
		}
	}
	return rest, nil
}

// wait lets the goroutines end, from the first to the last.
func (p *Packer) wait() {
	close(p.jobs)
	close(p.order)
	p.workers.Wait()
	<-p.sealed
	p.senders.Wait()
}

// sent forgets the chunks of a pack that the sink took.
func (p *Packer) sent(f *Finished) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range f.Index.Frames {
		for _, c := range f.Index.Frames[i].Chunks {
			delete(p.inFlight, c.Name)
		}
	}
	p.stats.Packs++
	p.stats.Stored += int64(len(f.Bytes))
}

// steps draws the padding of the run's last pack.
func (p *Packer) steps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.digest.steps(p.padding)
}

// takePack returns a buffer for a pack.
func (p *Packer) takePack() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.packs); n > 0 {
		b := p.packs[n-1]
		p.packs = p.packs[:n-1]
		return b
	}
	return make([]byte, 0, seal.PackTarget)
}

// givePack takes the buffer of a pack back.
func (p *Packer) givePack(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packs = append(p.packs, b)
}
