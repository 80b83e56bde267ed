// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/provider/accounts"
)

// beside opens the data folder beside the server that may run, for one command.
func (p *program) beside(ctx context.Context, work func(s *site, people *accounts.Service) error) (err error) {
	dir, err := p.folder()
	if err != nil {
		return err
	}
	s, err := openSite(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	people, err := s.accounts(accounts.Config{Clock: clock.Now})
	if err != nil {
		return err
	}
	return work(s, people)
}

func (p *program) inviteCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use: "invite", Short: "Make an invite, good for one account", Args: terminal.AtMost(0, "no arguments"),
		Example: "  solekeyd invite\n  solekeyd invite --json | jq -r .url",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.beside(cmd.Context(), func(s *site, people *accounts.Service) error {
				host, err := s.host(url)
				if err != nil {
					return err
				}
				invite, err := people.Invite(cmd.Context(), host, s.keys.pin, s.world())
				if err != nil {
					return err
				}
				p.showInvite(invite)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "what the invite names, https://HOST:PORT (default: as the server was started)")
	return cmd
}

// host is what an invite names.
func (s *site) host(flag string) (string, error) {
	if flag != "" {
		return parseURL(flag)
	}
	v, err := s.loadSettings()
	return v.Host, err
}

func (p *program) accountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "account", Short: "List, show, suspend and resume accounts",
		Example: "  solekeyd account list\n  solekeyd account suspend alice",
		Args:    terminal.AtMost(0, "one of list, show, suspend, resume"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return protocol.Errorf(protocol.KindUsage, "account takes one of list, show, suspend, resume; see solekeyd account --help")
		},
	}
	cmd.AddCommand(
		p.accountListCommand(), p.accountShowCommand(),
		p.suspendCommand("suspend", "Let an account be read and not changed", true),
		p.suspendCommand("resume", "Let a suspended account be changed again", false),
	)
	return cmd
}

func (p *program) accountListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all accounts", Args: terminal.AtMost(0, "no arguments"),
		Example: "  solekeyd account list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.beside(cmd.Context(), func(_ *site, people *accounts.Service) error {
				found := false
				err := people.List(cmd.Context(), func(info accounts.Info) error {
					found = true
					p.showAccount(info)
					return nil
				})
				if err == nil && !found && !p.json {
					p.say(nil, "No accounts yet: solekeyd invite makes an invite.")
				}
				return err
			})
		},
	}
}

func (p *program) accountShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one account", Args: terminal.Exactly(1, "a name or an account id"),
		Example: "  solekeyd account show alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onAccount(cmd.Context(), args[0], func(*accounts.Service, accounts.Info) error { return nil })
		},
	}
}

// onAccount changes one account and shows it.
func (p *program) onAccount(ctx context.Context, name string, change func(*accounts.Service, accounts.Info) error) error {
	return p.beside(ctx, func(_ *site, people *accounts.Service) error {
		info, err := people.Find(ctx, name)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return protocol.Errorf(protocol.KindNotFound, "there is no account %q here", name)
		}
		if err != nil {
			return err
		}
		if err := change(people, info); err != nil {
			return err
		}
		if info, err = people.Find(ctx, info.Account.String()); err != nil {
			return err
		}
		p.showAccount(info)
		return nil
	})
}

func (p *program) showAccount(info accounts.Info) {
	a := info.API()
	quota, state := "no quota", "active"
	if a.Quota > 0 {
		quota = "of " + printSize(a.Quota)
	}
	if a.Suspended {
		state = "suspended"
	}
	p.say(map[string]any{
		"message_type": "account", "account": a.Account, "name": a.Name, "quota": a.Quota, "used": a.Used,
		"packs": a.Packs, "created": a.Created.Std(), "suspended": a.Suspended, "ledger_seq": info.Head.Seq,
	}, "%s  %s  %s  %s (%s), %d packs, since %s", a.Name, a.Account, state, printSize(a.Used), quota, a.Packs, a.Created.Std().Format(time.DateOnly))
}

func (p *program) suspendCommand(use, short string, suspended bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " NAME", Short: short, Args: terminal.Exactly(1, "a name or an account id"),
		Example: "  solekeyd account " + use + " alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onAccount(cmd.Context(), args[0], func(people *accounts.Service, info accounts.Info) error {
				return people.Suspend(cmd.Context(), info.Account, suspended)
			})
		},
	}
}

func (p *program) quotaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "quota NAME SIZE", Short: "Set how much an account may store", Args: terminal.Exactly(2, "an account and a size"),
		Example: "  solekeyd quota alice 500GB\n  solekeyd quota alice none",
		RunE: func(cmd *cobra.Command, args []string) error {
			size, err := parseSize(args[1])
			if err != nil {
				return err
			}
			return p.onAccount(cmd.Context(), args[0], func(people *accounts.Service, info accounts.Info) error {
				return people.SetQuota(cmd.Context(), info.Account, size)
			})
		},
	}
}

// units are the sizes' letters: of 1000 with B, of 1024 with iB or alone.
const units = "KMGTP"

// parseSize reads 500GB, 500GiB, 500G or 500000; nothing and none are 0.
func parseSize(text string) (int64, error) {
	if text == "" || text == "none" {
		return 0, nil
	}
	end := strings.LastIndexAny(text, "0123456789.") + 1
	number, err := strconv.ParseFloat(text[:end], 64)
	if err != nil || number < 0 {
		return 0, wrongSize(text)
	}
	factor, err := unitFactor(text, text[end:])
	if size := number * factor; err == nil && size < 1<<62 {
		return int64(size), nil
	}
	return 0, wrongSize(text)
}

func wrongSize(text string) error {
	return protocol.Errorf(protocol.KindUsage, "size %q: want a number with a unit, like 500GB, or none", text)
}

func unitFactor(text, unit string) (float64, error) {
	if unit == "" || unit == "B" {
		return 1, nil
	}
	for i, letter := range units {
		base := 1.0
		switch unit {
		case string(letter) + "B":
			base = 1000
		case string(letter), string(letter) + "iB":
			base = 1024
		default:
			continue
		}
		factor := 1.0
		for range i + 1 {
			factor *= base
		}
		return factor, nil
	}
	return 0, wrongSize(text)
}

func printSize(size int64) string {
	value, unit := float64(size), ""
	for _, letter := range units {
		if value < 1024 {
			break
		}
		value, unit = value/1024, string(letter)+"i"
	}
	if unit == "" {
		return fmt.Sprintf("%d B", size)
	}
	return fmt.Sprintf("%.1f %sB", value, unit)
}
