// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Step is what the network does with one request; next passes it on to the
// provider and the provider's answer back.
type Step func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Net is the network and, as it holds the server's own key, the malicious
// provider: it sees each request in the clear and may answer it as it likes.
type Net struct {
	t        testing.TB
	listener net.Listener
	forward  *httputil.ReverseProxy

	mu       sync.Mutex // guards what follows
	key      *tls.Certificate
	backend  string
	step     Step
	requests []string // methods and paths that came through
	up       int64    // bytes from devices, as they are on the wire
	at       int64    // where act is called; 0: nowhere
	act      func()
	open     map[*countedConn]bool
	under    int        // requests under way
	ended    *sync.Cond // over mu: one of them ended
}

func newNet(t testing.TB) *Net {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &Net{t: t, listener: listener, open: map[*countedConn]bool{}}
	n.ended = sync.NewCond(&n.mu)
	n.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: n.provider()})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // the test started it itself
			DisableCompression: true, MaxIdleConnsPerHost: 16,
		},
		FlushInterval: -1, // what the provider sends goes on at once
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return n
}

// serve begins to answer with the server's key.
func (n *Net) serve(key *ecdsa.PrivateKey) {
	n.t.Helper()
	n.Present(key)
	server := &http.Server{
		Handler: n, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, GetCertificate: n.certificate}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(tls.NewListener(counted{n.listener, n}, config)) // ends with Close
	}()
	n.t.Cleanup(func() {
		_ = server.Close() // what is still under way ends with the test
		<-ended
	})
}

// Address is where devices find the provider.
func (n *Net) Address() string { return n.listener.Addr().String() }

// Present makes the network answer with a key, from the next connection on.
func (n *Net) Present(key *ecdsa.PrivateKey) {
	n.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.key = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// PresentStranger makes another server answer at the address.
func (n *Net) PresentStranger() {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Present(key)
}

func (n *Net) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.key, nil
}

func (n *Net) passTo(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.backend = address
}

func (n *Net) provider() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.backend
}

// Use makes every request from now on go through step; nil passes all on.
func (n *Net) Use(step Step) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.step = step
}

// Requests returns the methods and paths that came, and forgets them.
func (n *Net) Requests() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	came := n.requests
	n.requests = nil
	return came
}

// At calls act once, when k more bytes have come from devices; the bytes are
// counted as they are on the wire. 0 takes it back.
func (n *Net) At(k int64, act func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up, n.at, n.act = 0, k, act
}

// Up returns the bytes that came from devices since At.
func (n *Net) Up() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up
}

// Cut breaks every connection that is open.
func (n *Net) Cut() {
	n.mu.Lock()
	open := n.open
	n.open = map[*countedConn]bool{}
	n.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close() // what it was carrying is lost, which is the point
	}
}

// Quiet waits until no request is under way. No device may be at work.
func (n *Net) Quiet() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.under > 0 {
		n.ended.Wait()
	}
}

// done notes that a request ended.
func (n *Net) done() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.under--
	n.ended.Broadcast()
}

// dropIdle lets go of connections to a provider that stops.
func (n *Net) dropIdle() {
	n.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// ServeHTTP takes one request.
func (n *Net) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.under++
	defer n.done()
	step := n.step
	n.requests = append(n.requests, r.Method+" "+r.URL.Path)
	n.mu.Unlock()
	// What a device sent whole reaches the provider, also when the device is gone
	// by then; so Quiet is also the provider's.
	ctx, done := context.WithCancel(context.WithoutCancel(r.Context()))
	defer done()
	if step == nil {
		step = func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }
	}
	step(w, r.WithContext(ctx), n.forward)
}

// counted counts what connections carry.
type counted struct {
	net.Listener
	n *Net
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &countedConn{Conn: c, n: l.n}
	l.n.mu.Lock()
	l.n.open[conn] = true
	l.n.mu.Unlock()
	return conn, nil
}

type countedConn struct {
	net.Conn
	n *Net
}

// Read reads no further than to where something is to happen.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:c.n.allowance(len(p))])
	if act := c.n.came(n); act != nil {
		act()
	}
	return n, err
}

func (c *countedConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.open, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

// allowance is how much may be read before something is to happen.
func (n *Net) allowance(want int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if left := n.at - n.up; n.act != nil && left > 0 && left < int64(want) {
		return int(left)
	}
	return want
}

// came counts bytes and returns what is to happen now.
func (n *Net) came(bytes int) func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up += int64(bytes)
	if n.act == nil || n.at == 0 || n.up < n.at {
		return nil
	}
	act := n.act
	n.act = nil
	return act
}
