// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Standing is a ledger together with the proof of how far it is the newest. It is
// what gives a Recipient, and nothing else does. It is immutable; it speaks of the
// moment at which it was made, so each run makes a new one.
type Standing struct {
	state *ledger.State
	pin   *Pin  // nil before the account is in the directory
	view  *View // nil where nothing was proved now
	leaf  *Leaf // nil as the view

	// Keys that stand in the ledger count as proven when their entry is not after
	// proven, or not before mine: from there on this very device signed.
	proven uint64
	mine   uint64
	// unfresh is why no member is a recipient, nil where each is.
	unfresh error
}

// none is a position that no ledger reaches.
const none = ^uint64(0)

// Standing holds a ledger, folded from its entries, against what was found: each
// version since the pin, or since the beginning where there is none, opens to a
// head that this ledger holds, in order, under one account, and the last one is
// its end. Now is the caller's best clock.
//
// Fetch the ledger after the look-up, up to Found.Head: it can only be longer then,
// by what is not in the directory yet (UnprovenLedger), never shorter (AlarmBehind).
// Errors are an *Alarm, an *Unproven, protocol.KindNotFound where the name was
// never there, and protocol.KindUntrusted for what proves nothing.
//
// A pending notice is no error: nothing has changed hands. See Standing.Notice.
func (f *Found) Standing(pin *Pin, l *ledger.State, now protocol.Time) (*Standing, error) {
	if err := f.follows(pin); err != nil {
		return nil, err
	}
	if f.leaf == nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "the directory has no name %q", f.name)
	}
	next, err := f.opens(pin)
	if err != nil {
		return nil, err
	}
	if err := f.covers(pin, l); err != nil {
		return nil, err
	}
	s := &Standing{state: l, pin: next, view: f.view, leaf: f.leaf, proven: l.Head().Seq, mine: none, unfresh: f.view.Fresh(now)}
	if s.unfresh != nil {
		s.proven = 0
		if pin != nil {
			s.proven = pin.Ledger.Seq
		}
	}
	return s, nil
}

// opens recomputes the chain over the openings and returns the pin that follows.
func (f *Found) opens(pin *Pin) (*Pin, error) {
	from := Pin{Version: f.leaf.Version - uint64(len(f.openings))}
	if pin != nil {
		from = *pin
	}
	count := uint64(len(f.openings))
	if count > f.leaf.Version || from.Version+count != f.leaf.Version || pin == nil && (count == 0 || (f.leaf.Identity == 0) != (from.Version == 0)) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "look up %s: %d openings are not those of the versions asked for, up to %d", f.name, count, f.leaf.Version)
	}
	at := from
	for _, o := range f.openings {
		at.Version++
		at.Chain = Chain(at.Chain, Commit(f.shown.Index, at.Version, o))
		if at.Account.IsZero() {
			at.Account = o.Account
		}
		if o.Account != at.Account {
			return nil, f.alarm(AlarmAccount, pin, "version %d of the name %q names another account", at.Version, f.name)
		}
		at.Ledger = o.Ledger
	}
	if at.Chain != f.leaf.Chain {
		return nil, f.alarm(AlarmChain, pin, "the server does not show the versions of the name %q that the log holds", f.name)
	}
	return &Pin{
		Log: f.log.ID(), Name: f.name, Index: f.shown.Index, Version: f.leaf.Version, Chain: f.leaf.Chain, Next: f.leaf.Next,
		Identity: f.leaf.Identity, Position: f.leaf.Position, Account: at.Account, Ledger: at.Ledger, Shown: f.shown,
	}, nil
}

