// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

// backupFlags are the flags of backup.
type backupFlags struct {
	exclude, iexclude, excludeFiles, ifPresent, filesFrom, tags []string
	largerThan, host, stdinName                                 string
	caches, oneFileSystem, stdin, skipUnchanged, force, dryRun  bool
	readers                                                     int
}

func newBackup(a *app) *cobra.Command {
	f := &backupFlags{}
	c := &cobra.Command{
		Use:   "backup [flags] PATH...",
		Short: "Back up files and folders",
		Long: "Backup stores files and folders as a new snapshot. Only what changed since the last run is read,\n" +
			"only what the vault does not hold is sent. A run that was cut off goes on where it stopped.\n\n" +
			"Files named .solekeyignore say, with the rules of gitignore, what to leave out.",
		Example: "  solekey backup ~\n" +
			"  solekey backup --exclude '*.tmp' --tag daily /home /etc\n" +
			"  pg_dump shop | solekey backup --stdin --stdin-filename shop.sql",
		RunE: func(c *cobra.Command, args []string) error { return a.backup(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches the pattern (can be repeated)")
	fl.StringArrayVar(&f.iexclude, "iexclude", nil, "the same, whatever the case")
	fl.StringArrayVar(&f.excludeFiles, "exclude-file", nil, "read such patterns from a file")
	fl.BoolVar(&f.caches, "exclude-caches", false, "leave out folders tagged as caches (CACHEDIR.TAG)")
	fl.StringArrayVar(&f.ifPresent, "exclude-if-present", nil, "leave out folders that hold NAME[:HEADER]")
	fl.StringVar(&f.largerThan, "exclude-larger-than", "", "leave out files larger than this, as in 500M")
	fl.BoolVarP(&f.oneFileSystem, "one-file-system", "x", false, "stay on one file system")
	fl.StringArrayVar(&f.filesFrom, "files-from", nil, "read the paths from a file, one a line; - is standard input")
	fl.BoolVar(&f.stdin, "stdin", false, "back up standard input as one file")
	fl.StringVar(&f.stdinName, "stdin-filename", "stdin", "the name of that file")
	fl.StringSliceVar(&f.tags, "tag", nil, "give the snapshot tags: one or several, comma-separated (can be repeated)")
	fl.StringVarP(&f.host, "host", "H", hostname(), "the host that the snapshot names")
	fl.BoolVar(&f.skipUnchanged, "skip-if-unchanged", false, "make no snapshot where nothing changed")
	fl.BoolVarP(&f.force, "force", "f", false, "read every file again")
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "store nothing, say what would be stored")
	fl.IntVar(&f.readers, "read-concurrency", runtime.GOMAXPROCS(0), "how many files to read at a time")
	return c
}

// backup runs a backup and says what it did.
func (a *app) backup(ctx context.Context, f *backupFlags, args []string) error {
	o, err := a.runOptions(f, args)
	if err != nil {
		return err
	}
	return a.withVault(ctx, true, func(_ *session, v *backup.Vault) error {
		a.flags.orderly.Store(true)
		run := v.NewRun(*o)
		stop := a.tick(func() { a.backupProgress(run) })
		result, err := run.Do(ctx)
		stop()
		if err != nil {
			return err
		}
		err = a.backupSummary(f, result)
		if err == nil && result.Unproven != nil {
			err = protocol.Wrap(protocol.KindOf(result.Unproven), result.Unproven, "the backup is stored, and not proven")
		}
		return err
	})
}

// runOptions turns flags and arguments into what to back up.
func (a *app) runOptions(f *backupFlags, args []string) (*backup.RunOptions, error) {
	paths, err := a.sources(f, args)
	if err != nil {
		return nil, err
	}
	rules, err := a.rules(f)
	if err != nil {
		return nil, err
	}
	o := &backup.RunOptions{
		Paths: paths, Rules: *rules, Host: f.host, User: os.Getenv("USER"), Tags: f.tags,
		Program: "solekey " + version(), Readers: f.readers, Force: f.force, SkipIfUnchanged: f.skipUnchanged,
		DryRun: f.dryRun, Stop: a.interrupted,
		OnProblem: func(p *files.Problem) { a.warn("%v", p) },
	}
	if f.stdin {
		o.Stdin = &backup.Stdin{Reader: a.In, Mode: 0o600}
	}
	return o, nil
}

// sources returns the absolute paths to back up.
func (a *app) sources(f *backupFlags, args []string) ([]string, error) {
	if f.stdin {
		if len(args) > 0 {
			return nil, protocol.Errorf(protocol.KindUsage, "usage: --stdin takes no path")
		}
		return []string{filepath.Join("/", f.stdinName)}, nil
	}
	for _, from := range f.filesFrom {
		listed, err := a.readList(from)
		if err != nil {
			return nil, err
		}
		args = append(args, listed...)
	}
	if len(args) == 0 {
		return nil, protocol.Errorf(protocol.KindUsage, "usage: needs at least one path to back up")
	}
	var paths []string
	for _, arg := range args {
		path, err := filepath.Abs(arg)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "path %s", arg)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// readList reads a file of paths, one a line; empty lines and comments do not
// count.
func (a *app) readList(from string) ([]string, error) {
	in := a.In
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "read --files-from")
		}
		defer file.Close()
		in = file
	}
	var list []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list, protocol.Wrap(protocol.KindUsage, lines.Err(), "read --files-from")
}

