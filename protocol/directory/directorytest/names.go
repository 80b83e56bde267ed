// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directorytest

import (
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// Move queues the next version of a name, which opens to the ledger's head. The
// keys of the updates are the provider's own: it is for names of which only the
// ledger matters.
func (p *Provider) Move(name string, l *ledger.State) {
	p.t.Helper()
	p.MoveTo(name, directory.GenerateOpening(l.Account(), l.Head()))
}

// MoveTo is Move to any opening.
func (p *Provider) MoveTo(name string, o directory.Opening) {
	p.t.Helper()
	index, _ := p.Index(name)
	p.mu.Lock()
	secret := p.secrets[name]
	if secret == nil {
		secret = keys.GenerateSecret()
		p.secrets[name] = secret
	}
	next := max(p.leaves[index].Version, p.queued(index)) + 1
	p.mu.Unlock()
	derive := func(number uint64) *directory.UpdateSecret {
		return directory.DeriveUpdateSecret(secret, protocol.AccountID{}, number)
	}
	p.Update(directory.NewUpdate(p.World.Log(), index, next, o, derive(next), derive(next+1)), o)
}

// Queued returns the newest version of a name that waits for a Publish, 0 for none.
func (p *Provider) Queued(index protocol.Hash) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued(index)
}

func (p *Provider) queued(index protocol.Hash) (version uint64) {
	for _, e := range p.queue {
		if e.Update != nil && e.Update.Index == index {
			version = e.Update.Version
		}
	}
	return version
}

// Standing returns the standing of a ledger, of whatever entries, as a directory
// proves it that holds nothing else.
func Standing(t testing.TB, l *ledger.State) *directory.Standing {
	t.Helper()
	const name = "someone"
	p := New(t)
	p.Move(name, l)
	p.Publish()
	_, found, err := p.World.Look(nil, name, p.Lookup(name, 0, 0))
	check(t, err)
	standing, err := found.Standing(nil, l, p.Now())
	check(t, err)
	return standing
}

// Say signs what an honest provider says to a question about a ledger or a vault:
// fill in numbers and hashes. Each statement is later than the one before.
func (p *Provider) Say(q statement.Question, s statement.Statement) []byte {
	p.t.Helper()
	p.Pass(time.Microsecond)
	s.Log, s.Kind, s.Account, s.Vault, s.Nonce = q.Log, q.Kind, q.Account, q.Vault, q.Nonce
	s.Since = max(p.Now(), q.After+1)
	s.Time = s.Since
	signed, err := p.Statements.Sign(s)
	check(p.t, err)
	return signed.Bytes()
}

// Promise signs the receipt of an update, by which the log will hold it within a
// day.
func (p *Provider) Promise(account protocol.AccountID, u *directory.Update) *statement.Signed {
	p.t.Helper()
	now := p.Now()
	e := directory.Entry{Update: u}
	signed, err := p.Statements.Sign(statement.Statement{
		Log: p.World.Log().ID(), Kind: statement.KindReceipt, Account: account, Since: now, Time: now,
		Hash: tlog.LeafHash(e.Bytes()), Index: u.Index, NameVersion: u.Version, By: now + protocol.Time(24*time.Hour),
	})
	check(p.t, err)
	return signed
}
