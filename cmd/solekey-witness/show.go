// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

func (p *program) keyCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use: "key", Short: "Print the public keys, and lines for a policy", Args: terminal.Exactly(0, "no arguments"),
		Long: "key prints the public keys of the witness: one pair for logs that it audits, one for\n" +
			"logs of which it only checks that they grow. Of a pair, Ed25519 is what every client\n" +
			"knows, and ML-DSA-44 withstands quantum computers. The lines are for a policy (C2SP\n" +
			"tlog-policy): the two keys of a pair are one witness, so they stand in a group of any.",
		Example: "  solekey-witness key\n  solekey-witness key --url https://witness.example.org --json",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := p.folder()
			if err != nil {
				return err
			}
			s, err := openSite(c.Context(), dir)
			if err != nil {
				return err
			}
			p.showKeys(s.keys, url)
			return s.Close()
		},
	}
	c.Flags().StringVar(&url, "url", "", "where the witness is asked, for the policy's lines")
	return c
}

// modes are what a witness may say with a key, as other programs and people know it.
var modes = []struct {
	audit bool
	word  string
	words string
}{
	{true, "auditing", "For logs that it audits"},
	{false, "extension", "For logs of which it only checks that they grow"},
}

func (p *program) showKeys(k *keySet, url string) {
	for _, m := range modes {
		secrets := k.of(m.audit)
		policy := policyLines(secrets, url)
		keys := []string{secrets[0].Public().String(), secrets[1].Public().String()}
		p.say(map[string]any{"message_type": "keys", "mode": m.word, "vkeys": keys, "policy": policy}, "%s:\n\n%s", m.words, policy)
	}
}

// policyLines are the lines of a policy for one pair of keys.
func policyLines(secrets []*tlog.WitnessSecret, url string) string {
	name := secrets[0].Public().Name()
	text, members := "", []string{}
	for _, s := range secrets {
		member := name + ":" + strings.ToLower(s.Public().Algorithm().String())
		members = append(members, member)
		text += strings.TrimSuffix("witness "+member+" "+s.Public().String()+" "+url, " ") + "\n"
	}
	return text + "group " + name + " any " + strings.Join(members, " ") + "\n"
}

func (p *program) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Show what was cosigned last, and alarms", Args: terminal.Exactly(0, "no arguments"),
		Long: "status shows the newest checkpoint of each log that was cosigned, and what logs signed\n" +
			"that they must not have. It ends with exit code 20 if there is such an alarm.",
		Example: "  solekey-witness status\n  solekey-witness status --json",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := p.folder()
			if err != nil {
				return err
			}
			s, err := openSite(c.Context(), dir)
			if err != nil {
				return err
			}
			alarms, err := p.showStatus(c.Context(), s)
			if closed := s.Close(); err == nil {
				err = closed
			}
			if err == nil && alarms > 0 {
				return protocol.Errorf(protocol.KindUntrusted, "%d alarms: a log is not what it must be; the notes above prove it, show them to those who use the log", alarms)
			}
			return err
		},
	}
	return c
}

func (p *program) showStatus(ctx context.Context, s *site) (int, error) {
	origins, err := s.memory.Origins(ctx)
	if err != nil {
		return 0, err
	}
	now := clock.Now()
	for _, origin := range origins {
		l, err := s.memory.Latest(ctx, origin)
		if err != nil {
			return 0, err
		}
		ago := now.Sub(l.Time.Std()).Truncate(time.Second)
		p.say(map[string]any{"message_type": "log", "origin": origin, "size": l.Size, "root": l.Root, "time": l.Time.Std(), "age_seconds": int64(ago / time.Second)},
			"%s\n  size %d, root %s\n  cosigned %s, %s ago", origin, l.Size, l.Root, l.Time.Std().Format(time.RFC3339), ago)
	}
	alarms, err := s.memory.Alarms(ctx)
	if err != nil {
		return 0, err
	}
	for _, a := range alarms {
		p.say(map[string]any{"message_type": "alarm", "origin": a.Origin, "time": a.Time.Std(), "text": a.Text, "note": string(a.Note)},
			"\nALARM, %s, %s: %s\n\n%s", a.Origin, a.Time.Std().Format(time.RFC3339), a.Text, a.Note)
	}
	p.say(map[string]any{"message_type": "summary", "name": s.keys.name(), "logs": len(origins), "alarms": len(alarms)},
		"Witness %s: %d logs, %d alarms.", s.keys.name(), len(origins), len(alarms))
	return len(alarms), nil
}
