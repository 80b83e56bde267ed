// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// pendingEnrol is an enrolment whose reveal may have been sent: from then on the
// approver may add this device.
type pendingEnrol struct {
	Enrolment protocol.RequestID `json:"enrolment"`
	Session   *api.Session       `json:"session"`
	Kept      []byte             `json:"kept"` // see keyring.Newcomer.Keep
}

// enrolling is one attempt of this machine to become a further device.
type enrolling struct {
	*joining
	client   *client.Client
	newcomer *client.Newcomer
	self     *keys.MemberSecrets
	side     *keyring.Newcomer
	device   *state.Device
	world    *directory.World
	id       protocol.RequestID
	until    time.Time
}

// enrol makes this machine a further device of an account, by its password and
// the approval of an owner device.
func (j *joining) enrol(ctx context.Context, link api.Invite) error {
	name, err := j.accountName(j.flags)
	if err != nil {
		return err
	}
	password, err := j.once(j.password)
	if err != nil {
		return err
	}
	c, err := j.dial(link.Host, link.Pin)
	if err != nil {
		return err
	}
	defer c.Close()
	newcomer, err := c.Login(ctx, name, password)
	if protocol.KindOf(err) == protocol.KindUntrusted && link.Pin == (api.Pin{}) {
		return protocol.Wrap(protocol.KindUntrusted, err, "sign in as %s: this address does not say how to recognise the server; nothing was changed. Use the link that `solekey device link` prints on a device of the account", name)
	}
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "sign in as %s; nothing was changed", name)
	}
	e := j.enrolling(c, newcomer)
	e.self = keys.GenerateMemberSecrets()
	e.device = &state.Device{
		Account: newcomer.Account(), Server: link.Host, Pin: link.Pin, Name: name, Member: e.self.ID(),
		Role: protocol.RoleOwner, Created: j.now(),
	}
	if j.flags.writer {
		e.device.Role = protocol.RoleWriter
	}
	if e.world, err = j.world(ctx, c, link.World); err != nil {
		return err
	}
	e.side = keyring.NewNewcomer(e.self.Public(), e.device.Role, link.Server(), e.world.Hash())
	return e.ask(ctx)
}

func (j *joining) enrolling(c *client.Client, newcomer *client.Newcomer) *enrolling {
	return &enrolling{joining: j, client: c, newcomer: newcomer, until: time.Now().Add(j.flags.timeout)}
}

// ask asks to be enrolled and waits until an owner device takes the request on.
func (e *enrolling) ask(ctx context.Context) error {
	asked, err := e.newcomer.Enrol(ctx, e.side.Commitment())
	if err != nil {
		return err
	}
	e.id = asked.Enrolment
	e.tell("waiting", map[string]any{"request": e.id, "long_code": e.side.LongCode()},
		"This machine asks to become a device (%s) of account %s. On an owner device run one of:\n\n"+
			"  solekey device approve                 and compare codes\n"+
			"  solekey device approve %s\n", e.device.Role, e.device.Name, grouped(e.side.LongCode()))
	e.showQR(e.side.LongCode())
	challenged, err := e.wait(ctx, api.EnrolmentWaiting, "waiting for an owner device")
	if err != nil {
		return err
	}
	if challenged.State != api.EnrolmentChallenged {
		return e.ended(challenged.State)
	}
	return e.reveal(ctx, challenged.Challenge)
}

// reveal answers the challenge. All that is needed to go on is durable before
// the answer leaves, because it is what the approver adds.
func (e *enrolling) reveal(ctx context.Context, challenge []byte) error {
	entries, objects, err := e.newcomer.Ledger(ctx, 0)
	if err != nil {
		return err
	}
	folded, err := ledger.Fold(entries, nil)
	if err != nil {
		return err
	}
	reveal, err := e.side.Challenged(challenge, folded)
	if err != nil {
		return err
	}
	if err := e.remember(folded, entries, objects); err != nil {
		return e.undo(err)
	}
	if err := e.newcomer.Reveal(ctx, e.id, reveal); err != nil {
		if refused(err) {
			return e.undo(err)
		}
		return err
	}
	return e.outcome(ctx)
}

