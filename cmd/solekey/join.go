// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// joinFlags are the flags of join.
type joinFlags struct {
	name, deviceName, protect, recoveryOut, inviteFile string
	recoveryKit, vault                                 string
	writer, recover, removeOthers, discard, unproven   bool
	timeout                                            time.Duration
}

func newJoin(a *app) *cobra.Command {
	f := &joinFlags{}
	c := &cobra.Command{
		Use:   "join [flags] [URL]",
		Short: "Make this machine a device of an account",
		Long: "Join opens a new account with an invite, makes this machine a further device of an account, or\n" +
			"brings an account back from its recovery kit. All keys are made here.\n\n" +
			"With an invite a new account is opened; its recovery kit is shown once: print it.\n\n" +
			"With the link that `solekey device link` prints on a device you have, this machine asks to be\n" +
			"added: sign in with the account's password, then run `solekey device approve` there and compare\n" +
			"the codes. --writer asks for a device that can back up and read nothing back.\n\n" +
			"With --recovery-kit the kit alone is enough: no password and no other device is needed.\n\n" +
			"Who has an owner device of yours in his hands can put false proofs of snapshots into the public\n" +
			"log, and join does not go on. With --unproven it does: what such a proof stands for may be lost,\n" +
			"or hidden by the server, and nothing tells. Exit code 25 then says that the join is complete and\n" +
			"that nobody knows whether you are shown the newest snapshots.\n\n" +
			"A join that was cut off goes on, or is undone, when join is run again. Exit code 24 says that it\n" +
			"still waits for approval.",
		Example: "  solekey join 'https://192.168.1.5:8443/i/...'\n" +
			"  solekey join --name alice --password-file pw --recovery-out kit.txt --invite-file invite\n" +
			"  solekey join 'https://192.168.1.5:8443/i/...' --name alice --writer\n" +
			"  solekey join --recovery-kit kit.txt --remove-others\n" +
			"  solekey join --recovery-kit kit.txt --remove-others --unproven",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.join(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.name, "name", "", "name of the account (default: asked for, or your user name)")
	fl.StringVar(&f.deviceName, "device-name", hostname(), "the word by which you know this device")
	fl.StringVar(&f.protect, "protect", "auto", "what keeps this device's key: auto, keyring, passphrase, file or tpm")
	fl.StringVar(&f.recoveryOut, "recovery-out", "", "file to write the recovery kit to, instead of showing it")
	fl.StringVar(&f.inviteFile, "invite-file", "", "file that holds the invite or the link")
	fl.StringVar(&f.recoveryKit, "recovery-kit", "", "come back with the recovery kit in this file; - is standard input")
	fl.BoolVar(&f.recover, "recover", false, "come back with the recovery key, which is asked for, at the server of URL")
	fl.BoolVar(&f.removeOthers, "remove-others", false, "when coming back: remove all other devices and put new keys in force")
	fl.BoolVar(&f.unproven, "unproven", false, "go on although proofs of the newest snapshots are false")
	fl.BoolVar(&f.writer, "writer", false, "join as a device that can back up and read nothing back")
	fl.StringVar(&f.vault, "vault", "", "name of the vault to back up to (default: the account's first)")
	fl.BoolVar(&f.discard, "discard", false, "give up a join that was begun and still waits, and forget it")
	fl.DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long to wait for approval")
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
	if err := f.check(); err != nil {
		return err
	}
	kept, err := state.Open(a.flags.stateDir, a.flags.cacheDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	j := &joining{app: a, flags: f, kept: kept}
	if done, err := j.resume(ctx); done || err != nil {
		return err
	}
	if f.discard {
		return nil // there is nothing to give up
	}
	if d, err := kept.Device(); err == nil {
		return protocol.Errorf(protocol.KindExists, "this machine is a device of account %s already; --state-dir names another place for a second one", d.Name)
	} else if protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	if f.recover || f.recoveryKit != "" {
		return j.comeBack(ctx, args)
	}
	invite, err := a.readInvite(f, args)
	if err != nil {
		return err
	}
	if invite.Secret == (api.InviteSecret{}) {
		return j.enrol(ctx, invite)
	}
	if f.writer {
		return protocol.Errorf(protocol.KindUsage, "usage: the first device of an account is an owner; --writer needs the link of an account, which `solekey device link` prints")
	}
	return j.newAccount(ctx, invite)
}

// check refuses flags that contradict each other.
func (f *joinFlags) check() error {
	back := f.recover || f.recoveryKit != ""
	switch {
	case back && f.writer:
		return protocol.Errorf(protocol.KindUsage, "usage: a recovery kit brings back an owner device; leave --writer away")
	case f.removeOthers && !back:
		return protocol.Errorf(protocol.KindUsage, "usage: --remove-others goes with --recovery-kit or --recover; otherwise use `solekey device revoke`")
	case f.writer && f.vault != "":
		return protocol.Errorf(protocol.KindUsage, "usage: a writer backs up to the vault that the approving device grants: solekey device approve --vault NAME")
	case f.timeout <= 0:
		return protocol.Errorf(protocol.KindUsage, "usage: --timeout must be longer than nothing")
	}
	return nil
}

// joining is one run of join.
type joining struct {
	*app
	flags  *joinFlags
	kept   *state.State
	secret []byte // the password, once it was asked for
	doubt  doubt
}

// once asks for the password with ask, the first time it is needed.
func (j *joining) once(ask func() ([]byte, error)) ([]byte, error) {
	if j.secret != nil {
		return j.secret, nil
	}
	secret, err := ask()
	j.secret = secret
	return secret, err
}

// access is app.access that asks for the password once.
func (j *joining) access() state.Access {
	access := j.app.access()
	access.Passphrase = func() ([]byte, error) { return j.once(j.password) }
	return access
}

// readInvite reads the invite or the link from the command line or a file. The
// plain address of a server is a link, too: a public certificate vouches for it.
func (a *app) readInvite(f *joinFlags, args []string) (api.Invite, error) {
	text := strings.Join(args, "")
	if f.inviteFile != "" {
		if len(args) > 0 {
			return api.Invite{}, protocol.Errorf(protocol.KindUsage, "usage: give the URL or --invite-file, not both")
		}
		data, err := os.ReadFile(f.inviteFile)
		if err != nil {
			return api.Invite{}, protocol.Wrap(protocol.KindUsage, err, "read --invite-file")
		}
		text = string(data)
	}
	if strings.TrimSpace(text) == "" {
		return api.Invite{}, protocol.Errorf(protocol.KindUsage, "usage: needs the invite that the server printed or the link of `solekey device link`, as URL or with --invite-file")
	}
	return parseLink(text)
}

// parseLink reads an invite, a link, or https://HOST:PORT.
func parseLink(text string) (api.Invite, error) {
	text = strings.TrimSpace(text)
	plain, https := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(text, "/")), "https://")
	if https && !strings.Contains(plain, "/") {
		text = api.Invite{Host: plain}.URL()
	}
	return api.ParseInvite(text)
}

