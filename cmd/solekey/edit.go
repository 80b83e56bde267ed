// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// editor adds entries to the account's ledger, signed by one member.
type editor struct {
	app    *app
	kept   *state.State
	remote *client.Member
	self   *keys.MemberSecrets
	now    func() protocol.Time
}

func (s *session) editor() *editor { return s.a.editor(s.state, s.member, s.secrets.Member) }

func (a *app) editor(kept *state.State, remote *client.Member, self *keys.MemberSecrets) *editor {
	return &editor{app: a, kept: kept, remote: remote, self: self, now: a.now}
}

// look brings the ledger up to date and proves it.
func (e *editor) look(ctx context.Context) (*trust.Trust, *trust.Outcome, error) {
	t, err := e.app.beliefs(e.kept, e.remote, e.self.ID())
	if err != nil {
		return nil, nil, err
	}
	out, err := t.Sync(ctx)
	return t, out, err
}

// sync brings the ledger up to date.
func (e *editor) sync(ctx context.Context) (*ledger.State, error) {
	_, out, err := e.look(ctx)
	if err != nil {
		return nil, err
	}
	return out.State, nil
}

// admit is sync for who is about to let somebody new in: it fails where nothing
// proves now that the ledger is the newest, before anybody was asked anything.
func (e *editor) admit(ctx context.Context) (*ledger.State, error) {
	_, out, err := e.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := out.Standing.Fresh(); err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "nobody new is let in while nothing proves that what this device sees is the newest; nothing was changed. See solekey log status")
	}
	return out.State, nil
}

// ring brings the ledger up to date and opens what the member may open.
func (e *editor) ring(ctx context.Context) (*keyring.Ring, error) {
	synced, err := e.sync(ctx)
	if err != nil {
		return nil, err
	}
	return keyring.Open(synced, e.kept.Object, e.self)
}

// maxRaces is how often an edit starts again because others edited meanwhile.
const maxRaces = 8

// edit drafts entries against the newest ledger and appends them, with boxes for
// recovery keys among them. Where another device was faster it all starts again.
func (e *editor) edit(ctx context.Context, draft func(*keyring.Ring, *keyring.Draft) error, boxes ...api.RecoveryBox) (*ledger.State, error) {
	for race := 1; ; race++ {
		t, out, err := e.look(ctx)
		if err != nil {
			return nil, err
		}
		ring, err := keyring.Open(out.State, e.kept.Object, e.self)
		if err != nil {
			return nil, err
		}
		d, err := ring.Edit(out.Standing, e.now())
		if err != nil {
			return nil, err
		}
		if err := draft(ring, d); err != nil {
			return nil, t.Judge(err)
		}
		if len(d.Batch().Entries) == 0 {
			return ring.State(), nil
		}
		after, err := t.Append(ctx, e.remote, d, boxes...)
		if protocol.KindOf(err) == protocol.KindConflict && race < maxRaces {
			continue
		}
		return after, err
	}
}

// removeDevices removes the devices that choose names, at the newest verified
// head of each vault. Where a removed one held the account secret, new keys are
// put in force in the same batch.
func (e *editor) removeDevices(ctx context.Context, choose func(*ledger.State) ([]protocol.MemberID, error)) (*ledger.State, error) {
	o := backup.Options{State: e.kept, Member: e.remote, Self: &state.Secrets{Member: e.self}, Now: e.now, Warn: func(err error) { e.app.warn("%v", err) }}
	return e.edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) error {
		ids, err := choose(ring.State())
		if err != nil || len(ids) == 0 {
			return err
		}
		heads, err := backup.Heads(ctx, o, ring.State())
		if err != nil {
			return err
		}
		vaults, err := vaultsOf(ring)
		if err != nil {
			return err
		}
		return d.RemoveDevices(ids, heads, vaults)
	})
}

// vaultsOf opens the secrets of all vaults.
func vaultsOf(ring *keyring.Ring) ([]*keyring.VaultSecrets, error) {
	var all []*keyring.VaultSecrets
	for _, v := range ring.State().Vaults() {
		secrets, err := ring.Vault(v.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, secrets)
	}
	return all, nil
}

// findVault returns the vault that a name or the beginning of an identifier
// means; the account's first where there is neither.
func findVault(ring *keyring.Ring, name string) (protocol.VaultID, error) {
	var found []protocol.VaultID
	for _, v := range ring.State().Vaults() {
		label, err := ring.VaultLabel(v.ID)
		if err != nil {
			return protocol.VaultID{}, err
		}
		if name == "" || label == name || isPrefix(name, v.ID.String()) {
			found = append(found, v.ID)
		}
	}
	switch {
	case len(found) == 0:
		return protocol.VaultID{}, protocol.Errorf(protocol.KindNotFound, "the account has no vault %q", name)
	case name != "" && len(found) > 1:
		return protocol.VaultID{}, protocol.Errorf(protocol.KindUsage, "%d vaults are called %q: give the beginning of an identifier", len(found), name)
	}
	return found[0], nil
}

// isPrefix reports whether text, of at least four digits, begins an identifier.
func isPrefix(text, id string) bool {
	const least = 4
	return len(text) >= least && len(text) <= len(id) && id[:len(text)] == text
}
