// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
)

func newKey(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Compare codes with other people",
		Long: "Who another account's name leads to is proven by the server's public log. That it leads to the\n" +
			"person you mean, two people find out by comparing a code: it is the same on both sides only if\n" +
			"each has the other's account, and nobody stands in between.",
		Example: "  solekey key fingerprint bert\n  solekey key verify bert",
	}
	c.AddCommand(newKeyFingerprint(a), newKeyVerify(a))
	return c
}

func newKeyFingerprint(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "fingerprint [NAME]", Short: "Show the code to compare with a contact, or this account's identifier",
		Long: "Fingerprint looks NAME up, proves who it is by the public log, and shows the code that both of you\n" +
			"must see: in words, and on a terminal as a QR code. It says whether you compared it before.\n" +
			"Without NAME it shows the identifier of this account, which its ledger certifies.",
		Example: "  solekey key fingerprint bert\n  solekey key fingerprint",
		Args:    terminal.AtMost(1, "one name"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.ownFingerprint()
			}
			return a.fingerprint(c.Context(), args[0])
		},
	}
}

// verifyFlags are the flags of key verify.
type verifyFlags struct {
	code        string
	newIdentity bool
}

func newKeyVerify(a *app) *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use: "verify NAME", Short: "Compare the code with a contact, and remember that it was",
		Long: "Verify shows the code that you and NAME must both see, and asks whether it is the same. Compare it\n" +
			"when you meet, or by voice: not through this server. Once compared the contact is marked; if the\n" +
			"name leads to another identity later, that is an alarm.\n\n" +
			"With --code it compares with the code that the other side read out or that a QR code holds.\n" +
			"With --new-identity, because the person told you of a new account, it compares with that one. Who\n" +
			"the name was is forgotten only once the codes were found to be the same.\n\n" +
			"Exit code 12: it is another code. Then somebody may stand between the two of you.",
		Example: "  solekey key verify bert\n  solekey key verify bert --code 7QK2-M40X-R9TD-55HA-0ZCW-E3PV\n" +
			"  solekey key verify bert --new-identity",
		Args: terminal.Exactly(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error { return a.verifyKey(c.Context(), f, args[0]) },
	}
	c.Flags().StringVar(&f.code, "code", "", "the other side's code, instead of asking")
	c.Flags().BoolVar(&f.newIdentity, "new-identity", false, "the person has a new account under this name")
	return c
}

func (a *app) ownFingerprint() error {
	d, kept, err := a.peek()
	if err != nil {
		return err
	}
	w, err := kept.World()
	if err != nil {
		return err
	}
	if a.flags.json {
		a.emit(map[string]any{"message_type": "summary", "name": d.Name, "account": d.Account, "log": w.Log().Origin()})
		return nil
	}
	a.say("account  %s at %s", d.Name, w.Log().Origin())
	a.say("id       %s", spaced(d.Account.String()))
	a.show("To compare with somebody: solekey key fingerprint NAME, on both sides.")
	return nil
}

// spaced writes a long number in groups of eight digits.
func spaced(digits string) string {
	var groups []string
	for len(digits) > 8 {
		groups, digits = append(groups, digits[:8]), digits[8:]
	}
	return strings.Join(append(groups, digits), " ")
}

// contact is another account, proven, and the code to compare with its holder.
type contact struct {
	name     string
	standing *directory.Standing
	code     trust.Code
	met      *trust.Met // nil: the code was never compared
}

// contact looks a name up and proves it.
func (b *believer) contact(ctx context.Context, text string) (*contact, error) {
	return b.someone(ctx, text, b.trust.Contact)
}

// someone looks a name up in one way or the other.
func (b *believer) someone(ctx context.Context, text string, look func(context.Context, trust.Member, string) (*directory.Standing, error)) (*contact, error) {
	name, err := api.CanonicalName(text)
	if err != nil {
		return nil, err
	}
	standing, err := look(ctx, b.member, name)
	if err != nil {
		return nil, err
	}
	met, err := trust.MetContacts(b.state)
	if err != nil {
		return nil, err
	}
	c := &contact{name: name, standing: standing, code: trust.CodeOf(b.trust.World(), b.device.Account, standing.Account())}
	if m, known := met[name]; known {
		c.met = &m
	}
	c.noticed(b.a)
	return c, nil
}

func (a *app) fingerprint(ctx context.Context, name string) error {
	return a.withBeliefs(func(b *believer) error {
		c, err := b.contact(ctx, name)
		if err != nil {
			return err
		}
		if a.flags.json {
			a.emit(c.object())
			return nil
		}
		c.show(a)
		if c.met == nil {
			a.say("Not compared yet: solekey key verify %s", c.name)
		} else {
			a.say("You compared it on %s.", moment(c.met.Time))
		}
		return nil
	})
}

func (c *contact) object() map[string]any {
	m := map[string]any{
		"message_type": "summary", "name": c.name, "account": c.standing.Account(), "code": c.code.String(), "full": c.code.Full(),
		"version": c.standing.Pin().Version, "verified": c.met != nil,
	}
	if n, is := c.standing.Notice(); is {
		m["notice_time"] = n.Time.String()
	}
	if c.met != nil {
		m["verified_time"] = c.met.Time.String()
	}
	return m
}

// noticed says that somebody else wants the contact's name. The contact's own
// devices are told, too; here it is in time for the two to talk.
func (c *contact) noticed(a *app) {
	if n, is := c.standing.Notice(); is {
		a.warn("on %s somebody asked the provider to give the name %s to another identity; it can happen 30 days after. Until then it is who it was. "+
			"Ask %s, not through this server, whether that is known; any change of that account answers it", moment(n.Time), c.name, c.name)
	}
}

// show shows the code to people.
func (c *contact) show(a *app) {
	a.say("%s, version %d of the name in the public log", c.name, c.standing.Pin().Version)
	a.say("\n  %s\n", c.code)
	a.showQR(c.code.Full())
}

func (a *app) verifyKey(ctx context.Context, f *verifyFlags, name string) error {
	typed := f.code
	if typed == "" && !a.asksOnTerminal() {
		return protocol.Errorf(protocol.KindUsage, "there is nobody to ask whether the codes are the same: give the other side's with --code")
	}
	return a.withBeliefs(func(b *believer) error {
		look := b.trust.Contact
		if f.newIdentity {
			look = b.trust.Candidate
		}
		c, err := b.someone(ctx, name, look)
		if err != nil {
			return err
		}
		if typed == "" {
			c.show(a)
			answer, err := a.readLine("Does " + c.name + " see the same code, in person or by voice? Type yes or no: ")
			if err != nil {
				return err
			}
			if strings.TrimSpace(answer) != "yes" {
				return otherCode(c.name)
			}
		} else if !c.code.Matches(typed) {
			return otherCode(c.name)
		}
		met := trust.Met{Name: c.name, Account: c.standing.Account(), Time: a.now()}
		if f.newIdentity {
			err = b.trust.NewIdentity(c.standing, met)
		} else {
			err = trust.Meet(b.state, met)
		}
		if err != nil {
			return err
		}
		c.met = &met
		if a.flags.json {
			a.emit(c.object())
			return nil
		}
		a.say("%s is marked as compared. Should the name ever lead to somebody else, this device will not go along.", c.name)
		return nil
	})
}

// otherCode says what another code means.
func otherCode(name string) error {
	return protocol.Errorf(protocol.KindWrongSecret, "the codes differ: you and %s do not see the same two accounts in the same log. Nothing was marked. Look at both "+
		"names and servers first; if they are right, somebody may stand between you: seal nothing to %s, and compare what each of you was shown (solekey log compare)", name, name)
}
