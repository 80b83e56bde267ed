// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import "github.com/solekey/solekey/protocol"

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

// The statuses of HTTP that this contract uses (RFC 9110, 6585, 4918).
const (
	statusBadRequest          = 400
	statusUnauthorized        = 401
	statusForbidden           = 403
	statusNotFound            = 404
	statusMethodNotAllowed    = 405
	statusConflict            = 409
	statusTooLarge            = 413
	statusUnsupportedMedia    = 415
	statusUnprocessable       = 422
	statusTooManyRequests     = 429
	statusInternal            = 500
	statusBadGateway          = 502
	statusUnavailable         = 503
	statusGatewayTimeout      = 504
	statusInsufficientStorage = 507
)

// Status returns the HTTP status a kind of error travels under. The kind in the
// body decides, not the status.
func Status(kind protocol.Kind) int {
	switch kind {
	case protocol.KindUsage, protocol.KindUnsupported:
		return statusBadRequest
	case protocol.KindWrongSecret:
		return statusUnauthorized
	case protocol.KindRemoved, protocol.KindDenied:
		return statusForbidden
	case protocol.KindNotFound:
		return statusNotFound
	case protocol.KindExists, protocol.KindWaiting, protocol.KindConflict:
		return statusConflict
	case protocol.KindUntrusted:
		return statusUnprocessable
	case protocol.KindTooMany:
		return statusTooManyRequests
	case protocol.KindBusy, protocol.KindUnreachable:
		return statusUnavailable
	case protocol.KindQuota, protocol.KindFull:
		return statusInsufficientStorage
	}
	return statusInternal
}

// KindOfStatus returns the kind that a client assumes for an answer without a
// readable body, as from a proxy between.
func KindOfStatus(status int) protocol.Kind {
	switch status {
	case statusBadRequest, statusTooLarge, statusMethodNotAllowed, statusUnsupportedMedia:
		return protocol.KindUsage
	case statusUnauthorized, statusForbidden:
		return protocol.KindDenied
	case statusNotFound:
		return protocol.KindNotFound
	case statusConflict:
		return protocol.KindConflict
	case statusUnprocessable:
		return protocol.KindUntrusted
	case statusTooManyRequests:
		return protocol.KindTooMany
	case statusInsufficientStorage:
		return protocol.KindFull
	case statusBadGateway, statusUnavailable, statusGatewayTimeout:
		return protocol.KindUnreachable
	}
	return protocol.KindInternal
}
