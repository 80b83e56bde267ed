// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/protocol"
)

// The last run's file remembers, for one set of sources, what the run saw and
// what it stored for it, so that the next run reads only what changed. It is a
// cache: a file that is missing, damaged or made under other circumstances costs
// time and nothing else. A record a folder, written when the folder is complete;
// a folder's record names the places of its subfolders' records.
//
//	file    magic[8] records... root offset[8] ground[32] snapshot[32] crc[4]
//	record  length[4] crc[4] node[32] count{uvarint} items...
//	item    name length{uvarint} name flags[1] identity[41] child{uvarint} entry length{uvarint} entry

const (
	lastRunMagic  = "SKLAST\x00\x02"
	lastRunTail   = 8 + 32 + 32 + 4
	lastIdentity  = 41
	maxLastRecord = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// lastItem is what the last run knew of one entry. Its slices belong to the
// folder's record.
type lastItem struct {
	name     []byte
	unsure   bool   // it changed too close to the moment it was read
	identity []byte // lastIdentity bytes
	child    int64  // place of a subfolder's record, 0 for anything else
	entry    []byte // encoded
}

// lastFolder is what the last run knew of one folder.
type lastFolder struct {
	node  protocol.Hash
	items []lastItem
}

// find returns the item of the name; hint is where to look first, and the place
// after the found one is the next hint.
func (f *lastFolder) find(name []byte, hint *int) *lastItem {
	if f == nil {
		return nil
	}
	for i := *hint; i < len(f.items); i++ {
		switch c := compareNames(f.items[i].name, name); {
		case c == 0:
			*hint = i + 1
			return &f.items[i]
		case c > 0:
			*hint = i
			return nil
		}
	}
	*hint = len(f.items)
	return nil
}

func compareNames(a, b []byte) int {
	switch {
	case string(a) < string(b):
		return -1
	case string(a) > string(b):
		return 1
	}
	return 0
}

// appendIdentity appends the fixed form of what must be the same of an entry that
// did not change.
func appendIdentity(dst []byte, stat *files.Stat) []byte {
	id := stat.Identity()
	dst = append(dst, byte(stat.Type))
	dst = binary.BigEndian.AppendUint64(dst, id.Device)
	dst = binary.BigEndian.AppendUint64(dst, id.Inode)
	dst = binary.BigEndian.AppendUint64(dst, id.Size)
	dst = binary.BigEndian.AppendUint64(dst, uint64(id.Modified))
	return binary.BigEndian.AppendUint64(dst, uint64(id.Changed))
}

// lastRun reads the file of the last run. Its nil value knows nothing.
type lastRun struct {
	f    *os.File
	root int64
	size int64
	lastRunEnd
}

// lastRunEnd is what the file says at its end.
type lastRunEnd struct {
	ground   protocol.Hash // what the run stood on, see Vault.ground
	snapshot protocol.Hash // the record that it made, zero for a partial one
}

// openLastRun returns nil where there is no usable file.
func openLastRun(path string) *lastRun {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	l := &lastRun{f: f}
	if !l.load() {
		f.Close()
		return nil
	}
	return l
}

func (l *lastRun) load() bool {
	info, err := l.f.Stat()
	if err != nil || info.Size() < int64(len(lastRunMagic)+lastRunTail) {
		return false
	}
	l.size = info.Size() - lastRunTail
	head, tail := make([]byte, len(lastRunMagic)), make([]byte, lastRunTail)
	if _, err := l.f.ReadAt(head, 0); err != nil || string(head) != lastRunMagic {
		return false
	}
	if _, err := l.f.ReadAt(tail, l.size); err != nil {
		return false
	}
	end := len(tail) - 4
	if crc32.Checksum(tail[:end], castagnoli) != binary.BigEndian.Uint32(tail[end:]) {
		return false
	}
	l.root = int64(binary.BigEndian.Uint64(tail))
	copy(l.ground[:], tail[8:])
	copy(l.snapshot[:], tail[40:])
	return true
}

func (l *lastRun) close() {
	if l != nil {
		l.f.Close()
	}
}

// folder reads the record at the place, nil where there is none.
func (l *lastRun) folder(at int64) *lastFolder {
	if l == nil || at < int64(len(lastRunMagic)) || at+8 > l.size {
		return nil
	}
	head := make([]byte, 8)
	if _, err := l.f.ReadAt(head, at); err != nil {
		return nil
	}
	length := int64(binary.BigEndian.Uint32(head))
	if length > maxLastRecord || at+8+length > l.size {
		return nil
	}
	body := make([]byte, length)
	if _, err := l.f.ReadAt(body, at+8); err != nil {
		return nil
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil
	}
	return parseLastFolder(body)
}

// parseLastFolder returns nil for what it does not understand.
func parseLastFolder(b []byte) *lastFolder {
	f := new(lastFolder)
	p := lastParser{b: b}
	copy(f.node[:], p.take(uint64(len(f.node))))
	count := p.number()
	if count > uint64(len(b)) {
		return nil
	}
	f.items = make([]lastItem, 0, count)
	for range count {
		it := lastItem{name: p.take(p.number())}
		if flags := p.take(1); len(flags) == 1 {
			it.unsure = flags[0] != 0
		}
		it.identity, it.child = p.take(lastIdentity), int64(p.number())
		it.entry = p.take(p.number())
		f.items = append(f.items, it)
	}
	if p.bad || len(p.b) != 0 {
		return nil
	}
	return f
}

// lastParser takes bytes off the front and remembers that there were too few.
type lastParser struct {
	b   []byte
	bad bool
}

func (p *lastParser) take(n uint64) []byte {
	if p.bad || n > uint64(len(p.b)) {
		p.bad = true
		return nil
	}
	part := p.b[:n]
	p.b = p.b[n:]
	return part
}

func (p *lastParser) number() uint64 {
	n, size := binary.Uvarint(p.b)
	if p.bad || size <= 0 {
		p.bad = true
		return 0
	}
	p.b = p.b[size:]
	return n
}

// lastRunWriter writes the file for the next run beside the old one. Nothing of
// it counts until finish.
type lastRunWriter struct {
	path string
	f    *os.File
	w    *bufio.Writer
	at   int64
	buf  []byte
	err  error
}

// newLastRunWriter begins a file that finish puts at the path; what a killed run
// left of one is overwritten. Whoever holds the index is alone here. With the
// empty path nothing is kept.
func newLastRunWriter(path string) *lastRunWriter {
	w := &lastRunWriter{path: path}
	if path == "" {
		w.err = errors.New("nothing is kept of this run")
		return w
	}
	if w.f, w.err = os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); w.err != nil {
		return w
	}
	w.w = bufio.NewWriterSize(w.f, 256<<10)
	w.write([]byte(lastRunMagic))
	return w
}

