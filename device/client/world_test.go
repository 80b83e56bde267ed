// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
)

// identity is a server's certificate and its pin.
type identity struct {
	certificate tls.Certificate
	pem         []byte
	pin         api.Pin
}

var makeIdentity = sync.OnceValue(newIdentity)

func newIdentity() *identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"backup.example"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &identity{
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pin:         sha256.Sum256(leaf.RawSubjectPublicKeyInfo),
	}
}

// pipes is a network of one server in memory, so that its time can be the
// test's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex // guards dials
	dials  int
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := newConn()
	p.mu.Lock()
	p.dials++
	p.mu.Unlock()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// world is a client and a scripted server.
type world struct {
	t      *testing.T
	net    *pipes
	client *Client
	server *http.Server
}

// newWorld serves the handler and dials it.
func newWorld(t *testing.T, handler http.HandlerFunc, change ...func(*Server, *Options)) *world {
	t.Helper()
	id := makeIdentity()
	w := &world{t: t, net: newPipes()}
	w.server = &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	config := &tls.Config{Certificates: []tls.Certificate{id.certificate}, MinVersion: tls.VersionTLS13}
	go func() { _ = w.server.Serve(tls.NewListener(w.net, config)) }()
	server, o := Server{Host: "backup.example:8443", Pin: id.pin}, Options{}
	for _, c := range change {
		c(&server, &o)
	}
	client, err := Dial(server, o)
	must(t, err)
	client.http.Transport.(*http.Transport).DialContext = w.net.dial
	client.testPause = func(int) time.Duration { return 0 }
	w.client = client
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	w.client.Close()
	_ = w.server.Close()
	_ = w.net.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err has the kind.
func wantKind(t *testing.T, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Fatalf("error of kind %q, want %q: %v", protocol.KindOf(err), kind, err)
	}
}

// say answers with JSON.
func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", api.TypeJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// hear decodes a request.
func hear[T any](r *http.Request) (v T) {
	_ = json.NewDecoder(r.Body).Decode(&v)
	return v
}

// someone is a member that signs in at scripted servers.
var someone = sync.OnceValue(keys.GenerateMemberSecrets)

var (
	someAccount = protocol.AccountID{1, 2, 3}
	someVault   = protocol.VaultID{4, 5}
)

// signsIn answers challenges and sessions, and passes all else on.
func signsIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case api.PathChallenges:
			say(w, 200, api.Challenge{Nonce: api.Nonce{7}})
		case api.PathSessions:
			say(w, 201, api.Session{Account: someAccount, Token: "token", Scope: api.ScopeMember, Expires: 1 << 62})
		default:
			next(w, r)
		}
	}
}

// under reports whether the request is for a path that ends so.
func under(r *http.Request, end string) bool { return strings.HasSuffix(r.URL.Path, end) }

func (w *world) member() *Member { return w.client.As(someAccount, someone(), nil) }

func (w *world) vault() *Vault { return w.member().Vault(someVault) }
