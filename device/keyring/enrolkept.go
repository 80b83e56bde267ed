// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// labelKept is the label under which a kept enrolment remembers by which
// confirmation it will know the approver.
const labelKept = "solekey/v1/enrolment/kept"

// keptPart is a new device's side after Challenged, as Keep writes it. It holds
// no secret: of the confirmation only a hash.
//
// Growth: as revealPart.
type keptPart struct {
	Version      uint64            `cbor:"1,keyasint"`
	Newcomer     protocol.MemberID `cbor:"2,keyasint"`
	Role         protocol.Role     `cbor:"3,keyasint"`
	World        challengePart     `cbor:"4,keyasint"`
	Transcript   protocol.Hash     `cbor:"5,keyasint"`
	Confirmation protocol.Hash     `cbor:"6,keyasint"`
}

// Keep returns what ResumeNewcomer goes on from when this process ends before
// the approval came. It is possible after Challenged, and must be durable before
// the reveal is sent: from then on the approver may add this device. Where this
// device keeps it nobody else may write.
func (n *Newcomer) Keep() ([]byte, error) {
	if n.stage != stageMet {
		return nil, protocol.Errorf(protocol.KindInternal, "enrolment: there is nothing to keep at this stage")
	}
	return canonical.MustMarshal(keptPart{
		Version: protocol.FormatVersion, Newcomer: n.self, Role: n.part.Role,
		World: n.world, Transcript: n.seen, Confirmation: n.confirm,
	}), nil
}

// ResumeNewcomer returns the new device's side as Keep left it: CheckAnswer or
// CheckConfirmation comes next. Where a user mistyped the answer, resuming gives
// another attempt; this is safe, because what must be typed was fixed before.
func ResumeNewcomer(kept []byte, self *keys.MemberKeys) (*Newcomer, error) {
	var k keptPart
	if err := canonical.Unmarshal(kept, maxEnrolPart, &k); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "resume enrolment")
	}
	if k.Version != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "resume enrolment: version %d is not known here", k.Version)
	}
	if k.Newcomer != self.ID() {
		return nil, protocol.Errorf(protocol.KindUntrusted, "resume enrolment: it is another device's")
	}
	part := revealPart{Version: protocol.FormatVersion, Keys: *self, Role: k.Role}
	return &Newcomer{self: k.Newcomer, part: part, world: k.World, seen: k.Transcript, confirm: k.Confirmation, stage: stageMet}, nil
}

// keptConfirmation returns what is kept of a confirmation.
func keptConfirmation(confirmation protocol.Hash) protocol.Hash {
	return labelled(labelKept, confirmation[:])
}

// Answer returns the code by which the new device knows this approver, once the
// new device proved itself, whichever way; "" before. ConfirmShort returned it
// already; after ConfirmLong it is for a new device that the confirmation cannot
// reach any more.
func (a *Approval) Answer() string {
	if a.stage != stageChecked {
		return ""
	}
	return shortCode(labelAnswer, a.seen)
}
