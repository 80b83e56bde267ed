// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// approveFlags are the flags of device approve.
type approveFlags struct {
	request, name, vault string
	timeout              time.Duration
}

func newDeviceApprove(a *app) *cobra.Command {
	f := &approveFlags{}
	c := &cobra.Command{
		Use: "approve [flags] [LONG-CODE]", Short: "Add a device that asks to join",
		Long: "Approve takes on the request of a new device. Type the code that the new device shows; this device\n" +
			"then shows a code to type there. Both codes cover the keys of both devices, the account and the\n" +
			"server: if anybody stands between, they differ. There is one attempt.\n\n" +
			"With the LONG-CODE that the new device shows, nothing needs to be compared. Give it only if you\n" +
			"read it off the new device yourself.",
		Example: "  solekey device approve\n  solekey device approve ABCDEF-...\n  echo ABCD-EFGH | solekey device approve --request 4be1a2c7",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.approve(c.Context(), f, strings.Join(args, "")) })
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.request, "request", "", "which request, as solekey device list shows it (default: the newest)")
	fl.StringVar(&f.name, "name", "", "name to give a writer device (an owner device names itself)")
	fl.StringVar(&f.vault, "vault", "", "name of the vault that a writer may add to (default: the one this device backs up to)")
	fl.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long to wait for a device to ask, and to answer")
	return c
}

// approving is one request that this device takes on.
type approving struct {
	*session
	flags   *approveFlags
	request api.Enrolment
	side    *keyring.Approval
	until   time.Time
}

func (s *session) approve(ctx context.Context, f *approveFlags, long string) error {
	if err := s.mustOwn(); err != nil {
		return err
	}
	if long != "" && !keyring.IsLongCode(long) {
		return protocol.Errorf(protocol.KindUsage, "the long code is incomplete or mistyped; nothing was approved")
	}
	if done, err := s.finishApproval(ctx); done || err != nil {
		return err
	}
	until := time.Now().Add(f.timeout)
	requests, err := s.requests(ctx, f, until)
	if err != nil {
		return err
	}
	if long == "" {
		if len(requests) > 1 {
			s.a.warn("%d devices ask to join; this is about the newest request (%s), --request names another", len(requests), requests[0].Enrolment.String()[:shortID])
		}
		p := &approving{session: s, flags: f, request: requests[0], until: until}
		return p.byCode(ctx)
	}
	return s.approveLong(ctx, f, requests, long)
}

// approveLong finds the request that the long code belongs to. A request that it
// does not fit is denied: each is good for one attempt.
func (s *session) approveLong(ctx context.Context, f *approveFlags, requests []api.Enrolment, long string) error {
	var last error
	for _, request := range requests {
		p := &approving{session: s, flags: f, request: request, until: time.Now().Add(min(f.timeout, 20*time.Second))}
		if len(requests) == 1 {
			p.until = time.Now().Add(f.timeout)
		}
		last = p.byLongCode(ctx, long)
		if kind := protocol.KindOf(last); kind != protocol.KindWrongSecret && kind != protocol.KindWaiting && kind != protocol.KindConflict {
			return last
		}
	}
	return last
}

// requests returns what can be approved, newest first, and waits until there is
// something.
func (s *session) requests(ctx context.Context, f *approveFlags, until time.Time) ([]api.Enrolment, error) {
	for {
		open, err := s.member.Enrolments(ctx)
		if err != nil {
			return nil, err
		}
		var fit []api.Enrolment
		for _, e := range open {
			if e.State == api.EnrolmentWaiting && (f.request == "" || isPrefix(strings.ToLower(f.request), e.Enrolment.String())) {
				fit = append(fit, e)
			}
		}
		sort.SliceStable(fit, func(i, j int) bool { return fit[i].Created > fit[j].Created })
		if len(fit) > 0 {
			return fit, nil
		}
		if f.request != "" || !time.Now().Before(until) {
			return nil, protocol.Errorf(protocol.KindNotFound, "no device asks to join that could be approved; run `solekey join` on it, with the link of `solekey device link`")
		}
		if s.a.onTerminal() {
			s.a.progress("waiting for a device that asks to join")
		}
		if err := pauseUntil(ctx, time.Now().Add(time.Second)); err != nil {
			return nil, err
		}
	}
}

// meet challenges the new device and takes in what it reveals.
func (p *approving) meet(ctx context.Context) error {
	synced, err := p.editor().admit(ctx)
	if err != nil {
		return err
	}
	world, err := p.state.World()
	if err != nil {
		return err
	}
	joins, err := handedOut(p.state, world)
	if err != nil {
		return err
	}
	p.side, err = keyring.NewApproval(p.device.Member, synced, api.ServerName(p.device.Server, p.device.Pin), joins, p.request.Commitment)
	if err != nil {
		return err
	}
	if err := p.member.Challenge(ctx, p.request.Enrolment, p.side.Challenge()); err != nil {
		return err
	}
	revealed, err := p.a.awaitEnrolment(ctx, awaiting{
		what: "waiting for the new device", until: p.until, seen: api.EnrolmentChallenged,
		ask: func(ctx context.Context, wait time.Duration) (*api.Enrolment, error) {
			return p.member.Enrolment(ctx, p.request.Enrolment, api.EnrolmentChallenged, wait)
		},
	})
	if err != nil {
		return err
	}
	if revealed.State != api.EnrolmentRevealed {
		return protocol.Errorf(protocol.KindConflict, "the request is %s already; nothing was added", revealed.State)
	}
	return p.side.Revealed(revealed.Reveal)
}

