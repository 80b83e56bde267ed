// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// Index knows which pack holds a chunk. It lies in files of one folder; in memory it takes about 1.1 bytes a chunk
// and 10 MiB, whatever is stored. All of it can be rebuilt from the indexes inside the packs.
//
// It is safe for concurrent use within a process. One process writes at a time (OpenIndex), others may read
// (ReadIndex) and see what the writer had flushed when they opened it.
//
// Nothing is lost by a crash but the packs added since the last Flush: these are then not known, and are to be added
// again. Damage is noticed when it is read, as ErrIndexDamaged; no answer is made from damaged bytes.
type Index struct {
	dir  string
	disk disk
	room uint64    // records that are gathered in memory: memoryRecords, less in tests
	lock io.Closer // nil: this one only reads

	writing sync.Mutex // held by Flush and all that changes files; taken before mu
	next    uint64     // number of the next file; guarded by writing
	durable int        // packs that the manifest may name: all their records are in files; guarded by writing

	mu          sync.RWMutex // guards what follows
	files       []*indexFile // oldest first
	memory      *memoryTable // the newest records
	frozen      *memoryTable // records being written to a file, or nil
	frozenPacks int          // packs known when frozen was
	flags       []byte       // one byte for each pack
	cursor      uint64       // the highest of all packs
	dead        uint64       // records of removed packs, at most
	changed     bool         // whether flags differ from the manifest's
	packs       packTable
}

// framesBegin is where the frames begin in a pack.
const framesBegin = seal.PackHeaderSize

// maxLocations bounds what Lookup returns of a chunk that lies in many packs.
const maxLocations = 16

var errReadOnly = errors.New("the index was opened for reading only")

// OpenIndex opens the index in a folder for reading and writing, an empty one where there is none. It fails with
// protocol.KindBusy while another process has it open for writing. The caller closes it.
func OpenIndex(dir string) (*Index, error) { return openIndex(dir, disk{}, memoryRecords) }

func openIndex(dir string, d disk, room uint64) (*Index, error) {
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, wrapIndex(err, "open the index")
	}
	x := &Index{dir: dir, disk: d, room: room, lock: lock, memory: newMemoryTable()}
	m, err := x.load(os.O_RDWR | os.O_CREATE)
	if err == nil {
		err = m.sweep(d, dir)
	}
	if err != nil {
		x.closeFiles()
		return nil, wrapIndex(err, "open the index")
	}
	return x, nil
}

// ReadIndex opens the index in a folder for reading. The caller closes it.
func ReadIndex(dir string) (*Index, error) {
	for attempt := 0; ; attempt++ {
		x := &Index{dir: dir}
		_, err := x.load(os.O_RDONLY)
		if err == nil {
			return x, nil
		}
		x.closeFiles()
		// The writer may have replaced the files between the manifest and their opening.
		if attempt == 3 || !errors.Is(err, os.ErrNotExist) {
			return nil, wrapIndex(err, "open the index")
		}
	}
}

// wrapIndex says what was being done, and keeps the kind that an error already has.
func wrapIndex(err error, act string) error {
	if err == nil {
		return nil
	}
	return protocol.Wrap(protocol.KindOf(err), err, "%s", act)
}

// load opens all files as the manifest names them.
func (x *Index) load(mode int) (*manifest, error) {
	m, err := readManifest(x.dir)
	if err != nil {
		return nil, err
	}
	x.next, x.durable, x.flags, x.dead = m.Next, len(m.Flags), slices.Clone(m.Flags), m.Dead
	if x.files, err = m.openFiles(x.dir); err != nil {
		return nil, err
	}
	if x.packs.f, err = os.OpenFile(filepath.Join(x.dir, packsName), mode, 0o600); err != nil {
		return nil, err
	}
	for p, err := range x.Packs() {
		if err != nil {
			return nil, err
		}
		x.cursor = max(x.cursor, p.Cursor)
	}
	return m, nil
}

// closeFiles closes everything; nothing was written through what it closes that was not synced.
func (x *Index) closeFiles() {
	releaseAll(x.files)
	x.files = nil
	if x.packs.f != nil {
		x.packs.f.Close()
	}
	if x.lock != nil {
		x.lock.Close()
	}
}

// Close flushes and closes the index. After an error, what was added since the last Flush may be unknown the next
// time; the index is closed all the same.
func (x *Index) Close() error {
	var err error
	if x.lock != nil {
		err = x.Flush()
	}
	x.closeFiles()
	return err
}

// find returns all records under a name, the newest packs' first. mu is held.
func (x *Index) find(dst []record, name protocol.Hash) ([]record, error) {
	dst = x.frozen.find(x.memory.find(dst, name), name)
	var err error
	for i := len(x.files) - 1; i >= 0 && err == nil; i-- {
		dst, err = x.files[i].find(dst, name[:])
	}
	return dst, err
}

// flag returns the flags of the record's pack. mu is held.
func (x *Index) flag(r *record) byte {
	if int(r.pack()) >= len(x.flags) {
		return flagRemoved
	}
	return x.flags[r.pack()]
}

