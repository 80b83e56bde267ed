// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
)

// errNotSent marks a failure before anything was sent.
var errNotSent = errors.New("nothing was sent")

// noteApprove is the note of an approval that the new device may not know of
// yet.
const noteApprove = "approve"

// approval is what the new device is told. None of it is secret: the server is
// told the same.
type approval struct {
	Request      protocol.RequestID `json:"request"`
	Device       protocol.MemberID  `json:"device"`
	Role         protocol.Role      `json:"role"`
	Answer       string             `json:"answer"`
	Confirmation []byte             `json:"confirmation,omitempty"`
}

// noteApproval remembers an approval; nil forgets it.
func (s *session) noteApproval(told *approval) error {
	if told == nil {
		return s.state.SetNote(noteApprove, nil)
	}
	data, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return s.state.SetNote(noteApprove, data)
}

// finishApproval completes an approval that was cut off, and reports whether
// there was one. Where the ledger does not have the device, there is nothing to
// complete.
func (s *session) finishApproval(ctx context.Context) (bool, error) {
	data, err := s.state.Note(noteApprove)
	if protocol.KindOf(err) == protocol.KindNotFound || err == nil && len(data) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	told := new(approval)
	if err := json.Unmarshal(data, told); err != nil {
		return false, protocol.Wrap(protocol.KindUntrusted, err, "read the approval that was begun")
	}
	synced, err := s.editor().sync(ctx)
	if err != nil {
		return false, err
	}
	if m, err := synced.Member(told.Device); err != nil || !m.Present() {
		return false, s.noteApproval(nil)
	}
	s.a.show("An approval that was begun before is completed first.")
	return true, s.tellApproved(ctx, told)
}

// tellApproved tells the new device that it was added, and the user what to type
// there. The code is shown also where the server does not pass the word on: the
// new device can ask the ledger by itself.
func (s *session) tellApproved(ctx context.Context, told *approval) error {
	err := s.member.Decide(ctx, told.Request, true, told.Confirmation)
	late := client.RefusalOf(err) != nil
	if err != nil && !late {
		return protocol.Wrap(protocol.KindOf(err), err, "the device was added, but could not be told so; `solekey device approve` run again goes on")
	}
	if err := s.noteApproval(nil); err != nil {
		return err
	}
	answer := ""
	if late || len(told.Confirmation) == 0 {
		answer = told.Answer
	}
	if s.a.flags.json {
		m := map[string]any{"message_type": "summary", "device": told.Device, "role": told.Role.String()}
		if answer != "" {
			m["answer"] = answer
		}
		s.a.emit(m)
		return nil
	}
	s.a.say("Device %s was added as %s.", told.Device.String()[:shortID], told.Role)
	if answer != "" {
		s.a.say("Type this code on the new device:\n\n  %s\n", answer)
	}
	return nil
}
