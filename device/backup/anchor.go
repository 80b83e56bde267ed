// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Anchor commits the newest heads to the public log, at most once an hour: those of
// all vaults for an owner device, of its own vault for a writer. See
// trust.Trust.Anchor, also for its error.
func (v *Vault) Anchor(ctx context.Context) error {
	if v.standing == nil {
		return nil // an alarm stands, and whoever writes was told so
	}
	what := keyring.Anchored{Ledger: v.ledger.Head()}
	if v.head.Seq > 0 {
		what.Heads = []ledger.VaultHead{v.head}
	}
	if v.Writer() {
		return v.trust.Anchor(ctx, v.account, v.content.Anchorage(v.ledger.Account(), v.o.Vault), what)
	}
	others, err := v.others()
	if err != nil {
		return err
	}
	what.Heads = append(what.Heads, others...)
	sortHeads(what.Heads)
	from, err := v.ring.Anchorage(v.ledger.Epoch())
	if err != nil {
		return err
	}
	return v.trust.Anchor(ctx, v.account, from, what)
}

// confirm has the provider sign the head that this run made, so that it cannot show
// another one in its place without convicting itself.
func (v *Vault) confirm(ctx context.Context) error {
	said, err := v.signedHead(ctx)
	if err != nil {
		if kind := protocol.KindOf(err); kind == protocol.KindUntrusted {
			return err
		}
		v.warn(protocol.Wrap(protocol.KindOf(err), err, "have the newest snapshot confirmed; the next run asks again"))
		return nil
	}
	if said.Seq < v.head.Seq || said.Seq == v.head.Seq && said.Hash != v.head.Hash {
		return protocol.Errorf(protocol.KindUntrusted, "the server took record %d of the vault and signs now that record %d is the newest: it shows a different past", v.head.Seq, said.Seq)
	}
	return nil
}

// proven has what a run made confirmed and anchored.
func (v *Vault) proven(ctx context.Context) error {
	if err := v.confirm(ctx); err != nil {
		return err
	}
	return v.Anchor(ctx)
}

// holdAnchored demands that this vault's chain holds the heads that the public log
// proves there were, and forgets them where it does.
func (v *Vault) holdAnchored() error {
	met, err := v.meetAnchored(false)
	if err != nil || !met {
		return err
	}
	return trust.MetAnchored(v.o.State, v.o.Vault)
}

// meetAnchored reports whether there are such heads, and the error where the chain
// does not hold one. What a removed device can have made up is told and is no error:
// what a removed writer claims, and what was claimed under an account secret that is
// over. Removing says that this is about a removal, which no writer's claim may
// keep from happening.
func (v *Vault) meetAnchored(removing bool) (met bool, hidden error) {
	heads, err := trust.Anchored(v.o.State)
	if err != nil {
		return false, err
	}
	for _, h := range heads {
		if h.Vault != v.o.Vault {
			continue
		}
		if met = true; v.chain.Holds(h.Head()) {
			continue
		}
		what := protocol.Errorf(protocol.KindUntrusted,
			"the public log proves that the vault had a record %d on %s which the server does not show: it hides the newest snapshots or shows a different past; nothing was used. If a device in wrong hands may have made that up: solekey repair accept-older", h.Seq, h.Period)
		if !h.Writer.IsZero() && (removing || v.wasRemoved(h.Writer)) || h.Writer.IsZero() && h.Epoch < v.ledger.Epoch() {
			v.warn(what)
			continue
		}
		hidden = errors.Join(hidden, what)
	}
	return met, hidden
}

// Anchorages returns from whose secrets there may be anchors of the account: of
// every epoch, the newest first, and of every writer in each vault that it was
// granted. The ring must open the vaults.
func Anchorages(ring *keyring.Ring) ([]*keyring.Anchorage, error) {
	of := ring.State()
	var list []*keyring.Anchorage
	for epoch := of.Epoch(); epoch > 0; epoch-- {
		a, err := ring.Anchorage(epoch)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	for _, vault := range of.Vaults() {
		opened, err := ring.Vault(vault.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range of.AllMembers() {
			if _, granted := m.Granted[vault.ID]; granted {
				list = append(list, opened.Writer(m.ID).Anchorage(of.Account(), vault.ID))
			}
		}
	}
	return list, nil
}
