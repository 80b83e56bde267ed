// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	said "github.com/solekey/solekey/protocol/statement"
)

// fakeNow is what the clocks of fake devices and servers show.
const fakeNow = protocol.Time(4e18)

const fakeName = "alice"

func (f *fakeServer) Ledger(_ context.Context, from uint64) ([]*ledger.Entry, [][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries := f.entries[min(int(from), len(f.entries)):]
	named := map[protocol.Hash]bool{}
	for _, e := range entries {
		for _, name := range e.Body().Objects() {
			named[name] = true
		}
	}
	var objects [][]byte
	for _, o := range f.objects {
		if named[sha256.Sum256(o)] {
			objects = append(objects, o)
		}
	}
	return slices.Clone(entries), objects, nil
}

// take takes a draft, publishes the update that goes with it, and leaves the clock
// as it was.
func (f *fakeServer) take(d *keyring.Draft) {
	index, _ := f.log.Index(fakeName)
	leaf, _ := f.log.Leaf(fakeName)
	b, err := d.Publish(f.log.World.Log(), index, leaf.Version+1)
	check(f.t, err)
	f.mu.Lock()
	f.entries, f.objects = append(f.entries, b.Entries...), append(f.objects, b.Objects...)
	f.mu.Unlock()
	f.log.Update(b.Update, b.Opening)
	f.log.Publish()
}

func (f *fakeServer) Lookup(_ context.Context, q client.Question) (*directory.Answer, error) {
	return f.log.Lookup(q.Name, q.Since, q.Size), nil
}

func (f *fakeServer) Anchors(_ context.Context, _ protocol.Hash, size uint64, asked []directory.AnchorQuestion) (*directory.AnchorsAnswer, error) {
	return f.log.Anchors(asked, size), nil
}

func (f *fakeServer) AddAnchors(_ context.Context, anchors []api.Anchor) error {
	for _, a := range anchors {
		e, err := directory.ParseEntry(a.Entry)
		if err != nil {
			return err
		}
		f.log.LeaveAnchor(e.Anchor, a.Box)
	}
	return nil
}

func (f *fakeServer) AppendLedger(context.Context, client.Append) (*said.Signed, error) {
	return nil, protocol.Errorf(protocol.KindInternal, "a fake server takes drafts only")
}

func (f *fakeServer) ContactLedger(context.Context, string, uint64) ([]*ledger.Entry, error) {
	return nil, protocol.Errorf(protocol.KindNotFound, "a fake server has one account")
}

// vaultOf returns a device's vault, not yet opened.
func (d *fakeDevice) vaultOf(kept *state.State, account trust.Member, beside bool) *Vault {
	d.t.Helper()
	now := func() protocol.Time { return fakeNow + protocol.Time(d.clock) }
	beliefs, err := trust.New(trust.Options{
		State: kept, Source: account, Name: d.is.Name, Self: d.self.ID(), Now: now, Patience: time.Millisecond, Warn: d.warn,
	})
	check(d.t, err)
	return &Vault{
		o: Options{
			State: kept, Self: &state.Secrets{Member: d.self}, Vault: d.is.BackupVault, Now: now, Warn: d.warn, Beside: beside,
		},
		kept: kept.Vault(d.is.BackupVault), remote: d.server, account: account, trust: beliefs, device: &d.is,
		names: map[protocol.MemberID]*tree.Names{}, runs: map[runKey]*seal.Run{},
	}
}
