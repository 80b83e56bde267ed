// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statements

import (
	"context"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/statement"
)

// Floor keeps the time that no statement of an earlier start is above.
type Floor interface {
	// Floor returns what was stored last, 0 at first.
	Floor(ctx context.Context) (protocol.Time, error)
	// Raise stores a higher time. It is durable when it returns.
	Raise(ctx context.Context, to protocol.Time) error
}

// Config says what a Signer stands on.
type Config struct {
	Log    protocol.Hash // the log's identifier
	Secret *statement.Secret
	Floor  Floor
	Clock  func() time.Time
}

// Signer signs statements. It is safe for concurrent use; one process at a time
// may have one for a log.
type Signer struct {
	Config

	mu     sync.Mutex // guards last and leased
	last   protocol.Time
	leased protocol.Time // the stored floor
}

const (
	// lease is how far ahead the floor is stored: a signer writes once in as long,
	// and one that starts anew begins at most as far ahead of its clock.
	lease = 10 * time.Second
	// patience is how long an asker waits whose clock is ahead of ours.
	patience = 2 * time.Second
	// attempts is how often a look is repeated that took longer than a statement
	// may say.
	attempts = 3
)

// New returns a signer whose times are above those of every start before.
func New(ctx context.Context, config Config) (*Signer, error) {
	floor, err := config.Floor.Floor(ctx)
	if err != nil {
		return nil, err
	}
	return &Signer{Config: config, last: floor, leased: floor}, nil
}

// Behind returns how far the machine's clock is behind what was signed already,
// 0 where it is not. More than some seconds mean that the clock went back.
func (s *Signer) Behind() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, time.Duration(s.last-protocol.TimeOf(s.Clock())))
}

// tick returns a time above all that were returned before, by this process or an
// earlier one.
func (s *Signer) tick(ctx context.Context) (protocol.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := max(protocol.TimeOf(s.Clock()), s.last+1)
	if now > s.leased {
		to := now + protocol.Time(lease)
		if err := s.Floor.Raise(ctx, to); err != nil {
			return 0, err
		}
		s.leased = to
	}
	s.last = now
	return now, nil
}

// Sign signs what look finds, as looked for after the moment: look sets all but
// the log and the times, and names only what is stored durably. It is called
// between two readings of the clock, and again where it took too long for a
// statement.
//
// Where the clock is not past the moment yet, Sign waits a little; an asker from
// further in the future is protocol.KindBusy.
func (s *Signer) Sign(ctx context.Context, after protocol.Time, look func(context.Context) (statement.Statement, error)) ([]byte, error) {
	for range attempts {
		since, err := s.past(ctx, after)
		if err != nil {
			return nil, err
		}
		said, err := look(ctx)
		if err != nil {
			return nil, err
		}
		said.Log, said.Since = s.Log, since
		if said.Time, err = s.tick(ctx); err != nil {
			return nil, err
		}
		if said.Time-said.Since > statement.MaxSpan {
			continue
		}
		signed, err := s.Secret.Sign(said)
		if err != nil {
			return nil, err
		}
		return signed.Bytes(), nil
	}
	return nil, protocol.Errorf(protocol.KindBusy, "the server took too long to say what is newest; ask again")
}

// past returns a time after the moment, and waits for it a little.
func (s *Signer) past(ctx context.Context, after protocol.Time) (protocol.Time, error) {
	now, err := s.tick(ctx)
	if err != nil || now > after {
		return now, err
	}
	ahead := time.Duration(after - now)
	if ahead > patience {
		return 0, protocol.Errorf(protocol.KindBusy, "this server's clock is %s behind what you know of the time; whoever runs it has to set it", ahead.Round(time.Second))
	}
	wait := time.NewTimer(ahead + time.Millisecond)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if now, err = s.tick(ctx); err == nil && now <= after {
		err = protocol.Errorf(protocol.KindBusy, "this server's clock stands still; ask again")
	}
	return now, err
}
