// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"errors"
	"fmt"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
)

// Verified is what a check from the beginning came to.
type Verified struct {
	Ledger   uint64          // entries of the account's ledger, each verified again
	Versions uint64          // of the name, each opened again
	Log      tlog.Checkpoint // that all of it stands under
	Replayed uint64          // entries of the log that were held to its rules; 0: none was asked for
	Roots    uint64          // of the directory, among them, that were computed again
}

// Verify checks again what was checked step by step before, and relies on none of
// it but the world and the newest checkpoint: the account's ledger from its first
// entry, every version of its name from the first, and, where tiles is not nil,
// every entry of the public log, whose roots are computed again as an auditor does.
// Progress, which may be nil, is told how many entries of the log are done.
//
// What does not hold is an alarm, as it is in Sync.
func (t *Trust) Verify(ctx context.Context, tiles tlog.TileReader, progress func(done, all uint64)) (*Verified, error) {
	if _, err := t.Read(ctx); err != nil {
		return nil, err
	}
	view, err := t.o.State.View()
	if err != nil {
		return nil, err
	}
	if view == nil {
		return nil, protocol.Errorf(protocol.KindUnreachable, "nothing of the log was ever proven to this device; there is nothing to verify yet")
	}
	v := &Verified{}
	pin, err := t.fromTheFirst(ctx, view, v)
	if err != nil {
		return nil, t.alarmed(err)
	}
	if view, err = t.o.State.View(); err != nil {
		return nil, err
	}
	v.Log = view.Checkpoint()
	if tiles == nil {
		return v, nil
	}
	return v, t.replay(ctx, tiles, view, pin, v, progress)
}

// fromTheFirst opens all versions of the own name, and holds the ledger, folded
// from its first entry, against them. It returns what such a device would remember.
func (t *Trust) fromTheFirst(ctx context.Context, view *directory.View, v *Verified) (*directory.Pin, error) {
	answer, err := t.o.Source.Lookup(ctx, client.Question{World: t.world.Hash(), Name: t.o.Name, Size: view.Size()})
	if err != nil {
		return nil, err
	}
	seen, found, err := t.world.Look(view, t.o.Name, answer)
	if err != nil {
		return nil, err
	}
	account, head := found.Head(nil)
	var entries []*ledger.Entry
	err = t.o.State.Entries(func(e *ledger.Entry) error {
		if e.Seq() <= head.Seq {
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	folded, err := ledger.Fold(entries, nil)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "the account's ledger on this device")
	}
	now, err := t.now(max(seen.Time(), seen.AsOf()))
	if err != nil {
		return nil, err
	}
	standing, err := found.Standing(nil, folded, now)
	if err != nil {
		return nil, err
	}
	pin, err := t.o.State.Pin(t.o.Name)
	if err != nil {
		return nil, err
	}
	if pin != nil && (pin.Account != account || !folded.Holds(pin.Ledger)) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the versions of the name %q, opened from the first, lead to another account or past than this device knows", t.o.Name)
	}
	v.Ledger, v.Versions = uint64(len(entries)), standing.Pin().Version
	return standing.Pin(), t.o.State.AdvanceView(view, seen)
}

// replay reads every entry of the log, verified by the view, and computes every
// root of the directory again.
func (t *Trust) replay(ctx context.Context, tiles tlog.TileReader, view *directory.View, own *directory.Pin, v *Verified, progress func(done, all uint64)) error {
	store := directory.NewMemoryStore()
	rules := directory.NewReplay(t.world.Log(), store)
	var batch [][]byte
	visit := func(index uint64, entry []byte) error {
		batch = append(batch, entry)
		if !directory.LooksLikeRoot(entry) && len(batch) < directory.MaxBatch {
			return nil
		}
		if err := rules.Entries(ctx, batch); err != nil {
			return err
		}
		batch = nil
		if rules.Rooted() {
			store.Apply(rules.TakeChange())
			v.Roots++
		}
		if v.Replayed = index + 1; progress != nil {
			progress(v.Replayed, view.Size())
		}
		return nil
	}
	err := tlog.Entries(ctx, tiles, 0, view.Checkpoint(), new(tlog.Frontier), visit)
	var breach *directory.Breach
	switch {
	case errors.As(err, &breach), errors.Is(err, tlog.ErrAnotherPast):
		return t.raise(raised{
			kind: "rules", same: fmt.Append(nil, view.Checkpoint(), err),
			text: fmt.Sprintf("the server's public log breaks its own rules: %v. Whoever runs solekey-audit can show it to others", err),
		})
	case err != nil:
		return err
	}
	return t.sameNames(ctx, rules, view, own)
}

// sameNames holds what a replay came to against what this device was shown.
func (t *Trust) sameNames(ctx context.Context, rules *directory.Replay, view *directory.View, own *directory.Pin) error {
	names, anchors := rules.Roots()
	leaf, err := rules.Leaf(ctx, own.Index)
	if err != nil {
		return err
	}
	if rules.Rooted() && names == view.Names() && anchors == view.Anchors() && leaf != nil && leaf.Version >= own.Version {
		return nil
	}
	return t.raise(raised{
		kind: "rules", same: view.Note(),
		text: "what the public log holds does not give the directory that the server showed this device",
	})
}
