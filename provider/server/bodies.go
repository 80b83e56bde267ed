// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/vaults"
)

// decode reads a JSON body of at most limit bytes. It refuses fields it does
// not know and anything behind the value.
func decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return malformed(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed(err)
	}
	return nil
}

// malformed gives an error while reading a body its kind. Its text may quote
// the body, which may hold a secret: it stays here.
func malformed(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return protocol.Errorf(protocol.KindUsage, "the body is larger than %d bytes", large.Limit)
	}
	return protocol.Errorf(protocol.KindUsage, "the body is malformed or incomplete")
}

// readAll reads a raw body of at most limit bytes.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, malformed(err)
	}
	return data, nil
}

// reply writes a JSON answer.
func reply(w http.ResponseWriter, status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "encode answer")
	}
	w.Header().Set("Content-Type", api.TypeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that went away hears nothing anyway
	return nil
}

// fail writes an error answer. What is internal stays in the log.
func (s *Server) fail(w *counted, r *http.Request, pattern string, err error) {
	kind := protocol.KindOf(err)
	body := api.Error{Kind: kind, Message: err.Error()}
	if api.Status(kind) == http.StatusInternalServerError {
		s.logFault(r, pattern, err)
		body = api.Error{Kind: protocol.KindInternal, Message: "the server has a fault; its log says more"}
	}
	if w.code != 0 {
		panic(http.ErrAbortHandler) // half an answer went out: break it off, so that it is not taken for whole
	}
	addDetails(w, &body, err)
	_ = reply(w, status(w, kind), body)
}

// status is 401 where a new session may help, as HTTP has it, and else the kind's.
func status(w http.ResponseWriter, kind protocol.Kind) int {
	if w.Header().Get("WWW-Authenticate") != "" {
		return http.StatusUnauthorized
	}
	return api.Status(kind)
}

// logFault logs a fault of ours. That a client went away is none, and the
// network's own words for it hold an address.
func (s *Server) logFault(r *http.Request, pattern string, err error) {
	var network *net.OpError
	if r.Context().Err() != nil || errors.As(err, &network) {
		s.Log.LogAttrs(r.Context(), slog.LevelDebug, "broken off by the client", slog.String("route", pattern))
		return
	}
	s.Log.LogAttrs(r.Context(), slog.LevelError, "failed", slog.String("route", pattern), slog.String("error", err.Error()))
}

func addDetails(w http.ResponseWriter, body *api.Error, err error) {
	var moved *vaults.ConflictError
	if errors.As(err, &moved) {
		body.Head = &moved.Head
	}
	var grown *accounts.LedgerConflict
	if errors.As(err, &grown) {
		body.LedgerHead = &api.LedgerHead{Seq: grown.Head.Seq, Hash: grown.Head.Hash}
	}
	var many *accounts.TooManyError
	if errors.As(err, &many) {
		body.RetryAfter = int(many.After.Seconds()) + 1
		w.Header().Set("Retry-After", strconv.Itoa(body.RetryAfter))
	}
}

// number reads a number of the query; absent is the default.
func number(r *http.Request, name string, absent uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, protocol.Errorf(protocol.KindUsage, "%s is not a number", name)
	}
	return n, nil
}

// question reads how a request asks for a statement.
func question(r *http.Request) (api.Question, error) {
	query := r.URL.Query()
	return api.ParseQuestion(query.Get(api.QueryNonce), query.Get(api.QueryAfter))
}

// textual is an identifier that is read from its text.
type textual interface{ UnmarshalText([]byte) error }

// pathID reads an identifier of the path.
func pathID(r *http.Request, name string, into textual) error {
	if err := into.UnmarshalText([]byte(r.PathValue(name))); err != nil {
		return protocol.Errorf(protocol.KindUsage, "the %s in the path is malformed", name)
	}
	return nil
}
