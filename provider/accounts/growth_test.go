// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

// send appends as the member; what is refused is undone at the holder, too.
func (w *world) send(h *accountstest.Holder, member *keys.MemberSecrets, change func() api.LedgerAppend) error {
	w.t.Helper()
	before := h.Copy()
	request := change()
	session := accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: member.ID()}
	_, err := w.Append(ctx, session, request)
	if err != nil {
		*h = *before
	}
	return err
}

// writer adds a writer device: two entries.
func (w *world) writer(h *accountstest.Holder) (*keys.MemberSecrets, error) {
	w.t.Helper()
	var writer *keys.MemberSecrets
	err := w.send(h, h.Owner, func() (request api.LedgerAppend) { writer, request = h.AddWriter(); return request })
	return writer, err
}

func (w *world) mustWriter(h *accountstest.Holder) *keys.MemberSecrets {
	w.t.Helper()
	writer, err := w.writer(h)
	if err != nil {
		w.t.Fatal(err)
	}
	return writer
}

func TestLedgerGrowsSlowly(t *testing.T) {
	w := newWorld(t)
	h, other := w.join("anna", ""), w.join("bert", "")
	w.Limits.EntriesPerDay = 5
	w.now = w.now.Truncate(24 * time.Hour).Add(time.Hour)
	w.mustWriter(h)
	writer := w.mustWriter(h)
	_, err := w.writer(h)
	wantKind(t, "the sixth entry of the day", err, protocol.KindTooMany)
	var many *accounts.TooManyError
	if !errors.As(err, &many) || many.After != 23*time.Hour || !strings.Contains(err.Error(), "at most 5 entries a day") {
		t.Errorf("wait %v", err)
	}
	w.open() // a restart forgives none, and what was refused was not counted
	w.Limits.EntriesPerDay = 5
	remove := func() api.LedgerAppend { return h.Remove(writer.ID(), api.Head{}) }
	if err := w.send(h, h.Owner, remove); err != nil {
		t.Errorf("the fifth: %v", err)
	}
	_, err = w.writer(h)
	wantKind(t, "a seventh", err, protocol.KindTooMany)
	if _, err := w.writer(other); err != nil {
		t.Errorf("another account: %v", err)
	}
	w.now = w.now.Add(22 * time.Hour)
	if err := w.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = w.writer(h)
	wantKind(t, "late on the same day, after a purge", err, protocol.KindTooMany)
	w.now = w.now.Add(time.Hour)
	w.mustWriter(h)
}

// TestRefusedEntriesAreNotCounted: what does not get in fills nothing up, and
// nobody uses up what is another's.
func TestRefusedEntriesAreNotCounted(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	w.Limits.EntriesPerDay = 4
	fork := h.Copy()
	w.mustWriter(h)
	for range 3 {
		_, err := w.writer(fork)
		wantKind(t, "entries that do not extend the head", err, protocol.KindConflict)
		err = w.send(h, keys.GenerateMemberSecrets(), func() api.LedgerAppend { _, r := h.AddWriter(); return r })
		wantKind(t, "a stranger's", err, protocol.KindDenied)
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		_, request := h.Copy().AddWriter()
		session := accounts.Session{Account: h.Account(), Scope: api.ScopeMember, Member: h.Owner.ID()}
		if _, err := w.Append(cancelled, session, request); err == nil {
			t.Fatal("who went away was answered")
		}
	}
	w.mustWriter(h)
}

// TestOldestRecoveryHasItsOwn: a thief who fills the day's limit keeps nobody
// with the account's oldest kit from throwing him out.
func TestOldestRecoveryHasItsOwn(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	w.Limits.EntriesPerDay = 6
	var younger *keys.MemberSecrets
	if err := w.send(h, h.Owner, func() (r api.LedgerAppend) { younger, r = h.AddRecovery(); return r }); err != nil {
		t.Fatal(err)
	}
	one, two := w.mustWriter(h), w.mustWriter(h)
	_, err := w.writer(h)
	wantKind(t, "the owner device", err, protocol.KindTooMany)
	err = w.send(h, younger, func() api.LedgerAppend { return h.RemoveAs(younger, one.ID(), api.Head{}) })
	wantKind(t, "a younger recovery method", err, protocol.KindTooMany)
	for _, writer := range []*keys.MemberSecrets{one, two} {
		if err := w.send(h, h.Recovery, func() api.LedgerAppend { return h.RemoveAs(h.Recovery, writer.ID(), api.Head{}) }); err != nil {
			t.Errorf("the oldest recovery method: %v", err)
		}
	}
	rescue := func() api.LedgerAppend { return h.RemoveAs(h.Recovery, h.Owner.ID(), api.Head{}) }
	w.Limits.EntriesPerDay = 4 // two are used up, three are to come
	wantKind(t, "the oldest one, beyond its own", w.send(h, h.Recovery, rescue), protocol.KindTooMany)
	w.Limits.EntriesPerDay = 5
	if err := w.send(h, h.Recovery, rescue); err != nil {
		t.Errorf("the oldest one, within its own: %v", err)
	}
}

// TestRemovalNamesWhatIsHeld: an owner device gone bad makes no head up, neither
// of a record that is not there nor of another one.
func TestRemovalNamesWhatIsHeld(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna", "")
	writer := w.mustWriter(h)
	for what, head := range map[string]api.Head{
		"the next record": {Seq: 1, Hash: protocol.Hash{1}},
		"one far beyond":  {Seq: 1 << 63, Hash: protocol.Hash{1}},
	} {
		err := w.send(h, h.Owner, func() api.LedgerAppend { return h.Remove(writer.ID(), head) })
		wantKind(t, what, err, protocol.KindUntrusted)
		if err != nil && !strings.Contains(err.Error(), "not in the vault's chain here") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := w.send(h, h.Owner, func() api.LedgerAppend { return h.Remove(writer.ID(), api.Head{}) }); err != nil {
		t.Errorf("nothing counts: %v", err)
	}
}

// TestNewAccountNamesNoHead: a ledger that comes with an account has no chains
// behind it.
func TestNewAccountNamesNoHead(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		head api.Head
		kind protocol.Kind
	}{{api.Head{Seq: 3, Hash: protocol.Hash{1}}, protocol.KindUntrusted}, {api.Head{}, ""}} {
		invite, err := w.Invite(ctx, "localhost", api.Pin{1}, protocol.Hash{2})
		if err != nil {
			t.Fatal(err)
		}
		h := accountstest.NewHolder(t)
		writer, _ := h.AddWriter()
		h.Remove(writer.ID(), c.head)
		_, err = w.Create(ctx, "192.0.2.9", w.dir.Create(h, invite.Code(), "anna"))
		wantKind(t, "a removal in a new account", err, c.kind)
		if _, err := w.State(ctx, h.Account()); (err == nil) != (c.kind == "") {
			t.Errorf("the account after it: %v", err)
		}
	}
}
