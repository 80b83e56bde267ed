// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// Source answers for the own ledger and for names: a client.Member, or a
// client.Newcomer before there is one. Its answers are not believed unverified.
type Source interface {
	Ledger(ctx context.Context, from uint64) ([]*ledger.Entry, [][]byte, error)
	Lookup(ctx context.Context, q client.Question) (*directory.Answer, error)
}

// Member is what a device or recovery key may ask besides; see client.Member.
type Member interface {
	Source
	AppendLedger(ctx context.Context, b client.Append) (*statement.Signed, error)
	ContactLedger(ctx context.Context, name string, from uint64) ([]*ledger.Entry, error)
	AddAnchors(ctx context.Context, anchors []api.Anchor) error
	Anchors(ctx context.Context, world protocol.Hash, size uint64, asked []directory.AnchorQuestion) (*directory.AnchorsAnswer, error)
}

// Options say what a Trust stands on. State, Source, Name, Self and Now are
// required.
type Options struct {
	State  *state.State // which has a world
	Source Source
	Name   string            // of the account, in its canonical form
	Self   protocol.MemberID // who signs here: this device, or a recovery key in its hands
	Now    func() protocol.Time
	// Patience is how long a sync waits for the public directory to show what the
	// ledger has; 0 is a while that a provider in order never needs.
	Patience time.Duration
	// Warn is told what was noticed and is no failure; nil tells nobody.
	Warn func(error)

	pause func(context.Context, time.Duration) error // of tests; nil: real
}

// defaultPatience is many times what it takes a provider to publish.
const defaultPatience = 20 * time.Second

// Trust is what a device believes. It is not safe for concurrent use; several
// processes may have one over the same state.
type Trust struct {
	o     Options
	world *directory.World
}

// New returns the Trust of a device that has joined a world.
func New(o Options) (*Trust, error) {
	world, err := o.State.World()
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "which log this device goes by")
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.pause == nil {
		o.pause = pause
	}
	return &Trust{o: o, world: world}, nil
}

// World returns the world that the device joined.
func (t *Trust) World() *directory.World { return t.world }

// pause waits, or returns the error of a context that ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return protocol.Wrap(protocol.KindInterrupted, context.Cause(ctx), "stopped")
	}
}

// Status says how far the newest ledger is proven.
type Status string

// The statuses.
const (
	// StatusFresh: proven the newest, lately.
	StatusFresh Status = "fresh"
	// StatusAging: proven the newest as of more than directory.SoftAge ago.
	StatusAging Status = "aging"
	// StatusHeld: nothing proves it now. Own backups go on under keys that were
	// proven before; nobody new is sealed to.
	StatusHeld Status = "held"
	// StatusAlarmed: an alarm stands, or stood in the way. Nothing is written.
	StatusAlarmed Status = "alarmed"
)

// Outcome is what a look at the own account came to.
type Outcome struct {
	Status Status
	// Text says in words what is not as it should be, "" where all is.
	Text string
	// State is the account's ledger, verified.
	State *ledger.State
	// Standing gives the recipients; nil where an alarm stands.
	Standing *directory.Standing
	// AsOf is the moment as of which the ledger is proven the newest.
	AsOf protocol.Time
	// Alarm is the one that stands.
	Alarm *state.Alarm
}
