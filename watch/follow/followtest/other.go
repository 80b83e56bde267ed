// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package followtest

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// Other returns a second log with the same key and past, which ends with a root;
// from now on they go their own ways.
func (l *Log) Other() *Log {
	l.t.Helper()
	o := &Log{Log: l.Fork(), t: l.t, store: l.store.Clone()}
	replay, err := directory.ResumeReplay(l.Key(), o.store, l.replay.State())
	if err != nil {
		l.t.Fatal(err)
	}
	o.replay = replay
	return o
}

// Index returns the name's index.
func (n *Name) Index() protocol.Hash { return n.index }
