// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// enrolling is an account with an owner device, and a new device.
type enrolling struct {
	t       *testing.T
	owner   *keys.MemberSecrets
	draft   *Draft
	device  *keys.MemberSecrets
	new     *Newcomer
	approve *Approval
}

const someServer = "pin:00"

var someWorld = protocol.Hash{1}

func mustEnrol(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantEnrolKind(t *testing.T, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Fatalf("error of kind %q, want %q: %v", protocol.KindOf(err), kind, err)
	}
}

func newEnrolling(t *testing.T) *enrolling {
	t.Helper()
	e := &enrolling{t: t, owner: keys.GenerateMemberSecrets(), device: keys.GenerateMemberSecrets()}
	var err error
	e.draft, err = Create(e.owner, 1)
	mustEnrol(t, err)
	mustEnrol(t, e.draft.Rotate())
	e.new = NewNewcomer(e.device.Public(), protocol.RoleOwner, someServer, someWorld)
	e.approve, err = NewApproval(e.owner.ID(), e.state(), someServer, someWorld, e.new.Commitment())
	mustEnrol(t, err)
	return e
}

func (e *enrolling) state() *ledger.State { return e.draft.Batch().State }

// met runs the steps until both sides know each other's parts.
func (e *enrolling) met() *enrolling {
	e.t.Helper()
	reveal, err := e.new.Challenged(e.approve.Challenge(), e.state())
	mustEnrol(e.t, err)
	mustEnrol(e.t, e.approve.Revealed(reveal))
	return e
}

func TestEnrolByShortCodes(t *testing.T) {
	e := newEnrolling(t).met()
	code := e.new.ShortCode()
	if len(code) != 9 || code[4] != '-' || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-") != "" {
		t.Fatalf("short code %q", code)
	}
	_, err := e.approve.Newcomer()
	wantEnrolKind(t, err, protocol.KindConflict) // not before the code
	answer, err := e.approve.ConfirmShort(strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	mustEnrol(t, err)
	if answer == code {
		t.Fatal("the answer is the code: who sees one knows the other")
	}
	added, err := e.approve.Newcomer()
	mustEnrol(t, err)
	if added.ID() != e.device.ID() || e.approve.Role() != protocol.RoleOwner {
		t.Fatal("another device would be added")
	}
	mustEnrol(t, e.draft.AddOwner(added))
	mustEnrol(t, e.new.CheckAnswer(answer))
	mustEnrol(t, e.new.CheckAdded(e.state()))
}

func TestEnrolByLongCode(t *testing.T) {
	e := newEnrolling(t).met()
	confirmation, err := e.approve.ConfirmLong(e.new.LongCode())
	mustEnrol(t, err)
	added, err := e.approve.Newcomer()
	mustEnrol(t, err)
	mustEnrol(t, e.draft.AddOwner(added))
	mustEnrol(t, e.new.CheckConfirmation(confirmation))
	mustEnrol(t, e.new.CheckAdded(e.state()))
}

func TestEnrolHasOneAttempt(t *testing.T) {
	t.Run("short code", func(t *testing.T) {
		e := newEnrolling(t).met()
		_, err := e.approve.ConfirmShort("AAAA-AAAA")
		wantEnrolKind(t, err, protocol.KindWrongSecret)
		_, err = e.approve.ConfirmShort(e.new.ShortCode())
		wantEnrolKind(t, err, protocol.KindConflict)
		_, err = e.approve.Newcomer()
		wantEnrolKind(t, err, protocol.KindConflict)
	})
	t.Run("answer", func(t *testing.T) {
		e := newEnrolling(t).met()
		answer, err := e.approve.ConfirmShort(e.new.ShortCode())
		mustEnrol(t, err)
		wantEnrolKind(t, e.new.CheckAnswer(e.new.ShortCode()), protocol.KindWrongSecret)
		wantEnrolKind(t, e.new.CheckAnswer(answer), protocol.KindConflict)
	})
	t.Run("long code", func(t *testing.T) {
		e := newEnrolling(t).met()
		_, err := e.approve.ConfirmLong(newEnrolling(t).new.LongCode())
		wantEnrolKind(t, err, protocol.KindWrongSecret)
		_, err = e.approve.ConfirmLong(e.new.LongCode())
		wantEnrolKind(t, err, protocol.KindConflict)
	})
	t.Run("confirmation", func(t *testing.T) {
		e := newEnrolling(t).met()
		confirmation, err := e.approve.ConfirmLong(e.new.LongCode())
		mustEnrol(t, err)
		wantEnrolKind(t, e.new.CheckConfirmation(make([]byte, 32)), protocol.KindUntrusted)
		wantEnrolKind(t, e.new.CheckConfirmation(confirmation), protocol.KindConflict)
	})
}

