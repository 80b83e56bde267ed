// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

// statusFlags are the flags of status.
type statusFlags struct {
	maxAge time.Duration
	online bool
}

func newStatus(a *app) *cobra.Command {
	f := &statusFlags{}
	c := &cobra.Command{
		Use: "status", Short: "Say how old the last good backup is, and what stands where",
		Long: "Status says when this device last completed a backup, and what it knows of account and vault. It\n" +
			"asks the server if it can do so without asking you for a password, and says so if it could not.\n\n" +
			"Exit code 25 says that the last good backup is older than --max-age, or that there is none, or that\n" +
			"for 48 hours no proof of the newest one has entered the server's public log. Exit code 20 says that\n" +
			"an alarm stands: see `solekey log alarms`.",
		Example: "  solekey status\n  solekey status --max-age 26h --quiet || mail -s 'no backup' root </dev/null\n  solekey status --online --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return a.status(c.Context(), f) },
	}
	c.Flags().DurationVar(&f.maxAge, "max-age", 0, "how old the last good backup may be, as in 26h; 0: any age")
	c.Flags().BoolVar(&f.online, "online", false, "fail where the server cannot be asked")
	return c
}

// standing is what status says.
type standing struct {
	device  *state.Device
	last    *state.LastBackup // nil: none
	age     time.Duration     // of last
	ledger  *ledger.State     // nil: none on this device
	head    uint64            // of the vault, the newest known
	online  bool
	account *api.Account // as the server says; nil where it was not asked
	log     *logStanding
	warned  []string
}

func (a *app) status(ctx context.Context, f *statusFlags) error {
	d, kept, err := a.peek()
	if err != nil {
		return err
	}
	st := &standing{device: d}
	if err := a.askServer(ctx, f, kept, st); err != nil {
		return err
	}
	if err := a.remembered(kept, st); err != nil {
		return err
	}
	if st.log, err = a.logStanding(kept, d); err != nil {
		return err
	}
	old := f.maxAge > 0 && (st.last == nil || st.age > f.maxAge)
	st.warn(old, f.maxAge)
	if a.flags.json {
		a.emit(st.json(old))
	} else if !a.flags.quiet {
		a.statusWords(st)
	}
	if err := standingAlarm(kept); err != nil {
		return err
	}
	if !old {
		return st.unproven()
	}
	err = protocol.Errorf(protocol.KindTooOld, "the last good backup of this device is older than %s", f.maxAge)
	if st.last == nil {
		err = protocol.Errorf(protocol.KindTooOld, "this device has no complete backup yet")
	}
	return err
}

// unproven is the failure of snapshots that have been without a proof too long.
func (st *standing) unproven() error {
	if st.log.behind <= unprovenFor {
		return nil
	}
	return protocol.Errorf(protocol.KindTooOld, "no proof of the newest snapshots has entered the public log since %s", moment(st.log.anchors.Behind))
}

// askServer asks the server where that is possible, so that the rest is up to date.
func (a *app) askServer(ctx context.Context, f *statusFlags, kept *state.State, st *standing) error {
	if !f.online && !a.unlocksQuietly(kept) {
		st.warned = append(st.warned, "the server was not asked, because this device is protected by a passphrase: --online asks for it")
		return nil
	}
	err := a.withSession(func(s *session) error { return s.refresh(ctx, st) })
	switch protocol.KindOf(err) {
	case "":
		st.online = true
		return nil
	case protocol.KindUnreachable:
		if !f.online {
			st.warned = append(st.warned, "the server could not be reached; this is what the device knew before")
			return nil
		}
	}
	return err
}

// unlocksQuietly reports whether the device's secrets open without a question.
func (a *app) unlocksQuietly(kept *state.State) bool {
	method, err := kept.Method()
	return err == nil && (method != state.MethodPassphrase || a.flags.passwordFile != "" || a.flags.passwordCommand != "")
}

// refresh brings ledger and head up to date. An alarm is told with all else that
// there is to say.
func (s *session) refresh(ctx context.Context, st *standing) error {
	t, err := s.a.beliefs(s.state, s.member, s.device.Member)
	if err != nil {
		return err
	}
	out, err := (&believer{s, t}).lookNow(ctx)
	if err != nil || out == nil {
		return err
	}
	synced := out.State
	m, err := synced.Member(s.device.Member)
	if err != nil {
		return err
	}
	if !m.Present() {
		return protocol.Errorf(protocol.KindRemoved, "this device was removed from the account: the account's ledger proves it")
	}
	if st.account, err = s.member.Info(ctx); err != nil {
		return err
	}
	head, err := s.member.Vault(s.device.BackupVault).Head(ctx)
	if err != nil {
		return err
	}
	st.head = head.Seq
	return s.state.Vault(s.device.BackupVault).CheckHead(state.Position{Seq: head.Seq, Hash: head.Hash})
}

