// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// quorumFlags are the flags of log quorum.
type quorumFlags struct {
	offered, yes bool
}

func newLogQuorum(a *app) *cobra.Command {
	f := &quorumFlags{}
	c := &cobra.Command{
		Use: "quorum [FILE]", Short: "Show or change whose cosignatures this device demands",
		Long: "Quorum shows which witnesses must have cosigned before this device believes that something is the\n" +
			"newest. It is part of what the device joined with. Only you change it, here, for this device: no\n" +
			"server can.\n\n" +
			"FILE is a policy as C2SP tlog-policy has it, for the log that this device goes by; --offered is the\n" +
			"one that the server hands to devices that join now. What is demanded before and after is shown and\n" +
			"has to be confirmed. Recovery kits that exist keep the quorum that they were made with.",
		Example: "  solekey log quorum\n  solekey log quorum --offered\n  solekey log quorum policy.txt --yes",
		Args:    terminal.AtMost(1, "one file"),
		RunE:    func(c *cobra.Command, args []string) error { return a.logQuorum(c.Context(), f, args) },
	}
	c.Flags().BoolVar(&f.offered, "offered", false, "take what the server hands to devices that join now")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	return c
}

func (a *app) logQuorum(ctx context.Context, f *quorumFlags, args []string) error {
	d, kept, err := a.peek()
	if err != nil {
		return err
	}
	w, err := kept.World()
	if err != nil {
		return err
	}
	switch {
	case f.offered && len(args) > 0:
		return protocol.Errorf(protocol.KindUsage, "usage: give a file or --offered, not both")
	case !f.offered && len(args) == 0:
		a.showQuorum("demanded", w, d)
		return nil
	}
	return a.withSession(func(s *session) error {
		to, err := s.newQuorum(ctx, w, args)
		if err != nil {
			return err
		}
		return s.changeQuorum(ctx, f, w, to)
	})
}

// newQuorum returns the world with the witnesses of a file, or with those that the
// server offers.
func (s *session) newQuorum(ctx context.Context, w *directory.World, args []string) (*directory.World, error) {
	if len(args) == 0 {
		return s.client.World(ctx, protocol.Hash{})
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "read the policy")
	}
	policy, err := tlog.ParsePolicy(text)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "%s", args[0])
	}
	return directory.NewWorld(policy, w.VRF(), w.Statements())
}

// changeQuorum shows both, asks, and puts the one in the place of the other.
func (s *session) changeQuorum(ctx context.Context, f *quorumFlags, from, to *directory.World) error {
	if from.Hash() == to.Hash() {
		s.a.showQuorum("demanded", from, s.device)
		return nil
	}
	if from.Log().String() != to.Log().String() || from.VRF() != to.VRF() || from.Statements() != to.Statements() {
		return protocol.Errorf(protocol.KindUntrusted, "that is a policy for another log, %s, than the one that this device goes by, %s; nothing was changed",
			to.Log().Origin(), from.Log().Origin())
	}
	s.a.showQuorum("before", from, s.device)
	s.a.showQuorum("after", to, s.device)
	if !f.yes {
		if !s.a.asksOnTerminal() {
			return protocol.Errorf(protocol.KindUsage, "there is nobody to ask whether this device shall demand another quorum: give --yes; nothing was changed")
		}
		answer, err := s.a.readLine("Type yes to demand the second from now on: ")
		if err != nil || strings.TrimSpace(answer) != "yes" {
			return protocol.Errorf(protocol.KindUsage, "not confirmed; nothing was changed")
		}
	}
	if err := s.noteHandedOut(ctx, from, to); err != nil {
		return err
	}
	if err := s.state.ChangeWorld(to); err != nil {
		return err
	}
	if !s.a.flags.json {
		s.a.say("This device demands the second quorum from now on. Make a new recovery kit (solekey recovery kit) if devices that come back shall, too.")
	}
	return nil
}

func (a *app) showQuorum(which string, w *directory.World, d *state.Device) {
	missing := lacks(w.Policy(), d.Server)
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "quorum", "which": which, "world": w.Hash(), "policy": w.Policy().String(), "witnesses": watchersOf(w, nil, d.Server),
			"witness_demanded": w.Policy().NeedsWitness(), "auditor_demanded": demandsAuditor(w.Policy()), "warnings": append([]string{}, missing...),
		})
		return
	}
	a.say("%s: %s", which, w.Log().Origin())
	for line := range strings.Lines(w.Policy().String()) {
		a.say("  %s", strings.TrimRight(line, "\n"))
	}
	for _, text := range missing {
		a.say("  note: %s", text)
	}
}

// noteJoined is the hash of the world that the server handed out, where this
// device's user demands another quorum: further devices join that one.
const noteJoined = "handed-out-world"

// noteHandedOut remembers which world further devices of the account can fetch from
// the server: the one before, unless the server knows the new one as well.
func (s *session) noteHandedOut(ctx context.Context, from, to *directory.World) error {
	known, err := handedOut(s.state, from)
	if err != nil {
		return err
	}
	_, err = s.client.World(ctx, to.Hash())
	switch {
	case err == nil:
		return s.state.SetNote(noteJoined, nil)
	case protocol.KindOf(err) != protocol.KindNotFound || client.RefusalOf(err) == nil:
		return err
	}
	return s.state.SetNote(noteJoined, known[:])
}

// handedOut returns the hash of the world that further devices join, and that both
// sides of an enrolment compare: one that the server knows.
func handedOut(kept *state.State, w *directory.World) (protocol.Hash, error) {
	data, err := kept.Note(noteJoined)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return w.Hash(), nil
	}
	if err != nil {
		return protocol.Hash{}, err
	}
	if len(data) != len(protocol.Hash{}) {
		return protocol.Hash{}, protocol.Errorf(protocol.KindUntrusted, "which log further devices join is damaged on this device; set it anew: solekey log quorum --offered")
	}
	return protocol.Hash(data), nil
}
