// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
)

// newAccount opens a new account. Everything is written down before it is sent,
// so that a join which was cut off is completed by the next one.
func (j *joining) newAccount(ctx context.Context, invite api.Invite) error {
	name, err := j.accountName(j.flags)
	if err != nil {
		return err
	}
	if err := j.kitHasPlace(j.flags.recoveryOut); err != nil {
		return err
	}
	password, err := j.once(j.newPassword)
	if err != nil {
		return err
	}
	c, err := j.dial(invite.Host, invite.Pin)
	if err != nil {
		return err
	}
	defer c.Close()
	record, err := c.Register(ctx, invite.URL(), name, password)
	if err != nil {
		return refusedInvite(err, invite, name)
	}
	w, err := j.world(ctx, c, invite.World)
	if err != nil {
		return err
	}
	vacancy, err := trust.Vacant(ctx, w, c, name, j.now())
	if err != nil {
		return refusedInvite(err, invite, name)
	}
	fresh, err := j.fresh(invite, name, w, vacancy)
	if err != nil {
		return err
	}
	if err := j.prepare(fresh); err != nil {
		return j.undo(err)
	}
	request := fresh.request(invite, record)
	if err := j.note(&pendingJoin{New: request, Kit: fresh.written(j.flags)}); err != nil {
		return j.undo(err)
	}
	return j.openAccount(ctx, request)
}

// refusedInvite says what to do where the server does not take the invite for
// the name: often the account is there, and a further device was meant.
func refusedInvite(err error, invite api.Invite, name string) error {
	further := "To make this machine a further device of account " + name + ": solekey join '" +
		api.Invite{Host: invite.Host, Pin: invite.Pin, World: invite.World}.URL() + "' --name " + name
	switch protocol.KindOf(err) {
	case protocol.KindExists:
		return protocol.Errorf(protocol.KindExists, "there is an account %s already; nothing was changed. For a new account choose another --name. %s (%w)", name, further, err)
	case protocol.KindDenied, protocol.KindWrongSecret:
		return protocol.Errorf(protocol.KindWrongSecret, "the server does not take this invite; nothing was changed. For a new account ask for a new invite. %s (%w)", further, err)
	}
	return err
}

// prepare writes down a new account and hands its recovery kit over.
func (j *joining) prepare(fresh *freshAccount) error {
	if err := j.note(&pendingJoin{Kit: fresh.written(j.flags)}); err != nil {
		return err
	}
	secrets := &state.Secrets{Member: fresh.self}
	if err := j.keep(&fresh.device, secrets, j.newPassword); err != nil {
		return err
	}
	if err := j.kept.SetWorld(fresh.world); err != nil {
		return err
	}
	if err := j.kept.AdvanceView(nil, fresh.vacancy.View); err != nil {
		return err
	}
	if _, err := j.kept.AppendLedger(fresh.batch.Entries, fresh.batch.Objects); err != nil {
		return err
	}
	return j.handOverKit(j.flags.recoveryOut, fresh.kit)
}

// freshAccount is a new account before anybody knows of it.
type freshAccount struct {
	device  state.Device
	self    *keys.MemberSecrets
	batch   *keyring.Batch
	kit     *recoveryKit
	locator api.RecoveryBox
	world   *directory.World
	vacancy *trust.Vacancy
}

// fresh makes keys, recovery key, ledger and first directory update of a new
// account.
func (j *joining) fresh(invite api.Invite, name string, w *directory.World, vacancy *trust.Vacancy) (*freshAccount, error) {
	self, recovery := keys.GenerateMemberSecrets(), keyring.GenerateRecoveryKey()
	d, err := keyring.Create(self, j.now())
	if err != nil {
		return nil, err
	}
	if err := d.AddRecovery(recovery.Member().Public()); err != nil {
		return nil, err
	}
	if err := d.Rotate(); err != nil {
		return nil, err
	}
	vault, err := d.CreateVault(protocol.CategoryBackups)
	if err != nil {
		return nil, err
	}
	label := j.flags.vault
	if label == "" {
		label = "backups"
	}
	if err := d.NameVault(vault, label); err != nil {
		return nil, err
	}
	if err := d.NameMember(self.ID(), j.flags.deviceName); err != nil {
		return nil, err
	}
	device := state.Device{
		Account: d.Batch().State.Account(), Server: invite.Host, Pin: invite.Pin, Name: name, Member: self.ID(),
		Role: protocol.RoleOwner, BackupVault: vault, Created: j.now(),
	}
	batch, err := d.Publish(w.Log(), vacancy.Index, 1)
	if err != nil {
		return nil, err
	}
	kit := newKit(recovery, &device, w)
	return &freshAccount{device: device, self: self, batch: batch, kit: kit, locator: kit.box(), world: w, vacancy: vacancy}, nil
}

// written says which file holds the kit, nil where none does.
func (fresh *freshAccount) written(f *joinFlags) *writtenKit {
	if f.recoveryOut == "" {
		return nil
	}
	return &writtenKit{Path: absolute(f.recoveryOut), Member: fresh.kit.key.Member().ID()}
}

func (fresh *freshAccount) request(invite api.Invite, record []byte) *api.CreateAccount {
	request := &api.CreateAccount{
		RequestID: newRequestID(), Invite: invite.URL(), Name: fresh.device.Name, Record: record,
		Objects: fresh.batch.Objects, Recovery: []api.RecoveryBox{fresh.locator},
		Update: (&directory.Entry{Update: fresh.batch.Update}).Bytes(), Opening: fresh.batch.Opening.Bytes(),
	}
	for _, e := range fresh.batch.Entries {
		request.Entries = append(request.Entries, e.Bytes())
	}
	return request
}

// openAccount opens the account at the provider. A refusal undoes the join:
// nothing was stored there, so nothing is lost.
func (j *joining) openAccount(ctx context.Context, request *api.CreateAccount) error {
	device, err := j.kept.Device()
	if err != nil {
		return err
	}
	c, err := j.dial(device.Server, device.Pin)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := demandOwn(c, j.kept); err != nil {
		return err
	}
	receipt, err := c.CreateAccount(ctx, request, promised(request))
	if err != nil {
		if refused(err) {
			return j.undo(protocol.Wrap(protocol.KindOf(err), err, "no account was opened, and the join was undone"))
		}
		return protocol.Wrap(protocol.KindOf(err), err, "whether the account was opened is not known; `solekey join` run again goes on")
	}
	t, err := j.beliefs(j.kept, nil, device.Member)
	if err == nil {
		err = t.Promised(receipt)
	}
	if err != nil {
		return err
	}
	if err := j.note(nil); err != nil {
		return err
	}
	return j.welcome(device)
}

// promised returns what the receipt of a new account must be about.
func promised(request *api.CreateAccount) client.Promise {
	p := client.Promise{Version: 1, Leaf: tlog.LeafHash(request.Update)}
	if e, err := directory.ParseEntry(request.Update); err == nil && e.Update != nil {
		p.Index = e.Update.Index
	}
	return p
}
