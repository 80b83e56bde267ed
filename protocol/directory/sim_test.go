// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// simStart is when simulated logs begin.
var simStart = protocol.TimeOf(time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC))

const (
	simHour   = protocol.Time(3600 * 1_000_000_000)
	simOrigin = "log.example/2026"
)

// simLogKey returns the key of a log, from a fixed seed: vectors hold its ID.
func simLogKey(t testing.TB, origin string) *tlog.LogKey {
	t.Helper()
	s, err := tlog.GenerateLogSecret(origin)
	if err != nil {
		t.Fatal(err)
	}
	return s.Public()
}

// simHash is a hash that a number stands for.
func simHash(label string, n uint64) protocol.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(label), n))
}

// simName is somebody who has a name, or will have one.
type simName struct {
	index   protocol.Hash
	account protocol.AccountID
	secret  *keys.Secret
	version uint64
}

func newSimName(t testing.TB, n uint64) *simName {
	t.Helper()
	seed := simHash("secret", n)
	secret, err := keys.NewSecret(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return &simName{index: simHash("index", n), account: protocol.AccountID(simHash("account", n)), secret: secret}
}

func (n *simName) key(version uint64) *UpdateSecret {
	return DeriveUpdateSecret(n.secret, n.account, version)
}

func (n *simName) opening(version uint64) Opening {
	return Opening{Account: n.account, Ledger: ledger.Head{Seq: version, Hash: simHash("ledger", version)}, Blind: simHash("blind", version)}
}

// next returns the update to the next version.
func (n *simName) next(log *tlog.LogKey) *Entry {
	n.version++
	return &Entry{Update: NewUpdate(log, n.index, n.version, n.opening(n.version), n.key(n.version), n.key(n.version+1))}
}

// close returns the update that closes the name.
func (n *simName) close(log *tlog.LogKey) *Entry {
	n.version++
	return &Entry{Update: NewUpdate(log, n.index, n.version, n.opening(n.version), n.key(n.version), nil)}
}

// notice returns the notice that n is to have the other's name.
func (n *simName) notice(log *tlog.LogKey, lost *simName) *Entry {
	return &Entry{Notice: NewNotice(log, lost.index, lost.version, n.opening(lost.version+1), n.key(lost.version+1), n.key(lost.version+2))}
}

// simLog is a log and the rules over it.
type simLog struct {
	t      testing.TB
	key    *tlog.LogKey
	store  *MemoryStore
	replay *Replay
	at     protocol.Time
	raws   [][]byte
}

// newSimLog returns a log with its origin and a first root.
func newSimLog(t testing.TB) *simLog {
	t.Helper()
	l := newSimLogOf(t, simLogKey(t, simOrigin))
	l.add(simOriginEntry(t))
	l.root()
	return l
}

func newSimLogOf(t testing.TB, key *tlog.LogKey) *simLog {
	store := NewMemoryStore()
	return &simLog{t: t, key: key, store: store, replay: NewReplay(key, store), at: simStart}
}

func simOriginEntry(t testing.TB) *Entry {
	t.Helper()
	seed := simHash("vrf", 0)
	s, err := vrf.Parse(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return &Entry{Origin: &Origin{VRF: s.Public(), Statement: newSimName(t, 1<<40).key(1).Public()}}
}

// add adds entries that must be accepted.
func (l *simLog) add(entries ...*Entry) {
	l.t.Helper()
	for _, e := range entries {
		if err := l.replay.Check(context.Background(), e); err != nil {
			l.t.Fatalf("check %s: %v", e.Kind(), err)
		}
		if err := l.replay.Entry(context.Background(), e.Bytes()); err != nil {
			l.t.Fatalf("add %s: %v", e.Kind(), err)
		}
		l.raws = append(l.raws, e.Bytes())
	}
}

// root adds a root of the present time and stores what it changes.
func (l *simLog) root() {
	l.t.Helper()
	e, err := l.replay.NextRoot(context.Background(), l.at)
	if err != nil {
		l.t.Fatal(err)
	}
	l.add(e)
	l.store.Apply(l.replay.TakeChange())
}

// wait adds a root after a time.
func (l *simLog) wait(d protocol.Time) {
	l.t.Helper()
	l.at += d
	l.root()
}

// refused adds an entry that must be refused by the rule, and holds that nothing
// changed.
func (l *simLog) refused(what string, e *Entry, rule Rule) {
	l.t.Helper()
	l.refusedRaw(what, e.Bytes(), rule)
	if got, ok := l.replay.Check(context.Background(), e).(*Breach); !ok || got.Rule != rule {
		l.t.Errorf("%s: Check says %v, want a breach of %s", what, got, rule)
	}
}

func (l *simLog) refusedRaw(what string, raw []byte, rule Rule) {
	l.t.Helper()
	size, counts := l.replay.Size(), l.replay.Counts()
	err := l.replay.Entry(context.Background(), raw)
	got, ok := err.(*Breach)
	if !ok || got.Rule != rule || got.Position != size {
		l.t.Errorf("%s: %v, want a breach of %s", what, err, rule)
		return
	}
	kind := protocol.KindUntrusted
	if rule == RuleKnown {
		kind = protocol.KindUnsupported
	}
	if protocol.KindOf(err) != kind || l.replay.Size() != size || l.replay.Counts() != counts {
		l.t.Errorf("%s: a refusal of kind %s changes something", what, protocol.KindOf(err))
	}
}

// leaf returns the leaf of a name.
func (l *simLog) leaf(n *simName) *Leaf {
	l.t.Helper()
	leaf, err := l.replay.Leaf(context.Background(), n.index)
	if err != nil {
		l.t.Fatal(err)
	}
	return leaf
}
