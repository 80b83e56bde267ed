// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Front is the malicious provider: it ends TLS with the site's own key, sees
// every request in the clear, and answers it as it likes or lets a real site
// answer. Clients reach it as their proxy, each under the name of its device, so
// that it can treat them differently.
type Front struct {
	t        testing.TB
	listener net.Listener
	inner    *handover
	client   *http.Client

	mu   sync.Mutex // guards what follows
	key  *tls.Certificate
	site *Site                          // who answers honestly
	of   map[string]*Site               // the same for single devices
	eyes map[string]map[string]*Witness // which witnesses a site sees, by the names of both
	lies []Lie
	seen []Seen
	wire [][]byte // all that came, heads and bodies
}

// Seen is one request as it came.
type Seen struct {
	Device string
	Method string
	Shape  string // the path without its identifiers
	Size   int    // of the body
	Lied   bool   // whether it, or one before it since the lie began, was answered with a lie
}

// newFront begins to listen.
func newFront(t testing.TB, key *ecdsa.PrivateKey) *Front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{
		t: t, listener: listener, inner: &handover{conns: make(chan net.Conn), closed: make(chan struct{})}, of: map[string]*Site{}, eyes: map[string]map[string]*Witness{},
		client: &http.Client{
			Transport: &http.Transport{
				TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // the test started it itself
				DisableCompression: true, MaxIdleConnsPerHost: 16,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	f.present(key)
	silent := log.New(io.Discard, "", 0)
	proxy := &http.Server{Handler: http.HandlerFunc(f.connect), ErrorLog: silent, ReadHeaderTimeout: time.Minute}
	server := &http.Server{
		Handler: f, ErrorLog: silent, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, deviceKey{}, c.(*tls.Conn).NetConn().(*named).device)
		},
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, GetCertificate: f.certificate}
	var ended sync.WaitGroup
	ended.Go(func() { _ = proxy.Serve(listener) })                          // ends with Close
	ended.Go(func() { _ = server.Serve(tls.NewListener(f.inner, config)) }) // the same
	t.Cleanup(func() {
		_ = proxy.Close() // what is still under way ends with the test
		_ = server.Close()
		f.client.CloseIdleConnections()
		ended.Wait()
	})
	return f
}

type deviceKey struct{}

// named is a connection of a device.
type named struct {
	net.Conn
	device string
}

// handover is a listener whose connections come from the proxy.
type handover struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept waits for the next connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr returns nothing that matters.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// proxy is the address of the front for a device.
func (f *Front) proxy(device string) string {
	return (&url.URL{Scheme: "http", User: url.User(device), Host: f.listener.Addr().String()}).String()
}

// connect opens the way that a device asks for, to the front itself.
func (f *Front) connect(w http.ResponseWriter, r *http.Request) {
	auth := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	device, _, ok := auth.BasicAuth()
	if eye := f.witness(device, r.URL.Hostname()); ok && eye != nil {
		eye.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodConnect || !ok {
		http.Error(w, "this is a proxy for the devices of a test", http.StatusBadRequest)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n") // a device that is gone is no matter here
	select {
	case f.inner.conns <- &named{conn, device}:
	case <-f.inner.closed:
		_ = conn.Close() // the test is over
	}
}

// present makes the front answer with a key.
func (f *Front) present(key *ecdsa.PrivateKey) {
	f.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{Host},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (f *Front) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key, nil
}

// tell makes lies the ones that are told from now on.
func (f *Front) tell(lies []Lie) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lies = lies
}

// route makes a site the one that answers a device, "" for all that have none of
// their own.
func (f *Front) route(device string, site *Site) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if device == "" {
		f.site = site
		return
	}
	f.of[device] = site
}

// watch makes witnesses the ones that a site reaches.
func (f *Front) watch(site string, list map[string]*Witness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.eyes[site] = list
}

// witness returns the witness that a site reaches under a host name.
func (f *Front) witness(site, host string) *Witness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.eyes[site][strings.TrimSuffix(host, ".example")]
}

// behind returns the site that answers a device.
func (f *Front) behind(device string) *Site {
	f.mu.Lock()
	defer f.mu.Unlock()
	if own := f.of[device]; own != nil {
		return own
	}
	return f.site
}

// log returns what came since it was asked last.
func (f *Front) taken() []Seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// received returns all bytes that ever came.
func (f *Front) received() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wire
}

// ServeHTTP takes one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head, err := httputil.DumpRequest(r, false)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	device, _ := r.Context().Value(deviceKey{}).(string)
	x := &Exchange{
		Device: device, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header, Body: body,
		front: f, ctx: context.WithoutCancel(r.Context()),
	}
	x.Site = f.behind(device)
	f.mu.Lock()
	lies := f.lies
	f.wire = append(f.wire, head, body)
	at := len(f.seen)
	f.seen = append(f.seen, Seen{Device: device, Method: r.Method, Shape: shape(r.URL), Size: len(body)})
	f.mu.Unlock()
	answer := x.decide(lies, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if at < len(f.seen) {
			f.seen[at].Lied = true
		}
	})
	if answer == nil || answer.Cut {
		panic(http.ErrAbortHandler)
	}
	answer.send(w)
}

// decide asks the lies in their order, and the site where none answers.
func (x *Exchange) decide(lies []Lie, lied func()) *Answer {
	for _, lie := range lies {
		if a := lie(x); a != nil {
			lied()
			return a
		}
	}
	return x.Honest()
}

// ask passes an exchange on to a site.
func (f *Front) ask(x *Exchange, site *Site) (*Answer, error) {
	u := url.URL{Scheme: "https", Host: site.at(), Path: x.Path, RawQuery: x.Query.Encode()}
	req, err := http.NewRequestWithContext(x.ctx, x.Method, u.String(), bytes.NewReader(x.Body))
	if err != nil {
		return nil, err
	}
	req.Header, req.Host = x.Header.Clone(), Host
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}
