// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/storage/disk"
)

// manifestName is written last: a folder without it is no whole backup.
const manifestName = "solekeyd-backup.json"

type manifest struct {
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Blobs   bool      `json:"blobs"` // false: database and keys only
}

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup DIR", Short: "Copy the whole server into a folder, while it runs", Args: terminal.Exactly(1, "a folder"),
		Long: "backup copies database, keys and blobs into a new folder, while the server runs. On the\n" +
			"same file system blobs are hard links and take no space. The copy holds the server's\n" +
			"keys: keep it as safe as the server. It holds no key that opens what users stored.",
		Example: "  solekeyd backup /mnt/usb/solekeyd-$(date +%F)",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.beside(cmd.Context(), func(s *site, _ *accounts.Service) error {
				if err := s.backup(cmd.Context(), args[0], true); err != nil {
					return err
				}
				p.say(map[string]any{"message_type": "summary", "action": "backup", "folder": args[0]},
					"The whole server is copied to %s. To get it back: solekeyd restore %s", args[0], args[0])
				return nil
			})
		},
	}
}

// backup copies the database first: whatever it shows is in the blobs that are
// copied after it.
func (s *site) backup(ctx context.Context, dir string, blobs bool) error {
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make backup folder: %w", err)
	}
	if err := s.db.Backup(ctx, filepath.Join(dir, databaseName)); err != nil {
		return err
	}
	if blobs {
		if err := s.blobs.Link(ctx, filepath.Join(dir, blobsName)); err != nil {
			return err
		}
	}
	if err := copyKeys(filepath.Join(s.dir, keysName), filepath.Join(dir, keysName)); err != nil {
		return err
	}
	data, err := json.Marshal(manifest{Version: 1, Created: time.Now().UTC(), Blobs: blobs})
	if err != nil {
		return fmt.Errorf("write backup manifest: %w", err)
	}
	return writeFile(filepath.Join(dir, manifestName), append(data, '\n'))
}

// mustBeEmpty refuses a folder that holds anything.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "look into %s", dir)
	}
	return protocol.Errorf(protocol.KindExists, "%s is not empty; nothing was changed", dir)
}

func copyKeys(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("copy keys: %w", err)
	}
	for _, name := range keyFiles() {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return fmt.Errorf("copy keys: %w", err)
		}
		if err := writeFile(filepath.Join(to, name), data); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restore DIR", Short: "Make a data folder from a backup", Args: terminal.Exactly(1, "a folder that backup wrote"),
		Long: "restore copies a backup into the data folder, which must be empty or absent. Start the\n" +
			"server with up afterwards: it takes into the database what the blobs hold beyond it.",
		Example: "  solekeyd restore /mnt/usb/solekeyd-2026-11-21 --data /srv/solekeyd",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.folder()
			if err != nil {
				return err
			}
			if err := restore(cmd.Context(), args[0], dir); err != nil {
				return err
			}
			p.say(map[string]any{"message_type": "summary", "action": "restore", "data": dir},
				"Restored into %s. Start it with: solekeyd up --data %s\n"+
					"What the server acknowledged after this backup is missing: devices and witnesses that saw it will\n"+
					"refuse the older state. After the start, solekeyd doctor says whether the public log may go on.", dir, dir)
			return nil
		},
	}
}

// restore writes beside the data folder and moves the whole into its place.
func restore(ctx context.Context, from, to string) error {
	if err := mustBeEmpty(to); err != nil {
		return err
	}
	if err := checkManifest(from); err != nil {
		return err
	}
	partial := to + ".restoring"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	database, err := os.ReadFile(filepath.Join(from, databaseName))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := writeFile(filepath.Join(partial, databaseName), database); err != nil {
		return err
	}
	if err := copyKeys(filepath.Join(from, keysName), filepath.Join(partial, keysName)); err != nil {
		return err
	}
	blobs, err := disk.Open(filepath.Join(from, blobsName))
	if err != nil {
		return err
	}
	if err := blobs.Link(ctx, filepath.Join(partial, blobsName)); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(partial, to); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return disk.OS{}.SyncDir(filepath.Dir(to))
}

func checkManifest(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return protocol.Errorf(protocol.KindUsage, "%s is no whole backup: it has no %s", dir, manifestName)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return protocol.Errorf(protocol.KindUntrusted, "%s: the manifest is damaged", dir)
	}
	switch {
	case m.Version != 1:
		return protocol.Errorf(protocol.KindUnsupported, "%s was written by a newer version", dir)
	case !m.Blobs:
		return protocol.Errorf(protocol.KindUsage, "%s is a nightly copy of database and keys; put these two beside the blobs of the server instead", dir)
	}
	return nil
}

// keptBackups is how many nightly copies stay.
const keptBackups = 7

// nightly copies database and keys, once a day. Blobs are not in it: each is
// written once and never changed, and copies would keep dropped packs alive.
func (s *site) nightly(ctx context.Context, now time.Time) error {
	dir := filepath.Join(s.dir, backupsName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of backups: %w", err)
	}
	today := filepath.Join(dir, now.UTC().Format(time.DateOnly))
	if _, err := os.Stat(today); err == nil {
		return nil
	}
	partial := today + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("clear half a backup: %w", err)
	}
	if err := s.backup(ctx, partial, false); err != nil {
		return err
	}
	if err := os.Rename(partial, today); err != nil {
		return fmt.Errorf("finish backup: %w", err)
	}
	return forget(dir)
}

// forget removes all but the newest copies.
func forget(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look after backups: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if _, err := time.Parse(time.DateOnly, entry.Name()); err == nil {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	for len(names) > keptBackups {
		if err := os.RemoveAll(filepath.Join(dir, names[0])); err != nil {
			return fmt.Errorf("remove old backup: %w", err)
		}
		names = names[1:]
	}
	return nil
}
