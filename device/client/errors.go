// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// maxErrorBody bounds the body of a refusal in bytes.
const maxErrorBody = 64 << 10

// maxRetryAfter is how long a server may let a request wait that it answers
// with "too many"; what lasts longer is told to the user.
const maxRetryAfter = time.Minute

// temporary is an error after which the same request may succeed.
type temporary struct {
	err   error
	after time.Duration // not sooner than this
}

func (t *temporary) Error() string { return t.err.Error() }

func (t *temporary) Unwrap() error { return t.err }

// sessionOver is the refusal of a token.
type sessionOver struct{ err error }

func (s *sessionOver) Error() string { return s.err.Error() }

func (s *sessionOver) Unwrap() error { return s.err }

// Refusal is the cause of an error that the server answered with: what it
// claims, not what is proven.
type Refusal struct {
	Status int
	Head   *api.Head       // set where a compare-and-swap on a vault lost
	Ledger *api.LedgerHead // set where one on a ledger did
	After  time.Duration   // set where something was asked too often
	words  string
}

// Error returns the server's words.
func (r *Refusal) Error() string { return r.words }

// RefusalOf returns the refusal in err's chain, or nil.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// refusal reads an answer that is no success.
func refusal(resp *http.Response, body io.Reader, signed bool) error {
	text, err := io.ReadAll(body)
	var e api.Error
	if err != nil || json.Unmarshal(text, &e) != nil {
		e = api.Error{}
	}
	r := &Refusal{Status: resp.StatusCode, Head: e.Head, Ledger: e.LedgerHead, words: words(e.Message)}
	if e.RetryAfter > 0 && e.RetryAfter < 1<<20 {
		r.After = time.Duration(e.RetryAfter) * time.Second
	}
	kind := kindOf(e.Kind, resp.StatusCode)
	refused := protocol.Wrap(kind, r, "the server refused (status %d)", resp.StatusCode)
	over := resp.StatusCode == http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != ""
	switch {
	case signed && over && kind != protocol.KindRemoved:
		return &sessionOver{err: refused}
	case kind == protocol.KindUnreachable, kind == protocol.KindBusy:
		return &temporary{err: refused}
	case kind == protocol.KindTooMany && r.After > 0 && r.After <= maxRetryAfter && signed:
		return &temporary{err: refused, after: r.After}
	}
	return refused
}

// kindOf returns what an error of the server's means here. What it says is a
// hint: a kind that only this device can find out is not taken from it, and a
// server that fails counts as one that cannot be reached.
func kindOf(said protocol.Kind, status int) protocol.Kind {
	switch said {
	case protocol.KindUsage, protocol.KindNotFound, protocol.KindExists, protocol.KindBusy, protocol.KindWrongSecret,
		protocol.KindQuota, protocol.KindRemoved, protocol.KindWaiting, protocol.KindConflict, protocol.KindDenied,
		protocol.KindTooMany, protocol.KindFull, protocol.KindUnsupported:
		return said
	case protocol.KindUntrusted:
		return protocol.KindDenied // our proof did not convince it; nothing of its own failed one
	}
	if status/100 == 3 {
		return protocol.KindUntrusted // nothing in the interface leads elsewhere
	}
	if status/100 == 5 && status != http.StatusInsufficientStorage {
		return protocol.KindUnreachable
	}
	if said != "" {
		return protocol.KindInternal
	}
	return api.KindOfStatus(status)
}

// words makes a server's message fit to be shown: one line, printable, short.
func words(message string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(message, " "))
	if runes := []rune(clean); len(runes) > 300 {
		clean = string(runes[:300]) + " …"
	}
	if strings.TrimSpace(clean) == "" {
		return "it gives no reason"
	}
	return "it says: " + clean
}
