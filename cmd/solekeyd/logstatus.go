// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/provider/accounts"
)

// logState is how the log is, as far as its tables and files tell.
type logState struct {
	Type      string         `json:"message_type"`
	Log       string         `json:"log"` // for whoever runs a witness: key and address
	Size      uint64         `json:"size"`
	Waiting   int64          `json:"waiting"`
	Oldest    time.Time      `json:"oldest_waiting"` // when it was acknowledged; zero where nothing waits
	Anchors   int64          `json:"anchors_waiting"`
	Rejected  int64          `json:"rejected"`
	Refusal   string         `json:"refusal,omitempty"`
	Newest    time.Time      `json:"newest_root"` // its time; zero where there is none
	Worlds    []worldState   `json:"worlds"`      // the first is what new devices join
	Witnesses []witnessState `json:"witnesses"`
}

// worldState is how far devices of one world see.
type worldState struct {
	World     protocol.Hash `json:"world"`
	Demands   bool          `json:"demands_witnesses"`
	Published uint64        `json:"published_size"`
	Root      time.Time     `json:"published_root"`
	Witnessed time.Time     `json:"witnessed"` // as of when the quorum held; zero where none is demanded
}

// witnessState is what one key of a witness cosigned last.
type witnessState struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Algorithm string    `json:"algorithm"`
	Auditing  bool      `json:"auditing"`
	Demanded  bool      `json:"demanded"` // by devices that join now
	Size      uint64    `json:"cosigned_size"`
	Cosigned  time.Time `json:"cosigned"`
}

func (p *program) logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "log", Short: "Show the public log and its witnesses",
		Example: "  solekeyd log status\n  solekeyd log policy",
	}
	cmd.AddCommand(p.logStatusCommand(), p.logPolicyCommand())
	return cmd
}

func (p *program) logStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show size, age, queue and witnesses of the public log", Args: terminal.AtMost(0, "no arguments"),
		Long: "status shows how long the log is, how much of it devices are shown, what waits, and which\n" +
			"witnesses cosigned when. It also prints the line that whoever runs a witness needs.",
		Example: "  solekeyd log status\n  solekeyd log status --json | jq .worlds[0].published_size",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.beside(cmd.Context(), func(s *site, _ *accounts.Service) error {
				state, err := s.logState(cmd.Context())
				if err != nil {
					return err
				}
				p.showLog(state)
				return nil
			})
		},
	}
}

func (p *program) logPolicyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "policy", Short: "Print which cosignatures devices that join now demand", Args: terminal.AtMost(0, "no arguments"),
		Long: "policy prints the policy, as C2SP tlog-policy has it, that devices take over when they\n" +
			"join. Change it at the start: solekeyd up --witness URL. Devices that joined before keep theirs.",
		Example: "  solekeyd log policy >policy.txt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.beside(cmd.Context(), func(s *site, _ *accounts.Service) error {
				text := s.worlds.newest().Policy().String()
				p.say(map[string]any{"message_type": "policy", "world": s.world(), "policy": text}, "%s", strings.TrimSuffix(text, "\n"))
				return nil
			})
		},
	}
}

// logState reads how the log is, beside a server that may run.
func (s *site) logState(ctx context.Context) (*logState, error) {
	st := &logState{Type: "log", Worlds: []worldState{}, Witnesses: []witnessState{}}
	host, err := s.host("")
	if errors.Is(err, fs.ErrNotExist) {
		host, err = "HOST:PORT", nil // restored, and not started since
	}
	if err != nil {
		return nil, err
	}
	st.Log = s.witnessLine(host)
	head, err := s.records.LogHead(ctx, s.keys.log.log.Public().ID())
	if err != nil {
		return nil, err
	}
	st.Size = head.Size
	if st.Waiting, st.Anchors, st.Rejected, err = s.records.QueueLength(ctx); err != nil {
		return nil, err
	}
	oldest, err := s.records.Waiting(ctx, 1)
	if err != nil {
		return nil, err
	}
	if len(oldest) > 0 {
		st.Oldest = oldest[0].Received.Std()
	}
	if st.Refusal, err = s.records.Refusal(ctx); err != nil {
		return nil, err
	}
	var notes [][]byte
	for _, world := range s.worlds.parsed {
		one, note, err := s.worldState(ctx, world)
		if err != nil {
			return nil, err
		}
		if one.Root.After(st.Newest) {
			st.Newest = one.Root
		}
		st.Worlds, notes = append(st.Worlds, one), append(notes, note)
	}
	signed, err := s.records.Note(ctx, protocol.Hash{})
	if err != nil {
		return nil, err
	}
	st.Witnesses = s.witnessStates(append(notes, signed.Note))
	return st, nil
}