// remember writes down this device, its keys and the attempt.
func (e *enrolling) remember(folded *ledger.State, entries []*ledger.Entry, objects [][]byte) error {
	kept, err := e.side.Keep()
	if err != nil {
		return err
	}
	if err := e.note(&pendingJoin{}); err != nil {
		return err
	}
	e.device.Account = folded.Account()
	if err := e.keep(e.device, &state.Secrets{Member: e.self}, e.password); err != nil {
		return err
	}
	if err := e.kept.SetWorld(e.world); err != nil {
		return err
	}
	if _, err := e.kept.AppendLedger(entries, objects); err != nil {
		return err
	}
	return e.note(e.pending(kept))
}

func (e *enrolling) pending(kept []byte) *pendingJoin {
	return &pendingJoin{
		Label: e.flags.deviceName, Vault: e.flags.vault,
		Enrol: &pendingEnrol{Enrolment: e.id, Session: e.newcomer.Session(), Kept: kept},
	}
}

// outcome shows the short code and waits for the approval.
func (e *enrolling) outcome(ctx context.Context) error {
	e.tell("revealed", map[string]any{"short_code": e.side.ShortCode()},
		"If the owner device asks for a code, type this one there:\n\n  %s\n", e.side.ShortCode())
	ended, err := e.wait(ctx, api.EnrolmentRevealed, "waiting for the approval")
	if err != nil {
		return err
	}
	switch ended.State {
	case api.EnrolmentApproved:
		if err := e.check(ended); err != nil {
			return err
		}
		return e.added(ctx, e.newcomer)
	case api.EnrolmentExpired:
		return e.expired(ctx, e.ended(ended.State))
	}
	return e.undo(e.ended(ended.State))
}

// expired undoes an attempt that was never approved. An approver that was cut off
// may have added this device without saying so: then its own key tells.
func (e *enrolling) expired(ctx context.Context, why error) error {
	err := e.member().SignIn(ctx)
	switch protocol.KindOf(err) {
	case "":
		return e.afterSession(ctx)
	case protocol.KindDenied:
		return e.undo(why)
	}
	return err
}

// member is this device, once it was added.
func (e *enrolling) member() *client.Member {
	return e.client.As(e.device.Account, e.self, e.kept)
}

// check makes sure that who approved is the device that the user means: by its
// confirmation where the long code was used, else by the code that it shows.
func (e *enrolling) check(approved *api.Enrolment) error {
	if len(approved.Confirmation) > 0 {
		if err := e.side.CheckConfirmation(approved.Confirmation); err != nil {
			return e.undo(protocol.Wrap(protocol.KindUntrusted, err, "the server says that this device was approved, but nobody who has its code did that; the join was undone"))
		}
		return nil
	}
	e.tell("approved", map[string]any{"wants": "answer"}, "Approved. The owner device now shows a code of its own.")
	typed, err := e.readLine("Type the code that the owner device shows: ")
	if err == nil {
		err = e.side.CheckAnswer(typed)
	}
	if err == nil {
		return nil
	}
	return protocol.Wrap(protocol.KindOf(err), err,
		"this device cannot tell yet whether it was the right account that approved it, and does not use it; "+
			"`solekey join` run again asks for the code once more, `solekey join --discard` gives up "+
			"(then remove the device on the owner device: solekey device revoke %s)", e.device.Member.String()[:shortID])
}

