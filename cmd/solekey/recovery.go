// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

func newRecovery(a *app) *cobra.Command {
	c := group("recovery", "See, make and test the ways back when every device is lost",
		"Recovery commands manage recovery keys: each opens the whole account without any device and without\n"+
			"the password. Keep at least two, in different places.",
		"  solekey recovery test\n  solekey recovery kit --out kit.txt\n  solekey recovery list")
	c.AddCommand(newRecoveryKit(a), newRecoveryList(a), newRecoveryTest(a), newRecoveryRemove(a))
	return c
}

func newRecoveryKit(a *app) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "kit", Short: "Make a further recovery kit",
		Long: "Kit makes a new recovery key and adds it to the account. Kits that exist stay good. Without --out\n" +
			"the kit is shown once, and a part of it must be typed back.",
		Example: "  solekey recovery kit\n  solekey recovery kit --out kit.txt",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.kitHasPlace(out); err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.makeKit(c.Context(), out) })
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write the kit to, which must not exist yet")
	return c
}

// makeKit hands the kit over first and adds its key then: a key that nobody
// holds would only seem to be a way back.
func (s *session) makeKit(ctx context.Context, out string) error {
	if err := s.mustOwn(); err != nil {
		return err
	}
	synced, err := s.editor().admit(ctx)
	if err != nil {
		return err
	}
	if _, err := keyring.Open(synced, s.state.Object, s.secrets.Member); err != nil {
		return err
	}
	world, err := s.state.World()
	if err != nil {
		return err
	}
	kit := newKit(keyring.GenerateRecoveryKey(), s.device, world)
	if err := s.a.handOverKit(out, kit); err != nil {
		return err
	}
	member := kit.key.Member().Public()
	_, err = s.editor().edit(ctx, func(_ *keyring.Ring, d *keyring.Draft) error {
		return d.AddRecovery(member)
	}, kit.box())
	if err != nil {
		return s.voidKit(out, err)
	}
	if s.a.flags.json {
		s.a.emit(map[string]any{"message_type": "summary", "recovery": member.ID(), "file": out})
		return nil
	}
	s.a.say("Recovery key %s was added. Test it now and then: solekey recovery test", member.ID().String()[:shortID])
	return nil
}

// voidKit takes back a kit whose key was not added, or says that this is not
// known.
func (s *session) voidKit(out string, cause error) error {
	if protocol.KindOf(cause) == protocol.KindUnreachable || protocol.KindOf(cause) == protocol.KindInterrupted {
		return protocol.Wrap(protocol.KindOf(cause), cause, "whether the new recovery key was added is not known; `solekey recovery test` with the kit tells")
	}
	if out != "" {
		cause = errors.Join(cause, os.Remove(out))
	}
	return protocol.Wrap(protocol.KindOf(cause), cause, "the new recovery key was not added, and its kit opens nothing; throw it away")
}

func newRecoveryList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the account's recovery keys",
		Long:    "List shows the recovery keys that the verified ledger has. An identifier shows which kit is which:\n`solekey recovery test` names the one it tested.",
		Example: "  solekey recovery list --json",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.listRecovery(c.Context()) })
		},
	}
}

func (s *session) listRecovery(ctx context.Context) error {
	synced, err := s.editor().sync(ctx)
	if err != nil {
		return err
	}
	times := map[uint64]protocol.Time{}
	err = s.state.Entries(func(e *ledger.Entry) error {
		times[e.Seq()] = e.Time()
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range synced.AllMembers() {
		if m.Kind != ledger.KindRecovery || !m.Present() {
			continue
		}
		_, opens := m.Wraps[synced.Epoch()]
		if s.a.flags.json {
			s.a.emit(map[string]any{"message_type": "recovery", "id": m.ID, "added": times[m.Added].String(), "opens": opens})
			continue
		}
		s.a.say("%s  recovery key, added %s", m.ID.String()[:shortID], moment(times[m.Added]))
	}
	return nil
}

// testFlags are the flags of recovery test.
type testFlags struct{ kit string }

func newRecoveryTest(a *app) *cobra.Command {
	f := &testFlags{}
	c := &cobra.Command{
		Use: "test", Short: "Prove that a recovery key opens the account",
		Long: "Test asks for a recovery key and really opens the account's present secrets with it, and those of\n" +
			"every vault, on this machine. The server learns nothing of it. Exit code 12 says that the key does\n" +
			"not fit.",
		Example: "  solekey recovery test\n  solekey recovery test --recovery-kit kit.txt",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.testRecovery(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.kit, "recovery-kit", "", "file that holds the kit, instead of typing the key; - is standard input")
	return c
}

// testRecovery opens what the key opens, in the ledger as this device verified
// it. What it asks of the server, it asks as on any other day.
func (a *app) testRecovery(ctx context.Context, f *testFlags) error {
	return a.withSession(func(s *session) error {
		key, err := a.keyToTest(f)
		if err != nil {
			return err
		}
		of, err := s.editor().sync(ctx)
		offline := protocol.KindOf(err) == protocol.KindUnreachable
		if offline {
			of, err = s.state.Ledger()
		}
		if err != nil {
			return err
		}
		vaults, err := s.opensAll(of, key)
		if err != nil {
			return err
		}
		return a.testSummary(key, vaults, offline)
	})
}

func (a *app) keyToTest(f *testFlags) (*keyring.RecoveryKey, error) {
	if f.kit == "" {
		return a.askRecoveryKey()
	}
	kit, err := a.readKit(f.kit)
	if err != nil {
		return nil, err
	}
	return kit.key, nil
}

// opensAll opens account secret and vaults as whoever comes back with the key
// would, and returns the number of vaults.
func (s *session) opensAll(of *ledger.State, key *keyring.RecoveryKey) (int, error) {
	member, err := of.Member(key.Member().ID())
	if err != nil || member.Kind != ledger.KindRecovery {
		return 0, protocol.Errorf(protocol.KindWrongSecret, "this recovery key is not one of the account's: it opens nothing here")
	}
	if !member.Present() {
		return 0, protocol.Errorf(protocol.KindWrongSecret, "this recovery key was removed from the account: it opens nothing any more")
	}
	ring, err := keyring.Open(of, s.state.Object, key.Member())
	if err != nil {
		return 0, err
	}
	if _, current := member.Wraps[of.Epoch()]; !current {
		return 0, protocol.Errorf(protocol.KindWrongSecret, "this recovery key was not given the account's present secret")
	}
	vaults, err := vaultsOf(ring)
	return len(vaults), err
}

func (a *app) testSummary(key *keyring.RecoveryKey, vaults int, offline bool) error {
	id := key.Member().ID()
	if a.flags.json {
		a.emit(map[string]any{"message_type": "summary", "recovery": id, "opens": true, "vaults": vaults, "offline": offline})
		return nil
	}
	a.say("Recovery key %s fits: it opened the account and %s.", id.String()[:shortID], plural(vaults, "vault"))
	if offline {
		a.say("The server could not be reached: this is as of the ledger that this device knows.")
	}
	return nil
}
