// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

// pruneFlags are the flags that forget --prune and prune share.
type pruneFlags struct {
	maxUnused, maxRepack string
	all                  bool
}

func (f *pruneFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.maxUnused, "max-unused", "5%", "how much may stay stored that nothing needs: a size, a part of what is used, or unlimited")
	fl.StringVar(&f.maxRepack, "max-repack-size", "", "move at most this much, as in 2G")
	fl.BoolVar(&f.all, "all", false, "also packs of runs that were not finished in the last 14 days: they start again")
}

// options turns the flags into what the engine takes.
func (f *pruneFlags) options(dryRun bool) (o backup.PruneOptions, err error) {
	o = backup.PruneOptions{DryRun: dryRun, MinAge: backup.DefaultMinAge}
	if f.all {
		o.MinAge = 0
	}
	if o.MaxUnused, err = parseAllowance(f.maxUnused); err != nil {
		return o, err
	}
	if f.maxRepack != "" {
		o.MaxRepack, err = parseSize(f.maxRepack)
	}
	return o, err
}

func parseAllowance(text string) (backup.Allowance, error) {
	if text == "unlimited" {
		return backup.Allowance{NoLimit: true}, nil
	}
	number, isPercent := strings.CutSuffix(text, "%")
	if !isPercent {
		n, err := parseSize(text)
		return backup.Allowance{Bytes: n}, err
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n < 100) {
		return backup.Allowance{}, protocol.Errorf(protocol.KindUsage, "%q is no part; write it as in 5%%", text)
	}
	return backup.Allowance{Percent: n}, nil
}

func newPrune(a *app) *cobra.Command {
	f, dryRun := &pruneFlags{}, false
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Give back the space that no snapshot needs",
		Long: "Prune retires packs of which no snapshot needs anything, and moves what is needed out of packs with much\n" +
			"that is not. Before it begins it says how much it moves and frees. The server keeps retired packs for its\n" +
			"retention time, 30 days unless it says otherwise, and until then `solekey undelete` brings them back; a\n" +
			"prune after that time drops them. Backups may run meanwhile: whoever comes second looks again.",
		Example: "  solekey prune --dry-run\n" +
			"  solekey prune --max-unused 10% --max-repack-size 2G",
		Args: terminal.Exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := f.options(dryRun)
			if err != nil {
				return err
			}
			return a.withVault(c.Context(), true, func(_ *session, v *backup.Vault) error {
				return a.pruneVault(c.Context(), v, o)
			})
		},
	}
	f.add(c.Flags())
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "change nothing, say what would be done")
	return c
}

// pruneVault prunes, and says what before and after.
func (a *app) pruneVault(ctx context.Context, v *backup.Vault, o backup.PruneOptions) error {
	var moved, of atomic.Int64
	o.OnPlan = func(p *backup.PrunePlan) error {
		of.Store(p.Move)
		a.prunePlan(p, o.DryRun)
		return nil
	}
	o.OnMoved = func(n int64) { moved.Add(n) }
	stop := a.tick(func() {
		if a.flags.json {
			a.emit(map[string]any{"message_type": "status", "bytes_moved": moved.Load(), "bytes_to_move": of.Load()})
			return
		}
		a.progress(fmt.Sprintf("pruning: %s of %s moved", size(moved.Load()), size(of.Load())))
	})
	r, err := v.Prune(ctx, o)
	stop()
	if err != nil || o.DryRun {
		return err
	}
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "summary", "packs_retired": r.Retired, "packs_revived": r.Revived, "packs_dropped": r.Dropped,
			"packs_new": r.NewPacks, "bytes_moved": r.Moved, "bytes_freed": r.Plan.Frees(), "packs_broken": len(r.Broken),
		})
	} else if !a.flags.quiet {
		a.say("retired %d packs, dropped %d; moved %s into %d new packs", r.Retired, r.Dropped, size(r.Moved), r.NewPacks)
		if r.Revived > 0 {
			a.say("revived %d packs that a snapshot needs", r.Revived)
		}
	}
	if len(r.Broken) > 0 {
		return protocol.Errorf(protocol.KindUntrusted, "%d packs did not verify and stay as they are; `solekey check --read-data` says what they touch", len(r.Broken))
	}
	return nil
}

// prunePlan says what a prune is about to do.
func (a *app) prunePlan(p *backup.PrunePlan, dryRun bool) {
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "plan", "dry_run": dryRun, "packs": p.Packs, "bytes_stored": p.Stored, "bytes_used": p.Used,
			"bytes_unused": p.Unused, "bytes_unused_after": p.Left, "packs_to_retire": p.Retire, "bytes_to_retire": p.RetireSize,
			"packs_to_repack": p.Repack, "bytes_to_move": p.Move, "bytes_freed": p.Frees(), "packs_in_flight": p.InFlight,
			"bytes_in_flight": p.InFlightSize, "packs_to_revive": p.Revive, "packs_retired_before": p.Retired, "bytes_retired_before": p.RetiredSize,
		})
		return
	}
	if a.flags.quiet {
		return
	}
	a.say("stored: %s in %d packs; needed %s, not needed %s", size(p.Stored), p.Packs, size(p.Used), size(p.Unused))
	a.say("to retire whole: %d packs, %s", p.Retire, size(p.RetireSize))
	a.say("to repack: %d packs, %s, of which %s are moved", p.Repack, size(p.RepackSize), size(p.Move))
	a.say("frees about %s once the retention is over; %s not needed stays", size(p.Frees()), size(p.Left))
	if p.InFlight > 0 {
		a.say("left alone: %d packs, %s, of runs that are not finished", p.InFlight, size(p.InFlightSize))
	}
	if p.Retired > 0 {
		a.say("retired before: %d packs, %s; what is old enough is dropped", p.Retired, size(p.RetiredSize))
	}
	if p.Revive > 0 {
		a.say("to revive: %d packs that a snapshot needs", p.Revive)
	}
	if dryRun {
		a.say("nothing was changed")
	}
}
