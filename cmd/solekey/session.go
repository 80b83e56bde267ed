// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// session is this device, opened for one command.
type session struct {
	a       *app
	state   *state.State
	device  *state.Device
	secrets *state.Secrets
	client  *client.Client
	member  *client.Member
}

// open opens the device: what it remembers, its secrets, and a client of its
// provider. Nothing is asked of the provider yet. Close the session.
func (a *app) open() (*session, error) {
	return a.openWith(func() (*state.State, error) { return state.OpenReader(a.flags.stateDir, a.flags.cacheDir) })
}

// openAlone is open for a command that must not run twice at a time.
func (a *app) openAlone() (*session, error) {
	if _, err := os.Stat(a.flags.stateDir); os.IsNotExist(err) {
		return a.open() // says that there is no device yet
	}
	return a.openWith(func() (*state.State, error) { return state.Open(a.flags.stateDir, a.flags.cacheDir) })
}

func (a *app) openWith(openState func() (*state.State, error)) (*session, error) {
	kept, err := openState()
	if err != nil {
		return nil, err
	}
	s := &session{a: a, state: kept}
	if err := mustBeFinished(kept); err != nil {
		kept.Close()
		return nil, err
	}
	if err := s.unlock(); err != nil {
		kept.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) unlock() (err error) {
	if s.device, err = s.state.Device(); err != nil {
		return err
	}
	if s.secrets, err = s.state.Unlock(s.a.access()); err != nil {
		return err
	}
	if s.client, err = s.a.dial(s.device.Server, s.device.Pin); err != nil {
		return err
	}
	s.member = s.client.As(s.device.Account, s.secrets.Member, s.state)
	return demandOwn(s.client, s.state)
}

func (s *session) close() {
	s.client.Close()
	s.state.Close()
}

// access says how this device's secrets are reached.
func (a *app) access() state.Access {
	return state.Access{Passphrase: a.password, KeyFile: a.flags.keyFile}
}

// dial returns a client of a server.
func (a *app) dial(host string, pin api.Pin) (*client.Client, error) {
	o := client.Options{Upload: a.flags.limitUpload << 10, Download: a.flags.limitDownload << 10}
	if a.flags.cacert != "" {
		pem, err := os.ReadFile(a.flags.cacert)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "read --cacert")
		}
		o.CACert = pem
	}
	return client.Dial(client.Server{Host: host, Pin: pin}, o)
}

// vault opens the vault that this device backs up to. Beside says that the
// command reads only, and may run beside another of this device. Close it.
func (s *session) vault(ctx context.Context, beside bool) (*backup.Vault, error) {
	return backup.Open(ctx, backup.Options{
		State: s.state, Member: s.member, Self: s.secrets, Vault: s.device.BackupVault, Now: s.a.now,
		Warn: func(err error) { s.a.warn("%v", err) }, Beside: beside,
	})
}

// withVault opens the device and its vault for a command. Alone says that the
// command must not run twice at a time.
func (a *app) withVault(ctx context.Context, alone bool, do func(*session, *backup.Vault) error) error {
	open := a.open
	if alone {
		open = a.openAlone
	}
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	v, err := s.vault(ctx, !alone)
	if err != nil {
		return s.judged(err)
	}
	defer v.Close()
	return s.judged(do(s, v))
}

// judged turns an error that accuses the provider, wherever in a command it came
// up, into an alarm that is remembered with its evidence; any other stays as it is.
func (s *session) judged(err error) error {
	if err == nil || trust.HeldBy(err) != nil {
		return err
	}
	t, failed := s.a.beliefs(s.state, s.member, s.device.Member)
	if failed != nil {
		return err
	}
	return t.Judge(err)
}