// rules turns flags into what to leave out.
func (a *app) rules(f *backupFlags) (*files.Rules, error) {
	r := &files.Rules{
		Exclude: f.exclude, IExclude: f.iexclude, IfPresent: f.ifPresent,
		Caches: f.caches, OneFileSystem: f.oneFileSystem,
	}
	for _, path := range f.excludeFiles {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "read --exclude-file")
		}
		r.Exclude = append(r.Exclude, files.PatternLines(data, os.Getenv)...)
	}
	if f.largerThan != "" {
		size, err := parseSize(f.largerThan)
		if err != nil {
			return nil, err
		}
		r.LargerThan = uint64(size)
	}
	return r, nil
}

// backupProgress shows how far a run is.
func (a *app) backupProgress(run *backup.Run) {
	p := run.Progress()
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "status", "files_done": p.Files, "bytes_done": p.Bytes, "bytes_read": p.Read,
			"bytes_sent": p.BytesSent, "error_count": p.Problems,
		})
		return
	}
	a.progress(fmt.Sprintf("%d files, %s; %s read, %s sent, %d problems",
		p.Files, size(p.Bytes), size(p.Read), size(p.BytesSent), p.Problems))
}

// backupSummary says what a run did. A snapshot that lacks something is an
// error of its own kind.
func (a *app) backupSummary(f *backupFlags, r *backup.Result) error {
	if a.flags.json {
		a.emit(backupJSON(f, r))
	} else if !a.flags.quiet {
		a.backupWords(f, r)
	}
	switch {
	case r.Partial:
		return errSilent{protocol.Errorf(protocol.KindInterrupted, "interrupted")}
	case r.Problems > 0:
		return errSilent{protocol.Errorf(protocol.KindUnreadable, "some sources could not be read")}
	}
	return nil
}

func backupJSON(f *backupFlags, r *backup.Result) map[string]any {
	m := map[string]any{
		"message_type": "summary", "files": r.Files, "files_unmodified": r.Unchanged, "dirs": r.Folders,
		"others": r.Others, "excluded": r.Excluded, "total_bytes_processed": r.Bytes, "bytes_read": r.Read,
		"bytes_added": r.Added, "bytes_stored": r.BytesSent, "packs": r.PacksSent, "error_count": r.Problems,
		"partial": r.Partial, "dry_run": f.dryRun, "total_duration": time.Duration(r.Ended - r.Began).Seconds(),
	}
	if !r.Snapshot.IsZero() {
		m["snapshot_id"] = r.Snapshot
	}
	return m
}

func (a *app) backupWords(f *backupFlags, r *backup.Result) {
	a.say("%d files (%d unchanged), %d folders, %s", r.Files, r.Unchanged, r.Folders, size(r.Bytes))
	if f.dryRun {
		a.say("would add at most %s before compression; nothing was stored", size(r.Added))
		return
	}
	a.say("read %s, new %s, stored %s in %d packs", size(r.Read), size(r.Added), size(r.BytesSent), r.PacksSent)
	switch {
	case r.Snapshot.IsZero():
		a.say("nothing changed: no snapshot was made")
	case r.Partial:
		a.say("partial snapshot %s saved: the run was interrupted", r.Snapshot.String()[:shortID])
	default:
		a.say("snapshot %s saved", r.Snapshot.String()[:shortID])
	}
	if r.Problems > 0 {
		a.say("%d problems: what they name is not, or not whole, in this snapshot", r.Problems)
	}
}
