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
	"strings"
	"syscall"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/watch/witness"
)

// What is in a data folder.
const (
	memoryName = "witness.db" // what was cosigned; never to be put back
	followName = "follow.db"  // what audited logs said; made again if it is gone
	keysName   = "keys"
	lockName   = "lock"
)

// keySet is what a witness signs with: one pair for logs that it audits, another
// for logs of which it only checks that they grow, because a key says always the
// same.
type keySet struct {
	plain, audit []*tlog.WitnessSecret
}

// auditSuffix ends the name of keys that say "audited".
const auditSuffix = "/audit"

// of returns the keys of a mode.
func (k *keySet) of(audit bool) []*tlog.WitnessSecret {
	if audit {
		return k.audit
	}
	return k.plain
}

// name is the name of the witness.
func (k *keySet) name() string { return k.plain[0].Public().Name() }

// site is an open data folder.
type site struct {
	dir    string
	keys   *keySet
	memory *witness.Store
	lock   *os.File // nil beside a witness that may run
}

func (p *program) folder() (string, error) {
	if p.data == "" {
		return "", protocol.Errorf(protocol.KindUsage, "there is no home folder: name a data folder with --data")
	}
	return filepath.Abs(p.data)
}

// openSite opens a folder that is there, beside a witness that may run on it.
func openSite(ctx context.Context, dir string) (*site, error) {
	keys, err := readKeys(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, protocol.Errorf(protocol.KindNotFound, "there is no witness in %s; name its folder with --data, or start one with: %s up", dir, programName)
	}
	if err != nil {
		return nil, err
	}
	if err := mustRemember(dir); err != nil {
		return nil, err
	}
	memory, err := witness.Open(ctx, filepath.Join(dir, memoryName))
	if err != nil {
		return nil, err
	}
	return &site{dir: dir, keys: keys, memory: memory}, nil
}

// createSite opens the folder for the one process that serves it, and makes what is
// missing at the first start.
func createSite(ctx context.Context, dir, name string) (*site, bool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, false, err
	}
	s, first, err := createLocked(ctx, dir, name)
	if err != nil {
		return nil, false, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, first, nil
}

func createLocked(ctx context.Context, dir, name string) (*site, bool, error) {
	_, err := os.Stat(filepath.Join(dir, keysName))
	first := errors.Is(err, fs.ErrNotExist)
	if first {
		if err := firstStart(ctx, dir, name); err != nil {
			return nil, false, err
		}
	}
	s, err := openSite(ctx, dir)
	if err != nil {
		return nil, false, err
	}
	if name != "" && s.keys.name() != name {
		return nil, false, errors.Join(protocol.Errorf(protocol.KindUsage, "the witness in %s is called %s; for another one name another folder", dir, s.keys.name()), s.Close())
	}
	return s, first, nil
}

// firstStart makes the memory and then the keys: keys without a memory are a
// witness that forgot, which must not sign.
func firstStart(ctx context.Context, dir, name string) error {
	memory, err := witness.Open(ctx, filepath.Join(dir, memoryName))
	if err != nil {
		return err
	}
	known, err := memory.Origins(ctx)
	if err = errors.Join(err, memory.Close()); err != nil {
		return err
	}
	if len(known) > 0 {
		return protocol.Errorf(protocol.KindUntrusted, "the keys of the witness in %s are gone; put the file %s back, or begin a new witness in another folder", dir, keysName)
	}
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return protocol.Wrap(protocol.KindUsage, err, "this machine has no name: name the witness with --name")
		}
	}
	return makeKeys(dir, name)
}

// mustRemember refuses keys whose memory is gone: the witness could cosign a fork
// of what it cosigned before.
func mustRemember(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, memoryName)); err == nil {
		return nil
	}
	return protocol.Errorf(protocol.KindUntrusted, "the witness in %s has its keys and forgot what it cosigned (%s is gone): it must not sign any more. "+
		"Begin a new witness in another folder, and give its keys to those who demand the old ones", dir, memoryName)
}

func makeKeys(dir, name string) error {
	var text strings.Builder
	for _, n := range []string{name, name + auditSuffix} {
		for _, a := range []tlog.Algorithm{tlog.Ed25519, tlog.MLDSA44} {
			s, err := tlog.GenerateWitnessSecret(n, a)
			if err != nil {
				return protocol.Wrap(protocol.KindUsage, err, "--name")
			}
			text.WriteString(s.Expose() + "\n")
		}
	}
	return writeFile(filepath.Join(dir, keysName), []byte(text.String()))
}

func readKeys(dir string) (*keySet, error) {
	data, err := os.ReadFile(filepath.Join(dir, keysName))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var all []*tlog.WitnessSecret
	for line := range strings.Lines(string(data)) {
		s, err := tlog.ParseWitnessSecret(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUntrusted, err, "read keys in %s", dir)
		}
		all = append(all, s)
	}
	if len(all) != 4 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the file of keys in %s has %d lines, want 4", dir, len(all))
	}
	return &keySet{plain: all[:2], audit: all[2:]}, nil
}

// Close closes the folder and lets the next process have it.
func (s *site) Close() error {
	err := s.memory.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// lockFolder keeps a second witness away from a folder. The lock ends with the
// process, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = protocol.Errorf(protocol.KindBusy, "a witness already runs on %s", dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