func TestEnrolKeepsItsOrder(t *testing.T) {
	steps := map[string]func(*enrolling) error{
		"answer first":       func(e *enrolling) error { return e.new.CheckAnswer("AAAA-AAAA") },
		"confirmation first": func(e *enrolling) error { return e.new.CheckConfirmation(make([]byte, 32)) },
		"added first":        func(e *enrolling) error { return e.new.CheckAdded(e.state()) },
		"short code first":   func(e *enrolling) error { _, err := e.approve.ConfirmShort("AAAA-AAAA"); return err },
		"long code first":    func(e *enrolling) error { _, err := e.approve.ConfirmLong(e.new.LongCode()); return err },
		"challenged twice": func(e *enrolling) error {
			_, err := e.met().new.Challenged(e.approve.Challenge(), e.state())
			return err
		},
		"revealed twice": func(e *enrolling) error { return e.met().approve.Revealed(canonical.MustMarshal(e.new.part)) },
		"added without a code": func(e *enrolling) error {
			mustEnrol(e.t, e.met().draft.AddOwner(e.device.Public()))
			return e.new.CheckAdded(e.state())
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) { wantEnrolKind(t, step(newEnrolling(t)), protocol.KindConflict) })
	}
	if code := newEnrolling(t).new.ShortCode(); code != "" {
		t.Errorf("a code %q before there is one", code)
	}
}

// TestEnrolNoticesTheServer plays a server that stands between and changes what
// it passes on.
func TestEnrolNoticesTheServer(t *testing.T) {
	t.Run("other keys than committed to", func(t *testing.T) {
		e := newEnrolling(t)
		other := e.new.part
		other.Keys = *keys.GenerateMemberSecrets().Public()
		wantEnrolKind(t, e.approve.Revealed(canonical.MustMarshal(other)), protocol.KindUntrusted)
	})
	t.Run("another role than committed to", func(t *testing.T) {
		e := newEnrolling(t)
		other := e.new.part
		other.Role = protocol.RoleWriter
		wantEnrolKind(t, e.approve.Revealed(canonical.MustMarshal(other)), protocol.KindUntrusted)
	})
	t.Run("a device of its own at both sides", func(t *testing.T) {
		// The server enrols a device of its own and shows the new one its own world.
		real, fake := newEnrolling(t), newEnrolling(t)
		evil := NewNewcomer(keys.GenerateMemberSecrets().Public(), protocol.RoleOwner, someServer, someWorld)
		approval, err := NewApproval(real.owner.ID(), real.state(), someServer, someWorld, evil.Commitment())
		mustEnrol(t, err)
		reveal, err := evil.Challenged(approval.Challenge(), real.state())
		mustEnrol(t, err)
		mustEnrol(t, approval.Revealed(reveal))
		fake.met()
		_, err = approval.ConfirmShort(fake.new.ShortCode()) // what the user reads on the device
		wantEnrolKind(t, err, protocol.KindWrongSecret)
		wantEnrolKind(t, fake.new.CheckAnswer("AAAA-AAAA"), protocol.KindWrongSecret)
	})
	t.Run("a log of its own for the new device", func(t *testing.T) {
		for _, long := range []bool{false, true} {
			e := newEnrolling(t)
			e.new = NewNewcomer(e.device.Public(), protocol.RoleOwner, someServer, protocol.Hash{2})
			var err error
			e.approve, err = NewApproval(e.owner.ID(), e.state(), someServer, someWorld, e.new.Commitment())
			mustEnrol(t, err)
			e.met()
			if long {
				_, err = e.approve.ConfirmLong(e.new.LongCode())
			} else {
				_, err = e.approve.ConfirmShort(e.new.ShortCode())
			}
			wantEnrolKind(t, err, protocol.KindWrongSecret)
		}
	})
	t.Run("a scanned code in a world of its own", func(t *testing.T) {
		fake := newEnrolling(t).met()
		// It knows all that was sent, and not the scanned secret.
		forged := mac(keys.GenerateSecret(), labelConfirm, fake.new.seen)
		wantEnrolKind(t, fake.new.CheckConfirmation(forged[:]), protocol.KindUntrusted)
	})
}

