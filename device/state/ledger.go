// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// The first byte of a frame in the ledger file.
const (
	frameEntry  = 'e'
	frameObject = 'o'
)

// ledgerCache is the ledger as this process last read it.
type ledgerCache struct {
	state   *ledger.State
	offsets map[protocol.Hash]int64 // of the frames that hold objects
}

func (s *State) ledgerLog() log { return log{s.path(nameLedger), "ledger"} }

// Ledger returns the account's ledger as this device verified it last, folded
// anew. The error is KindNotFound where there is none, because the device has
// none yet or because its file was lost; then fetch it from entry 0, and
// AppendLedger holds it against the mark.
func (s *State) Ledger() (*ledger.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.loadLedger()
	if err != nil {
		return nil, err
	}
	return c.state, nil
}

// Object returns a wrap or box that the ledger names. The error is KindNotFound
// where it is not stored.
func (s *State) Object(name protocol.Hash) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.loadLedger()
	if err != nil {
		return nil, err
	}
	offset, ok := c.offsets[name]
	if !ok {
		return nil, protocol.Errorf(protocol.KindNotFound, "object %s of the ledger is not on this device", name)
	}
	frame, err := s.ledgerLog().frame(offset)
	if err != nil {
		return nil, err
	}
	if len(frame) == 0 || sha256.Sum256(frame[1:]) != name {
		return nil, errDamaged(s.path(nameLedger), protocol.Errorf(protocol.KindUntrusted, "object %s was changed", name))
	}
	return frame[1:], nil
}

// Entries visits the stored entries in their order. They are those that Ledger
// folded.
func (s *State) Entries(visit func(*ledger.Entry) error) error {
	m, err := s.ledgerMarks()
	if err != nil {
		return err
	}
	if m.Length == 0 {
		return errNoLedger()
	}
	return s.ledgerLog().scan(m.Length, func(_ int64, frame []byte) error {
		if len(frame) == 0 || frame[0] != frameEntry {
			return nil
		}
		e, err := ledger.Parse(frame[1:])
		if err != nil {
			return errDamaged(s.path(nameLedger), err)
		}
		return visit(e)
	})
}

func errNoLedger() error {
	return protocol.Errorf(protocol.KindNotFound, "there is no ledger on this device")
}

// loadLedger returns the cached ledger, or reads and folds it where another
// process has moved it on. s.mu is held.
func (s *State) loadLedger() (*ledgerCache, error) {
	m, err := s.ledgerMarks()
	if err != nil {
		return nil, err
	}
	if m.Length == 0 {
		return nil, errNoLedger()
	}
	if s.ledger != nil && s.ledger.state.Head() == (ledger.Head{Seq: m.Head.Seq, Hash: m.Head.Hash}) {
		return s.ledger, nil
	}
	c, err := s.readLedger(m)
	if lost(err) {
		return nil, protocol.Wrap(protocol.KindNotFound, err, "the ledger must be fetched again")
	}
	if err != nil {
		return nil, err
	}
	s.ledger = c
	return c, nil
}

// readLedger reads and folds the ledger file. The fold verifies every signature
// again: it costs some 0.2 ms an entry, and no trust in the file is needed.
func (s *State) readLedger(m ledgerMarks) (*ledgerCache, error) {
	c := &ledgerCache{offsets: map[protocol.Hash]int64{}}
	var entries []*ledger.Entry
	err := s.ledgerLog().scan(m.Length, func(offset int64, frame []byte) error {
		switch {
		case len(frame) > 0 && frame[0] == frameObject:
			c.offsets[sha256.Sum256(frame[1:])] = offset
			return nil
		case len(frame) > 0 && frame[0] == frameEntry:
			e, err := ledger.Parse(frame[1:])
			entries = append(entries, e)
			return err
		}
		return protocol.Errorf(protocol.KindUntrusted, "a frame holds nothing that is known here")
	})
	if err != nil {
		return nil, err
	}
	c.state, err = ledger.Fold(entries, nil)
	if err != nil {
		return nil, err
	}
	if c.state.Head() != (ledger.Head{Seq: m.Head.Seq, Hash: m.Head.Hash}) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the stored ledger does not end at the mark")
	}
	return c, nil
}

// AppendLedger verifies entries, stores them with the objects they name, moves
// the mark, and returns the new state of the ledger. Nothing changes on an error.
//
// Ask the server for its ledger from the number of the head that is stored (not
// from the one behind it), or from 0 where Ledger is KindNotFound, and pass all
// of what comes: the entries that are there already are compared. No entry at
// all is a rollback; another entry at a known place is a fork; both are
// KindUntrusted.
func (s *State) AppendLedger(entries []*ledger.Entry, objects [][]byte) (*ledger.State, error) {
	var folded *ledger.State
	err := s.update(func() error {
		c, m, err := s.ledgerToExtend()
		if err != nil {
			return err
		}
		added, err := follow(c, m, entries)
		if err != nil {
			return err
		}
		folded, err = s.extendLedger(c, m, added)
		if err != nil {
			return err
		}
		return s.storeLedger(c, m, folded, added, objects, entries)
	})
	if err != nil {
		return nil, err
	}
	return folded, nil
}

