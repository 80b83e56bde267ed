// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"path/filepath"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// position is a place in a hash chain.
type position struct {
	Seq  uint64        `json:"seq"`
	Hash protocol.Hash `json:"hash"`
}

// ledgerMarks is the high-water mark of the ledger.
type ledgerMarks struct {
	Known  bool     `json:"known"` // whether there is a mark at all: entry 0 has seq 0
	Head   position `json:"head"`
	Length int64    `json:"length"` // bytes of the ledger file that Head certifies; 0: none
}

// vaultMarks are the high-water marks of one vault.
type vaultMarks struct {
	Head       position `json:"head"` // newest record known
	Generation position `json:"generation"`
	Cursor     uint64   `json:"cursor"` // how far the listing of packs was read
	Stored     position `json:"stored"` // newest record kept in the records file
	Length     int64    `json:"length"` // bytes of the records file that Stored certifies
}

// Position is a place in a chain of a vault: seq 0 with a zero hash is its
// empty beginning.
type Position struct {
	Seq  uint64
	Hash protocol.Hash
}

// errRollback is the error for what lies behind a mark.
func errRollback(what string, seen, served uint64) error {
	return protocol.Errorf(protocol.KindUntrusted,
		"the server serves %s as of number %d, but this device has seen number %d: it hides what came after (a rollback); nothing was used", what, served, seen)
}

// errFork is the error for another past at a mark.
func errFork(what string, seq uint64) error {
	return protocol.Errorf(protocol.KindUntrusted,
		"the server serves another number %d of %s than the one this device has seen: it shows a different past (a fork); nothing was used", seq, what)
}

// forward holds a position against a mark.
func (p position) forward(what string, seq uint64, hash protocol.Hash) error {
	if (seq == 0) != hash.IsZero() {
		return protocol.Errorf(protocol.KindUntrusted, "the head of %s has number %d with the wrong hash", what, seq)
	}
	if seq < p.Seq {
		return errRollback(what, p.Seq, seq)
	}
	if seq == p.Seq && hash != p.Hash {
		return errFork(what, seq)
	}
	return nil
}

func (s *State) ledgerMarks() (ledgerMarks, error) {
	var m ledgerMarks
	err := readDocument(s.path(nameMarks), "marks", &m)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return ledgerMarks{}, nil
	}
	return m, err
}

func (s *State) setLedgerMarks(m ledgerMarks) error {
	return writeDocument(s.path(nameMarks), "marks", m)
}

// LedgerHead returns the newest ledger head that this device has verified, and
// false where it has none.
func (s *State) LedgerHead() (ledger.Head, bool, error) {
	m, err := s.ledgerMarks()
	return ledger.Head{Seq: m.Head.Seq, Hash: m.Head.Hash}, m.Known, err
}

// Vault is what a device remembers of one vault.
type Vault struct {
	s  *State
	id protocol.VaultID
}

// Vault returns what is remembered of the vault; nothing need be.
func (s *State) Vault(id protocol.VaultID) *Vault { return &Vault{s: s, id: id} }

// ID returns the vault's identifier.
func (v *Vault) ID() protocol.VaultID { return v.id }

func (v *Vault) path(name string) string {
	return filepath.Join(v.s.dir, nameVaults, v.id.String(), name)
}

func (v *Vault) marks() (vaultMarks, error) {
	var m vaultMarks
	err := readDocument(v.path(nameMarks), "vault marks", &m)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return vaultMarks{}, nil
	}
	return m, err
}

func (v *Vault) setMarks(m vaultMarks) error {
	return writeDocument(v.path(nameMarks), "vault marks", m)
}

// change reads the marks, lets change move them, and writes them if they moved.
func (v *Vault) change(change func(*vaultMarks) error) error {
	return v.s.update(func() error {
		m, err := v.marks()
		if err != nil {
			return err
		}
		old := m
		if err := change(&m); err != nil || m == old {
			return err
		}
		return v.setMarks(m)
	})
}

const (
	wordRecords     = "the vault's snapshots"
	wordGenerations = "the vault's prunes"
)

// Head returns the newest record of the vault that this device knows.
func (v *Vault) Head() (Position, error) {
	m, err := v.marks()
	return Position(m.Head), err
}

// Generation returns the newest generation that this device knows.
func (v *Vault) Generation() (Position, error) {
	m, err := v.marks()
	return Position(m.Generation), err
}

// Cursor returns how far the listing of packs was read.
func (v *Vault) Cursor() (uint64, error) {
	m, err := v.marks()
	return m.Cursor, err
}

// CheckHead holds a head that a server names against the mark, without moving
// it: an older one, or another at the same place, is KindUntrusted.
func (v *Vault) CheckHead(p Position) error {
	m, err := v.marks()
	if err != nil {
		return err
	}
	return m.Head.forward(wordRecords, p.Seq, p.Hash)
}

// CheckGeneration is CheckHead for the vault's chain of generations.
func (v *Vault) CheckGeneration(p Position) error {
	m, err := v.marks()
	if err != nil {
		return err
	}
	return m.Generation.forward(wordGenerations, p.Seq, p.Hash)
}

// AdvanceHead moves the mark of the vault's records forward, durably before it
// returns. An older head, or another at the same place, is KindUntrusted and
// moves nothing. It is for a writer, who sees heads only; AppendRecords moves
// the mark of whoever reads the records.
func (v *Vault) AdvanceHead(p Position) error {
	return v.change(func(m *vaultMarks) error {
		if err := m.Head.forward(wordRecords, p.Seq, p.Hash); err != nil {
			return err
		}
		m.Head = position(p)
		return nil
	})
}

// AdvanceGeneration is AdvanceHead for the vault's chain of generations.
func (v *Vault) AdvanceGeneration(p Position) error {
	return v.change(func(m *vaultMarks) error {
		if err := m.Generation.forward(wordGenerations, p.Seq, p.Hash); err != nil {
			return err
		}
		m.Generation = position(p)
		return nil
	})
}

// AdvanceCursor remembers how far the listing of packs was read. A lower cursor
// changes nothing and is no error: packs that were dropped leave the listing,
// so its end may rightly move back.
func (v *Vault) AdvanceCursor(cursor uint64) error {
	return v.change(func(m *vaultMarks) error {
		m.Cursor = max(m.Cursor, cursor)
		return nil
	})
}
