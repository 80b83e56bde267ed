// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// Pin returns what this device remembers of a name, its own account's or a
// contact's; nil where it never saw it.
func (s *State) Pin(name string) (*directory.Pin, error) {
	pin := new(directory.Pin)
	err := readDocument(s.pinPath(name), "name", pin)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err == nil && pin.Name != name {
		err = errDamaged(s.pinPath(name), errors.New("it is about another name"))
	}
	if err != nil {
		return nil, err
	}
	return pin, nil
}

// pinPath returns where a name is remembered: by a hash, since names hold what
// names of files may not.
func (s *State) pinPath(name string) string {
	sum := sha256.Sum256([]byte(name))
	return s.path(filepath.Join(nameNames, protocol.Hash(sum).String()+".json"))
}

// Names returns the names that are remembered, in their order.
func (s *State) Names() ([]string, error) {
	entries, err := os.ReadDir(s.path(nameNames))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, osError(err, "read %s", s.path(nameNames))
	}
	var list []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		pin := new(directory.Pin)
		if err := readDocument(s.path(filepath.Join(nameNames, e.Name())), "name", pin); err != nil {
			return nil, err
		}
		list = append(list, pin.Name)
	}
	sort.Strings(list)
	return list, nil
}

// AdvancePin puts a pin that was verified to follow old in its place, durably
// before it returns. A lower version, or another one of the same number, is
// KindUntrusted; where another process has moved the pin meanwhile the error is
// KindConflict. Nothing changes on an error.
func (s *State) AdvancePin(old, to *directory.Pin) error {
	return s.update(func() error {
		kept, err := s.Pin(to.Name)
		if err != nil {
			return err
		}
		if !samePin(kept, old) {
			return protocol.Errorf(protocol.KindConflict, "another solekey on this device has looked the name up meanwhile; try again")
		}
		if kept == nil {
			return writeDocument(s.pinPath(to.Name), "name", to)
		}
		if to.Version < kept.Version || to.Version == kept.Version && !samePin(kept, to) || to.Account != kept.Account || to.Ledger.Seq < kept.Ledger.Seq {
			return protocol.Errorf(protocol.KindUntrusted, "what is remembered of the name %s does not go back from version %d to %d", to.Name, kept.Version, to.Version)
		}
		return writeDocument(s.pinPath(to.Name), "name", to)
	})
}

// ReplacePin puts the pin of a contact in the place of what is remembered of the
// name, durably before it returns: the user has found the contact to be somebody new.
// It is for an act of the user at this device, never for anything that a server says,
// and never for the own name. A pin of the same identity does not go back.
func (s *State) ReplacePin(to *directory.Pin) error {
	return s.update(func() error {
		d, err := s.Device()
		if err != nil {
			return err
		}
		if d.Name == to.Name {
			return protocol.Errorf(protocol.KindUsage, "%q is the name of this account: what its devices know of it is not replaced", to.Name)
		}
		kept, err := s.Pin(to.Name)
		if err != nil {
			return err
		}
		if kept != nil && kept.Account == to.Account && (to.Version < kept.Version || to.Ledger.Seq < kept.Ledger.Seq) {
			return protocol.Errorf(protocol.KindUntrusted, "what is remembered of the name %s does not go back from version %d to %d", to.Name, kept.Version, to.Version)
		}
		return writeDocument(s.pinPath(to.Name), "name", to)
	})
}

// samePin reports whether two pins say the same, whatever proved them.
func samePin(a, b *directory.Pin) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Shown, y.Shown = nil, nil
	return x == y
}
