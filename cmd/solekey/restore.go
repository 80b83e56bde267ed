// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

// chosen are the flags that choose among snapshots.
type chosen struct{ hosts, paths, tags []string }

func (c *chosen) add(f *pflag.FlagSet, what string) {
	f.StringArrayVarP(&c.hosts, "host", "H", nil, "only snapshots of this host"+what+" (can be repeated)")
	f.StringArrayVar(&c.paths, "path", nil, "only snapshots of this absolute path"+what+" (can be repeated)")
	f.StringArrayVar(&c.tags, "tag", nil, "only snapshots with these tags, as in a,b"+what+" (can be repeated)")
}

func (c *chosen) filter() backup.Filter {
	return backup.Filter{Hosts: c.hosts, Paths: c.paths, Tags: c.tags}
}

// restoreFlags are the flags of restore.
type restoreFlags struct {
	chosen
	target, overwrite                            string
	include, iinclude, exclude, iexclude         []string
	delete, verify, sparse, dryRun, numericOwner bool
}

func newRestore(a *app) *cobra.Command {
	f := &restoreFlags{}
	c := &cobra.Command{
		Use:   "restore [flags] SNAPSHOT[:PATH]",
		Short: "Restore files and folders from a snapshot",
		Long: "Restore writes what a snapshot holds, or what it holds below PATH, into the folder --target, and\n" +
			"nothing outside of it. SNAPSHOT is an identifier as `solekey snapshots` shows it, or \"latest\".\n\n" +
			"Files that are right already are left alone; of others only what differs is fetched. Each file gets\n" +
			"its name when it is whole, so a restore that was cut off goes on where it stopped when it is run again.\n\n" +
			"Exit code 3 says that some entries could not be restored whole; they are named.",
		Example: "  solekey restore latest --target /tmp/restored\n" +
			"  solekey restore latest:/home/ann/letters --target ~/letters\n" +
			"  solekey restore 4be1a2c7 --target / --include /etc/fstab\n" +
			"  solekey restore latest --host web --target /srv --delete --exclude '*.log' --dry-run",
		Args: terminal.Exactly(1, "one snapshot"),
		RunE: func(c *cobra.Command, args []string) error { return a.restore(c.Context(), f, args[0]) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.target, "target", "t", "", "the folder to restore into")
	fl.StringArrayVarP(&f.include, "include", "i", nil, "restore only what matches the pattern (can be repeated)")
	fl.StringArrayVar(&f.iinclude, "iinclude", nil, "the same, whatever the case")
	fl.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches the pattern (can be repeated)")
	fl.StringArrayVar(&f.iexclude, "iexclude", nil, "the same, whatever the case")
	fl.StringVar(&f.overwrite, "overwrite", files.IfChanged.String(), "what to do with files that exist: always, if-changed, if-newer, never")
	fl.BoolVar(&f.delete, "delete", false, "remove from the target what the snapshot does not have")
	fl.BoolVar(&f.verify, "verify", false, "read everything back after it was written")
	fl.BoolVar(&f.sparse, "sparse", false, "accepted for familiarity: holes are always restored as holes")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "write nothing, say what would be restored; with --verbose name each entry")
	fl.BoolVar(&f.numericOwner, "numeric-owner", false, "take owners by number, not by name")
	f.chosen.add(fl, ", for \"latest\"")
	return c
}

// restore restores and says what it did.
func (a *app) restore(ctx context.Context, f *restoreFlags, id string) error {
	o, err := a.restoreOptions(f)
	if err != nil {
		return err
	}
	return a.withBrowser(ctx, func(v *backup.Vault, b *backup.Browser) error {
		s, path, err := v.Find(id, f.filter())
		if err != nil {
			return err
		}
		o.Snapshot, o.Path = s, []byte(path)
		r, began := b.NewRestore(*o), time.Now()
		stop := a.tick(func() { a.restoreProgress(r, o, began) })
		done, err := r.Do(ctx)
		stop()
		if err != nil {
			return err
		}
		return a.restoreSummary(o, &done, began)
	})
}

// withBrowser opens the vault for a command that reads snapshots.
func (a *app) withBrowser(ctx context.Context, do func(*backup.Vault, *backup.Browser) error) error {
	return a.withVault(ctx, false, func(_ *session, v *backup.Vault) error {
		b, err := v.Browser()
		if err != nil {
			return err
		}
		return do(v, b)
	})
}

