// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package server answers protocol/api by asking the services: one file for each
// resource, no logic of its own. New gives an http.Handler; Harden sets the
// limits of the http.Server that serves it.
//
// It logs a route, a status, a duration and a size: no address, no name, no
// token, no identifier.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/provider/vaults"
)

// Config says what a Server answers with.
type Config struct {
	Accounts *accounts.Service
	Vaults   *vaults.Service
	// Directory is the public log; Worlds are all that devices joined, newest first.
	Directory *sequencer.Service
	Worlds    []*directory.World
	Info      api.Server
	Log       *slog.Logger
	Metrics   *Metrics // nil: none
	// Uploads is how many packs are taken in at once; each needs a buffer of its size.
	Uploads int
}

// Server answers requests. It is safe for concurrent use.
type Server struct {
	Config
	uploads   chan struct{}
	stop      context.Context // done when long waits are to end
	strangers *throttle       // look-ups without a session, by address
	askers    *throttle       // look-ups with one, by account
}

// New returns the handler of every path. Long waits end when stop is done.
func New(stop context.Context, config Config) http.Handler {
	if config.Uploads <= 0 {
		config.Uploads = 16
	}
	s := &Server{
		Config: config, uploads: make(chan struct{}, config.Uploads), stop: stop,
		strangers: newThrottle(30*time.Second, 60), askers: newThrottle(100*time.Millisecond, 600),
	}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.answer(r))
	}
	return mux
}

// route is one resource and what answers it.
type route struct {
	pattern string
	handle  func(http.ResponseWriter, *http.Request) error
}

func (s *Server) routes() []route {
	const account, vault = "/v1/accounts/{account}", "/v1/accounts/{account}/vaults/{vault}"
	return []route{
		{"GET /v1/server", s.info},
		{"GET /i/{code}", s.invitePage},
		{"POST /v1/registrations", s.register},
		{"POST /v1/accounts", s.createAccount},
		{"POST /v1/logins", s.login},
		{"POST /v1/logins/{login}", s.finishLogin},
		{"POST /v1/challenges", s.challenge},
		{"POST /v1/sessions", s.openSession},
		{"DELETE /v1/sessions/current", s.signedIn(s.closeSession)},
		{"GET /v1/recovery/{locator}", s.recoveryBox},
		{"GET /v1/world", s.world},
		{"GET /v1/world/{world}", s.worldOf},
		{"GET /v1/directory", s.lookup},
		{"GET /v1/directory/ledger", s.signedIn(s.contact)},
		{"POST /v1/directory/anchors", s.signedIn(s.anchors)},
		{"GET /v1/log/checkpoint", s.checkpoint},
		{"GET /v1/log/tile/{tile...}", s.tile},
		{"POST /v1/enrolments", s.signedIn(s.beginEnrolment)},
		{"GET /v1/enrolments", s.signedIn(s.enrolments)},
		{"GET /v1/enrolments/{id}", s.signedIn(s.enrolment)},
		{"PUT /v1/enrolments/{id}/challenge", s.signedIn(s.challengeEnrolment)},
		{"PUT /v1/enrolments/{id}/reveal", s.signedIn(s.revealEnrolment)},
		{"PUT /v1/enrolments/{id}/outcome", s.signedIn(s.endEnrolment)},
		{"GET " + account, s.signedIn(s.account)},
		{"GET " + account + "/ledger", s.signedIn(s.ledger)},
		{"POST " + account + "/ledger", s.signedIn(s.appendLedger)},
		{"POST " + account + "/anchors", s.signedIn(s.leaveAnchors)},
		{"GET " + vault + "/head", s.inVault(s.head)},
		{"GET " + vault + "/snapshots", s.inVault(s.snapshots)},
		{"POST " + vault + "/snapshots", s.inVault(s.commitSnapshot)},
		{"GET " + vault + "/generations", s.inVault(s.generations)},
		{"POST " + vault + "/generations", s.inVault(s.commitGeneration)},
		{"GET " + vault + "/packs", s.inVault(s.packs)},
		{"PUT " + vault + "/packs/{pack}", s.inVault(s.putPack)},
		{"POST " + vault + "/packs/stat", s.inVault(s.statPacks)},
		{"POST " + vault + "/blocks", s.inVault(s.blocks)},
		{"/", s.nothing},
	}
}

func (s *Server) nothing(http.ResponseWriter, *http.Request) error {
	return protocol.Errorf(protocol.KindNotFound, "there is no such resource, or not by this method")
}

// Deadlines of one request: what a client sends, and takes, has a least speed.
const (
	patience = 30 * time.Second
	leastBps = 32 << 10 // bytes a second
)

// Harden sets the limits of an http.Server against slow and greedy clients.
func Harden(server *http.Server) {
	server.ReadHeaderTimeout = 10 * time.Second
	server.IdleTimeout = 2 * time.Minute
	server.MaxHeaderBytes = 16 << 10
	server.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          64,
		MaxReceiveBufferPerConnection: 4 << 20,
		MaxReceiveBufferPerStream:     1 << 20,
		SendPingTimeout:               time.Minute,
		WriteByteTimeout:              patience,
	}
}

// answer wraps a handler: deadlines, errors, log and metrics.
func (s *Server) answer(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		out := &counted{ResponseWriter: w}
		extend(out, req.ContentLength)
		out.Header().Set("Strict-Transport-Security", "max-age=63072000")
		out.Header().Set("X-Content-Type-Options", "nosniff")
		out.Header().Set("Cache-Control", "no-store")
		if err := r.handle(out, req); err != nil {
			s.fail(out, req, r.pattern, err)
		}
		s.observe(req.Context(), r.pattern, out, time.Since(start))
	})
}

// extend sets the deadlines of a request by the size of its body.
func extend(w http.ResponseWriter, size int64) {
	control := http.NewResponseController(w)
	allowed := patience + time.Duration(max(0, size)/leastBps)*time.Second
	// Recorders of tests have no deadlines; a real connection has.
	_ = control.SetReadDeadline(time.Now().Add(allowed))
	_ = control.SetWriteDeadline(time.Now().Add(allowed + patience))
}

func (s *Server) observe(ctx context.Context, pattern string, out *counted, took time.Duration) {
	s.Metrics.observe(pattern, out.status(), took)
	s.Log.LogAttrs(ctx, slog.LevelDebug, "answered", slog.String("route", pattern),
		slog.Int("status", out.status()), slog.Int64("bytes", out.bytes), slog.Duration("took", took))
}

// counted counts what is written.
type counted struct {
	http.ResponseWriter
	code  int
	bytes int64
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader remembers the status.
func (c *counted) WriteHeader(code int) {
	if c.code == 0 {
		c.code = code
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *counted) Write(data []byte) (int, error) {
	if c.code == 0 {
		c.code = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(data)
	c.bytes += int64(n)
	return n, err
}

func (c *counted) status() int {
	if c.code == 0 {
		return http.StatusOK
	}
	return c.code
}
