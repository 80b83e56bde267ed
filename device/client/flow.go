// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/solekey/solekey/protocol"
)

// errStall says that nothing moved for too long.
var errStall = errors.New("nothing moved for too long")

// watch ends a request when too little of it moves.
type watch struct {
	timer *time.Timer
	every time.Duration
	least int64
	moved atomic.Int64 // since the timer was set
}

// newWatch starts watching; what it watches must run under the returned context,
// and stop must be called after. The first time allowed is longer by extra.
func (c *Client) newWatch(ctx context.Context, extra time.Duration) (context.Context, *watch, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{every: c.stall, least: c.least}
	w.timer = time.AfterFunc(c.stall+extra, func() { cancel(errStall) })
	return ctx, w, func() { w.timer.Stop(); cancel(nil) }
}

// move notes that n bytes moved.
func (w *watch) move(n int) {
	if w.moved.Add(int64(n)) >= w.least {
		w.restart()
	}
}

// restart allows the whole time again.
func (w *watch) restart() {
	w.moved.Store(0)
	w.timer.Reset(w.every)
}

// newLimiter returns a limiter of bytes per second, nil for no bound.
func newLimiter(bytes int) *rate.Limiter {
	if bytes <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytes), max(bytes/8, 4<<10))
}

// flow is a body that moves through a watch and a limiter, and ends with an
// error where it is longer than it may be. It remembers an error of the network,
// so that a body cut off on its way is told from one that was sent short.
type flow struct {
	ctx   context.Context
	r     io.Reader
	watch *watch
	limit *rate.Limiter
	left  int64 // bytes that may still come
	lost  error // of the network
	gate  *gate // of an upload, else nil
}

// gate ends the reading of an upload's bytes. The transport may go on reading a
// request's body for a while after it gave the answer; when the gate is shut the
// bytes are the caller's again.
type gate struct {
	mu     sync.Mutex // held while bytes are read
	closed bool
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// over returns a flow like f over the parts, one after the other and without
// copying them together.
func (f *flow) over(parts [][]byte) *flow {
	c := *f
	readers := make([]io.Reader, len(parts))
	for i, part := range parts {
		readers[i] = bytes.NewReader(part)
		c.left += int64(len(part))
	}
	c.r = io.MultiReader(readers...)
	return &c
}

var errShut = errors.New("the request is over")

// Read reads what the limiter lets through.
func (f *flow) Read(p []byte) (int, error) {
	if f.limit != nil && len(p) > f.limit.Burst() {
		p = p[:f.limit.Burst()]
	}
	n, err := f.pull(p)
	f.watch.move(n)
	f.left -= int64(n)
	if f.left < 0 {
		return 0, protocol.Errorf(protocol.KindUntrusted, "the server's answer is longer than any answer may be")
	}
	if n > 0 && f.limit != nil {
		if waited := f.limit.WaitN(f.ctx, n); waited != nil && err == nil {
			err = waited
		}
	}
	if err != nil && err != io.EOF {
		f.lost = err
	}
	return n, err
}

// pull reads, where there is a gate, only while it is open.
func (f *flow) pull(p []byte) (int, error) {
	if f.gate == nil {
		return f.r.Read(p)
	}
	f.gate.mu.Lock()
	defer f.gate.mu.Unlock()
	if f.gate.closed {
		return 0, errShut
	}
	return f.r.Read(p)
}

// Close closes what is read.
func (f *flow) Close() error {
	if c, ok := f.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
