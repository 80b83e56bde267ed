// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

// forgetFlags are the flags of forget.
type forgetFlags struct {
	chosen
	pruneFlags
	last, hourly, daily, weekly, monthly, yearly                                 string
	within, withinHourly, withinDaily, withinWeekly, withinMonthly, withinYearly string
	keepTags                                                                     []string
	groupBy                                                                      string
	dryRun, prune, compact                                                       bool
}

func newForget(a *app) *cobra.Command {
	f := &forgetFlags{}
	c := &cobra.Command{
		Use:   "forget [flags] [SNAPSHOT...]",
		Short: "Forget snapshots, by rules or by name",
		Long: "Forget takes snapshots out of the vault's list: those that are named, or those that the --keep rules\n" +
			"do not keep. Rules are applied to each group of snapshots by itself. The newest snapshot of a group is\n" +
			"kept in any case; to forget it, name it. `solekey undelete` brings forgotten snapshots back as long as\n" +
			"the server keeps their packs. To get space back, use --prune, or `solekey prune`.\n\n" +
			"A count is a number, or \"unlimited\". Snapshots of a writer device are a group of their own, whatever\n" +
			"host and paths they claim; of these, count rules see the first one of each day, and no clock that a\n" +
			"writer claims moves what was there before.",
		Example: "  solekey forget --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune\n" +
			"  solekey forget --keep-within 30d --keep-within-monthly 2y --dry-run\n" +
			"  solekey forget 4be1a2c7 9d01f3aa",
		RunE: func(c *cobra.Command, args []string) error { return a.forget(c.Context(), f, args) },
	}
	fl := c.Flags()
	f.addRules(fl)
	fl.StringArrayVar(&f.hosts, "host", nil, "only snapshots of this host (can be repeated)")
	fl.StringArrayVar(&f.paths, "path", nil, "only snapshots of this absolute path (can be repeated)")
	fl.StringArrayVar(&f.tags, "tag", nil, "only snapshots with these tags, as in a,b (can be repeated)")
	fl.StringVarP(&f.groupBy, "group-by", "g", "host,paths", "group by host, paths, tags or several of these; '' for one group")
	fl.BoolVarP(&f.compact, "compact", "c", false, "one short line for each snapshot")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "change nothing, say what would be forgotten")
	fl.BoolVar(&f.prune, "prune", false, "prune afterwards, if something was forgotten")
	f.pruneFlags.add(fl)
	return c
}

func (f *forgetFlags) addRules(fl *pflag.FlagSet) {
	fl.StringVarP(&f.last, "keep-last", "l", "", "keep the last n snapshots")
	fl.StringVarP(&f.hourly, "keep-hourly", "H", "", "keep the newest of the last n hours that have any")
	fl.StringVarP(&f.daily, "keep-daily", "d", "", "the same with days")
	fl.StringVarP(&f.weekly, "keep-weekly", "w", "", "the same with weeks")
	fl.StringVarP(&f.monthly, "keep-monthly", "m", "", "the same with months")
	fl.StringVarP(&f.yearly, "keep-yearly", "y", "", "the same with years")
	fl.StringVar(&f.within, "keep-within", "", "keep what is no older than this before the newest, as in 1y5m7d2h")
	fl.StringVar(&f.withinHourly, "keep-within-hourly", "", "keep hourly ones that are no older than this")
	fl.StringVar(&f.withinDaily, "keep-within-daily", "", "the same with daily ones")
	fl.StringVar(&f.withinWeekly, "keep-within-weekly", "", "the same with weekly ones")
	fl.StringVar(&f.withinMonthly, "keep-within-monthly", "", "the same with monthly ones")
	fl.StringVar(&f.withinYearly, "keep-within-yearly", "", "the same with yearly ones")
	fl.StringArrayVar(&f.keepTags, "keep-tag", nil, "keep snapshots with these tags, as in a,b (can be repeated)")
}

// policy turns the flags into rules.
func (f *forgetFlags) policy() (backup.Policy, error) {
	p := backup.Policy{Tags: f.keepTags, Zone: time.Local}
	for text, into := range map[*string]*int{
		&f.last: &p.Last, &f.hourly: &p.Hourly, &f.daily: &p.Daily,
		&f.weekly: &p.Weekly, &f.monthly: &p.Monthly, &f.yearly: &p.Yearly,
	} {
		var err error
		if *into, err = parseCount(*text); err != nil {
			return p, err
		}
	}
	for text, into := range map[*string]*backup.Span{
		&f.within: &p.Within, &f.withinHourly: &p.WithinHourly, &f.withinDaily: &p.WithinDaily,
		&f.withinWeekly: &p.WithinWeekly, &f.withinMonthly: &p.WithinMonthly, &f.withinYearly: &p.WithinYearly,
	} {
		if *text == "" {
			continue
		}
		var err error
		if *into, err = backup.ParseSpan(*text); err != nil {
			return p, err
		}
	}
	return p, nil
}

// parseCount reads the count of a rule; -1, too, is no limit.
func parseCount(text string) (int, error) {
	switch text {
	case "":
		return 0, nil
	case "unlimited", "-1":
		return backup.All, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, protocol.Errorf(protocol.KindUsage, "%q is no count; write a number, or unlimited", text)
	}
	return n, nil
}

