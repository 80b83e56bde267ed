// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// Append sends what was drafted on the outcome's standing, with boxes for recovery
// keys among it and the update of the account's name, and remembers both ledger
// and receipt. Where another device was faster the error is KindConflict: sync,
// draft and append again.
func (t *Trust) Append(ctx context.Context, m Member, d *keyring.Draft, boxes ...api.RecoveryBox) (*ledger.State, error) {
	if err := t.Clear(); err != nil {
		return nil, err
	}
	pin, err := t.o.State.Pin(t.o.Name)
	if err != nil {
		return nil, err
	}
	if pin == nil {
		return nil, protocol.Errorf(protocol.KindInternal, "append: the account's name was never looked up")
	}
	after, known, err := t.o.State.LedgerHead()
	if err != nil || !known {
		return nil, protocol.Wrap(protocol.KindInternal, err, "append: there is no ledger")
	}
	version, err := t.nextVersion(pin)
	if err != nil {
		return nil, err
	}
	b, err := d.Publish(t.world.Log(), pin.Index, version)
	if err != nil {
		return nil, err
	}
	if first := b.Entries[0]; first.Seq() != after.Seq+1 || first.Prev() != after.Hash {
		return nil, protocol.Errorf(protocol.KindConflict, "the ledger has moved on since this was drafted")
	}
	entry := (&directory.Entry{Update: b.Update}).Bytes()
	receipt, err := m.AppendLedger(ctx, client.Append{
		After: after, Entries: b.Entries, Objects: b.Objects, Recovery: boxes, Update: entry, Opening: b.Opening.Bytes(),
		Promise: client.Promise{Account: pin.Account, Index: pin.Index, Version: version, Leaf: tlog.LeafHash(entry)},
	})
	if err != nil {
		return nil, t.alarmed(err)
	}
	if err := t.promised(receipt); err != nil {
		return nil, err
	}
	return t.o.State.AppendLedger(b.Entries, b.Objects)
}

// Promised remembers the receipt of the name's first version, which came with the
// account.
func (t *Trust) Promised(receipt *statement.Signed) error { return t.promised(receipt) }

// Vacancy is a name that the directory does not hold, and the view under which it
// does not.
type Vacancy struct {
	Index protocol.Hash
	View  *directory.View
}

// Vacant looks a name up that shall be a new account's. Where the directory holds
// it already the error is KindExists.
func Vacant(ctx context.Context, w *directory.World, c interface {
	Lookup(ctx context.Context, q client.Question) (*directory.Answer, error)
}, name string, now protocol.Time,
) (*Vacancy, error) {
	answer, err := c.Lookup(ctx, client.Question{World: w.Hash(), Name: name})
	if err != nil {
		return nil, err
	}
	view, found, err := w.Look(nil, name, answer)
	if err != nil {
		return nil, err
	}
	if found.Present() {
		return nil, protocol.Errorf(protocol.KindExists, "the server's directory has the name %q already", name)
	}
	if err := view.Fresh(now); err != nil {
		return nil, err
	}
	return &Vacancy{Index: found.Index(), View: view}, nil
}
