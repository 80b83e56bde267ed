// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// awaiting is a wait for the other side of an enrolment.
type awaiting struct {
	what  string // for people
	until time.Time
	seen  api.EnrolmentState // the state to leave
	ask   func(ctx context.Context, wait time.Duration) (*api.Enrolment, error)
}

// awaitEnrolment asks until the state is another than the one seen. The server
// answers each time it changes, or after a while.
func (a *app) awaitEnrolment(ctx context.Context, w awaiting) (*api.Enrolment, error) {
	const longest = 25 * time.Second
	for {
		left := time.Until(w.until)
		if left <= 0 {
			return nil, protocol.Errorf(protocol.KindWaiting, "still %s after the time that --timeout gives; run the same command again to go on", w.what)
		}
		if a.onTerminal() {
			a.progress(fmt.Sprintf("%s (%s left)", w.what, left.Round(time.Second)))
		}
		asked := time.Now()
		e, err := w.ask(ctx, min(left, longest))
		if err != nil {
			return nil, err
		}
		if e.State != w.seen {
			a.clearProgress()
			return e, nil
		}
		if err := pauseUntil(ctx, asked.Add(time.Second)); err != nil {
			return nil, err
		}
	}
}

// pauseUntil keeps a server that answers at once from being asked at once.
func pauseUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return protocol.Wrap(protocol.KindInterrupted, ctx.Err(), "interrupted")
	}
}
