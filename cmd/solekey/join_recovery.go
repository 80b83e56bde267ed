// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
)

// pendingRecover is a way back that was begun. The recovery key is not kept.
type pendingRecover struct {
	RemoveOthers bool  `json:"remove_others,omitempty"`
	Doubt        doubt `json:"doubt,omitzero"` // said when the join is complete
}

// comeBack makes this machine an owner device with nothing but the recovery key.
// What is in the key's box is believed, and nothing else.
func (j *joining) comeBack(ctx context.Context, args []string) error {
	kit, err := j.kit(args)
	if err != nil {
		return err
	}
	place, err := j.place(ctx, kit)
	if err != nil {
		return err
	}
	c, err := j.dial(place.Server, api.Pin(place.Pin))
	if err != nil {
		return err
	}
	defer c.Close()
	self := keys.GenerateMemberSecrets()
	device := &state.Device{
		Account: place.Account, Server: place.Server, Pin: api.Pin(place.Pin), Name: place.Name, Member: self.ID(),
		Role: protocol.RoleOwner, Created: j.now(),
	}
	pending := &pendingJoin{Label: j.flags.deviceName, Vault: j.flags.vault}
	if err := j.note(pending); err != nil {
		return err
	}
	if err := j.keep(device, &state.Secrets{Member: self}, j.devicePassphrase); err != nil {
		return j.undo(err)
	}
	recovery := kit.key.Member()
	e := j.editor(j.kept, c.As(place.Account, recovery, nil), recovery)
	if err := j.firstLook(ctx, c, e, place); err != nil {
		return j.undo(recoveryProblem(err))
	}
	pending.Recover = &pendingRecover{RemoveOthers: j.flags.removeOthers, Doubt: j.doubt}
	if err := j.note(pending); err != nil {
		return j.undo(err)
	}
	if err := j.addSelf(ctx, e, self); err != nil {
		return err
	}
	return j.finish(ctx, c, pending, self)
}

// firstLook proves the account's ledger by the world in the key's box, and finds
// out how new the snapshots must be.
func (j *joining) firstLook(ctx context.Context, c *client.Client, e *editor, place *keyring.Place) error {
	w, err := place.Joins()
	if err != nil {
		return err
	}
	if err := j.kept.SetWorld(w); err != nil {
		return err
	}
	if err := demand(c, w, j.kept); err != nil {
		return err
	}
	t, out, err := e.look(ctx)
	if err != nil {
		return err
	}
	return j.howNew(ctx, t, out, e)
}

// howNew finds out how new the snapshots must be that a server shows to a device
// without memory, and says it. Whoever opens a vault is held to it.
func (j *joining) howNew(ctx context.Context, t *trust.Trust, out *trust.Outcome, e *editor) error {
	ring, err := keyring.Open(out.State, j.kept.Object, e.self)
	if err != nil {
		return err
	}
	anchorages, err := backup.Anchorages(ring)
	if err != nil {
		return err
	}
	look := t.Freshness
	if j.flags.unproven {
		look = t.FreshnessUnproven
	}
	fresh, err := look(ctx, e.remote, anchorages, out.State)
	if err != nil {
		return err
	}
	j.doubt = doubt{Withheld: fresh.Withheld, Unreadable: fresh.Unreadable}
	if fresh.Unreadable > 0 {
		j.warn("GOING ON UNPROVEN, as you said: nothing tells whether what the server shows is the newest. A removal of devices names what it shows as the last that counts")
	}
	if j.app.flags.json {
		j.emit(map[string]any{
			"message_type": "status", "step": "proven", "newest": string(fresh.Newest), "as_of": fresh.AsOf.String(),
			"withheld": fresh.Withheld, "unreadable": fresh.Unreadable, "proven": fresh.Proven(), "text": fresh.Words(),
		})
		return nil
	}
	j.show("%s.", fresh.Words())
	return nil
}

