// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Journal remembers the packs of one run before they are sent. A run that was killed is taken up from it: packs that
// the provider has are added to the index, and what they hold is not sent again. It holds names and lengths, no key.
//
// The file is a head (magic, then one record with the canonical CBOR of About) and one record for each pack. A
// record is its length (4), the checksum of what follows (4), and for a pack ID (32), size (8) and printed index.
type Journal struct {
	disk disk

	mu   sync.Mutex // guards f and end
	f    *os.File
	end  int64 // of the last whole record; what is behind it counts for nothing
	torn bool  // whether something may be behind end
}

// JournalAbout says whose run a journal is about.
type JournalAbout struct {
	Version uint8              `cbor:"1,keyasint"`
	Account protocol.AccountID `cbor:"2,keyasint"`
	Vault   protocol.VaultID   `cbor:"3,keyasint"`
	Epoch   uint64             `cbor:"4,keyasint,omitempty"`
	Run     protocol.RunID     `cbor:"5,keyasint"`
	Device  protocol.MemberID  `cbor:"6,keyasint"`
}

// JournalPack is a pack in a journal. Whether the provider has it is for the caller to ask.
type JournalPack struct {
	ID    protocol.PackID
	Size  int64
	Index *PackIndex
}

const (
	journalMagic   = "solekyj1"
	journalVersion = 1
	journalHead    = 8 // length and checksum of a record
	journalPack    = len(protocol.PackID{}) + 8
	maxAbout       = 1024
	maxJournal     = journalPack + MaxPackIndexLength
)

// CreateJournal begins the journal of a run in a new file; it is durable when CreateJournal returns. It fails when
// the file exists. The caller closes the journal.
func CreateJournal(path string, about JournalAbout) (*Journal, error) {
	return createJournal(path, about, disk{})
}

func createJournal(path string, about JournalAbout, d disk) (*Journal, error) {
	about.Version = journalVersion
	body, err := canonical.Marshal(about)
	if err != nil {
		return nil, err
	}
	if err := d.step("create", path); err != nil {
		return nil, wrapIndex(err, "create the journal")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, wrapIndex(err, "create the journal")
	}
	j := &Journal{f: f, disk: d}
	err = j.append(appendRecord([]byte(journalMagic), body))
	if err == nil {
		err = d.syncFolder(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		return nil, wrapIndex(err, "create the journal")
	}
	return j, nil
}

// appendRecord appends a record with that body.
func appendRecord(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.BigEndian.AppendUint32(dst, checksum(body))
	return append(dst, body...)
}

// Add writes a pack down; it is durable when Add returns nil, and only then may the pack be sent. After an error
// the journal is as before. It is safe for concurrent use.
func (j *Journal) Add(p JournalPack) error {
	body := append(make([]byte, 0, journalPack), p.ID[:]...)
	body = binary.BigEndian.AppendUint64(body, uint64(p.Size))
	body = append(body, p.Index.Print()...)
	j.mu.Lock()
	defer j.mu.Unlock()
	return wrapIndex(j.append(appendRecord(nil, body)), "write the journal")
}

// append puts bytes behind the last whole record. mu is held, or the journal is not shared yet.
func (j *Journal) append(b []byte) error {
	if err := j.disk.step("write", j.f.Name()); err != nil {
		return err
	}
	if j.torn { // an earlier record may be longer than this one
		if err := j.f.Truncate(j.end); err != nil {
			return err
		}
	}
	j.torn = true
	if _, err := j.f.WriteAt(b, j.end); err != nil {
		return err
	}
	if err := j.disk.sync(j.f); err != nil {
		return err
	}
	j.end, j.torn = j.end+int64(len(b)), false
	return nil
}

// Close closes the file and leaves it in its place.
func (j *Journal) Close() error { return j.f.Close() }

// Remove closes the journal and deletes its file: its run is over, and the index knows what it held.
func (j *Journal) Remove() error {
	return wrapIndex(errors.Join(j.f.Close(), j.disk.remove(j.f.Name())), "remove the journal")
}

// ReadJournal visits the packs of a journal in order. A tail that a crash tore off is passed over, and so is
// everything behind damage: what it would have told is only sent once more. A file without a whole head is the
// journal of a run that had nothing to send: about is then zero. It returns the error of visit, or a file's.
func ReadJournal(path string, visit func(JournalPack) error) (about JournalAbout, err error) {
	f, err := os.Open(path)
	if err != nil {
		return about, wrapIndex(err, "read the journal")
	}
	defer f.Close() // it is only read
	about, err = parseJournal(f, visit)
	return about, wrapIndex(err, "read the journal")
}

// errTorn ends the reading of a journal.
var errTorn = errors.New("the journal ends within a record")

func parseJournal(r io.Reader, visit func(JournalPack) error) (about JournalAbout, err error) {
	about, err = parseJournalHead(r)
	for err == nil {
		var body []byte
		var p JournalPack
		if body, err = readRecord(r, maxJournal); err != nil {
			break
		}
		if p, err = parseJournalPack(body); err != nil {
			break
		}
		if err := visit(p); err != nil {
			return about, err
		}
	}
	if errors.Is(err, errTorn) {
		err = nil
	}
	return about, err
}

func parseJournalHead(r io.Reader) (about JournalAbout, err error) {
	var magic [len(journalMagic)]byte
	if err := readFull(r, magic[:]); err != nil {
		return about, err
	}
	if string(magic[:]) != journalMagic {
		return about, protocol.Errorf(protocol.KindUnsupported, "the file is no journal that is known here")
	}
	body, err := readRecord(r, maxAbout)
	if err != nil {
		return about, err
	}
	if err := canonical.Unmarshal(body, maxAbout, &about); err != nil {
		return JournalAbout{}, err
	}
	if about.Version != journalVersion {
		return JournalAbout{}, protocol.Errorf(protocol.KindUnsupported, "journal of version %d is not known here", about.Version)
	}
	return about, nil
}

func parseJournalPack(body []byte) (p JournalPack, err error) {
	if len(body) < journalPack {
		return p, errTorn
	}
	copy(p.ID[:], body)
	p.Size = int64(binary.BigEndian.Uint64(body[len(p.ID):]))
	p.Index, err = ParsePackIndex(body[journalPack:])
	return p, err
}

// readRecord returns the next record's body; errTorn when there is no whole one that holds.
func readRecord(r io.Reader, most int) ([]byte, error) {
	var head [journalHead]byte
	if err := readFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > most {
		return nil, errTorn
	}
	body := make([]byte, n)
	if err := readFull(r, body); err != nil {
		return nil, err
	}
	if checksum(body) != binary.BigEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return body, nil
}

// readFull fills b; an early end is errTorn.
func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errTorn
	}
	return err
}
