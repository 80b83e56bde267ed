// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/statement"
)

// saidFile is a statement as it is written.
type saidFile struct {
	Statement []byte `json:"statement"`
}

// Said returns the newest statement of the provider on a subject, nil where there
// is none.
func (s *State) Said(of statement.Subject) (*statement.Signed, error) {
	w, err := s.World()
	if err != nil {
		return nil, err
	}
	signed, err := s.readSaid(s.saidPath(of), w.Statements())
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err == nil && of != subjectOf(signed) {
		err = errDamaged(s.saidPath(of), errors.New("it is about something else"))
	}
	return signed, err
}

func (s *State) readSaid(path string, key statement.Key) (*statement.Signed, error) {
	var f saidFile
	if err := readDocument(path, "statement", &f); err != nil {
		return nil, err
	}
	signed, err := key.Verify(f.Statement)
	if err != nil {
		return nil, errDamaged(path, err)
	}
	return signed, nil
}

func subjectOf(signed *statement.Signed) statement.Subject {
	said := signed.Statement()
	return said.Subject()
}

// saidPath returns where a subject's newest statement lies.
func (s *State) saidPath(of statement.Subject) string {
	sum := sha256.Sum256(canonical.MustMarshal(of))
	return s.path(filepath.Join(nameSaid, of.Kind.String()+"-"+protocol.Hash(sum).String()+".json"))
}

// KeepSaid remembers a statement, durably before it returns, where no newer one on
// its subject is remembered.
func (s *State) KeepSaid(signed *statement.Signed) error {
	return s.update(func() error {
		old, err := s.Said(subjectOf(signed))
		if err != nil {
			return err
		}
		if old != nil && old.Statement().Time >= signed.Statement().Time {
			return nil
		}
		return writeDocument(s.saidPath(subjectOf(signed)), "statement", saidFile{Statement: signed.Bytes()})
	})
}

// AllSaid returns every statement that is remembered of one kind.
func (s *State) AllSaid(kind statement.Kind) ([]*statement.Signed, error) {
	w, err := s.World()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.path(nameSaid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, osError(err, "read %s", s.path(nameSaid))
	}
	var list []*statement.Signed
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), kind.String()+"-") {
			continue
		}
		signed, err := s.readSaid(s.path(filepath.Join(nameSaid, e.Name())), w.Statements())
		if err != nil {
			return nil, err
		}
		list = append(list, signed)
	}
	return list, nil
}

// DropReceipt forgets a promise that was kept. Only receipts are ever forgotten.
func (s *State) DropReceipt(signed *statement.Signed) error {
	of := subjectOf(signed)
	if of.Kind != statement.KindReceipt {
		return protocol.Errorf(protocol.KindInternal, "drop receipt: it is none")
	}
	return s.update(func() error { return osError(os.RemoveAll(s.saidPath(of)), "remove %s", s.saidPath(of)) })
}
