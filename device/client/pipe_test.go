// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// lane is one direction of a connection in memory, with room for some bytes as
// a real one has: TLS sends before it reads.
type lane struct {
	mu       sync.Mutex // guards what follows
	moved    *sync.Cond
	data     []byte
	closed   bool
	deadline time.Time // of the reader
	timer    *time.Timer
}

const laneRoom = 1 << 18

func newLane() *lane {
	l := new(lane)
	l.moved = sync.NewCond(&l.mu)
	return l
}

func (l *lane) read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.data) == 0 {
		if l.closed {
			return 0, io.EOF
		}
		if !l.deadline.IsZero() && !time.Now().Before(l.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		l.moved.Wait()
	}
	n := copy(p, l.data)
	l.data = l.data[n:]
	l.moved.Broadcast()
	return n, nil
}

func (l *lane) write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for done := 0; ; {
		if l.closed {
			return done, io.ErrClosedPipe
		}
		n := min(len(p)-done, laneRoom-len(l.data))
		l.data = append(l.data, p[done:done+n]...)
		done += n
		l.moved.Broadcast()
		if done == len(p) {
			return done, nil
		}
		l.moved.Wait()
	}
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.moved.Broadcast()
}

func (l *lane) setDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	if l.timer != nil {
		l.timer.Stop()
	}
	if !t.IsZero() {
		l.timer = time.AfterFunc(time.Until(t), l.moved.Broadcast)
	}
	l.moved.Broadcast()
}

// lanes is one end of a connection in memory.
type lanes struct{ in, out *lane }

func newConn() (net.Conn, net.Conn) {
	a, b := newLane(), newLane()
	return &lanes{a, b}, &lanes{b, a}
}

func (c *lanes) Read(p []byte) (int, error)        { return c.in.read(p) }
func (c *lanes) Write(p []byte) (int, error)       { return c.out.write(p) }
func (c *lanes) Close() error                      { c.in.close(); c.out.close(); return nil }
func (c *lanes) LocalAddr() net.Addr               { return &net.UnixAddr{Name: "near"} }
func (c *lanes) RemoteAddr() net.Addr              { return &net.UnixAddr{Name: "far"} }
func (c *lanes) SetDeadline(t time.Time) error     { return c.SetReadDeadline(t) }
func (c *lanes) SetReadDeadline(t time.Time) error { c.in.setDeadline(t); return nil }
func (c *lanes) SetWriteDeadline(time.Time) error  { return nil }
