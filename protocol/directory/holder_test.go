// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// holder is an account: its ledger and its devices' secrets.
type holder struct {
	t       testing.TB
	a, b    *keys.MemberSecrets // b is in the account when it was added
	entries []*ledger.Entry
	state   *ledger.State
	vault   protocol.VaultID
}

// seeded returns secrets that the word gives.
func seeded(t testing.TB, word string) *keys.MemberSecrets {
	t.Helper()
	sum := sha256.Sum256([]byte(word))
	s, err := keys.NewSecret(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return keys.NewMemberSecrets(s, "test")
}

// newHolder returns an account with one device and no secrets yet.
func newHolder(t testing.TB, word string) *holder {
	t.Helper()
	h := &holder{t: t, a: seeded(t, word+"/a"), b: seeded(t, word+"/b"), vault: protocol.VaultID{1}}
	h.say(h.a, ledger.Body{Genesis: &ledger.Genesis{Device: *h.a.Public()}})
	return h
}

// withVault returns an account with an account secret and a vault.
func withVault(t testing.TB, word string) *holder {
	t.Helper()
	h := newHolder(t, word)
	h.rotate(1)
	h.say(h.a, ledger.Body{CreateVault: &ledger.CreateVault{Vault: h.vault, Category: protocol.CategoryBackups, Key: wrapKey(t, word), Secrets: protocol.Hash{1}}})
	return h
}

func wrapKey(t testing.TB, word string) keys.WrapKey {
	t.Helper()
	return seeded(t, "vault of "+word).Public().Wrap
}

// say appends an entry.
func (h *holder) say(by *keys.MemberSecrets, body ledger.Body) *ledger.Entry {
	h.t.Helper()
	e, err := ledger.Sign(h.state, 0, body, by)
	if err != nil {
		h.t.Fatal(err)
	}
	h.entries = append(h.entries, e)
	if h.state, err = ledger.Fold(h.entries, nil); err != nil {
		h.t.Fatal(err)
	}
	return e
}

func (h *holder) rotate(epoch uint64) *ledger.Entry {
	h.t.Helper()
	body := &ledger.Rotate{Epoch: epoch}
	for _, r := range h.state.Holders() {
		body.Wraps = append(body.Wraps, ledger.MemberWrap{Member: r.Member(), Wrap: protocol.Hash{2}})
	}
	if epoch > 1 {
		body.Link = protocol.Hash{3}
	}
	return h.say(h.a, ledger.Body{Rotate: body})
}

// addB adds the second device, an owner.
func (h *holder) addB() *ledger.Entry {
	h.t.Helper()
	return h.say(h.a, ledger.Body{AddDevice: &ledger.AddDevice{Device: *h.b.Public(), Role: protocol.RoleOwner}})
}

// at returns the ledger as it was after the entry of a number.
func (h *holder) at(seq int) *ledger.State {
	h.t.Helper()
	s, err := ledger.Fold(h.entries[:seq+1], nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// look looks a name up and demands that it works.
func look(t testing.TB, p *directorytest.Provider, v *directory.View, name string, pin *directory.Pin) (*directory.View, *directory.Found) {
	t.Helper()
	var size, since uint64
	if v != nil {
		size = v.Size()
	}
	if pin != nil {
		since = pin.Version
	}
	next, found, err := p.World.Look(v, name, p.Lookup(name, since, size))
	if err != nil {
		t.Fatal(err)
	}
	return next, found
}

// stand looks a name up and holds a ledger against it.
func stand(t testing.TB, p *directorytest.Provider, v *directory.View, name string, pin *directory.Pin, l *ledger.State) (*directory.Standing, error) {
	t.Helper()
	_, found := look(t, p, v, name, pin)
	return found.Standing(pin, l, p.Now())
}

func mustStand(t testing.TB, p *directorytest.Provider, v *directory.View, name string, pin *directory.Pin, l *ledger.State) *directory.Standing {
	t.Helper()
	s, err := stand(t, p, v, name, pin, l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustAlarm demands an alarm of the kind.
func mustAlarm(t testing.TB, err error, kind directory.AlarmKind) *directory.Alarm {
	t.Helper()
	var a *directory.Alarm
	if !errors.As(err, &a) || a.Kind != kind || protocol.KindOf(err) != protocol.KindUntrusted || a.Text == "" {
		t.Fatalf("want an alarm %q, got %v", kind, err)
	}
	return a
}

// mustUnproven demands that something is not proven, and no alarm.
func mustUnproven(t testing.TB, err error, kind directory.UnprovenKind) {
	t.Helper()
	var u *directory.Unproven
	if !errors.As(err, &u) || u.Kind != kind || protocol.KindOf(err) != protocol.KindUnreachable || u.Error() == "" {
		t.Fatalf("want unproven %q, got %v", kind, err)
	}
}

// mustNothing demands an error that proves nothing against anybody.
func mustNothing(t testing.TB, err error) {
	t.Helper()
	var a *directory.Alarm
	var u *directory.Unproven
	if errors.As(err, &a) || errors.As(err, &u) || protocol.KindOf(err) != protocol.KindUntrusted {
		t.Fatalf("want a plain refusal, got %v", err)
	}
}