// serverLink returns the link with which further devices of the account join: it
// carries the server's host and pin and the world that they join, and nothing that
// must be kept from anybody.
func serverLink(kept *state.State, d *state.Device) (string, error) {
	w, err := kept.World()
	if err != nil {
		return "", err
	}
	world, err := handedOut(kept, w)
	return api.Invite{Host: d.Server, Pin: d.Pin, World: world}.URL(), err
}

// accountName returns the canonical name of the account.
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
	return api.CanonicalName(name)
}

// keep writes down who this device is and its secrets.
func (j *joining) keep(d *state.Device, secrets *state.Secrets, ask func() ([]byte, error)) error {
	method, err := j.protection(j.flags.protect)
	if err != nil {
		return err
	}
	if err := j.kept.SetDevice(d); err != nil {
		return err
	}
	access := j.access()
	access.Passphrase = func() ([]byte, error) { return j.once(ask) }
	return j.kept.Protect(method, access, secrets)
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

// welcome says what the join amounts to.
func (j *joining) welcome(d *state.Device) error {
	w, err := j.kept.World()
	if err != nil {
		return err
	}
	a := j.app
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "summary", "account": d.Account, "name": d.Name, "device": d.Member,
			"role": d.Role.String(), "server": d.Server, "log": w.Log().Origin(), "world": w.Hash(),
			"witness_demanded": w.Policy().NeedsWitness(), "auditor_demanded": demandsAuditor(w.Policy()),
		})
		return j.newEnough()
	}
	a.say("This machine is now a device (%s) of account %s at %s.", d.Role, d.Name, d.Server)
	a.say("It goes by the public log %s, cosigned by %s.", w.Log().Origin(), demandWords(w))
	a.say("Back up with: solekey backup ~")
	return j.newEnough()
}

// doubt is what keeps a device that joined from knowing that it is shown the newest
// snapshots.
type doubt struct {
	Withheld   int `json:"withheld,omitempty"`   // proofs whose content the server keeps back
	Unreadable int `json:"unreadable,omitempty"` // proofs whose content does not open
}

// newEnough fails where the log proves that there is something newer than the server
// lets this device check. The device is in the account all the same.
func (j *joining) newEnough() error {
	var why []string
	if j.doubt.Withheld > 0 {
		why = append(why, plural(j.doubt.Withheld, "proof")+" of them whose content the server keeps back: it may have lost it, or hide something")
	}
	if j.doubt.Unreadable > 0 {
		why = append(why, plural(j.doubt.Unreadable, "false proof")+": a device in wrong hands made them, or the server changed what they commit to; what they stand for may be lost or hidden")
	}
	if len(why) == 0 {
		return nil
	}
	return protocol.Errorf(protocol.KindTooOld, "this device was added, and it is not proven that it is shown the newest snapshots: the public log holds %s. "+
		"Look whether the newest snapshot is the one that you expect (solekey snapshots) before you rely on it", strings.Join(why, "; and "))
}
