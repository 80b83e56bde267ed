// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// finish is the last part of every join of an account that is there: the ledger
// has this device, and it is known to be the account that the user means. Each
// step can be taken again.
func (j *joining) finish(ctx context.Context, c *client.Client, p *pendingJoin, self *keys.MemberSecrets) error {
	device, err := j.kept.Device()
	if err != nil {
		return err
	}
	if err := demandOwn(c, j.kept); err != nil {
		return err
	}
	e := j.editor(j.kept, c.As(device.Account, self, j.kept), self)
	if device.Role == protocol.RoleWriter {
		err = j.finishWriter(ctx, e, device)
	} else {
		err = j.finishOwner(ctx, e, p, device)
	}
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "this device was added, but its join is not finished; `solekey join` run again goes on")
	}
	if err := j.note(nil); err != nil {
		return err
	}
	return j.welcome(device)
}

// finishOwner names the device, chooses its vault, and removes the other devices
// where that was asked for.
func (j *joining) finishOwner(ctx context.Context, e *editor, p *pendingJoin, device *state.Device) error {
	named, err := e.edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) error {
		if _, has := ring.State().MemberName(device.Member); has || p.Label == "" {
			return nil
		}
		return d.NameMember(device.Member, p.Label)
	})
	if err != nil {
		return err
	}
	ring, err := keyring.Open(named, j.kept.Object, e.self)
	if err != nil {
		return err
	}
	if device.BackupVault, err = findVault(ring, p.Vault); err != nil {
		if p.Vault == "" {
			return err
		}
		j.warn("%v: backups go to the account's first vault", err)
		if device.BackupVault, err = findVault(ring, ""); err != nil {
			return err
		}
	}
	if err := j.kept.SetDevice(device); err != nil {
		return err
	}
	if p.Recover == nil || !p.Recover.RemoveOthers {
		return nil
	}
	return j.removeOthers(ctx, e, device)
}

// removeOthers removes every other device, with the heads that this device has
// verified, and puts new keys in force.
func (j *joining) removeOthers(ctx context.Context, e *editor, device *state.Device) error {
	var gone int
	synced, err := e.removeDevices(ctx, func(of *ledger.State) ([]protocol.MemberID, error) {
		var ids []protocol.MemberID
		for _, m := range of.AllMembers() {
			if m.Kind == ledger.KindDevice && m.Present() && m.ID != device.Member {
				ids = append(ids, m.ID)
			}
		}
		gone = len(ids)
		return ids, nil
	})
	if err != nil {
		return err
	}
	if !j.app.flags.json {
		j.say("%d other devices were removed, and new keys are in force.", gone)
		j.askAboutKeys(synced)
	}
	return nil
}

// finishWriter takes the vault that the device was granted.
func (j *joining) finishWriter(ctx context.Context, e *editor, device *state.Device) error {
	synced, err := e.sync(ctx)
	if err != nil {
		return err
	}
	m, err := synced.Member(device.Member)
	if err != nil {
		return err
	}
	for _, v := range synced.Vaults() {
		if _, granted := m.Granted[v.ID]; granted {
			device.BackupVault = v.ID
			return j.kept.SetDevice(device)
		}
	}
	return protocol.Errorf(protocol.KindDenied, "the approving device granted no vault")
}
