// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

func newRecoveryRemove(a *app) *cobra.Command {
	f := &testFlags{}
	c := &cobra.Command{
		Use: "remove [flags] ID", Short: "Remove a recovery key, by an older one",
		Long: "Remove takes a recovery key out of the account at once, as one that a thief made while he had a\n" +
			"device. ID is the beginning of its identifier, as `solekey recovery list` shows it. It is done by a\n" +
			"recovery key that was added before it, which is asked for: age is what a thief cannot make. Account\n" +
			"and vaults get new keys. The oldest key cannot be removed.",
		Example: "  solekey recovery remove 4be1a2c7\n  solekey recovery remove 4be1a2c7 --recovery-kit kit.txt",
		Args:    terminal.Exactly(1, "the identifier of a recovery key"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.removeRecovery(c.Context(), f, args[0]) })
		},
	}
	c.Flags().StringVar(&f.kit, "recovery-kit", "", "file that holds the older kit, instead of typing its key; - is standard input")
	return c
}

// removeRecovery removes a recovery key, signed by an older one.
func (s *session) removeRecovery(ctx context.Context, f *testFlags, which string) error {
	if err := s.mustOwn(); err != nil {
		return err
	}
	key, err := s.a.keyToTest(f)
	if err != nil {
		return err
	}
	older := key.Member()
	e := s.a.editor(s.state, s.client.As(s.device.Account, older, nil), older)
	var found *ledger.Member
	_, err = e.edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) error {
		if found, err = youngerKey(ring.State(), older.ID(), which); err != nil {
			return err
		}
		vaults, err := vaultsOf(ring)
		if err != nil {
			return err
		}
		return d.RemoveRecovery(found.ID, vaults)
	})
	if err != nil {
		return recoveryProblem(err)
	}
	if s.a.flags.json {
		s.a.emit(map[string]any{"message_type": "summary", "recovery": found.ID, "rotated": true})
		return nil
	}
	s.a.say("Recovery key %s was removed. Account and vaults have new keys.", found.ID.String()[:shortID])
	return nil
}

// youngerKey returns the present recovery key that the beginning of an identifier
// means, if the signing one is older.
func youngerKey(of *ledger.State, signer protocol.MemberID, which string) (*ledger.Member, error) {
	by, err := of.Member(signer)
	if err != nil {
		return nil, err
	}
	var found *ledger.Member
	for _, m := range of.AllMembers() {
		if m.Kind == ledger.KindRecovery && m.Present() && isPrefix(strings.ToLower(which), m.ID.String()) {
			found = m
		}
	}
	switch {
	case found == nil:
		return nil, protocol.Errorf(protocol.KindNotFound, "the account has no recovery key %q; `solekey recovery list` shows them, and nothing was changed", which)
	case found.ID == signer:
		return nil, protocol.Errorf(protocol.KindUsage, "usage: a recovery key does not remove itself; nothing was changed")
	case found.Added < by.Added:
		return nil, protocol.Errorf(protocol.KindUsage, "usage: recovery key %s is older than the one that shall remove it; only an older one can, and nothing was changed", found.ID.String()[:shortID])
	}
	return found, nil
}
