// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// Limit is how often something may be asked: Burst times at once, and PerSecond in
// the long run. A PerSecond of 0 is no limit.
type Limit struct {
	PerSecond float64
	Burst     float64
}

// Limits are the limits of a witness.
type Limits struct {
	PerLog     Limit // checkpoints of the log that are new to the witness
	PerAddress Limit // all requests
}

// DefaultLimits leave room for a log that publishes twice a second, and for many
// logs behind one address.
func DefaultLimits() Limits {
	return Limits{PerLog: Limit{10, 100}, PerAddress: Limit{20, 200}}
}

// maxBuckets bounds the memory of a limiter. Beyond it all newcomers share one
// bucket.
const maxBuckets = 1 << 12

// limiter is a token bucket a key.
type limiter struct {
	limit Limit
	clock func() time.Time

	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(l Limit, clock func() time.Time) *limiter {
	return &limiter{limit: l, clock: clock, buckets: map[string]*bucket{}}
}

// allow takes a token of the key's, if there is one.
func (l *limiter) allow(key string) bool {
	if l.limit.PerSecond <= 0 {
		return true
	}
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, now)
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(l.limit.Burst, b.tokens+passed*l.limit.PerSecond)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// bucket returns the key's bucket. The caller holds the lock.
func (l *limiter) bucket(key string, now time.Time) *bucket {
	if b, ok := l.buckets[key]; ok {
		return b
	}
	if len(l.buckets) >= maxBuckets {
		for k, b := range l.buckets { // the full ones remember nothing
			if b.tokens+now.Sub(b.at).Seconds()*l.limit.PerSecond >= l.limit.Burst {
				delete(l.buckets, k)
			}
		}
	}
	if len(l.buckets) >= maxBuckets {
		key = ""
		if b, ok := l.buckets[key]; ok {
			return b
		}
	}
	b := &bucket{tokens: l.limit.Burst, at: now}
	l.buckets[key] = b
	return b
}

func tooMany(format string, args ...any) *Refusal {
	r := refuse(http.StatusTooManyRequests, format, args...)
	r.Retry = true
	return r
}

func asRefusal(err error, r **Refusal) bool { return errors.As(err, r) }
