// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// A list is the pieces of a long file, in canonical CBOR, stored as a chunk of KindList. At level 0 its pieces are
// chunks of the file; above, they are lists one level below, each with the number of bytes it stands for.
//
// Growth: as for a node.
type list struct {
	Version uint8   `cbor:"1,keyasint"`
	Level   uint8   `cbor:"2,keyasint,omitempty"`
	Pieces  []Piece `cbor:"3,keyasint"`
}

const (
	listVersion = 1
	// maxListPieces is the largest number of pieces in one list.
	maxListPieces = 4096
	// maxListLevel is the highest level of a list.
	maxListLevel = 5
	// listBits is how many bits of a piece's name are zero where a list ends: lists have 1024 pieces on average.
	listBits = 10
)

// parseList returns the list that the chunk holds, with every rule checked that it can be held to by itself.
func parseList(plaintext []byte) (*list, error) {
	l := &list{}
	if err := unmarshalVersioned(plaintext, listVersion, l); err != nil {
		return nil, wrapParse(err, "parse a list of chunks")
	}
	if err := l.check(); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse a list of chunks")
	}
	return l, nil
}

func (l *list) check() error {
	if l.Version != listVersion || l.Level > maxListLevel {
		return fmt.Errorf("version %d or level %d is not allowed", l.Version, l.Level)
	}
	if len(l.Pieces) == 0 {
		return errors.New("it is empty")
	}
	most := uint64(MaxChunkLength)
	if l.Level > 0 {
		most = MaxSize
	}
	return checkPieces(l.Pieces, maxListPieces, most)
}

// bytes returns the number of bytes that the list stands for.
func (l *list) bytes() uint64 {
	var sum uint64
	for _, p := range l.Pieces {
		sum += p.Length
	}
	return sum
}

// ContentWriter gathers the pieces of one file. It holds one open list for each level and stores those that are full.
// It can be used for one file after another. It is not safe for concurrent use.
type ContentWriter struct {
	store  Store
	levels [maxListLevel + 1][]Piece
	listed bool // whether a list was stored
}

// NewContentWriter begins a file whose lists, if it needs any, go to store.
func NewContentWriter(store Store) *ContentWriter { return &ContentWriter{store: store} }

// Add adds a chunk of the file. After an error the writer is of no more use.
func (w *ContentWriter) Add(name protocol.Hash, length int) error {
	w.levels[0] = append(w.levels[0], Piece{Name: name, Length: uint64(length)})
	if !w.listed && len(w.levels[0]) <= MaxInline {
		return nil // it may fit into the entry; Finish knows
	}
	if !w.listed {
		return w.begin()
	}
	return w.cut(0)
}

// begin turns to lists: the pieces so far are cut as if they had just come.
func (w *ContentWriter) begin() error {
	w.listed = true
	early := w.levels[0]
	w.levels[0] = make([]Piece, 0, maxListPieces)
	for _, p := range early {
		w.levels[0] = append(w.levels[0], p)
		if err := w.cut(0); err != nil {
			return err
		}
	}
	return nil
}

// cut stores the lists that end behind the newest piece of a level.
func (w *ContentWriter) cut(level int) error {
	pieces := w.levels[level]
	// Names are keyed and uniform: their own bits choose where lists end, so that a change moves few ends.
	name := pieces[len(pieces)-1].Name
	chosen := bits.TrailingZeros64(binary.BigEndian.Uint64(name[24:])) >= listBits
	if !chosen && len(pieces) < maxListPieces {
		return nil
	}
	return w.flush(level)
}

// flush stores the open list of a level, if it holds anything, and names it in the one above.
func (w *ContentWriter) flush(level int) error {
	pieces := w.levels[level]
	if len(pieces) == 0 {
		return nil
	}
	if level == maxListLevel {
		return protocol.Errorf(protocol.KindInternal, "write a list of chunks: the file is too long")
	}
	p, err := w.put(level)
	if err != nil {
		return err
	}
	w.levels[level] = pieces[:0]
	w.levels[level+1] = append(w.levels[level+1], p)
	return w.cut(level + 1)
}

// put stores the open list of a level and returns the piece that stands for it.
func (w *ContentWriter) put(level int) (Piece, error) {
	l := &list{Version: listVersion, Level: uint8(level), Pieces: w.levels[level]}
	if err := l.check(); err != nil {
		return Piece{}, protocol.Wrap(protocol.KindInternal, err, "write a list of chunks")
	}
	plaintext, err := canonical.Marshal(l)
	if err != nil {
		return Piece{}, err
	}
	name, err := w.store(KindList, plaintext)
	if err != nil {
		return Piece{}, fmt.Errorf("store a list of chunks: %w", err)
	}
	return Piece{Name: name, Length: l.bytes()}, nil
}

