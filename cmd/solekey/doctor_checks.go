// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

// folder checks who can read what this device remembers.
func (c *checkup) folder() {
	if runtime.GOOS == "windows" {
		return // its rights are not in the mode
	}
	var open []string
	err := filepath.WalkDir(c.kept.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && d.Type()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			open = append(open, path)
		}
		return err
	})
	switch {
	case c.failed("folder", err):
	case len(open) > 0:
		c.found("folder", wrong, "others may read %s and %s more: run chmod -R go= %s", open[0], plural(len(open)-1, "file"), c.kept.Dir())
	default:
		c.found("folder", fine, "%s is private to this user", c.kept.Dir())
	}
	probe, err := os.CreateTemp(c.kept.Dir(), ".new-doctor-*")
	if err != nil {
		c.found("folder", wrong, "%s cannot be written: %v", c.kept.Dir(), err)
		return
	}
	_ = probe.Close()           // nothing was written
	_ = os.Remove(probe.Name()) // else the next command sweeps it
}

// protectedBy checks what keeps the key of the device's secrets.
func (c *checkup) protectedBy() {
	method, err := c.kept.Method()
	if c.failed("protection", err) {
		return
	}
	none := state.KeyringAvailable()
	switch {
	case method == state.MethodKeyring && none != nil:
		c.found("protection", wrong, "the secrets are kept by the keyring: %v", none)
	case method == state.MethodTPM && c.failed("protection", state.TPMAvailable("")):
	case method == state.MethodPassphrase && none == nil:
		c.found("protection", fine, "the secrets are protected by a passphrase; this session has a keyring, too")
	default:
		c.found("protection", fine, "the secrets are protected by %s", method)
	}
}

// oldBackup is the age from which doctor warns.
const oldBackup = 48 * time.Hour

// backups checks the age of the last good backup.
func (c *checkup) backups() {
	last, err := c.kept.Vault(c.device.BackupVault).LastBackup()
	if c.failed("backup", err) {
		return
	}
	if last == nil {
		c.found("backup", warning, "this device has no complete backup yet")
		return
	}
	d := time.Duration(c.now() - last.Time)
	if d > oldBackup {
		c.found("backup", warning, "the last good backup was %s", age(d))
		return
	}
	c.found("backup", fine, "the last good backup was %s", age(d))
}

// freshSession remembers nothing: a session is opened, and shows the server's
// clock.
type freshSession struct{ opened *api.Session }

// Session returns none.
func (f *freshSession) Session() (*api.Session, error) { return nil, nil }

// SetSession keeps the session that was opened.
func (f *freshSession) SetSession(s *api.Session) error { f.opened = s; return nil }

// sessionFor is how long a session of a member is good; see spec/api.md.
const sessionFor = 24 * time.Hour

// clockSlack is the difference of clocks from which doctor warns.
const clockSlack = 5 * time.Minute

// server checks that the right server answers, takes this device, and tells
// about the same time.
func (c *checkup) server(ctx context.Context, s *session) bool {
	info, err := s.client.Info(ctx)
	if c.failed("server", err) {
		return false
	}
	c.found("server", fine, "%s at %s answers with the key that was pinned (%s)", printable([]byte(info.Name)), c.device.Server, printable([]byte(info.Program)))
	fresh := &freshSession{}
	if c.failed("sign-in", s.client.As(c.device.Account, s.secrets.Member, fresh).SignIn(ctx)) {
		return false
	}
	c.found("sign-in", fine, "the server takes this device")
	apart := time.Duration(fresh.opened.Expires-c.now()) - sessionFor
	if apart.Abs() > clockSlack {
		c.found("clock", warning, "the server's clock is %s from this machine's; times in lists may mislead", apart.Abs().Round(time.Second))
		return true
	}
	c.found("clock", fine, "the server tells about the same time")
	return true
}

// ledger checks that the server serves the ledger that this device knows, and
// that this device is in it.
func (c *checkup) ledger(ctx context.Context, s *session) (*ledger.State, bool) {
	synced, err := s.editor().sync(ctx)
	if c.failed("ledger", err) {
		return nil, false
	}
	m, err := synced.Member(c.device.Member)
	switch {
	case c.failed("ledger", err):
		return nil, false
	case !m.Present():
		c.found("ledger", wrong, "this device was removed from the account, by entry %d", m.Removed)
		return nil, false
	case m.Role != c.device.Role:
		c.found("ledger", wrong, "the ledger has this device as %s, it believes to be %s", m.Role, c.device.Role)
		return nil, false
	}
	owners, writers, _ := presentDevices(synced)
	c.found("ledger", fine, "verified from the first entry to number %d: %s, %s", synced.Head().Seq, plural(owners, "owner"), plural(writers, "writer"))
	return synced, true
}

// waysBack counts what is left when this machine is lost.
func (c *checkup) waysBack(synced *ledger.State) {
	owners, _, recovery := presentDevices(synced)
	if waysBack(c.device, owners, recovery) < 2 {
		c.found("recovery", warning, "%s", fewWaysBack)
		return
	}
	c.found("recovery", fine, "%s and %s open the account", plural(recovery, "recovery key"), plural(owners, "owner device"))
}

// pending names what waits for its delay.
func (c *checkup) pending(synced *ledger.State) {
	for _, p := range synced.Pending() {
		c.found("pending", warning, "entry %d (%s), signed by %s, waits for its delay; if nobody of you asked for it, remove that device", p.Seq, p.Body.Kind(), p.Signer.String()[:shortID])
	}
	if synced.RotationDue() {
		c.found("pending", warning, "new keys are due after a removal; they are made with the next change of the account")
	}
}

// rights checks that this device may and can add to its vault.
func (c *checkup) rights(s *session, synced *ledger.State) bool {
	if c.failed("vault", synced.MayAdd(c.device.Member, c.device.BackupVault)) {
		return false
	}
	if c.device.Role == protocol.RoleWriter {
		_, err := keyring.OpenWriter(synced, c.kept.Object, s.secrets.Member, c.device.BackupVault)
		if c.failed("vault", err) {
			return false
		}
		c.found("vault", fine, "this writer can add to vault %s, and read nothing back", c.device.BackupVault.String()[:shortID])
		return true
	}
	ring, err := keyring.Open(synced, c.kept.Object, s.secrets.Member)
	if c.failed("vault", err) {
		return false
	}
	vaults, err := vaultsOf(ring)
	if c.failed("vault", err) {
		return false
	}
	c.found("vault", fine, "the account's secret opens, and %s with it", plural(len(vaults), "vault"))
	return true
}

// vault checks that the server's head is not behind what this device has seen,
// and that the local index is there.
func (c *checkup) vault(ctx context.Context, s *session) {
	kept := c.kept.Vault(c.device.BackupVault)
	head, err := s.member.Vault(c.device.BackupVault).Head(ctx)
	if err == nil {
		err = kept.CheckHead(state.Position{Seq: head.Seq, Hash: head.Hash})
	}
	if c.failed("head", err) {
		return
	}
	c.found("head", fine, "the vault stands at record %d, nothing that this device knows is missing", head.Seq)
	path, err := kept.CachePath(state.CacheIndex)
	if c.failed("index", err) {
		return
	}
	if _, err := os.Stat(path); err != nil {
		c.found("index", warning, "the local index is not there; the next backup or restore makes it anew")
		return
	}
	c.found("index", fine, "the local index is there")
}