// remembered fills in what this device knows by itself.
func (a *app) remembered(kept *state.State, st *standing) error {
	vault := kept.Vault(st.device.BackupVault)
	var err error
	if st.last, err = vault.LastBackup(); err != nil {
		return err
	}
	if st.last != nil {
		st.age = time.Duration(a.now() - st.last.Time)
	}
	mark, err := vault.Head()
	if err != nil {
		return err
	}
	st.head = max(st.head, mark.Seq)
	st.ledger, err = kept.Ledger()
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil
	}
	return err
}

// warn collects what deserves attention.
func (st *standing) warn(old bool, maxAge time.Duration) {
	add := func(text string) { st.warned = append(st.warned, text) }
	switch {
	case st.last == nil:
		add("this device has no complete backup yet: solekey backup ~")
	case old:
		add("the last good backup is older than " + maxAge.String())
	case st.age < -5*time.Minute:
		add("the last good backup lies in the future: this machine's clock was set back")
	}
	for _, text := range st.log.warnings() {
		add(text)
	}
	if st.ledger == nil {
		add("the account's ledger is not on this device; the next backup fetches it")
		return
	}
	owners, _, recovery := presentDevices(st.ledger)
	if waysBack(st.device, owners, recovery) < 2 {
		add(fewWaysBack)
	}
	if n := len(st.ledger.Pending()); n > 0 {
		add(plural(n, "change") + " of the account waits for its delay; `solekey doctor` names it")
	}
	if st.account != nil && st.account.Suspended {
		add("the server says that the account is suspended: it can be read and not changed")
	}
	if st.account != nil && st.account.Quota > 0 && st.account.Used > st.account.Quota/10*9 {
		add("more than nine tenths of the quota are used: " + size(st.account.Used) + " of " + size(st.account.Quota))
	}
}

const fewWaysBack = "if this machine is lost, at most one way back is left: make another recovery kit (solekey recovery kit) or join a second device"

// waysBack counts what opens the account when this device is lost.
func waysBack(d *state.Device, owners, recovery int) int {
	if d.Role == protocol.RoleOwner {
		owners--
	}
	return owners + recovery
}

func (st *standing) json(old bool) map[string]any {
	m := map[string]any{
		"message_type": "summary", "name": st.device.Name, "account": st.device.Account, "server": st.device.Server,
		"device": st.device.Member, "role": st.device.Role.String(), "vault": st.device.BackupVault,
		"vault_head": st.head, "online": st.online, "too_old": old, "warnings": append([]string{}, st.warned...),
		"log": st.log.object(),
	}
	if st.last != nil {
		m["last_backup"] = map[string]any{"time": st.last.Time.String(), "snapshot_id": st.last.Record, "seq": st.last.Seq, "age_seconds": int64(st.age.Seconds())}
	}
	if st.ledger != nil {
		owners, writers, recovery := presentDevices(st.ledger)
		m["ledger_head"] = st.ledger.Head().Seq
		m["owners"], m["writers"], m["recovery_keys"] = owners, writers, recovery
	}
	if st.account != nil {
		m["bytes_stored"], m["quota"] = st.account.Used, st.account.Quota
	}
	return m
}

func (a *app) statusWords(st *standing) {
	a.say("account  %s at %s", st.device.Name, st.device.Server)
	a.say("device   %s (%s)", st.device.Member.String()[:shortID], st.device.Role)
	if st.last == nil {
		a.say("backup   none yet")
	} else {
		a.say("backup   %s, %s (snapshot %s)", moment(st.last.Time), age(st.age), st.last.Record.String()[:shortID])
	}
	if st.ledger != nil {
		owners, writers, recovery := presentDevices(st.ledger)
		a.say("ledger   entry %d: %s, %s, %s", st.ledger.Head().Seq, plural(owners, "owner"), plural(writers, "writer"), plural(recovery, "recovery key"))
	}
	if st.log.view == nil {
		a.say("log      nothing proven yet")
	} else {
		a.say("log      proven the newest as of %s, %s", moment(st.log.view.AsOf()), age(st.log.age))
	}
	a.say("vault    %s, record %d", st.device.BackupVault.String()[:shortID], st.head)
	if st.account != nil {
		used := size(st.account.Used)
		if st.account.Quota > 0 {
			used += " of " + size(st.account.Quota)
		}
		a.say("stored   %s in %s", used, plural(int(st.account.Packs), "pack"))
	}
	for _, text := range st.warned {
		a.say("note     %s", text)
	}
}
