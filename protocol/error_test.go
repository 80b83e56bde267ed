// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
)

func TestErrorf(t *testing.T) {
	plain := Errorf(KindBusy, "wait for %s", "somebody")
	if plain.Error() != "wait for somebody" || KindOf(plain) != KindBusy || errors.Unwrap(plain) != nil {
		t.Errorf("%v of kind %s", plain, KindOf(plain))
	}
	caused := Errorf(KindUntrusted, "read: %w", io.EOF)
	if caused.Error() != "read: EOF" || !errors.Is(caused, io.EOF) {
		t.Errorf("%v", caused)
	}
	twice := Errorf(KindUntrusted, "read: %w, then %w", io.EOF, os.ErrClosed)
	if !errors.Is(twice, io.EOF) || !errors.Is(twice, os.ErrClosed) {
		t.Errorf("a cause of %v is lost", twice)
	}
	hidden := Errorf(KindUntrusted, "read: %v", io.EOF)
	if errors.Is(hidden, io.EOF) {
		t.Error("a cause that was only printed is in the chain")
	}
}

func TestWrap(t *testing.T) {
	if err := Wrap(KindBusy, nil, "nothing"); err != nil {
		t.Errorf("nothing became %v", err)
	}
	err := Wrap(KindQuota, io.EOF, "store %d", 7)
	if err.Error() != "store 7: EOF" || !errors.Is(err, io.EOF) || KindOf(err) != KindQuota {
		t.Errorf("%v of kind %s", err, KindOf(err))
	}
}

func TestKindOf(t *testing.T) {
	inner := Errorf(KindUntrusted, "inner")
	for want, err := range map[Kind]error{
		"":             nil,
		KindInternal:   io.EOF,
		KindUntrusted:  inner,
		KindQuota:      Wrap(KindQuota, inner, "outer"),
		KindRemoved:    fmt.Errorf("above: %w", Errorf(KindRemoved, "x")),
		KindConflict:   errors.Join(io.EOF, Errorf(KindConflict, "x")),
		Kind("future"): &Error{Kind: "future", Message: "x"},
	} {
		if got := KindOf(err); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}

// TestKindsAreApart keeps two kinds from having one word on the wire.
func TestKindsAreApart(t *testing.T) {
	kinds := []Kind{
		KindInternal, KindUsage, KindNotFound, KindExists, KindBusy, KindWrongSecret, KindUntrusted, KindQuota, KindUnreachable,
		KindRemoved, KindWaiting, KindTooOld, KindConflict, KindDenied, KindTooMany, KindFull, KindUnreadable, KindInterrupted, KindUnsupported,
	}
	seen := map[Kind]bool{}
	for _, k := range kinds {
		if seen[k] || k == "" {
			t.Errorf("kind %q stands there twice", k)
		}
		seen[k] = true
	}
}
