// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// resumed returns the new device's side as another process would find it.
func (e *enrolling) resumed() *Newcomer {
	e.t.Helper()
	kept, err := e.new.Keep()
	mustEnrol(e.t, err)
	n, err := ResumeNewcomer(kept, e.device.Public())
	mustEnrol(e.t, err)
	return n
}

func TestResumedNewcomer(t *testing.T) {
	e := newEnrolling(t).met()
	code := e.new.ShortCode()
	if got := e.resumed().ShortCode(); got != code {
		t.Errorf("the resumed side shows %q, want %q", got, code)
	}
	answer, err := e.approve.ConfirmShort(code)
	mustEnrol(t, err)
	if e.approve.Answer() != answer {
		t.Errorf("the approver's answer is %q, then %q", answer, e.approve.Answer())
	}
	wantEnrolKind(t, e.resumed().CheckAnswer("AAAA-AAAA"), protocol.KindWrongSecret)
	n := e.resumed() // a slip of the finger costs nothing
	mustEnrol(t, n.CheckAnswer(answer))
	wantEnrolKind(t, n.CheckAdded(e.state()), protocol.KindUntrusted)
	n = e.resumed()
	mustEnrol(t, n.CheckAnswer(answer))
	k, err := e.approve.Newcomer()
	mustEnrol(t, err)
	mustEnrol(t, e.draft.AddOwner(k))
	mustEnrol(t, n.CheckAdded(e.state()))
}

func TestResumedNewcomerTakesConfirmation(t *testing.T) {
	e := newEnrolling(t).met()
	if e.approve.Answer() != "" {
		t.Error("an answer before the new device proved itself")
	}
	confirmation, err := e.approve.ConfirmLong(e.new.LongCode())
	mustEnrol(t, err)
	wrong := append([]byte(nil), confirmation...)
	wrong[0] ^= 1
	wantEnrolKind(t, e.resumed().CheckConfirmation(wrong), protocol.KindUntrusted)
	wantEnrolKind(t, e.resumed().CheckConfirmation(nil), protocol.KindUntrusted)
	mustEnrol(t, e.resumed().CheckConfirmation(confirmation))
	mustEnrol(t, e.resumed().CheckAnswer(e.approve.Answer()))
}

func TestKeepRefuses(t *testing.T) {
	e := newEnrolling(t)
	if _, err := e.new.Keep(); err == nil {
		t.Error("an enrolment was kept before there was anything to keep")
	}
	e.met()
	kept, err := e.new.Keep()
	mustEnrol(t, err)
	_, err = ResumeNewcomer(kept, keys.GenerateMemberSecrets().Public())
	wantEnrolKind(t, err, protocol.KindUntrusted)
	for _, damaged := range [][]byte{nil, kept[:len(kept)-1], append(append([]byte(nil), kept...), 0)} {
		_, err = ResumeNewcomer(damaged, e.device.Public())
		wantEnrolKind(t, err, protocol.KindUntrusted)
	}
	newer := append([]byte(nil), kept...)
	newer[2] = 2 // the version
	_, err = ResumeNewcomer(newer, e.device.Public())
	wantEnrolKind(t, err, protocol.KindUnsupported)
}

func TestIsLongCode(t *testing.T) {
	code := newEnrolling(t).new.LongCode()
	for typed, want := range map[string]bool{code: true, code[:30] + "-" + code[30:]: true, code[1:]: false, "": false, "AAAA-AAAA": false} {
		if IsLongCode(typed) != want {
			t.Errorf("IsLongCode(%q) is not %v", typed, want)
		}
	}
}

func TestRemoveDevicesMakesOneSetOfKeys(t *testing.T) {
	self := keys.GenerateMemberSecrets()
	d, err := Create(self, 1)
	mustEnrol(t, err)
	mustEnrol(t, d.Rotate())
	vault, err := d.CreateVault(protocol.CategoryBackups)
	mustEnrol(t, err)
	var gone []protocol.MemberID
	for range 3 {
		k := keys.GenerateMemberSecrets()
		mustEnrol(t, d.AddOwner(k.Public()))
		gone = append(gone, k.ID())
	}
	ring, err := d.Ring()
	mustEnrol(t, err)
	secrets, err := ring.Vault(vault)
	mustEnrol(t, err)
	mustEnrol(t, d.RemoveDevices(gone, []ledger.VaultHead{{Vault: vault}}, []*VaultSecrets{secrets}))
	state := d.Batch().State
	v, err := state.Vault(vault)
	mustEnrol(t, err)
	if state.Epoch() != 2 || v.Epoch() != 2 || state.RotationDue() || v.RotationDue() {
		t.Errorf("account epoch %d, vault epoch %d, due %v %v", state.Epoch(), v.Epoch(), state.RotationDue(), v.RotationDue())
	}
	if n := len(state.Holders()); n != 1 {
		t.Errorf("%d holders, want 1", n)
	}
	ring, err = d.Ring()
	mustEnrol(t, err)
	if _, err := ring.Vault(vault); err != nil {
		t.Errorf("the vault does not open any more: %v", err)
	}
}
