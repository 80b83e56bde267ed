// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/rand"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Server is where a provider is and how it is recognised. With the zero pin a
// public certificate authority vouches for the host.
type Server struct {
	Host string // HOST or HOST:PORT, as in an invite
	Pin  api.Pin
}

// Options change how a client asks. The zero value is good.
type Options struct {
	// CACert holds PEM certificates of authorities that are trusted in place
	// of the system's, where there is no pin.
	CACert []byte
	// Upload and Download bound the bytes per second; 0 is no bound.
	Upload, Download int
	// Connections bounds the idle connections that are kept; 0 is 8.
	Connections int
	// Stall is how long nothing may move before a request is given up and
	// repeated; 0 is a minute.
	Stall time.Duration
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	server   Server
	name     string // of the server, in what members sign
	http     *http.Client
	up, down *rate.Limiter // nil: no bound
	stall    time.Duration
	least    int64   // bytes that must move within a stall
	most     int     // bytes of a ledger
	signer   *Signer // whose statements are demanded; nil: none are

	reached   atomic.Bool // whether the server ever answered
	testPause func(attempt int) time.Duration
}

// Dial returns a client of the server. It sends nothing yet.
func Dial(server Server, o Options) (*Client, error) {
	server.Host = strings.ToLower(server.Host)
	if server.Host == "" || strings.ContainsAny(server.Host, "/@?# \t\r\n") {
		return nil, protocol.Errorf(protocol.KindUsage, "server %q: it does not have the form HOST or HOST:PORT", server.Host)
	}
	transport, err := newTransport(server, o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		server: server, name: api.ServerName(server.Host, server.Pin), stall: o.Stall,
		up: newLimiter(o.Upload), down: newLimiter(o.Download), least: leastBytes, most: maxLedger,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a server that sends us elsewhere is not obeyed
		}},
	}
	if c.stall == 0 {
		c.stall = time.Minute
	}
	for _, bound := range []int{o.Upload, o.Download} {
		if bound > 0 {
			c.least = min(c.least, int64(c.stall.Seconds()*float64(bound)/2)+1)
		}
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// leastBytes must move within a stall, so that a drip of single bytes counts as
// one.
const leastBytes = 32 << 10

// How often a request is tried: a few times before the server was ever reached,
// so that a wrong address is told soon; for minutes when it was, so that a long
// run outlives a short outage.
const (
	triesUnreached = 3
	triesReached   = 12
	firstPause     = 500 * time.Millisecond
	longestPause   = 30 * time.Second
)

// pause returns how long to wait before the attempt, from 1: twice as long each
// time, and up to a half longer by chance, so that clients do not return at once.
func (c *Client) pause(attempt int) time.Duration {
	if c.testPause != nil {
		return c.testPause(attempt)
	}
	d := min(firstPause<<(attempt-1), longestPause)
	if attempt > 16 {
		d = longestPause
	}
	extra, err := rand.Int(rand.Reader, big.NewInt(int64(d/2)))
	if err != nil {
		return d
	}
	return d + time.Duration(extra.Int64())
}

// wait waits, or returns the error of a context that ended.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func interrupted(ctx context.Context) error {
	return protocol.Wrap(protocol.KindInterrupted, context.Cause(ctx), "stopped")
}

// newRequestID returns a random identifier for a write.
func newRequestID() (id protocol.RequestID) {
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	return id
}
