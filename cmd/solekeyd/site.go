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
	"syscall"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/storage/sqlite"
)

// What is in a data folder.
const (
	databaseName = "solekeyd.db"
	blobsName    = "blobs"
	keysName     = "keys"
	backupsName  = "backups"
	lockName     = "lock"
	settingsName = "server.json"
)

// site is an open data folder.
type site struct {
	dir     string
	keys    *siteKeys
	worlds  *worlds
	db      *sqlite.DB
	blobs   *disk.Store
	records *records.Store
	lock    *os.File // nil where the folder is shared with a running server
}

// settings is what other commands have to know of the server.
type settings struct {
	Host string `json:"host"` // what invites name
}

func (p *program) folder() (string, error) {
	if p.data == "" {
		return "", protocol.Errorf(protocol.KindUsage, "there is no home folder: name a data folder with --data")
	}
	return filepath.Abs(p.data)
}

// createSite opens the data folder for the one process that serves it, and
// makes what is missing. Host is what invites name; a new log is named after it.
func createSite(ctx context.Context, dir, host string) (*site, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s, err := createLocked(ctx, dir, host)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

func createLocked(ctx context.Context, dir, host string) (*site, error) {
	in, create := filepath.Join(dir, keysName), isNew(dir)
	keys, err := openKeys(in, create, newOrigin(host))
	if err != nil {
		return nil, err
	}
	joined, err := openWorlds(in, create, keys.log)
	if err != nil {
		return nil, err
	}
	s, err := openStores(ctx, dir)
	if err != nil {
		return nil, err
	}
	s.keys, s.worlds = keys, joined
	if err := s.blobs.Sweep(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// isNew reports whether no server was in the folder before: one that lost its
// database or its keys gets no new keys, which would lock everybody out.
func isNew(dir string) bool {
	for _, name := range []string{databaseName, blobsName} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// openSite opens a data folder that is there, beside a server that may run.
func openSite(ctx context.Context, dir string) (*site, error) {
	if _, err := os.Stat(filepath.Join(dir, databaseName)); err != nil {
		return nil, noServer(dir)
	}
	in := filepath.Join(dir, keysName)
	keys, err := openKeys(in, false, "")
	if err != nil {
		return nil, err
	}
	joined, err := openWorlds(in, false, keys.log)
	if err != nil {
		return nil, err
	}
	s, err := openStores(ctx, dir)
	if err != nil {
		return nil, err
	}
	s.keys, s.worlds = keys, joined
	return s, nil
}

func noServer(dir string) error {
	return protocol.Errorf(protocol.KindNotFound, "there is no server in %s; name its folder with --data, or start one with: solekeyd up", dir)
}

func openStores(ctx context.Context, dir string) (*site, error) {
	blobs, err := disk.Open(filepath.Join(dir, blobsName))
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(dir, databaseName), records.Schema())
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "the database cannot be opened; if it is damaged, rebuild it from the blobs with: solekeyd doctor --rebuild")
	}
	return &site{dir: dir, db: db, blobs: blobs, records: records.New(db.Write, db.Read, blobs)}, nil
}

// Close closes the folder and lets the next process have it.
func (s *site) Close() error {
	err := s.db.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// lockFolder keeps a second server away from a folder. The lock ends with the
// process, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = protocol.Errorf(protocol.KindBusy, "a server already runs on %s", dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// serving reports whether a server has the folder now. It looks for the lock and
// lets go at once.
func serving(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func (s *site) accounts(config accounts.Config) (*accounts.Service, error) {
	r := s.records
	config.Stores = accounts.Stores{Invites: r, Accounts: r, Ledgers: r, Logins: r, Sessions: r, Enrolments: r}
	config.Secret, config.Limits = s.keys.login, accounts.DefaultLimits()
	return accounts.New(config)
}

// world is the hash of the world that new devices join.
func (s *site) world() protocol.Hash { return s.worlds.newest().Hash() }

func (s *site) keysDir() string { return filepath.Join(s.dir, keysName) }

func (s *site) serverName(host string) string { return api.ServerName(host, s.keys.pin) }

func (s *site) saveSettings(v settings) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return writeFile(filepath.Join(s.dir, settingsName), append(data, '\n'))
}

func (s *site) loadSettings() (settings, error) {
	var v settings
	data, err := os.ReadFile(filepath.Join(s.dir, settingsName))
	if err != nil {
		return v, fmt.Errorf("read settings: %w", err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("read settings: %w", err)
	}
	return v, nil
}

// writeFile writes a small file that only its owner may read, durably and in one step.
func writeFile(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return disk.OS{}.SyncDir(filepath.Dir(path))
}