// added verifies the ledger that has this device, and finishes.
func (e *enrolling) added(ctx context.Context, source trust.Source) error {
	if err := demandOwn(e.client, e.kept); err != nil {
		return err
	}
	t, err := e.beliefs(e.kept, source, e.device.Member)
	if err != nil {
		return err
	}
	out, err := t.Sync(ctx)
	if err != nil {
		return err
	}
	if err := e.side.CheckAdded(out.State); err != nil {
		return err
	}
	if e.device.Role == protocol.RoleOwner {
		if err := e.howNew(ctx, t, out, e.editor(e.kept, e.member(), e.self)); err != nil {
			return err
		}
	}
	p, err := pendingJoinOf(e.kept)
	if err != nil {
		return err
	}
	return e.finish(ctx, e.client, p, e.self)
}

// ended says how an enrolment ended that was not approved.
func (e *enrolling) ended(state api.EnrolmentState) error {
	switch state {
	case api.EnrolmentDenied:
		return protocol.Errorf(protocol.KindWrongSecret, "the owner device denied the request; nothing was added, join again to ask anew")
	case api.EnrolmentExpired:
		return protocol.Errorf(protocol.KindWaiting, "the request expired before an owner device approved it; nothing was added, join again to ask anew")
	}
	return protocol.Errorf(protocol.KindUntrusted, "the server calls the request %s before its turn; nothing was added, join again to ask anew", state)
}

// wait waits until the enrolment leaves a state.
func (e *enrolling) wait(ctx context.Context, seen api.EnrolmentState, what string) (*api.Enrolment, error) {
	return e.app.awaitEnrolment(ctx, awaiting{
		what: what, until: e.until,
		ask: func(ctx context.Context, wait time.Duration) (*api.Enrolment, error) {
			return e.newcomer.Enrolment(ctx, e.id, seen, wait)
		},
		seen: seen,
	})
}

// tell says how far the join is: an object for programs, words for people on
// stderr, since stdout is for what the join amounts to.
func (e *enrolling) tell(step string, fields map[string]any, format string, args ...any) {
	if e.app.flags.json {
		fields["message_type"], fields["step"] = "status", step
		e.emit(fields)
		return
	}
	e.clearProgress()
	e.show(format, args...)
}

// resumeEnrol goes on with an enrolment that was cut off.
func (j *joining) resumeEnrol(ctx context.Context, p *pendingJoin) (bool, error) {
	device, err := j.kept.Device()
	if err != nil {
		return false, j.undo(nil)
	}
	if j.flags.discard {
		return true, j.undo(nil)
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
	newcomer, err := c.Resume(p.Enrol.Session)
	if err != nil {
		return false, err
	}
	e := j.enrolling(c, newcomer)
	e.self, e.device, e.id = secrets.Member, device, p.Enrol.Enrolment
	if e.side, err = keyring.ResumeNewcomer(p.Enrol.Kept, e.self.Public()); err != nil {
		return false, err
	}
	return e.goOn(ctx)
}

// goOn waits for the outcome as if nothing had happened, and reports whether this
// is all there is to do. The session of the password is good for minutes; after
// it the device's own key tells whether it was added.
func (e *enrolling) goOn(ctx context.Context) (bool, error) {
	err := e.outcome(ctx)
	if client.RefusalOf(err) == nil || protocol.KindOf(err) != protocol.KindDenied {
		return true, err
	}
	err = e.expired(ctx, nil)
	if p, read := pendingJoinOf(e.kept); err == nil && read == nil && p == nil {
		if _, none := e.kept.Device(); none != nil {
			e.warn("a join that was begun before was never approved; it was undone")
			return false, nil
		}
	}
	return true, err
}

// afterSession checks an approval that nobody but the device itself can ask about
// any more.
func (e *enrolling) afterSession(ctx context.Context) error {
	approved := &api.Enrolment{State: api.EnrolmentApproved}
	if e.device.Role == protocol.RoleOwner {
		if known, err := e.member().Enrolment(ctx, e.id, api.EnrolmentRevealed, 0); err == nil {
			approved = known
		}
	}
	if err := e.check(approved); err != nil {
		return err
	}
	return e.added(ctx, e.member())
}
