// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package followtest is a provider's log with its directory, in memory, for tests
// of who watches one. What it appends follows the rules; Force appends what does
// not. It serves its tiles as a provider does.
package followtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/protocol/vrf"
)

// Log is a log with a directory. It is the test's own; only its tiles are safe for
// concurrent use.
type Log struct {
	*tlogtest.Log

	t      testing.TB
	store  *directory.MemoryStore
	replay *directory.Replay
}

// New returns a log with its origin and a first root.
func New(t testing.TB, origin string, at protocol.Time) *Log {
	t.Helper()
	l := &Log{Log: tlogtest.New(t, origin), t: t, store: directory.NewMemoryStore()}
	l.replay = directory.NewReplay(l.Key(), l.store)
	l.Add(&directory.Entry{Origin: &directory.Origin{VRF: vrf.Generate().Public(), Statement: NewName(t, "statements").key(1).Public()}})
	l.Root(at)
	return l
}

// Key returns the log's key.
func (l *Log) Key() *tlog.LogKey { return l.Secret.Public() }

// Add appends entries that follow the rules.
func (l *Log) Add(entries ...*directory.Entry) {
	l.t.Helper()
	for _, e := range entries {
		if err := l.replay.Entry(context.Background(), e.Bytes()); err != nil {
			l.t.Fatal(err)
		}
		l.Append(l.t, e.Bytes())
	}
}

// Root appends a root and returns the checkpoint then.
func (l *Log) Root(at protocol.Time) tlog.Checkpoint {
	l.t.Helper()
	e, err := l.replay.NextRoot(context.Background(), at)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Add(e)
	l.store.Apply(l.replay.TakeChange())
	return l.Head()
}

// Force appends an entry whatever the rules say of it. Nothing that follows the
// rules can be added behind it.
func (l *Log) Force(e *directory.Entry) tlog.Checkpoint { return l.Append(l.t, e.Bytes()) }

// Name is somebody who has a name, or will have one.
type Name struct {
	index   protocol.Hash
	account protocol.AccountID
	secret  *keys.Secret
	version uint64
}

// NewName returns who is called so.
func NewName(t testing.TB, name string) *Name {
	t.Helper()
	secret, err := keys.NewSecret(hash("secret " + name))
	if err != nil {
		t.Fatal(err)
	}
	return &Name{protocol.Hash(hash("index " + name)), protocol.AccountID(hash("account " + name)), secret, 0}
}

func hash(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

func (n *Name) key(version uint64) *directory.UpdateSecret {
	return directory.DeriveUpdateSecret(n.secret, n.account, version)
}

func (n *Name) opening(version uint64) directory.Opening {
	return directory.Opening{Account: n.account, Ledger: ledger.Head{Seq: version, Hash: protocol.Hash(hash(fmt.Sprint("ledger ", version)))}}
}

// Update returns the update to the name's next version.
func (n *Name) Update(log *tlog.LogKey) *directory.Entry {
	n.version++
	return &directory.Entry{Update: directory.NewUpdate(log, n.index, n.version, n.opening(n.version), n.key(n.version), n.key(n.version+1))}
}

// Notice returns the notice that n is to have the name of another.
func (n *Name) Notice(log *tlog.LogKey, of *Name) *directory.Entry {
	v := of.version + 1
	return &directory.Entry{Notice: directory.NewNotice(log, of.index, of.version, n.opening(v), n.key(v), n.key(v+1))}
}

// Reassign returns what carries out a notice at a position.
func (n *Name) Reassign(notice uint64) *directory.Entry {
	return &directory.Entry{Reassign: &directory.Reassign{Index: n.index, Notice: notice}}
}

// Handler serves the log's tiles and newest checkpoint below a prefix.
func (l *Log) Handler(prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, prefix+"/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		if path == "checkpoint" {
			_, _ = w.Write(l.Secret.Sign(l.Head()))
			return
		}
		tile, err := tlog.ParseTilePath(path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		data, err := l.ReadTile(r.Context(), tile)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	})
}