// restoreOptions turns flags into how to restore.
func (a *app) restoreOptions(f *restoreFlags) (*backup.RestoreOptions, error) {
	if f.target == "" {
		return nil, protocol.Errorf(protocol.KindUsage, "usage: needs --target, the folder to restore into")
	}
	target, err := filepath.Abs(f.target)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "--target %s", f.target)
	}
	policy, ok := files.ParseOverwrite(f.overwrite)
	if !ok {
		return nil, protocol.Errorf(protocol.KindUsage, "--overwrite %q: it is one of always, if-changed, if-newer, never", f.overwrite)
	}
	choice, err := backup.NewChoice(f.include, f.iinclude, f.exclude, f.iexclude)
	if err != nil {
		return nil, err
	}
	if f.delete && target == "/" && choice == nil {
		return nil, protocol.Errorf(protocol.KindUsage, "--delete into / would remove the system itself: say with --include or --exclude what is meant")
	}
	o := &backup.RestoreOptions{
		Target: target, Choice: choice, Overwrite: policy, NumericOwner: f.numericOwner,
		Delete: f.delete, Verify: f.verify, DryRun: f.dryRun,
		OnProblem: func(err error) { a.warn("%v", err) },
	}
	if a.flags.verbose {
		o.OnItem = a.restoredItem
	}
	return o, nil
}

// restoredItem says what was done about one entry.
func (a *app) restoredItem(it backup.RestoredItem) {
	if !a.flags.json {
		a.say("%-9s %s", it.Action, a.name(it.Path))
		return
	}
	m := map[string]any{"message_type": "verbose_status", "action": it.Action, "item": string(it.Path), "size": it.Size}
	addBase64(m, "item", it.Path)
	a.emit(m)
}

// restoreProgress shows how far a restore is. How much there is in all is known
// where everything is restored.
func (a *app) restoreProgress(r *backup.Restore, o *backup.RestoreOptions, began time.Time) {
	p := r.Progress()
	totalBytes, known := int64(o.Snapshot.Counts.Bytes), o.Choice == nil && len(o.Path) == 0
	if !known {
		totalBytes = p.Bytes
	}
	percent := 0.0
	if totalBytes > 0 {
		percent = min(1, float64(p.Written)/float64(totalBytes))
	}
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "status", "seconds_elapsed": int64(time.Since(began).Seconds()), "percent_done": percent,
			"total_files": p.Entries, "files_restored": p.Files + p.Folders + p.Others, "files_skipped": p.Unchanged + p.Kept,
			"files_deleted": p.Deleted, "total_bytes": totalBytes, "bytes_restored": p.Written, "error_count": p.Lost,
		})
		return
	}
	line := fmt.Sprintf("%d files, %s restored", p.Files, size(p.Written))
	if known {
		line = fmt.Sprintf("%3.0f%%  %s of %s", 100*percent, line, size(totalBytes))
	}
	a.progress(fmt.Sprintf("%s; %d unchanged, %d problems", line, p.Unchanged, p.Lost))
}

// restoreSummary says what a restore did. One that lacks something is an error
// of its own kind.
func (a *app) restoreSummary(o *backup.RestoreOptions, p *backup.RestoreProgress, began time.Time) error {
	if a.flags.json {
		a.emit(restoreJSON(o, p, began))
	} else if !a.flags.quiet {
		a.restoreWords(o, p, time.Since(began))
	}
	if p.Lost > 0 {
		return errSilent{protocol.Errorf(protocol.KindUnreadable, "some entries could not be restored whole")}
	}
	return nil
}

func restoreJSON(o *backup.RestoreOptions, p *backup.RestoreProgress, began time.Time) map[string]any {
	return map[string]any{
		"message_type": "summary", "seconds_elapsed": int64(time.Since(began).Seconds()), "total_duration": time.Since(began).Seconds(),
		"snapshot_id": o.Snapshot.ID, "target": o.Target, "dry_run": o.DryRun,
		"total_files": p.Entries, "files_restored": p.Files + p.Folders + p.Others, "files_skipped": p.Unchanged + p.Kept,
		"files_unchanged": p.Unchanged, "files_kept": p.Kept, "files_deleted": p.Deleted, "files_verified": p.Verified,
		"sockets_skipped": p.Skipped, "total_bytes": p.Bytes, "bytes_restored": p.Written, "bytes_fetched": p.Fetched,
		"error_count": p.Lost, "warning_count": p.Warnings,
	}
}

func (a *app) restoreWords(o *backup.RestoreOptions, p *backup.RestoreProgress, took time.Duration) {
	did := "restored"
	if o.DryRun {
		did = "would restore"
	}
	a.say("%s snapshot %s to %s in %s", did, o.Snapshot.ID.String()[:shortID], a.name([]byte(o.Target)), took.Round(10*time.Millisecond))
	a.say("%d files (%s), %d folders, %d others; %d unchanged, %d left as they are, %d deleted",
		p.Files, size(p.Written), p.Folders, p.Others, p.Unchanged, p.Kept, p.Deleted)
	if o.Snapshot.Partial {
		a.say("this snapshot is partial: its run was interrupted, and what it did not reach is not in it")
	}
	if p.Verified > 0 {
		a.say("%d files read back and found right", p.Verified)
	}
	if p.Warnings > 0 {
		a.say("%d owners, modes or attributes could not be set; the contents are right", p.Warnings)
	}
	if p.Lost > 0 {
		a.say("%d entries could not be restored whole; they are named above, and what stood at their places still does", p.Lost)
	}
}
