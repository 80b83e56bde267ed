// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// The names of files in the state folder.
const (
	nameDevice  = "device.json"
	nameSealed  = "device.sealed"
	nameMarks   = "marks.json"
	nameLedger  = "ledger"
	nameSession = "session.json"
	nameLock    = "lock"
	nameUpdate  = "lock.update"
	nameVaults  = "vaults"
	nameNotes   = "notes"
	nameWorld   = "world.json"
	nameView    = "view.json"
	nameNames   = "names"
	nameSaid    = "statements"
	nameClock   = "clock.json"
	nameAnchors = "anchors.json"
)

// Device says who this device is. Nothing of it is secret.
type Device struct {
	Account     protocol.AccountID `json:"account"`
	Server      string             `json:"server"` // HOST:PORT, as in the invite
	Pin         api.Pin            `json:"-"`
	Name        string             `json:"name"` // of the account
	Member      protocol.MemberID  `json:"member"`
	Role        protocol.Role      `json:"role"`
	BackupVault protocol.VaultID   `json:"backup_vault"` // zero: none yet
	Created     protocol.Time      `json:"created"`
}

// deviceFile is Device as it is written.
type deviceFile struct {
	Device
	Pin protocol.Hash `json:"pin"`
}

// State is what a device remembers. It is safe for concurrent use, and any
// number of processes may use the same folders: every single change is made
// under a short lock of the folder. What must not run twice at a time, a backup,
// a join, takes the long lock with Open; readers use OpenReader.
type State struct {
	dir, cache string
	long       *os.File // the long lock, nil for readers

	mu     sync.Mutex // guards what follows, and every change of files by this process
	ledger *ledgerCache
	vaults map[protocol.VaultID]*records
}

// Open makes the folders where they are missing and takes the long lock, until
// Close. Where another process holds it the error is KindBusy and names the
// process.
func Open(dir, cacheDir string) (*State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, osError(err, "make folder %s", dir)
	}
	long, err := takeLong(filepath.Join(dir, nameLock))
	if err != nil {
		return nil, err
	}
	s := newState(dir, cacheDir, long)
	err = s.update(func() error { sweep(dir); return nil })
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenReader opens the folders beside whoever holds the long lock. It makes
// nothing; where there is no state folder the error is KindNotFound.
func OpenReader(dir, cacheDir string) (*State, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, errNoDevice(dir, err)
	}
	return newState(dir, cacheDir, nil), nil
}

func newState(dir, cacheDir string, long *os.File) *State {
	return &State{dir: dir, cache: cacheDir, long: long, vaults: map[protocol.VaultID]*records{}}
}

func errNoDevice(dir string, err error) error {
	if protocol.KindOf(err) == protocol.KindNotFound || errors.Is(err, fs.ErrNotExist) {
		return protocol.Errorf(protocol.KindNotFound, "there is no device in %s yet: join an account first", dir)
	}
	return osError(err, "open %s", dir)
}

// takeLong takes the long lock and writes into its file who holds it.
func takeLong(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, osError(err, "open %s", path)
	}
	if err := lockFile(f, false); err != nil {
		defer f.Close()
		if errors.Is(err, errLocked) {
			return nil, protocol.Errorf(protocol.KindBusy, "another solekey (process %s) is at work on this device; wait for it to end", holder(f))
		}
		return nil, osError(err, "lock %s", path)
	}
	// Who holds it is a courtesy to others: failing to say so fails nothing.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f, nil
}

// holder returns the process that wrote itself into the lock's file.
func holder(f *os.File) string {
	text := make([]byte, 32)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return "unknown"
	}
	return strconv.Itoa(pid)
}

// Close gives the long lock back. The State must not be used afterwards.
func (s *State) Close() error {
	if s.long == nil {
		return nil
	}
	err := s.long.Close()
	s.long = nil
	return osError(err, "close %s", nameLock)
}

// update runs change under the short lock, which every process takes for every
// change, so that none overwrites what another just wrote.
func (s *State) update(change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(nameUpdate)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return osError(err, "open %s", path)
	}
	defer f.Close() // gives the lock back; nothing was written
	if err := lockFile(f, true); err != nil {
		return osError(err, "lock %s", path)
	}
	return change()
}

func (s *State) path(name string) string { return filepath.Join(s.dir, name) }

// Dir returns the state folder.
func (s *State) Dir() string { return s.dir }

// Device returns who this device is. Before SetDevice the error is KindNotFound.
func (s *State) Device() (*Device, error) {
	var d deviceFile
	if err := readDocument(s.path(nameDevice), "device", &d); err != nil {
		if protocol.KindOf(err) == protocol.KindNotFound {
			return nil, errNoDevice(s.dir, err)
		}
		return nil, err
	}
	d.Device.Pin = api.Pin(d.Pin)
	return &d.Device, nil
}

// SetDevice writes who this device is. Account and member never change: a
// folder that belongs to another device is KindExists.
func (s *State) SetDevice(d *Device) error {
	if d.Account == (protocol.AccountID{}) || d.Member == (protocol.MemberID{}) {
		return protocol.Errorf(protocol.KindInternal, "set device: it has no account or no member")
	}
	return s.update(func() error {
		old, err := s.Device()
		if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
			return err
		}
		if err == nil && (old.Account != d.Account || old.Member != d.Member) {
			return protocol.Errorf(protocol.KindExists, "%s belongs to another device already (account %s)", s.dir, old.Name)
		}
		return writeDocument(s.path(nameDevice), "device", deviceFile{Device: *d, Pin: protocol.Hash(d.Pin)})
	})
}

// Forget removes everything that this device remembers, its secrets first. Alarms
// and their evidence are set aside instead: they are no secret, and nothing makes
// them go but their user's own hand. It needs the long lock.
func (s *State) Forget() error {
	if s.long == nil {
		return protocol.Errorf(protocol.KindInternal, "forget: the state was opened for reading")
	}
	return s.update(func() error {
		if err := s.setAlarmsAside(); err != nil {
			return err
		}
		s.dropKey()
		names := []string{
			nameSealed, nameSession, nameLedger, nameVaults, nameNotes, nameMarks,
			nameWorld, nameView, nameNames, nameSaid, nameClock, nameAnchors, nameDevice,
		}
		for _, name := range names {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return osError(err, "remove %s", s.path(name))
			}
		}
		s.ledger, s.vaults = nil, map[protocol.VaultID]*records{}
		return syncDir(s.dir)
	})
}