func (w *lastRunWriter) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
		w.at += int64(len(b))
	}
}

// folder writes a folder's record and returns its place.
func (w *lastRunWriter) folder(f *lastFolder) int64 {
	if w.err != nil {
		return 0
	}
	b := append(w.buf[:0], make([]byte, 8)...)
	b = append(b, f.node[:]...)
	b = binary.AppendUvarint(b, uint64(len(f.items)))
	for i := range f.items {
		b = appendLastItem(b, &f.items[i])
	}
	body := b[8:]
	if len(body) > maxLastRecord {
		w.err = errors.New("folder is too large to remember")
	}
	binary.BigEndian.PutUint32(b, uint32(len(body)))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(body, castagnoli))
	at := w.at
	w.write(b)
	w.buf = b
	return at
}

func appendLastItem(b []byte, it *lastItem) []byte {
	b = binary.AppendUvarint(b, uint64(len(it.name)))
	b = append(b, it.name...)
	var flags byte
	if it.unsure {
		flags = 1
	}
	b = append(b, flags)
	b = append(b, it.identity...)
	b = binary.AppendUvarint(b, uint64(it.child))
	b = binary.AppendUvarint(b, uint64(len(it.entry)))
	return append(b, it.entry...)
}

// finish completes the file and puts it in the place of the old one. It is a
// cache, so it is not synced: what a power cut leaves of it fails its checksums.
func (w *lastRunWriter) finish(root int64, end lastRunEnd) error {
	tail := binary.BigEndian.AppendUint64(nil, uint64(root))
	tail = append(append(tail, end.ground[:]...), end.snapshot[:]...)
	tail = binary.BigEndian.AppendUint32(tail, crc32.Checksum(tail, castagnoli))
	w.write(tail)
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err == nil {
		w.err = os.Rename(w.f.Name(), w.path)
	}
	w.discard()
	return w.err
}

// discard closes the file and removes what finish did not put in place.
func (w *lastRunWriter) discard() {
	if w.f == nil {
		return
	}
	w.f.Close()
	os.Remove(w.f.Name())
	w.f = nil
}