// covers holds the ledger against the heads that the versions name.
func (f *Found) covers(pin *Pin, l *ledger.State) error {
	var heads []ledger.Head
	if pin != nil {
		heads = append(heads, pin.Ledger)
	}
	for _, o := range f.openings {
		if o.Account != l.Account() {
			return f.alarm(AlarmAccount, pin, "the name %q leads to another account than the ledger is of", f.name)
		}
		heads = append(heads, o.Ledger)
	}
	if pin != nil && pin.Account != l.Account() {
		return f.alarm(AlarmAccount, pin, "the name %q led to another account than the ledger is of", f.name)
	}
	for i, h := range heads {
		switch {
		case i > 0 && h.Seq <= heads[i-1].Seq:
			return f.alarm(AlarmForeign, pin, "a version of the name %q names entry %d of its ledger, after one that named entry %d", f.name, h.Seq, heads[i-1].Seq)
		case h.Seq > l.Head().Seq:
			return f.alarm(AlarmBehind, pin, "the ledger ends at entry %d, and the directory names entry %d: the server withholds the newest", l.Head().Seq, h.Seq)
		case !l.Holds(h):
			return f.alarm(AlarmForeign, pin, "the directory names a ledger entry %d that is not in this ledger: no device of the account made it", h.Seq)
		}
	}
	if last := heads[len(heads)-1]; last != l.Head() {
		return &Unproven{Kind: UnprovenLedger, Text: "the ledger has entries that the directory does not hold yet"}
	}
	return nil
}

// Begin returns the standing of an account that is only being made: its ledger is
// its genesis, which self signed. Everything in it is this device's own.
func Begin(genesis *ledger.State, self protocol.MemberID) (*Standing, error) {
	m, err := genesis.Member(self)
	if err != nil || genesis.Head().Seq != 0 || m.Added != 0 {
		return nil, protocol.Errorf(protocol.KindInternal, "begin: the ledger is not one that this device begins")
	}
	return &Standing{state: genesis, mine: 0}, nil
}

// Hold returns the standing of the device's own account where nothing can be
// proved now: under the pin, and the ledger as the device knows it, which must
// hold what the pin names. It gives vaults whose key the pin covers, so that
// backups go on, and no members: nobody is let in on an old proof.
func Hold(pin *Pin, l *ledger.State) (*Standing, error) {
	if pin == nil || pin.Account != l.Account() || !l.Holds(pin.Ledger) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "hold: the ledger is not the one that this device knows")
	}
	why := &Unproven{Kind: UnprovenAge, Text: "nothing proves now that the ledger is the newest"}
	return &Standing{state: l, pin: pin, proven: pin.Ledger.Seq, mine: none, unfresh: why}, nil
}

// Extend returns the standing after entries that self, this very device or the
// recovery key in its hands, signed: the ledger as it will be. Pin and view stay
// those of what is proven.
func (s *Standing) Extend(self protocol.MemberID, entries []*ledger.Entry) (*Standing, error) {
	for _, e := range entries {
		if e.Signer() != self {
			return nil, &Unproven{Kind: UnprovenLedger, Text: "ledger entry " + e.Hash().String() + " is another's, and the directory does not hold it yet"}
		}
	}
	state, err := s.state.Extend(entries, nil)
	if err != nil {
		return nil, err
	}
	c := *s
	c.state = state
	if c.mine = s.mine; c.mine == none {
		c.mine = s.state.Head().Seq + 1
	}
	return &c, nil
}

// State returns the ledger.
func (s *Standing) State() *ledger.State { return s.state }

// Account returns the account.
func (s *Standing) Account() protocol.AccountID { return s.state.Account() }

// Pin returns what to remember; nil for an account that is only being made. The
// caller must not change what it points to.
func (s *Standing) Pin() *Pin { return s.pin }

// View returns the view that it was proved under; nil where nothing was.
func (s *Standing) View() *View { return s.view }

// Fresh returns nil where members are recipients, and the *Unproven by which they
// are not.
func (s *Standing) Fresh() error { return s.unfresh }

// Closed reports whether the name is closed for ever.
func (s *Standing) Closed() bool { return s.pin != nil && s.pin.Next.IsZero() }

// Notice returns the notice that waits in the name's leaf: somebody asks for the
// name to be given to another identity. On the own name it is an alarm to the
// holder of the account; the next update, any append to the ledger, answers it.
func (s *Standing) Notice() (PendingNotice, bool) {
	if s.leaf == nil || s.leaf.Notice == nil {
		return PendingNotice{}, false
	}
	return *s.leaf.Notice, true
}
