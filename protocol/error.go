// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"fmt"
)

// Kind says what an error means to the party that receives it. It crosses the
// wire as text; what a party does not know it treats as KindInternal.
type Kind string

// The kinds of error.
const (
	KindInternal    Kind = "internal"     // a fault of ours; details stay where they happened
	KindUsage       Kind = "usage"        // the request itself is wrong
	KindNotFound    Kind = "not-found"    // no such account, vault, snapshot, pack
	KindExists      Kind = "exists"       // it is there already, with other content
	KindBusy        Kind = "busy"         // another process or device is at it
	KindWrongSecret Kind = "wrong-secret" // password, code, recovery key or invite did not match
	KindUntrusted   Kind = "untrusted"    // a proof, signature, hash or format did not hold; nothing was used
	KindQuota       Kind = "quota"        // the account's quota is used up
	KindUnreachable Kind = "unreachable"  // the server could not be reached
	KindRemoved     Kind = "removed"      // this device was removed from the account
	KindWaiting     Kind = "waiting"      // waits for an approval
	KindTooOld      Kind = "too-old"      // the last good backup is older than asked
	KindConflict    Kind = "conflict"     // a compare-and-swap lost; read again and retry
	KindDenied      Kind = "denied"       // this device or token may not do that
	KindTooMany     Kind = "too-many"     // guessing or asking too fast; wait
	KindFull        Kind = "full"         // no space where it was to be stored
	KindUnreadable  Kind = "unreadable"   // done, but some source could not be read
	KindInterrupted Kind = "interrupted"  // stopped by the user or a signal
	KindUnsupported Kind = "unsupported"  // made by a newer version; update
)

// Error is an error that carries its kind.
type Error struct {
	Kind    Kind
	Message string
	Err     error // the cause, or nil

	chain error // a cause whose text is already in Message
}

// Error returns the message and, behind a colon, the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return e.chain
	}
	return e.Err
}

// Errorf returns an Error of the kind; what %w names stays in its chain.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	e := &Error{Kind: kind, Message: err.Error()}
	if _, many := err.(interface{ Unwrap() []error }); many || errors.Unwrap(err) != nil {
		e.chain = err
	}
	return e
}

// Wrap returns err under a kind and a message that says what was being done.
// It returns nil for nil.
func Wrap(kind Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of the outermost Error in err's chain, KindInternal
// where there is none, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}
