// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"errors"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

// Contact looks another account up by its name, in its canonical form, and returns
// its standing: the ledger from its genesis on, held against every version of the
// name since this device first saw it. Where nothing proves now that it is the
// newest, the error is a *directory.Unproven, and nothing may be sealed to it. A
// name that is another identity's now is an alarm, and stays one.
func (t *Trust) Contact(ctx context.Context, m Member, name string) (*directory.Standing, error) {
	return t.someone(ctx, m, name, false)
}

// Candidate is Contact for a name that, so the user was told, is a new identity of
// the same person: it is proven as on a first look, and neither held against what is
// remembered of the name nor remembered. NewIdentity does that, once the codes were
// compared.
func (t *Trust) Candidate(ctx context.Context, m Member, name string) (*directory.Standing, error) {
	return t.someone(ctx, m, name, true)
}

func (t *Trust) someone(ctx context.Context, m Member, name string, anew bool) (*directory.Standing, error) {
	if name == t.o.Name {
		return nil, protocol.Errorf(protocol.KindUsage, "%q is the name of this very account", name)
	}
	if err := t.Clear(); err != nil {
		return nil, err
	}
	for range maxRaces {
		standing, err := t.contact(ctx, m, name, anew)
		if protocol.KindOf(err) == protocol.KindConflict {
			continue
		}
		if err != nil {
			return nil, t.alarmed(err)
		}
		return standing, nil
	}
	return nil, protocol.Errorf(protocol.KindBusy, "other commands on this device keep looking at the log; try again")
}

func (t *Trust) contact(ctx context.Context, m Member, name string, anew bool) (*directory.Standing, error) {
	l, err := t.lookUp(ctx, m, name, anew)
	if err != nil {
		return nil, err
	}
	if l.view == nil {
		return nil, l.unproven
	}
	if !l.found.Present() && l.pin == nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "the server's directory has no account %q", name)
	}
	_, head := l.found.Head(l.pin)
	entries, err := m.ContactLedger(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	// What the directory does not hold yet is not the contact's until it does.
	if uint64(len(entries)) > head.Seq+1 {
		entries = entries[:head.Seq+1]
	}
	state, err := ledger.Fold(entries, nil)
	if err != nil {
		return nil, err
	}
	standing, err := l.found.Standing(l.pin, state, l.now)
	if err != nil {
		return nil, err
	}
	if !anew {
		if err := t.stillMet(name, standing.Account()); err != nil {
			return nil, err
		}
	}
	if err := t.o.State.AdvanceView(l.old, l.view); err != nil {
		return nil, err
	}
	if anew {
		return standing, standing.Fresh()
	}
	if err := t.o.State.AdvancePin(l.pin, standing.Pin()); err != nil {
		return nil, err
	}
	return standing, standing.Fresh()
}

// lookUp asks for a name and verifies the answer, without any ledger. Anew says that
// what is remembered of the name is left aside.
func (t *Trust) lookUp(ctx context.Context, source interface {
	Lookup(ctx context.Context, q client.Question) (*directory.Answer, error)
}, name string, anew bool,
) (*looked, error) {
	l := &looked{}
	var err error
	if l.old, err = t.o.State.View(); err != nil {
		return nil, err
	}
	if !anew {
		if l.pin, err = t.o.State.Pin(name); err != nil {
			return nil, err
		}
	}
	q := client.Question{World: t.world.Hash(), Name: name}
	if l.old != nil {
		q.Size = l.old.Size()
	}
	if l.pin != nil {
		q.Since = l.pin.Version
	}
	answer, err := source.Lookup(ctx, q)
	if err == nil {
		l.view, l.found, err = t.world.Look(l.old, name, answer)
	} else if client.RefusalOf(err) != nil && protocol.KindOf(err) == protocol.KindUnreachable {
		// It answers, and cannot say: what is known is held, as without witnesses.
		err = &directory.Unproven{Kind: directory.UnprovenQuorum, Text: "the server cannot show its public directory now", Err: err}
	}
	var unproven *directory.Unproven
	if errors.As(err, &unproven) && l.view == nil {
		l.unproven, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	l.now, err = t.now(l.attested())
	return l, err
}

// attested returns the newest time that is more than this device's own word.
func (l *looked) attested() protocol.Time {
	newest := l.view
	if newest == nil {
		newest = l.old
	}
	if newest == nil {
		return 0
	}
	return max(newest.Time(), newest.AsOf())
}
