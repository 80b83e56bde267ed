// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/solekey/solekey/provider/accounts"
)

// throttle counts questions whose answers are no secret, by who asks: it spares the
// server work and makes trying names slow. It lives in memory: a restart forgives.
// It is safe for concurrent use.
type throttle struct {
	every time.Duration // one more question in so long
	burst int           // so many at once

	mu sync.Mutex // guards what follows
	// young holds who asked lately; when it is full it becomes old, and what was old
	// is forgotten. So memory is bounded, and a flood of addresses forgives those
	// that ask seldom.
	young, old map[string]*rate.Limiter
}

// maxAskers bounds each half of a throttle.
const maxAskers = 20_000

func newThrottle(every time.Duration, burst int) *throttle {
	return &throttle{every: every, burst: burst, young: map[string]*rate.Limiter{}}
}

// take counts one question, or says when to ask again.
func (t *throttle) take(who string) error {
	now := time.Now()
	turn := t.limiter(who).ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	turn.CancelAt(now)
	return &accounts.TooManyError{What: "too many questions", After: wait}
}

func (t *throttle) limiter(who string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, ok := t.young[who]
	if ok {
		return limiter
	}
	if limiter, ok = t.old[who]; !ok {
		limiter = rate.NewLimiter(rate.Every(t.every), t.burst)
	}
	if len(t.young) >= maxAskers {
		t.old, t.young = t.young, map[string]*rate.Limiter{}
	}
	t.young[who] = limiter
	return limiter
}