// groupWords turns --group-by into the words that the engine knows.
func groupWords(text string) ([]string, error) {
	by, err := parseGroupBy(text)
	var words []string
	for _, word := range []struct {
		set  bool
		name string
	}{{by.host, "host"}, {by.paths, "paths"}, {by.tags, "tags"}} {
		if word.set {
			words = append(words, word.name)
		}
	}
	return words, err
}

// forget forgets, says what, and prunes where that was asked for.
func (a *app) forget(ctx context.Context, f *forgetFlags, ids []string) error {
	o := backup.ForgetOptions{IDs: ids, Filter: f.filter(), DryRun: f.dryRun}
	var err error
	if o.Policy, err = f.policy(); err != nil {
		return err
	}
	if o.GroupBy, err = groupWords(f.groupBy); err != nil {
		return err
	}
	prune, err := f.options(f.dryRun)
	if err != nil {
		return err
	}
	return a.withVault(ctx, true, func(_ *session, v *backup.Vault) error {
		r, err := v.Forget(ctx, o)
		if err != nil {
			return err
		}
		a.forgetSummary(v, f, r)
		if !f.prune || len(r.Forgotten) == 0 || f.dryRun {
			return nil
		}
		return a.pruneVault(ctx, v, prune)
	})
}

func (a *app) forgetSummary(v *backup.Vault, f *forgetFlags, r *backup.ForgetResult) {
	if a.flags.json {
		a.forgetJSON(v, f, r)
		return
	}
	if a.flags.quiet {
		return
	}
	for _, g := range r.Groups {
		a.forgetGroup(v, f, g)
	}
	if len(r.Groups) == 0 {
		for _, s := range r.Forgotten {
			a.snapshotLine(v, &snapshotsFlags{compact: f.compact}, s)
		}
	}
	switch {
	case f.dryRun:
		a.say("would forget %d snapshots and keep %d; nothing was changed", len(r.Forgotten), r.Kept)
	case len(r.Forgotten) == 0:
		a.say("nothing to forget: %d snapshots are kept", r.Kept)
	default:
		a.say("forgot %d snapshots, %d are kept; `solekey undelete` brings them back as long as their packs are there", len(r.Forgotten), r.Kept)
	}
}

// forgetTitle says what the snapshots of a group have in common.
func forgetTitle(v *backup.Vault, g *backup.ForgetGroup) string {
	var parts []string
	if g.Host != "" {
		parts = append(parts, "host "+printable([]byte(g.Host)))
	}
	if len(g.Tags) > 0 {
		parts = append(parts, "tags "+printable([]byte(strings.Join(g.Tags, ", "))))
	}
	if len(g.Paths) > 0 {
		parts = append(parts, "paths "+printable([]byte(strings.Join(g.Paths, ", "))))
	}
	if !g.Writer.IsZero() {
		label := deviceLabel(v, &backup.Snapshot{Device: g.Writer})
		parts = append(parts, "writer "+printable([]byte(label))+" "+g.Writer.String()[:shortID])
	}
	if len(parts) == 0 {
		return "all snapshots"
	}
	return strings.Join(parts, "; ")
}

func (a *app) forgetGroup(v *backup.Vault, f *forgetFlags, g *backup.ForgetGroup) {
	a.say("%s: keep %d, forget %d", forgetTitle(v, g), len(g.Keep), len(g.Remove))
	line := func(word string, j *backup.Judged) {
		text := fmt.Sprintf("  %s  %s  %s", word, j.ID.String()[:shortID], localTime(j.Time))
		if !f.compact && len(j.Reasons) > 0 {
			text += "  " + printable([]byte(strings.Join(j.Reasons, ", ")))
		}
		a.say("%s", text)
	}
	for _, j := range g.Keep {
		line("keep  ", j)
	}
	for _, j := range g.Remove {
		line("forget", j)
	}
}

func (a *app) forgetJSON(v *backup.Vault, f *forgetFlags, r *backup.ForgetResult) {
	for _, g := range r.Groups {
		m := map[string]any{"message_type": "group", "host": g.Host, "paths": g.Paths, "tags": g.Tags, "keep": []any{}, "remove": []any{}}
		if !g.Writer.IsZero() {
			m["writer"] = g.Writer
		}
		for name, list := range map[string][]*backup.Judged{"keep": g.Keep, "remove": g.Remove} {
			objects := make([]any, 0, len(list))
			for _, j := range list {
				objects = append(objects, map[string]any{"snapshot": snapshotObject(v, j.Snapshot, "snapshot"), "rule_time": j.Time.String(), "reasons": j.Reasons})
			}
			m[name] = objects
		}
		a.emit(m)
	}
	ids := make([]protocol.Hash, 0, len(r.Forgotten))
	for _, s := range r.Forgotten {
		ids = append(ids, s.ID)
	}
	m := map[string]any{"message_type": "summary", "forgotten": ids, "kept": r.Kept, "dry_run": f.dryRun}
	if !r.Record.IsZero() {
		m["record"] = r.Record
	}
	a.emit(m)
}