// FollowLedger is AppendLedger that stores nothing: it returns the state that the
// entries would lead to.
func (s *State) FollowLedger(entries []*ledger.Entry) (*ledger.State, error) {
	var folded *ledger.State
	err := s.update(func() error {
		c, m, err := s.ledgerToExtend()
		if err != nil {
			return err
		}
		added, err := follow(c, m, entries)
		if err != nil {
			return err
		}
		folded, err = s.extendLedger(c, m, added)
		return err
	})
	if err != nil {
		return nil, err
	}
	return folded, nil
}

// ledgerToExtend returns the stored ledger, empty where there is none.
func (s *State) ledgerToExtend() (*ledgerCache, ledgerMarks, error) {
	m, err := s.ledgerMarks()
	if err != nil {
		return nil, m, err
	}
	c, err := s.loadLedger()
	if protocol.KindOf(err) != protocol.KindNotFound {
		return c, m, err
	}
	if m.Length > 0 {
		s.ledgerLog().setAside()
	}
	m.Length = 0 // the head stays: what is fetched anew must lead to it
	return &ledgerCache{offsets: map[protocol.Hash]int64{}}, m, nil
}

// follow compares the entries that are known and returns the others.
func follow(c *ledgerCache, m ledgerMarks, entries []*ledger.Entry) ([]*ledger.Entry, error) {
	if len(entries) == 0 {
		return nil, errRollback("the ledger", m.Head.Seq, 0)
	}
	if c.state == nil {
		return entries, nil
	}
	head := c.state.Head()
	for i, e := range entries {
		if e.Seq() > head.Seq {
			return entries[i:], nil
		}
		if !c.state.Holds(ledger.Head{Seq: e.Seq(), Hash: e.Hash()}) {
			return nil, errFork("the ledger", e.Seq())
		}
	}
	return nil, nil
}

// extendLedger folds the new entries and holds the result against the account
// and the mark.
func (s *State) extendLedger(c *ledgerCache, m ledgerMarks, added []*ledger.Entry) (*ledger.State, error) {
	if c.state != nil {
		return c.state.Extend(added, nil)
	}
	folded, err := ledger.Fold(added, nil)
	if err != nil {
		return nil, err
	}
	d, err := s.Device()
	if err != nil && protocol.KindOf(err) != protocol.KindNotFound {
		return nil, err
	}
	if err == nil && folded.Account() != d.Account {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the server serves the ledger of account %s, this device belongs to %s", folded.Account(), d.Account)
	}
	if !m.Known {
		return folded, nil
	}
	if folded.Head().Seq < m.Head.Seq {
		return nil, errRollback("the ledger", m.Head.Seq, folded.Head().Seq)
	}
	if !folded.Holds(ledger.Head{Seq: m.Head.Seq, Hash: m.Head.Hash}) {
		return nil, errFork("the ledger", m.Head.Seq)
	}
	return folded, nil
}

// storeLedger writes what is new and moves the mark.
func (s *State) storeLedger(c *ledgerCache, m ledgerMarks, folded *ledger.State, added []*ledger.Entry, objects [][]byte, entries []*ledger.Entry) error {
	frames, err := c.newObjects(entries, objects)
	if err != nil {
		return err
	}
	for _, e := range added {
		frames = append(frames, append([]byte{frameEntry}, e.Bytes()...))
	}
	if len(frames) == 0 {
		return nil
	}
	length, err := s.ledgerLog().append(m.Length, frames)
	if err != nil {
		return err
	}
	head := folded.Head()
	m = ledgerMarks{Known: true, Head: position{head.Seq, head.Hash}, Length: length}
	s.ledger = nil // the next reader finds what is on disk
	return s.setLedgerMarks(m)
}

// newObjects returns the frames of objects that are not stored yet. An object
// that none of the entries names is refused.
func (c *ledgerCache) newObjects(entries []*ledger.Entry, objects [][]byte) ([][]byte, error) {
	named := map[protocol.Hash]bool{}
	for _, e := range entries {
		for _, name := range e.Body().Objects() {
			named[name] = true
		}
	}
	var frames [][]byte
	for _, object := range objects {
		name := protocol.Hash(sha256.Sum256(object))
		if !named[name] {
			return nil, protocol.Errorf(protocol.KindUntrusted, "object %s is named by none of the ledger's entries", name)
		}
		if _, stored := c.offsets[name]; !stored {
			frames = append(frames, append([]byte{frameObject}, object...))
		}
	}
	return frames, nil
}
