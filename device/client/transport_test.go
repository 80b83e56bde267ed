// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func goodInfo(w http.ResponseWriter, _ *http.Request) {
	say(w, 200, api.Server{Program: "solekeyd", API: []int{1, 2}, Name: "home"})
}

func TestWhoIsTrusted(t *testing.T) {
	id := makeIdentity()
	cases := []struct {
		name   string
		change func(*Server, *Options)
		kind   protocol.Kind
		says   string
	}{
		{"the pinned key", func(*Server, *Options) {}, "", ""},
		{"another key", func(s *Server, _ *Options) { s.Pin[5] ^= 1 }, protocol.KindUntrusted, "different server"},
		{"no pin, unknown authority", func(s *Server, _ *Options) { s.Pin = api.Pin{} }, protocol.KindUntrusted, "nobody trusted"},
		{"no pin, own authority", func(s *Server, o *Options) { s.Pin, o.CACert = api.Pin{}, id.pem }, "", ""},
		{"no pin, own authority, another host", func(s *Server, o *Options) {
			s.Pin, o.CACert, s.Host = api.Pin{}, id.pem, "other.example"
		}, protocol.KindUntrusted, "nobody trusted"},
		{"a pin needs no name", func(s *Server, _ *Options) { s.Host = "192.0.2.1:8443" }, "", ""},
		{"a wrong pin is not mended by an authority", func(s *Server, o *Options) { s.Pin[0] ^= 1; o.CACert = id.pem }, protocol.KindUntrusted, "different server"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); goodInfo(w, r) }, c.change)
			_, err := w.client.Info(context.Background())
			if c.kind == "" {
				must(t, err)
				return
			}
			wantKind(t, err, c.kind)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if asked.Load() != 0 || w.net.dials != 1 {
				t.Errorf("%d requests were sent over %d connections to a server that is not trusted", asked.Load(), w.net.dials)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	w := newWorld(t, goodInfo)
	old := newPipes()
	config := &tls.Config{Certificates: []tls.Certificate{makeIdentity().certificate}, MaxVersion: tls.VersionTLS12}
	server := &http.Server{Handler: http.HandlerFunc(goodInfo), ErrorLog: w.server.ErrorLog}
	go func() { _ = server.Serve(tls.NewListener(old, config)) }()
	defer server.Close()
	w.client.http.Transport.(*http.Transport).DialContext = old.dial
	_, err := w.client.Info(context.Background())
	wantKind(t, err, protocol.KindUnreachable)
}

func TestResumedSessionsAreHeldToThePin(t *testing.T) {
	var resumed atomic.Int32
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		w.Header().Set("Connection", "close")
		goodInfo(w, r)
	})
	for range 3 {
		_, err := w.client.Info(context.Background())
		must(t, err)
	}
	if resumed.Load() == 0 {
		t.Fatal("no session was resumed")
	}
	transport := w.client.http.Transport.(*http.Transport)
	transport.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error { return checkPin(api.Pin{9}, s.PeerCertificates) }
	_, err := w.client.Info(context.Background())
	wantKind(t, err, protocol.KindUntrusted)
}

func TestDialRefuses(t *testing.T) {
	for _, host := range []string{"", "https://a", "a/b", "a b", "user@host", "a?b", "a#b"} {
		_, err := Dial(Server{Host: host}, Options{})
		wantKind(t, err, protocol.KindUsage)
	}
	_, err := Dial(Server{Host: "a"}, Options{CACert: []byte("nothing")})
	wantKind(t, err, protocol.KindUsage)
}

func TestConnectionsAreReused(t *testing.T) {
	w := newWorld(t, goodInfo)
	for range 10 {
		_, err := w.client.Info(context.Background())
		must(t, err)
	}
	if w.net.dials != 1 {
		t.Fatalf("%d connections for requests one after the other", w.net.dials)
	}
}