func (s *site) worldState(ctx context.Context, world *directory.World) (worldState, []byte, error) {
	one := worldState{World: world.Hash(), Demands: world.Policy().NeedsWitness()}
	note, err := s.records.Note(ctx, world.Hash())
	if err != nil || note.Size == 0 {
		return one, nil, err
	}
	one.Published = note.Size
	if entry, err := directory.ParseEntry(note.Root); err == nil && entry.Root != nil {
		one.Root = entry.Root.Time.Std()
	}
	if witnessed, err := world.Policy().Verify(note.Note); err == nil && witnessed.Time > 0 {
		one.Witnessed = witnessed.Time.Std()
	}
	return one, note.Note, nil
}

// witnessStates looks for the newest cosignature of every key that any world names.
func (s *site) witnessStates(notes [][]byte) []witnessState {
	list, seen := []witnessState{}, map[string]bool{}
	for i, world := range s.worlds.parsed {
		for _, member := range world.Policy().Witnesses() {
			key := member.Key.String()
			if seen[key] {
				continue
			}
			seen[key] = true
			one := witnessState{Name: member.Name, URL: member.URL, Algorithm: member.Key.Algorithm().String(), Demanded: i == 0}
			one.Auditing = slices.ContainsFunc(s.worlds.Witnesses, func(w witness) bool { return w.Auditing && slices.Contains(w.Keys, key) })
			for _, note := range notes {
				at, ok := member.Key.VerifyCosignature(note)
				if c, err := s.keys.log.log.Public().Verify(note); ok && err == nil && at.Std().After(one.Cosigned) {
					one.Size, one.Cosigned = c.Size, at.Std()
				}
			}
			list = append(list, one)
		}
	}
	return list
}

func (p *program) showLog(st *logState) {
	if p.json {
		p.line(p.out, st)
		return
	}
	now := clock.Now()
	first := st.Worlds[0]
	p.say(nil, "Public log: %d entries, %d shown to devices that join now; newest root %s.", st.Size, first.Published, age(now, st.Newest))
	p.say(nil, "Waiting: %d entries, %d anchors. Refused by the log's rules: %d.", st.Waiting, st.Anchors, st.Rejected)
	if st.Refusal != "" {
		p.say(nil, "THE LOG STANDS STILL: %s", st.Refusal)
	}
	if !first.Demands {
		p.say(nil, "No witness: that the newest is the newest rests on this server's word.")
	} else {
		p.say(nil, "Devices that join now see what enough witnesses had cosigned %s.", age(now, first.Witnessed))
	}
	for _, w := range st.Witnesses {
		p.say(nil, "  %s (%s), %s%s: size %d, cosigned %s", w.Name, w.Algorithm, w.URL, w.words(), w.Size, age(now, w.Cosigned))
	}
	for _, one := range st.Worlds[1:] {
		witnessed := "no witness demanded"
		if one.Demands {
			witnessed = "witnessed " + age(now, one.Witnessed)
		}
		p.say(nil, "Devices that joined before, world %s: size %d, root %s, %s", one.World.String()[:8], one.Published, age(now, one.Root), witnessed)
	}
	p.say(nil, "For whoever runs a witness:\n  %s", st.Log)
}

func (w witnessState) words() string {
	words := ""
	if w.Auditing {
		words += ", auditing"
	}
	if !w.Demanded {
		words += ", only of devices that joined before"
	}
	return words
}

// age is how long ago something was, as people say it.
func age(now, at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	d := now.Sub(at)
	switch {
	case d < 0:
		return "in the future, " + at.Format(time.RFC3339)
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h ago", int(d.Hours()))
}
