// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
)

// joinFlags are the flags of join.
type joinFlags struct {
	name, deviceName, protect, recoveryOut, inviteFile string
}

func newJoin(a *app) *cobra.Command {
	f := &joinFlags{}
	c := &cobra.Command{
		Use:   "join [flags] URL",
		Short: "Make this machine a device of an account",
		Long: "Join opens a new account with an invite, or makes this machine a further device of one.\n" +
			"All keys are made here. For a new account the recovery kit is shown once: print it.",
		Example: "  solekey join 'https://192.168.1.5:8443/i/...'\n" +
			"  solekey join --name alice --password-file pw --recovery-out kit.txt --invite-file invite",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.join(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.name, "name", "", "name of the account (default: asked for, or your user name)")
	fl.StringVar(&f.deviceName, "device-name", hostname(), "the word by which you know this device")
	fl.StringVar(&f.protect, "protect", "auto", "what keeps this device's key: auto, keyring, passphrase, file or tpm")
	fl.StringVar(&f.recoveryOut, "recovery-out", "", "file to write the recovery kit to, instead of showing it")
	fl.StringVar(&f.inviteFile, "invite-file", "", "file that holds the invite")
	return c
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "device"
	}
	return name
}

// join decides which way to join.
func (a *app) join(ctx context.Context, f *joinFlags, args []string) error {
	kept, err := state.Open(a.flags.stateDir, a.flags.cacheDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	if request, err := pendingJoin(kept); err != nil || request != nil {
		if err != nil {
			return err
		}
		return a.completeJoin(ctx, kept, request)
	}
	if d, err := kept.Device(); err == nil {
		return protocol.Errorf(protocol.KindExists, "this machine is a device of account %s already; --state-dir names another place for a second one", d.Name)
	}
	invite, err := readInvite(f, args)
	if err != nil {
		return err
	}
	return a.joinNew(ctx, kept, f, invite)
}

// readInvite reads the invite from the command line or a file.
func readInvite(f *joinFlags, args []string) (api.Invite, error) {
	text := strings.Join(args, "")
	if f.inviteFile != "" {
		data, err := os.ReadFile(f.inviteFile)
		if err != nil {
			return api.Invite{}, protocol.Wrap(protocol.KindUsage, err, "read --invite-file")
		}
		text = string(data)
	}
	if strings.TrimSpace(text) == "" {
		return api.Invite{}, protocol.Errorf(protocol.KindUsage, "usage: needs the URL that the server printed, or --invite-file")
	}
	return api.ParseInvite(strings.TrimSpace(text))
}

// accountName returns the canonical name of the account to open.
func (a *app) accountName(f *joinFlags) (string, error) {
	name := f.name
	if name == "" {
		name = os.Getenv("USER")
		if a.asksOnTerminal() {
			answer, err := a.readLine("Name of the account [" + name + "]: ")
			if err != nil {
				return "", err
			}
			if answer != "" {
				name = answer
			}
		}
	}
	if name == "" {
		return "", protocol.Errorf(protocol.KindUsage, "usage: needs --name, the name of the account")
	}
	return client.CanonicalName(name)
}

// joinNew opens a new account. Everything is written down before it is sent, so
// that a join which was cut off is completed by the next one.
func (a *app) joinNew(ctx context.Context, kept *state.State, f *joinFlags, invite api.Invite) error {
	name, err := a.accountName(f)
	if err != nil {
		return err
	}
	password, err := a.newPassword()
	if err != nil {
		return err
	}
	c, err := a.dial(invite.Host, invite.Pin)
	if err != nil {
		return err
	}
	defer c.Close()
	record, err := c.Register(ctx, invite.URL(), name, password)
	if err != nil {
		return err
	}
	fresh, err := a.newAccount(f, invite, name)
	if err != nil {
		return err
	}
	err = a.keep(kept, f, fresh, password)
	if err == nil {
		err = a.handOverKit(f, fresh.kit)
	}
	if err != nil {
		return errors.Join(err, kept.Forget())
	}
	request := fresh.request(invite, record)
	if err := setPendingJoin(kept, request); err != nil {
		return err
	}
	return a.completeJoin(ctx, kept, request)
}

// freshAccount is a new account before anybody knows of it.
type freshAccount struct {
	device  state.Device
	self    *keys.MemberSecrets
	batch   *keyring.Batch
	kit     *recoveryKit
	locator api.RecoveryBox
}

// newAccount makes keys, recovery key and ledger of a new account.
func (a *app) newAccount(f *joinFlags, invite api.Invite, name string) (*freshAccount, error) {
	self, recovery := keys.GenerateMemberSecrets(), keyring.GenerateRecoveryKey()
	d, err := keyring.Create(self, a.now())
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
	if err := d.NameVault(vault, "backups"); err != nil {
		return nil, err
	}
	if err := d.NameMember(self.ID(), f.deviceName); err != nil {
		return nil, err
	}
	account := d.Batch().State.Account()
	place := &keyring.Place{Account: account, Server: invite.Host, Pin: protocol.Hash(invite.Pin), Name: name}
	return &freshAccount{
		device: state.Device{
			Account: account, Server: invite.Host, Pin: invite.Pin, Name: name, Member: self.ID(),
			Role: protocol.RoleOwner, BackupVault: vault, Created: a.now(),
		},
		self: self, batch: d.Batch(), kit: &recoveryKit{key: recovery, place: place},
		locator: api.RecoveryBox{Locator: recovery.Locator(), Box: recovery.SealPlace(place)},
	}, nil
}

// keep writes down who this device is, its secrets and its ledger.
func (a *app) keep(kept *state.State, f *joinFlags, fresh *freshAccount, password []byte) error {
	method, err := a.protection(f.protect)
	if err != nil {
		return err
	}
	if err := kept.SetDevice(&fresh.device); err != nil {
		return err
	}
	access := a.access()
	access.Passphrase = func() ([]byte, error) { return password, nil }
	if err := kept.Protect(method, access, &state.Secrets{Member: fresh.self}); err != nil {
		return err
	}
	_, err = kept.AppendLedger(fresh.batch.Entries, fresh.batch.Objects)
	return err
}

// protection chooses what keeps the device's key: a key file where one is named,
// else the system's keyring where there is one, else the password.
func (a *app) protection(choice string) (state.Method, error) {
	switch choice {
	case "auto":
		if a.flags.keyFile != "" {
			return state.MethodFile, nil
		}
		if state.KeyringAvailable() == nil {
			return state.MethodKeyring, nil
		}
		return state.MethodPassphrase, nil
	case "keyring", "passphrase", "file", "tpm":
		return state.Method(choice), nil
	}
	return "", protocol.Errorf(protocol.KindUsage, "usage: --protect is auto, keyring, passphrase, file or tpm")
}

func (fresh *freshAccount) request(invite api.Invite, record []byte) *api.CreateAccount {
	request := &api.CreateAccount{
		RequestID: newRequestID(), Invite: invite.URL(), Name: fresh.device.Name, Record: record,
		Objects: fresh.batch.Objects, Recovery: []api.RecoveryBox{fresh.locator},
	}
	for _, e := range fresh.batch.Entries {
		request.Entries = append(request.Entries, e.Bytes())
	}
	return request
}

// noteJoin is the note that holds a join which is not acknowledged yet. It holds
// no secret of the account; the invite in it is used up with it.
const noteJoin = "join"

func pendingJoin(kept *state.State) (*api.CreateAccount, error) {
	data, err := kept.Note(noteJoin)
	if err != nil || len(data) == 0 {
		if protocol.KindOf(err) == protocol.KindNotFound {
			err = nil
		}
		return nil, err
	}
	request := new(api.CreateAccount)
	if err := json.Unmarshal(data, request); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "read the join that was begun")
	}
	return request, nil
}

