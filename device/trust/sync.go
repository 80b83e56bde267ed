// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// maxRaces bounds how often a look is done again because another process of this
// device looked meanwhile.
const maxRaces = 8

// Sync brings the account's ledger up to date and proves it. Whoever writes, and
// whoever seals, begins with it. Where an alarm stands, or is raised now, the
// error is a Held and nothing has moved.
func (t *Trust) Sync(ctx context.Context) (*Outcome, error) {
	if err := t.Clear(); err != nil {
		return nil, err
	}
	return t.sync(ctx)
}

// Read is Sync for who only reads. Where an alarm stands already, reading goes on
// under what was verified before, and the outcome says so.
func (t *Trust) Read(ctx context.Context) (*Outcome, error) {
	standing, err := t.o.State.StandingAlarm()
	if err != nil {
		return nil, err
	}
	out, err := t.sync(ctx)
	if standing == nil || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
		return out, err
	}
	if err != nil {
		out = new(Outcome)
		if out.State, err = t.o.State.Ledger(); err != nil {
			return nil, err
		}
	}
	out.Status, out.Standing, out.Alarm, out.Text = StatusAlarmed, nil, standing, t.held(standing).Error()
	return out, nil
}

func (t *Trust) sync(ctx context.Context) (*Outcome, error) {
	var out *Outcome
	err := errAgain
	for race := 0; errors.Is(err, errAgain) && race < maxRaces; race++ {
		out, err = t.look(ctx)
		if protocol.KindOf(err) == protocol.KindConflict {
			err = errAgain
		}
	}
	if errors.Is(err, errAgain) {
		return nil, protocol.Errorf(protocol.KindBusy, "other commands on this device keep looking at the log; nothing is lost, try again")
	}
	if err != nil {
		return nil, t.alarmed(err)
	}
	return out, nil
}

// errAgain says that another process moved on what this one stood on.
var errAgain = errors.New("look again")

// look is one look at the own account, repeated while the directory is only a
// moment behind.
func (t *Trust) look(ctx context.Context) (*Outcome, error) {
	const first, longest = 100 * time.Millisecond, 2 * time.Second
	step := first
	for waited := time.Duration(0); ; waited += step {
		l, err := t.ask(ctx)
		if err != nil {
			return nil, err
		}
		out, err := t.settle(l, waited >= t.o.Patience)
		if !errors.Is(err, errSoon) {
			return out, err
		}
		if waited > 0 {
			step = min(2*step, longest)
		}
		if err := t.o.pause(ctx, step); err != nil {
			return nil, err
		}
	}
}

// errSoon says that the directory does not show yet what the ledger has.
var errSoon = errors.New("the directory is a moment behind")

// looked is what one look brought, verified as far as each part can be alone.
type looked struct {
	old, view *directory.View // view is nil where it could not be moved on
	pin       *directory.Pin
	found     *directory.Found
	unproven  error // why view is nil
	entries   []*ledger.Entry
	objects   [][]byte
	state     *ledger.State // with the entries
	now       protocol.Time
}

// ask asks for the name first and for the ledger after it, so that the ledger of
// an honest server is never the shorter of the two.
func (t *Trust) ask(ctx context.Context) (*looked, error) {
	l, err := t.lookUp(ctx, t.o.Source, t.o.Name, false)
	if err != nil {
		return nil, err
	}
	return l, t.askLedger(ctx, l)
}

func (t *Trust) askLedger(ctx context.Context, l *looked) error {
	known, err := t.o.State.Ledger()
	var from uint64
	switch {
	case err == nil:
		from = known.Head().Seq
	case protocol.KindOf(err) != protocol.KindNotFound:
		return err
	}
	before, err := t.saidOf(known)
	if err != nil {
		return err
	}
	if l.entries, l.objects, err = t.o.Source.Ledger(ctx, from); err != nil {
		return err
	}
	l.state, err = t.o.State.FollowLedger(l.entries)
	if protocol.KindOf(err) == protocol.KindUntrusted && before != nil {
		return t.twoHistories(before, l.entries, err)
	}
	return err
}

// saidOf returns what the server signed last about the ledger.
func (t *Trust) saidOf(known *ledger.State) (*statement.Signed, error) {
	if known == nil {
		return nil, nil
	}
	return t.o.State.Said(statement.Subject{Log: t.world.Log().ID(), Kind: statement.KindLedger, Account: known.Account()})
}

