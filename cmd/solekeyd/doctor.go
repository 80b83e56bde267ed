// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/records"
)

// problem is one thing that doctor found.
type problem struct {
	Kind    protocol.Kind `json:"kind"`
	Message string        `json:"message"`
}

// leastFree is the free space below which doctor complains.
const leastFree = 1 << 30

type doctorFlags struct {
	readData, rebuild, sweep bool
}

func (p *program) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check the server: database against blobs, space, permissions, keys", Args: terminal.AtMost(0, "no arguments"),
		Long: "doctor checks every row of the database against the blobs, free space, permissions and\n" +
			"keys. With --read-data it reads every blob and checks its hash. It ends with 0 when all\n" +
			"is well, with 20 when something stored is missing or damaged, with 1 for other problems.",
		Example: "  solekeyd doctor\n  solekeyd doctor --read-data --json\n  solekeyd doctor --rebuild       # with the server stopped",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.rebuild || f.sweep {
				if err := p.repair(cmd.Context(), f); err != nil {
					return err
				}
			}
			return p.beside(cmd.Context(), func(s *site, _ *accounts.Service) error { return p.examine(cmd.Context(), s, f) })
		},
	}
	cmd.Flags().BoolVar(&f.readData, "read-data", false, "read every blob and check its hash")
	cmd.Flags().BoolVar(&f.rebuild, "rebuild", false, "rebuild the database from the blobs; the old one is kept beside it")
	cmd.Flags().BoolVar(&f.sweep, "sweep", false, "delete blobs that nothing refers to, left by crashes")
	return cmd
}

// repair does what needs the folder for itself.
func (p *program) repair(ctx context.Context, f doctorFlags) (err error) {
	dir, err := p.folder()
	if err != nil {
		return err
	}
	if isNew(dir) {
		return noServer(dir)
	}
	if f.rebuild {
		if err := setAside(dir, time.Now()); err != nil {
			return err
		}
	}
	s, err := createSite(ctx, dir, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	found, err := s.records.Reconcile(ctx)
	if err != nil {
		return err
	}
	p.say(map[string]any{"message_type": "status", "action": "reconciled", "found": found},
		"Taken in from the blobs: %d accounts, %d ledger entries, %d snapshots, %d generations, %d packs.",
		found.Accounts, found.Entries, found.Snapshots, found.Generations, found.Packs)
	if !f.sweep {
		return nil
	}
	n, err := s.records.SweepOrphans(ctx)
	p.say(map[string]any{"message_type": "status", "action": "swept", "blobs": n}, "Deleted %d blobs that nothing referred to.", n)
	return err
}

// setAside renames the database, so that a new one is made.
func setAside(dir string, now time.Time) error {
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	suffix := ".before-" + now.UTC().Format("20060102T150405.000")
	for _, part := range []string{"", "-wal", "-shm"} {
		path := filepath.Join(dir, databaseName+part)
		err := os.Rename(path, filepath.Join(dir, databaseName+suffix+part))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the old database aside: %w", err)
		}
	}
	return nil
}

// examine looks after everything and says what it found.
func (p *program) examine(ctx context.Context, s *site, f doctorFlags) error {
	var problems []problem
	found := func(list ...problem) {
		for _, one := range list {
			problems = append(problems, one)
			p.say(map[string]any{"message_type": "error", "kind": one.Kind, "message": one.Message}, "PROBLEM  %s", one.Message)
		}
	}
	free, err := freeSpace(s.dir)
	if err != nil {
		return err
	}
	found(s.checkPermissions()...)
	found(checkSpace(free)...)
	if err := s.db.Check(ctx); err != nil {
		found(problem{protocol.KindUntrusted, err.Error()})
	}
	ofLog, err := s.checkLog(ctx, clock.Now(), serving(s.dir))
	if err != nil {
		return err
	}
	found(ofLog...)
	if missing := s.unwatched(); missing != "" {
		p.say(map[string]any{"message_type": "notice", "message": missing}, "NOTE     %s", missing)
	}
	checked, err := s.records.Check(ctx, f.readData, func(kind protocol.Kind, message string) { found(problem{kind, message}) })
	if err != nil {
		return err
	}
	p.summary(checked, problems, free, f)
	return verdict(problems)
}

func (p *program) summary(c records.Checked, problems []problem, free int64, f doctorFlags) {
	read := "sizes checked; --read-data checks every hash"
	if f.readData {
		read = "every hash checked"
	}
	p.say(map[string]any{
		"message_type": "summary", "accounts": c.Accounts, "blobs": c.Blobs, "bytes": c.Bytes, "unreferred": c.Orphans,
		"free": free, "problems": len(problems), "read_data": f.readData,
	}, "%d accounts, %d blobs, %s stored (%s), %s free, %d blobs that nothing refers to, %d problems.",
		c.Accounts, c.Blobs, printSize(c.Bytes), read, printSize(free), c.Orphans, len(problems))
}

// verdict gives the exit its code.
func verdict(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	worst := problems[0].Kind
	for _, one := range problems {
		if one.Kind == protocol.KindUntrusted {
			worst = one.Kind
		}
	}
	return protocol.Errorf(worst, "doctor found %d problems", len(problems))
}

// checkPermissions looks for what others may read.
func (s *site) checkPermissions() []problem {
	var problems []problem
	names := []string{"", keysName, databaseName, blobsName}
	for _, name := range keyFiles() {
		names = append(names, filepath.Join(keysName, name))
	}
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			problems = append(problems, problem{protocol.KindInternal, fmt.Sprintf("%s cannot be looked at: %v", path, err)})
			continue
		}
		if info.Mode().Perm()&0o077 != 0 {
			problems = append(problems, problem{protocol.KindDenied, fmt.Sprintf("others may read %s; mend it with: chmod go= %s", path, path)})
		}
	}
	return problems
}

func checkSpace(free int64) []problem {
	if free >= leastFree {
		return nil
	}
	return []problem{{protocol.KindFull, fmt.Sprintf("only %s are free", printSize(free))}}
}

// freeSpace is what this process may still write.
func freeSpace(dir string) (int64, error) {
	var info syscall.Statfs_t
	if err := syscall.Statfs(dir, &info); err != nil {
		return 0, fmt.Errorf("look for free space: %w", err)
	}
	return int64(info.Bavail) * int64(info.Bsize), nil
}