// byCode approves by the short code that the user types.
func (p *approving) byCode(ctx context.Context) error {
	if err := p.meet(ctx); err != nil {
		return p.deny(ctx, err)
	}
	p.tell("asks", map[string]any{"request": p.request.Enrolment, "role": p.side.Role().String(), "asked": p.request.Created.String()},
		"A device asks to join as %s (request %s, since %s).\n%s",
		p.side.Role(), p.request.Enrolment.String()[:shortID], moment(p.request.Created), roleWords(p.side.Role()))
	typed, err := p.a.readLine("Type the code that it shows (XXXX-XXXX), or nothing to deny: ")
	if err != nil {
		return p.deny(ctx, err)
	}
	if _, err := p.side.ConfirmShort(typed); err != nil {
		return p.deny(ctx, codesDiffer(err))
	}
	return p.add(ctx, nil)
}

// byLongCode approves by the code that was read off the new device.
func (p *approving) byLongCode(ctx context.Context, long string) error {
	if err := p.meet(ctx); err != nil {
		return p.deny(ctx, err)
	}
	confirmation, err := p.side.ConfirmLong(long)
	if err != nil {
		return p.deny(ctx, codesDiffer(err))
	}
	return p.add(ctx, confirmation)
}

// codesDiffer says what another code may mean.
func codesDiffer(err error) error {
	if protocol.KindOf(err) != protocol.KindWrongSecret {
		return err
	}
	return protocol.Wrap(protocol.KindWrongSecret, err, "either it was mistyped, or the two devices were not shown the same keys, account, server and public log: "+
		"join with the link of `solekey device link`; if the codes differ again, somebody stands between the two")
}

// roleWords says what a role means, for who must decide.
func roleWords(role protocol.Role) string {
	if role == protocol.RoleWriter {
		return "A writer can back up to one vault, and read nothing back."
	}
	return "An owner can read and change everything in the account."
}

// deny ends the request after a failure, so that nobody waits for it.
func (p *approving) deny(ctx context.Context, cause error) error {
	if protocol.KindOf(cause) == protocol.KindConflict || protocol.KindOf(cause) == protocol.KindUnreachable {
		return cause // it is over already, or cannot be told
	}
	// The cause counts; a request that is not denied expires.
	_ = p.member.Decide(context.WithoutCancel(ctx), p.request.Enrolment, false, nil)
	return protocol.Wrap(protocol.KindOf(cause), cause, "the request was denied and nothing was added")
}

// add writes the new device into the ledger, with what its role needs, and tells
// it so. What must be told is durable before the ledger changes.
func (p *approving) add(ctx context.Context, confirmation []byte) error {
	k, err := p.side.Newcomer()
	if err != nil {
		return p.deny(ctx, err)
	}
	told := &approval{
		Request: p.request.Enrolment, Device: k.ID(), Role: p.side.Role(), Answer: p.side.Answer(), Confirmation: confirmation,
	}
	if err := p.noteApproval(told); err != nil {
		return p.deny(ctx, err)
	}
	_, err = p.editor().edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) error { return p.draft(ring, d, k) })
	switch {
	case err == nil:
		return p.tellApproved(ctx, told)
	case refused(err), errors.Is(err, errNotSent):
		return errors.Join(p.deny(ctx, err), p.noteApproval(nil))
	}
	return protocol.Wrap(protocol.KindOf(err), err, "whether the device was added is not known; `solekey device approve` run again goes on")
}

// draft drafts what adds the new device.
func (p *approving) draft(ring *keyring.Ring, d *keyring.Draft, k *keys.MemberKeys) error {
	if _, err := ring.State().Member(k.ID()); err == nil {
		return nil // an answer was lost: it is there
	}
	if p.side.Role() == protocol.RoleOwner {
		return d.AddOwner(k)
	}
	vault, err := p.granted(ring)
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), errors.Join(err, errNotSent), "grant the writer its vault")
	}
	if err := d.AddWriter(k, []*keyring.VaultSecrets{vault}); err != nil || p.flags.name == "" {
		return err
	}
	return d.NameMember(k.ID(), p.flags.name)
}

// granted opens the vault that a writer may add to.
func (p *approving) granted(ring *keyring.Ring) (*keyring.VaultSecrets, error) {
	id := p.device.BackupVault
	if p.flags.vault != "" || id.IsZero() {
		var err error
		if id, err = findVault(ring, p.flags.vault); err != nil {
			return nil, err
		}
	}
	return ring.Vault(id)
}

// tell says how far the approval is; the codes go to stderr for people.
func (p *approving) tell(step string, fields map[string]any, format string, args ...any) {
	if p.a.flags.json {
		fields["message_type"], fields["step"] = "status", step
		p.a.emit(fields)
		return
	}
	p.a.show(format, args...)
}

// presentDevices counts the devices of an account.
func presentDevices(of *ledger.State) (owners, writers, recovery int) {
	for _, m := range of.AllMembers() {
		switch {
		case !m.Present():
		case m.Kind == ledger.KindRecovery:
			recovery++
		case m.Role == protocol.RoleOwner:
			owners++
		default:
			writers++
		}
	}
	return owners, writers, recovery
}