// settle holds the ledger against the directory, and remembers both where they
// agree. Last says that there is no more waiting.
func (t *Trust) settle(l *looked, last bool) (*Outcome, error) {
	if l.view == nil {
		return t.settleHeld(l, l.unproven)
	}
	standing, err := l.found.Standing(l.pin, l.state, l.now)
	var unproven *directory.Unproven
	switch {
	case err == nil:
		return t.settleProven(l, standing)
	case errors.As(err, &unproven) && unproven.Kind == directory.UnprovenLedger:
		return t.settleAhead(l, err, last)
	case protocol.KindOf(err) == protocol.KindNotFound && l.pin == nil:
		return t.settleAbsent(l, last)
	}
	return nil, err
}

// settleProven is the rule: the directory names exactly this ledger.
func (t *Trust) settleProven(l *looked, standing *directory.Standing) (*Outcome, error) {
	if err := t.keep(l, standing.Pin()); err != nil {
		return nil, err
	}
	if err := t.forgetAhead(); err != nil {
		return nil, err
	}
	return t.proven(l, standing)
}

// proven holds the promises that were made against a standing, and tells how fresh
// it is.
func (t *Trust) proven(l *looked, standing *directory.Standing) (*Outcome, error) {
	if err := t.keepPromises(l); err != nil {
		return nil, err
	}
	out := &Outcome{Status: StatusFresh, State: standing.State(), Standing: standing, AsOf: l.view.AsOf()}
	if n, is := standing.Notice(); is {
		if err := t.noticed(n); err != nil {
			return nil, err
		}
		out.Text = "somebody asks for the name of this account to be given to another identity; any change of the account answers that"
	}
	switch err := standing.Fresh(); {
	case err != nil:
		out.Status = StatusHeld
		out.Text = heldText(err)
	case l.view.Age(l.now) > directory.SoftAge:
		out.Status = StatusAging
		out.Text = fmt.Sprintf("what is newest is proven as of %s only: the log, its witnesses or this device's clock stand still", l.view.AsOf())
	}
	if out.Text != "" {
		t.o.Warn(protocol.Errorf(protocol.KindWaiting, "%s", out.Text))
	}
	return out, nil
}

func heldText(why error) string {
	return fmt.Sprintf("%v; own backups go on under the keys that are known, and nobody new is let in", why)
}

// settleHeld goes on under what was proven before: a witness outage is not an
// outage.
func (t *Trust) settleHeld(l *looked, why error) (*Outcome, error) {
	if l.pin == nil {
		return nil, why
	}
	standing, err := t.hold(l)
	if err != nil {
		return nil, err
	}
	if _, err := t.o.State.AppendLedger(l.entries, l.objects); err != nil {
		return nil, err
	}
	out := &Outcome{Status: StatusHeld, State: l.state, Standing: standing, Text: heldText(why)}
	out.AsOf = l.pinned()
	t.o.Warn(protocol.Errorf(protocol.KindWaiting, "%s", out.Text))
	return out, nil
}

// hold returns the standing under the pin. Keys that this very device put into the
// ledger since count, as they do where all is proven.
func (t *Trust) hold(l *looked) (*directory.Standing, error) {
	if l.state.Holds(l.pin.Ledger) {
		before, added, err := t.until(l, l.pin.Ledger)
		if err != nil {
			return nil, err
		}
		standing, err := directory.Hold(l.pin, before)
		if err != nil {
			return nil, err
		}
		if own, err := standing.Extend(t.o.Self, added); err == nil {
			return own, nil
		}
	}
	return directory.Hold(l.pin, l.state)
}

// pinned returns as of when the ledger was proven the newest last.
func (l *looked) pinned() protocol.Time {
	if l.view != nil {
		return l.view.AsOf()
	}
	if l.old != nil {
		return l.old.AsOf()
	}
	return 0
}

// keep remembers what a look proved: the log first, the name last, so that nothing
// is ever known of a log that is not remembered.
func (t *Trust) keep(l *looked, pin *directory.Pin) error {
	if err := t.o.State.AdvanceView(l.old, l.view); err != nil {
		return err
	}
	if _, err := t.o.State.AppendLedger(l.entries, l.objects); err != nil {
		return err
	}
	return t.o.State.AdvancePin(l.pin, pin)
}

// noticed raises the alarm about a notice on the own name.
func (t *Trust) noticed(n directory.PendingNotice) error {
	err := t.raise(raised{
		kind: "notice", same: fmt.Append(nil, t.o.Name, n.Position),
		text: fmt.Sprintf("on %s somebody asked the provider to give the name %q to another identity; it can happen 30 days after. Any change of the account, "+
			"as a new name for this device, answers it", n.Time, t.o.Name),
	})
	if h := HeldBy(err); h != nil && h.Alarm.Noted > 0 {
		return nil
	}
	return err
}