func setPendingJoin(kept *state.State, request *api.CreateAccount) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return kept.SetNote(noteJoin, data)
}

// completeJoin opens the account at the provider. A refusal undoes the join:
// nothing was stored there, so nothing is lost.
func (a *app) completeJoin(ctx context.Context, kept *state.State, request *api.CreateAccount) error {
	device, err := kept.Device()
	if err != nil {
		return err
	}
	c, err := a.dial(device.Server, device.Pin)
	if err != nil {
		return err
	}
	defer c.Close()
	account, err := c.CreateAccount(ctx, request)
	if err != nil {
		if client.RefusalOf(err) != nil && protocol.KindOf(err) != protocol.KindTooMany {
			if undo := kept.Forget(); undo != nil {
				return undo
			}
		}
		return err
	}
	if account != device.Account {
		return protocol.Errorf(protocol.KindUntrusted, "the server opened another account than the one that was asked for")
	}
	if err := kept.SetNote(noteJoin, nil); err != nil {
		return err
	}
	return a.welcome(device)
}

// welcome says what the join amounts to.
func (a *app) welcome(d *state.Device) error {
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "summary", "account": d.Account, "name": d.Name, "device": d.Member,
			"role": d.Role.String(), "server": d.Server,
		})
		return nil
	}
	a.say("This machine is now a device (%s) of account %s at %s.", d.Role, d.Name, d.Server)
	a.say("Back up with: solekey backup ~")
	return nil
}