func TestEnrolRefusesChallenges(t *testing.T) {
	stranger := newEnrolling(t)
	cases := map[string]struct {
		change func(*enrolling, *challengePart)
		kind   protocol.Kind
	}{
		"another account":   {func(_ *enrolling, c *challengePart) { c.Account = stranger.state().Account() }, protocol.KindUntrusted},
		"a head not served": {func(_ *enrolling, c *challengePart) { c.Ledger.Seq++ }, protocol.KindUntrusted},
		"another head":      {func(_ *enrolling, c *challengePart) { c.Ledger.Hash[0]++ }, protocol.KindUntrusted},
		"an unknown member": {func(_ *enrolling, c *challengePart) { c.Member[0]++ }, protocol.KindUntrusted},
		"a newer version":   {func(_ *enrolling, c *challengePart) { c.Version++ }, protocol.KindUnsupported},
		"a writer": {func(e *enrolling, c *challengePart) {
			writer := keys.GenerateMemberSecrets().Public()
			mustEnrol(e.t, e.draft.AddWriter(writer, nil))
			c.Member, c.Ledger = writer.ID(), e.state().Head()
		}, protocol.KindUntrusted},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEnrolling(t)
			part := e.approve.part
			c.change(e, &part)
			_, err := e.new.Challenged(canonical.MustMarshal(part), e.state())
			wantEnrolKind(t, err, c.kind)
			_, err = e.new.Challenged(e.approve.Challenge(), e.state())
			wantEnrolKind(t, err, protocol.KindConflict)
		})
	}
}

// TestCodesCoverEverything changes each thing that both sides must see alike.
func TestCodesCoverEverything(t *testing.T) {
	good := transcript{Server: "a", Account: protocol.AccountID{1}, Role: protocol.RoleOwner}
	changes := map[string]func(*transcript){
		"server":          func(x *transcript) { x.Server = "b" },
		"account":         func(x *transcript) { x.Account[9]++ },
		"ledger number":   func(x *transcript) { x.Ledger.Seq++ },
		"ledger hash":     func(x *transcript) { x.Ledger.Hash[9]++ },
		"commitment":      func(x *transcript) { x.Commitment[9]++ },
		"approver":        func(x *transcript) { x.Approver[9]++ },
		"approver's":      func(x *transcript) { x.Approved[9]++ },
		"new device":      func(x *transcript) { x.Newcomer[9]++ },
		"role":            func(x *transcript) { x.Role = protocol.RoleWriter },
		"new device's":    func(x *transcript) { x.New[9]++ },
		"world":           func(x *transcript) { x.World[9]++ },
		"nothing at all.": nil,
	}
	for name, change := range changes {
		other := good
		if change == nil {
			if other.hash() != good.hash() {
				t.Error("the same transcript has two hashes")
			}
			continue
		}
		change(&other)
		if shortCode(labelCode, other.hash()) == shortCode(labelCode, good.hash()) {
			t.Errorf("another %s shows the same code", name)
		}
	}
}

