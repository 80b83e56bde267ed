// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"io"
	"sort"
	"sync"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// layout says where in a file its data lies, holes left out.
type layout struct {
	parts []dataPart // ascending; nil for a file without holes
}

// dataPart is a part of a file between holes.
type dataPart struct {
	at     uint64 // where it begins in the data
	offset uint64 // where it begins in the file
}

func newLayout(e *tree.Entry) layout {
	if len(e.Holes) == 0 {
		return layout{}
	}
	l := layout{parts: make([]dataPart, 0, len(e.Holes)+1)}
	var at, offset uint64
	for _, h := range e.Holes {
		if h.Offset > offset {
			l.parts = append(l.parts, dataPart{at, offset})
		}
		at += h.Offset - offset
		offset = h.Offset + h.Length
	}
	if offset < e.Size {
		l.parts = append(l.parts, dataPart{at, offset})
	}
	return l
}

// each calls do for each part of the file that a range of its data lies in: where
// the part begins within the range, where in the file, and its length.
func (l *layout) each(at, length uint64, do func(from, offset, length uint64) error) error {
	if l.parts == nil {
		return do(0, at, length)
	}
	i := sort.Search(len(l.parts), func(i int) bool { return l.parts[i].at > at }) - 1
	for from := uint64(0); from < length; i++ {
		part := l.parts[i]
		n := length - from
		if i+1 < len(l.parts) {
			n = min(n, l.parts[i+1].at-(at+from))
		}
		if err := do(from, part.offset+(at+from-part.at), n); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// oldFile is a file that stands where another is restored. Its nil value has
// nothing.
type oldFile struct {
	ctx   context.Context
	file  *files.File
	names *tree.Names
	load  tree.Load
	buf   *[]byte
}

var pieceBuffers = sync.Pool{New: func() any { return new([]byte) }}

// openOld opens what stands at the entry's place, nil where it is of no use.
func (r *Restore) openOld(target *files.Target, e *tree.Entry) *oldFile {
	names, err := r.b.names(r.o.Snapshot.Namer)
	if err != nil {
		return nil
	}
	file, err := target.Existing().Open(e.Name)
	if err != nil {
		return nil
	}
	return &oldFile{ctx: r.ctx, file: file, names: names, load: r.b.load, buf: pieceBuffers.Get().(*[]byte)}
}

func (o *oldFile) close() {
	if o != nil {
		o.file.Close()
		pieceBuffers.Put(o.buf)
	}
}

// has returns the bytes of a piece if they stand at its place in the old file.
// They are valid until the next call. What is returned was named: it is the
// piece, whatever happens to the old file afterwards.
func (o *oldFile) has(l *layout, piece tree.Piece, at uint64) ([]byte, bool) {
	if o == nil {
		return nil, false
	}
	if uint64(cap(*o.buf)) < piece.Length {
		*o.buf = make([]byte, piece.Length)
	}
	data := (*o.buf)[:piece.Length]
	err := l.each(at, piece.Length, func(from, offset, length uint64) error {
		n, err := o.file.ReadAt(data[from:from+length], int64(offset))
		if uint64(n) == length {
			return nil
		}
		return err
	})
	if err != nil || o.names.Name(tree.KindFile, data) != piece.Name {
		return nil, false
	}
	return data, true
}

// isSame reports whether the old file has the entry's content. Its size is known
// to be the entry's.
func (o *oldFile) isSame(e *tree.Entry) (bool, error) {
	if o == nil {
		return e.Size == 0, nil
	}
	l := newLayout(e)
	content := tree.NewContentReader(e.Content, o.load)
	for {
		piece, at, err := content.Next(o.ctx)
		if err == io.EOF {
			return o.emptyIn(e.Holes)
		}
		if err != nil {
			return false, err
		}
		if _, ok := o.has(&l, piece, at); !ok {
			return false, nil
		}
	}
}

// emptyIn reports whether the old file reads as zeros in all holes.
func (o *oldFile) emptyIn(holes []tree.Extent) (bool, error) {
	if len(holes) == 0 {
		return true, nil
	}
	now, err := o.file.Holes()
	if err != nil {
		return false, err
	}
	next := 0
	for _, h := range holes {
		for next < len(now) && now[next].Offset+now[next].Length <= h.Offset {
			next++
		}
		if next < len(now) && now[next].Offset <= h.Offset && now[next].Offset+now[next].Length >= h.Offset+h.Length {
			continue
		}
		if zero, err := o.zero(h); !zero || err != nil {
			return false, err
		}
	}
	return true, nil
}

// zero reports whether a range reads as zeros.
func (o *oldFile) zero(x tree.Extent) (bool, error) {
	const step = 1 << 20
	if cap(*o.buf) < step {
		*o.buf = make([]byte, step)
	}
	for x.Length > 0 {
		part := (*o.buf)[:min(x.Length, step)]
		n, err := o.file.ReadAt(part, int64(x.Offset))
		if n < len(part) {
			return false, err
		}
		for _, b := range part {
			if b != 0 {
				return false, nil
			}
		}
		x.Offset, x.Length = x.Offset+uint64(n), x.Length-uint64(n)
	}
	return true, nil
}