// Finish stores what is left and returns the content of the file. The writer then is ready for another file.
func (w *ContentWriter) Finish() (Content, error) {
	defer w.reset()
	if !w.listed {
		return Content{Pieces: append([]Piece(nil), w.levels[0]...)}, nil
	}
	top := 0
	for level := range w.levels {
		if len(w.levels[level]) > 0 {
			top = level
		}
	}
	for level := 0; level < top; level++ {
		if err := w.flush(level); err != nil {
			return Content{}, err
		}
	}
	for len(w.levels[top]) == 0 { // the last flush went further up
		top++
	}
	if top > 0 && len(w.levels[top]) == 1 { // a list that stands for one list says nothing
		return Content{List: &w.levels[top][0]}, nil
	}
	p, err := w.put(top)
	if err != nil {
		return Content{}, err
	}
	return Content{List: &p}, nil
}

// reset makes the writer ready for another file.
func (w *ContentWriter) reset() {
	w.listed = false
	for level := range w.levels {
		w.levels[level] = nil
	}
}

// ContentReader reads the pieces of one file in order. It holds one list of each level. It is not safe for concurrent
// use.
type ContentReader struct {
	load  Load
	root  *list // the content itself, as the list above all
	stack []listAt
	begin uint64 // where in the data the next piece begins
}

// listAt is a list and the place in it that comes next.
type listAt struct {
	list *list
	next int
}

// NewContentReader begins at the first piece of a content that passed Entry.Check.
func NewContentReader(c Content, load Load) *ContentReader {
	root := &list{Pieces: c.Pieces}
	if c.List != nil {
		root = &list{Pieces: []Piece{*c.List}, Level: anyLevel}
	}
	return &ContentReader{load: load, root: root, stack: []listAt{{list: root}}}
}

// anyLevel is the level of the content above a list: it does not say which level the list has.
const anyLevel = 0xff

// Next returns the next chunk and where in the data of the file, holes left out, it begins; io.EOF behind the last.
// After another error the reader is at the same place.
func (r *ContentReader) Next(ctx context.Context) (p Piece, at uint64, err error) {
	for len(r.stack) > 0 {
		top := &r.stack[len(r.stack)-1]
		switch {
		case top.next == len(top.list.Pieces):
			r.stack = r.stack[:len(r.stack)-1]
			if len(r.stack) > 0 {
				r.stack[len(r.stack)-1].next++
			}
		case top.list.Level > 0:
			if err := r.descend(ctx); err != nil {
				return Piece{}, 0, err
			}
		default:
			p, at = top.list.Pieces[top.next], r.begin
			top.next, r.begin = top.next+1, r.begin+p.Length
			return p, at, nil
		}
	}
	return Piece{}, 0, io.EOF
}

// descend enters the list that is next, and holds it to what the one above says.
func (r *ContentReader) descend(ctx context.Context) error {
	top := &r.stack[len(r.stack)-1]
	piece := top.list.Pieces[top.next]
	plaintext, err := r.load(ctx, KindList, piece.Name)
	if err != nil {
		return err
	}
	l, err := parseList(plaintext)
	if err != nil {
		return err
	}
	if l.bytes() != piece.Length || top.list.Level != anyLevel && l.Level+1 != top.list.Level {
		return protocol.Errorf(protocol.KindUntrusted, "parse a list of chunks: it is not what the one above says")
	}
	r.stack = append(r.stack, listAt{list: l})
	return nil
}

// Seek moves to the chunk that holds the byte at offset of the data, holes left out; Next returns it. An offset behind
// the data moves behind the last. It loads one list of each level.
func (r *ContentReader) Seek(ctx context.Context, offset uint64) error {
	r.stack, r.begin = append(r.stack[:0], listAt{list: r.root}), 0
	for {
		top := &r.stack[len(r.stack)-1]
		for top.next < len(top.list.Pieces) && top.list.Pieces[top.next].Length <= offset-r.begin {
			r.begin += top.list.Pieces[top.next].Length
			top.next++
		}
		if top.list.Level == 0 || top.next == len(top.list.Pieces) {
			return nil
		}
		if err := r.descend(ctx); err != nil {
			return err
		}
	}
}