// Has reports whether a usable pack holds the chunk, so that it need not be stored again.
func (x *Index) Has(name protocol.Hash) (bool, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var space [4]record
	records, err := x.find(space[:0], name)
	if err != nil {
		return false, wrapIndex(err, "look up a chunk")
	}
	for i := range records {
		if !records[i].isPack() && x.flag(&records[i]) == flagUsable {
			return true, nil
		}
	}
	return false, nil
}

// Lookup appends to dst where the chunk lies, those in usable packs first, and returns the longer slice. A chunk
// that no pack holds has no location and is no error.
func (x *Index) Lookup(dst []Location, name protocol.Hash) ([]Location, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var space [4]record
	records, err := x.find(space[:0], name)
	if err != nil {
		return dst, wrapIndex(err, "look up a chunk")
	}
	most := len(dst) + maxLocations
	for _, flags := range []byte{flagUsable, 0} {
		for i := range records {
			r := &records[i]
			if r.isPack() || x.flag(r) != flags || len(dst) == most {
				continue
			}
			l := r.location()
			if l.Pack, err = x.packs.id(r.pack()); err != nil {
				return dst, wrapIndex(err, "look up a chunk")
			}
			dst = append(dst, l)
		}
	}
	return dst, nil
}

// findPack returns the number of a pack that is known and not removed. mu is held.
func (x *Index) findPack(id protocol.PackID) (number uint32, found bool, err error) {
	records, err := x.find(nil, protocol.Hash(id))
	for i := range records {
		if records[i].isPack() && x.flag(&records[i])&flagRemoved == 0 {
			return records[i].pack(), true, err
		}
	}
	return 0, false, err
}

// Pack returns what is known of a pack; found is false for one that is unknown or removed.
func (x *Index) Pack(id protocol.PackID) (p PackInfo, found bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	number, found, err := x.findPack(id)
	if err != nil || !found {
		return PackInfo{}, false, wrapIndex(err, "look up a pack")
	}
	var buffer [packSize]byte
	packs, err := x.packs.read(buffer[:], number, number+1)
	if err != nil {
		return PackInfo{}, false, wrapIndex(err, "look up a pack")
	}
	p = packs[0]
	p.Usable = x.flags[number]&flagUsable != 0
	return p, true, nil
}

// AddPack makes the chunks of a pack known; info.Namer and info.Chunks are taken from its index. A pack that is known
// already stays as it is. It is durable after the next Flush.
func (x *Index) AddPack(info PackInfo, index *PackIndex) error {
	if x.lock == nil {
		return wrapIndex(errReadOnly, "add a pack")
	}
	full, err := x.addPack(info, index)
	if err == nil && full {
		return x.Flush()
	}
	return wrapIndex(err, "add a pack to the index")
}

func (x *Index) addPack(info PackInfo, index *PackIndex) (full bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, found, err := x.findPack(info.ID); found || err != nil {
		return false, err
	}
	if uint64(len(x.flags)) == math.MaxUint32 {
		return false, errors.New("the index is full")
	}
	number := uint32(len(x.flags))
	records, err := packRecords(info.ID, number, framesBegin, index)
	if err != nil {
		return false, err
	}
	info.Namer, info.Chunks = index.Namer, index.Chunks()
	if err := x.packs.write(number, &info); err != nil {
		return false, err
	}
	x.memory.add(records)
	flags := byte(0)
	if info.Usable {
		flags = flagUsable
	}
	x.flags, x.cursor, x.changed = append(x.flags, flags), max(x.cursor, info.Cursor), true
	return uint64(len(x.memory.records)) >= x.room, nil
}

// SetUsable says of packs whether Has may answer with their chunks. Packs that are not known are passed over. It is
// durable after the next Flush.
func (x *Index) SetUsable(ids []protocol.PackID, usable bool) error {
	return x.mark(ids, func(number uint32) error {
		x.flags[number] &^= flagUsable
		if usable {
			x.flags[number] |= flagUsable
		}
		return nil
	})
}

// RemovePacks makes packs, and what only they hold, unknown. Packs that are not known are passed over. It is durable
// after the next Flush, which gives their space back once a quarter of the index is theirs.
func (x *Index) RemovePacks(ids []protocol.PackID) error {
	return x.mark(ids, func(number uint32) error {
		var buffer [packSize]byte
		packs, err := x.packs.read(buffer[:], number, number+1)
		if err != nil {
			return err
		}
		x.flags[number] = flagRemoved
		x.dead += uint64(packs[0].Chunks) + 1
		return nil
	})
}

// mark changes the flags of those packs that are known; change is called with mu held.
func (x *Index) mark(ids []protocol.PackID, change func(number uint32) error) error {
	if x.lock == nil {
		return wrapIndex(errReadOnly, "change packs in the index")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		number, found, err := x.findPack(id)
		if err == nil && found {
			x.changed = true
			err = change(number)
		}
		if err != nil {
			return wrapIndex(err, "change packs in the index")
		}
	}
	return nil
}

// Cursor returns the highest receipt cursor of all packs that were ever added: from there on, receipts are new.
func (x *Index) Cursor() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.cursor
}
