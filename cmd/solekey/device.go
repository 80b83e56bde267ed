// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

func newDevice(a *app) *cobra.Command {
	c := group("device", "See and change the devices of the account",
		"Device commands show the devices that may use the account, add one that asks, and remove one that\n"+
			"was lost. Every change is signed by this device and stands in the account's ledger.",
		"  solekey device list\n  solekey device approve\n  solekey device revoke laptop")
	c.AddCommand(newDeviceList(a), newDeviceApprove(a), newDeviceRevoke(a), newDeviceRename(a), newDeviceLink(a))
	return c
}

// group returns a command that only holds others.
func group(use, short, long, example string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

// withSession opens the device for a command.
func (a *app) withSession(do func(*session) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	return s.judged(do(s))
}

func newDeviceLink(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "link", Short: "Print the link with which a further device joins",
		Long: "Link prints where the server is and how a new device recognises it. It holds no secret; who\n" +
			"joins with it needs the account's password and the approval of an owner device.",
		Example: "  solekey device link",
		Args:    terminal.Exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			d, kept, err := a.peek()
			if err != nil {
				return err
			}
			link, err := serverLink(kept, d)
			if err != nil {
				return err
			}
			if a.flags.json {
				a.emit(map[string]any{"message_type": "summary", "url": link, "name": d.Name})
				return nil
			}
			a.say("%s", link)
			a.showQR(link)
			a.show("On the new device: solekey join '%s' --name %s", link, d.Name)
			return nil
		},
	}
}

func newDeviceRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rename DEVICE NAME", Short: "Give a device another name",
		Long:    "Rename changes the word by which you know a device. DEVICE is its name, or the beginning of its\nidentifier, or \"this\". Only your own devices can read the names.",
		Example: "  solekey device rename 4be1a2c7 'old laptop'\n  solekey device rename this desk",
		Args:    terminal.Exactly(2, "a device and its new name"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.rename(c.Context(), args[0], args[1]) })
		},
	}
}

func (s *session) rename(ctx context.Context, which, name string) error {
	if strings.TrimSpace(name) == "" || printable([]byte(name)) != name {
		return protocol.Errorf(protocol.KindUsage, "usage: the new name must be printable and not empty")
	}
	var found *ledger.Member
	_, err := s.editor().edit(ctx, func(ring *keyring.Ring, d *keyring.Draft) (err error) {
		if found, err = s.findDevice(ring, which); err != nil {
			return err
		}
		return d.NameMember(found.ID, name)
	})
	if err != nil {
		return err
	}
	if s.a.flags.json {
		s.a.emit(map[string]any{"message_type": "summary", "device": found.ID, "label": name})
		return nil
	}
	s.a.say("Device %s is called %s now.", found.ID.String()[:shortID], name)
	return nil
}

// findDevice returns the present device that a name, the beginning of an
// identifier, or "this" means.
func (s *session) findDevice(ring *keyring.Ring, which string) (*ledger.Member, error) {
	var found []*ledger.Member
	for _, m := range ring.State().AllMembers() {
		if m.Kind != ledger.KindDevice || !m.Present() {
			continue
		}
		label, err := ring.Label(m.ID)
		if err != nil {
			return nil, err
		}
		if which == "this" && m.ID == s.device.Member || label == which || isPrefix(strings.ToLower(which), m.ID.String()) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return nil, protocol.Errorf(protocol.KindNotFound, "the account has no device %q; `solekey device list` shows them, and nothing was changed", which)
	case 1:
		return found[0], nil
	}
	return nil, protocol.Errorf(protocol.KindUsage, "%d devices are called %q: give the beginning of an identifier; nothing was changed", len(found), which)
}

func newDeviceRevoke(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "revoke DEVICE", Short: "Remove a device from the account",
		Long: "Revoke removes a device at once, and for good. What it stored up to now stays and counts; what it\n" +
			"signs later does not, whatever date it claims. If it was an owner, account and vaults get new\n" +
			"keys, so that it reads nothing that is written from then on. DEVICE is its name or the\n" +
			"beginning of its identifier. A device does not remove itself.",
		Example: "  solekey device revoke laptop\n  solekey device revoke 4be1a2c7",
		Args:    terminal.Exactly(1, "a device"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.revoke(c.Context(), args[0]) })
		},
	}
}

func (s *session) revoke(ctx context.Context, which string) error {
	if err := s.mustOwn(); err != nil {
		return err
	}
	var found *ledger.Member
	synced, err := s.editor().removeDevices(ctx, func(of *ledger.State) ([]protocol.MemberID, error) {
		ring, err := keyring.Open(of, s.state.Object, s.secrets.Member)
		if err != nil {
			return nil, err
		}
		if found, err = s.findDevice(ring, which); err != nil {
			return nil, err
		}
		if found.ID == s.device.Member {
			return nil, s.itself(of)
		}
		return []protocol.MemberID{found.ID}, nil
	})
	if err != nil {
		return err
	}
	if s.a.flags.json {
		s.a.emit(map[string]any{"message_type": "summary", "device": found.ID, "role": found.Role.String(), "rotated": found.Role == protocol.RoleOwner})
		return nil
	}
	s.a.say("Device %s (%s) was removed.", found.ID.String()[:shortID], found.Role)
	if found.Role == protocol.RoleOwner {
		s.a.say("Account and vaults have new keys.")
		s.a.askAboutKeys(synced)
	}
	return nil
}

// askAboutKeys reminds of recovery keys that whoever had a removed device may have
// made: they stay.
func (a *app) askAboutKeys(of *ledger.State) {
	if _, _, recovery := presentDevices(of); recovery > 1 {
		a.say("%d recovery keys open the account: look whether you know each (solekey recovery list); `solekey recovery remove` takes one out.", recovery)
	}
}

// itself refuses to remove this device: it would have to make the new keys that
// it must not know.
func (s *session) itself(of *ledger.State) error {
	if owners, _, _ := presentDevices(of); owners == 1 {
		return protocol.Errorf(protocol.KindDenied, "this is the account's only owner device: without it nothing but a recovery kit opens the account; join another device first. Nothing was changed")
	}
	return protocol.Errorf(protocol.KindDenied, "a device cannot remove itself, because it would make the new keys that it must not know: remove it from another owner device. Nothing was changed")
}

// mustOwn refuses what only owner devices can do.
func (s *session) mustOwn() error {
	if s.device.Role == protocol.RoleWriter {
		return errWriter()
	}
	return nil
}

func errWriter() error {
	return protocol.Errorf(protocol.KindDenied, "this device is a writer: it can back up, and neither read nor change the account; use an owner device")
}

// moment writes a time for people.
func moment(t protocol.Time) string { return t.Std().Local().Format("2006-01-02 15:04") }

// age writes how long ago something was, for people.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return plural(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour") + " ago"
	}
	return plural(int(d.Hours()/24), "day") + " ago"
}
