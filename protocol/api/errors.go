// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
)

// Error is the body of every answer that is not a success. Head is set where a
// compare-and-swap on a vault lost, LedgerHead where one on a ledger did,
// RetryAfter (seconds) where something was asked too often.
type Error struct {
	Kind       protocol.Kind `json:"kind"`
	Message    string        `json:"message"`
	Head       *Head         `json:"head,omitempty"`
	LedgerHead *LedgerHead   `json:"ledger_head,omitempty"`
	RetryAfter int           `json:"retry_after,omitempty"`
}

// Statuses pairs each kind of error with the one status it travels under. Kinds
// that are not named travel as internal. The kind in the body decides, not the status.
func statuses() map[protocol.Kind]int {
	return map[protocol.Kind]int{
		protocol.KindInternal:    http.StatusInternalServerError,
		protocol.KindUsage:       http.StatusBadRequest,
		protocol.KindNotFound:    http.StatusNotFound,
		protocol.KindExists:      http.StatusConflict,
		protocol.KindBusy:        http.StatusServiceUnavailable,
		protocol.KindWrongSecret: http.StatusUnauthorized,
		protocol.KindUntrusted:   http.StatusUnprocessableEntity,
		protocol.KindQuota:       http.StatusInsufficientStorage,
		protocol.KindRemoved:     http.StatusForbidden,
		protocol.KindWaiting:     http.StatusConflict,
		protocol.KindConflict:    http.StatusConflict,
		protocol.KindDenied:      http.StatusForbidden,
		protocol.KindTooMany:     http.StatusTooManyRequests,
		protocol.KindFull:        http.StatusInsufficientStorage,
		protocol.KindUnsupported: http.StatusBadRequest,
	}
}

// Status returns the HTTP status a kind of error travels under.
func Status(kind protocol.Kind) int {
	if status, ok := statuses()[kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// KindOfStatus returns the kind that a client assumes for an answer without a
// readable body, as from a proxy between.
func KindOfStatus(status int) protocol.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return protocol.KindUsage
	case http.StatusUnauthorized:
		return protocol.KindDenied
	case http.StatusForbidden:
		return protocol.KindDenied
	case http.StatusNotFound:
		return protocol.KindNotFound
	case http.StatusConflict:
		return protocol.KindConflict
	case http.StatusUnprocessableEntity:
		return protocol.KindUntrusted
	case http.StatusTooManyRequests:
		return protocol.KindTooMany
	case http.StatusInsufficientStorage:
		return protocol.KindFull
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return protocol.KindUnreachable
	}
	return protocol.KindInternal
}