// recoveryProblem says what it means when the key's own member is refused.
func recoveryProblem(err error) error {
	if kind := protocol.KindOf(err); kind == protocol.KindDenied || kind == protocol.KindRemoved {
		return protocol.Wrap(protocol.KindWrongSecret, err, "this recovery key is not, or no longer, one of the account's; nothing was changed")
	}
	return err
}

// addSelf adds this device, signed by the recovery key.
func (j *joining) addSelf(ctx context.Context, e *editor, self *keys.MemberSecrets) error {
	_, err := e.edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) error {
		if _, err := ring.State().Member(self.ID()); err == nil {
			return nil
		}
		if err := d.AddOwner(self.Public()); err != nil || j.flags.deviceName == "" {
			return err
		}
		return d.NameMember(self.ID(), j.flags.deviceName)
	})
	switch {
	case err == nil:
		return nil
	case refused(err):
		return j.undo(err)
	}
	// Also an answer that proves nothing may be one to an entry that was taken: the
	// keys of this device are kept until the ledger says that it is not in it.
	return protocol.Wrap(protocol.KindOf(err), err, "whether this device was added is not known; `solekey join` run again with the kit goes on")
}

// kit reads the kit, or asks for the key where the server is given as URL.
func (j *joining) kit(args []string) (*parsedKit, error) {
	if j.flags.recoveryKit != "" {
		if len(args) > 0 || j.flags.recover {
			return nil, protocol.Errorf(protocol.KindUsage, "usage: --recovery-kit FILE holds the server, too: give neither URL nor --recover with it")
		}
		return j.readKit(j.flags.recoveryKit)
	}
	if strings.Join(args, "") == "" {
		return nil, protocol.Errorf(protocol.KindUsage, "usage: --recover needs the server's URL, as the kit has it; or give the kit's file: --recovery-kit FILE")
	}
	server, err := parseLink(args[0])
	if err != nil {
		return nil, err
	}
	key, err := j.askRecoveryKey()
	return &parsedKit{server: server, key: key}, err
}

// place fetches the box of the recovery key and opens it.
func (j *joining) place(ctx context.Context, kit *parsedKit) (*keyring.Place, error) {
	c, err := j.dial(kit.server.Host, kit.server.Pin)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	box, err := c.RecoveryBox(ctx, kit.key.Locator())
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, protocol.Wrap(protocol.KindWrongSecret, err, "the server at %s knows nothing of this recovery key: it is another account's or another server's; nothing was changed", kit.server.Host)
	}
	if err != nil {
		return nil, err
	}
	place, err := kit.key.OpenPlace(box)
	return place, protocol.Wrap(protocol.KindUntrusted, err, "the server's answer was not made with this recovery key; nothing was used")
}

// devicePassphrase asks for what shall protect this device where there is
// neither keyring nor key file.
func (j *joining) devicePassphrase() ([]byte, error) {
	if j.asksOnTerminal() && j.app.flags.passwordFile == "" && j.app.flags.passwordCommand == "" {
		j.warn("choose a passphrase that protects this device's keys on this machine")
	}
	return j.newPassword()
}

// resumeRecovery completes a way back if the ledger has this device, else undoes
// it; then the same command can start anew.
func (j *joining) resumeRecovery(ctx context.Context, p *pendingJoin) (bool, error) {
	device, err := j.kept.Device()
	if err != nil {
		return false, j.undo(nil)
	}
	secrets, err := j.kept.Unlock(j.access())
	if err != nil {
		return false, err
	}
	c, err := j.dial(device.Server, device.Pin)
	if err != nil {
		return false, err
	}
	defer c.Close()
	err = c.As(device.Account, secrets.Member, j.kept).SignIn(ctx)
	if protocol.KindOf(err) == protocol.KindDenied {
		j.warn("a join that was begun before had not added this device; it was undone")
		return false, j.undo(nil)
	}
	if err != nil {
		return false, err
	}
	j.doubt = p.Recover.Doubt
	return true, j.finish(ctx, c, p, secrets.Member)
}
