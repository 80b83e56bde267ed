// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// noteJoin is the note of a join that is not finished. It is written before
// anything else and removed last, so that whatever was cut off is completed or
// undone by the next join. It holds no secret of the account.
const noteJoin = "join"

// pendingJoin says how far a join is. At most one part is set; none means that
// nothing was sent which would have to be remembered.
type pendingJoin struct {
	Kit     *writtenKit        `json:"kit,omitempty"`     // written for a new account
	New     *api.CreateAccount `json:"new,omitempty"`     // what opens the account
	Enrol   *pendingEnrol      `json:"enrol,omitempty"`   // what the approver may add at any moment
	Recover *pendingRecover    `json:"recover,omitempty"` // what the recovery key adds
	Label   string             `json:"label,omitempty"`   // the device's name
	Vault   string             `json:"vault,omitempty"`   // name of the vault to back up to
}

// writtenKit is a recovery kit in a file that is void until the account is open.
type writtenKit struct {
	Path   string            `json:"path"`
	Member protocol.MemberID `json:"member"` // the recovery key's
}

// pendingJoinOf returns the join that was begun, nil where there is none.
func pendingJoinOf(kept *state.State) (*pendingJoin, error) {
	data, err := kept.Note(noteJoin)
	if err != nil || len(data) == 0 {
		if protocol.KindOf(err) == protocol.KindNotFound {
			err = nil
		}
		return nil, err
	}
	p := new(pendingJoin)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "read the join that was begun")
	}
	return p, nil
}

// note remembers how far this join is; nil says that it is finished.
func (j *joining) note(p *pendingJoin) error {
	if p == nil {
		return j.kept.SetNote(noteJoin, nil)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return j.kept.SetNote(noteJoin, data)
}

// refused reports whether the server answered that it did not do what it was asked.
// A server, or what stands before it, that fails says nothing of the kind: it may
// have done it.
func refused(err error) bool {
	switch protocol.KindOf(err) {
	case protocol.KindTooMany, protocol.KindUnreachable, protocol.KindBusy, protocol.KindInternal:
		return false
	}
	return client.RefusalOf(err) != nil
}

// undo forgets a join of which nothing stands at the provider. While an alarm stands
// the join is kept with all that was shown, until its user took note of it or gives
// the join up.
func (j *joining) undo(cause error) error {
	alarm, err := j.kept.StandingAlarm()
	if err != nil {
		return errors.Join(cause, err)
	}
	if alarm != nil && !j.flags.discard {
		if cause == nil {
			cause = protocol.Errorf(protocol.KindUntrusted, "a join that was begun before raised an alarm: %s. Take note of it (solekey log alarms) and join again, or give up: solekey join --discard", alarm.Text)
		}
		return cause
	}
	p, err := pendingJoinOf(j.kept)
	if err == nil && p != nil && p.Kit != nil {
		err = p.Kit.remove()
	}
	return errors.Join(cause, err, j.kept.Forget())
}

// resume completes a join that was cut off, and reports whether this is all
// there is to do. Where nothing of it stands at the provider it is undone.
func (j *joining) resume(ctx context.Context) (done bool, err error) {
	p, err := pendingJoinOf(j.kept)
	if p == nil || err != nil {
		return false, err
	}
	switch {
	case p.New != nil:
		return true, j.openAccount(ctx, p.New)
	case p.Enrol != nil:
		return j.resumeEnrol(ctx, p)
	case p.Recover != nil:
		return j.resumeRecovery(ctx, p)
	}
	return false, j.undo(nil)
}

// mustBeFinished refuses to use a device whose join is not finished: its account
// may not be the one that its user means.
func mustBeFinished(kept *state.State) error {
	p, err := pendingJoinOf(kept)
	if p == nil || err != nil {
		return err
	}
	return protocol.Errorf(protocol.KindWaiting, "the join of this device is not finished: run `solekey join` again; it goes on where it stopped")
}