func TestApprovalNeedsAnOwner(t *testing.T) {
	e := newEnrolling(t)
	_, err := NewApproval(e.device.ID(), e.state(), someServer, someWorld, e.new.Commitment())
	wantEnrolKind(t, err, protocol.KindDenied)
	_, err = NewApproval(e.owner.ID(), e.state(), someServer, someWorld, e.new.Commitment()[:31])
	wantEnrolKind(t, err, protocol.KindUntrusted)
}

func TestAddedAsAsked(t *testing.T) {
	cases := map[string]func(*enrolling) *ledger.State{
		"not at all": func(e *enrolling) *ledger.State { return e.state() },
		"in another role": func(e *enrolling) *ledger.State {
			mustEnrol(t, e.draft.AddWriter(e.device.Public(), nil))
			return e.state()
		},
		"another world": func(*enrolling) *ledger.State { return newEnrolling(t).state() },
		"other keys": func(e *enrolling) *ledger.State {
			mustEnrol(t, e.draft.AddOwner(keys.GenerateMemberSecrets().Public()))
			return e.state()
		},
		"and removed again": func(e *enrolling) *ledger.State {
			mustEnrol(t, e.draft.AddOwner(e.device.Public()))
			mustEnrol(t, e.draft.RemoveDevice(e.device.ID(), nil, nil))
			return e.state()
		},
	}
	for name, world := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEnrolling(t).met()
			answer, err := e.approve.ConfirmShort(e.new.ShortCode())
			mustEnrol(t, err)
			mustEnrol(t, e.new.CheckAnswer(answer))
			wantEnrolKind(t, e.new.CheckAdded(world(e)), protocol.KindUntrusted)
		})
	}
}

func TestLongCodes(t *testing.T) {
	secret := keys.GenerateSecret()
	code := longCode(secret)
	if len(code) != 60 {
		t.Fatalf("long code of %d letters", len(code))
	}
	for _, typed := range []string{code, strings.ToLower(code), code[:20] + "-" + code[20:40] + "\n " + code[40:]} {
		got, err := parseLongCode(typed)
		mustEnrol(t, err)
		if !got.Equal(secret) {
			t.Fatal("another secret")
		}
	}
	for i := range code {
		other := []byte(code)
		other[i] = 'A' + (other[i]-'A'+1)%4
		if _, err := parseLongCode(string(other)); err == nil {
			t.Fatalf("letter %d changed and not noticed", i)
		}
	}
	for _, typed := range []string{"", "A", code[:59], code + "A", strings.Repeat("A", 2000), "!" + code[1:]} {
		_, err := parseLongCode(typed)
		wantEnrolKind(t, err, protocol.KindUsage)
	}
}

// FuzzEnrolParts holds both readers of parts to refusing or understanding.
func FuzzEnrolParts(f *testing.F) {
	owner := keys.NewMemberSecrets(mustSecret(f, 1), "owner")
	draft, err := Create(owner, 1)
	if err != nil {
		f.Fatal(err)
	}
	state := draft.Batch().State
	n := NewNewcomer(keys.NewMemberSecrets(mustSecret(f, 2), "new").Public(), protocol.RoleOwner, someServer, someWorld)
	a, err := NewApproval(owner.ID(), state, someServer, someWorld, n.Commitment())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Challenge())
	f.Add(canonical.MustMarshal(n.part))
	f.Fuzz(func(t *testing.T, data []byte) {
		newcomer, approval := *n, *a
		if _, err := newcomer.Challenged(data, state); err == nil && !bytes.Equal(canonical.MustMarshal(newcomer.world), data) {
			t.Error("a challenge has two encodings")
		}
		if err := approval.Revealed(data); err == nil && !bytes.Equal(canonical.MustMarshal(approval.reveal), data) {
			t.Error("a reveal has two encodings")
		}
	})
}

func mustSecret(t testing.TB, first byte) *keys.Secret {
	t.Helper()
	s, err := keys.NewSecret(append([]byte{first}, make([]byte, keys.SecretSize-1)...))
	if err != nil {
		t.Fatal(errors.Join(errors.New("secret"), err))
	}
	return s
}
