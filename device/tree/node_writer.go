// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// Store keeps a chunk and returns its name. The plaintext is valid during the call only. It is how writers of folders
// and of contents hand over what they make: typically name it, and add it to a Packer if it is new.
type Store func(kind Kind, plaintext []byte) (protocol.Hash, error)

// Cutter decides where large folders are cut into parts: after names that a keyed hash chooses. Where a folder is cut
// depends on the names near by alone, so that a change of one entry changes one part and the nodes above it. It is
// safe for concurrent use.
type Cutter struct{ hashers sync.Pool }

// cutBits is how many bits of a name's hash are zero at a cut: parts have 256 entries on average.
const cutBits = 8

// NewCutter returns the cutter under a chunking secret.
func NewCutter(chunking *keys.Secret) *Cutter {
	key := chunking.Derive("tree/folder").Expose()
	return &Cutter{hashers: sync.Pool{New: func() any {
		h, err := blake3.NewKeyed(key)
		if err != nil {
			panic("solekey: internal error: folder cuts: " + err.Error())
		}
		return h
	}}}
}

// levels returns how many levels of nodes end behind a name: none mostly, one for 1 of 256, two for 1 of 65,536, …
func (c *Cutter) levels(name []byte) int {
	h := c.hashers.Get().(*blake3.Hasher)
	defer c.hashers.Put(h)
	h.Reset()
	_, _ = h.Write(name) // never fails
	var sum [32]byte
	h.Sum(sum[:0])
	return bits.TrailingZeros64(binary.BigEndian.Uint64(sum[:])) / cutBits
}

// maxNodeLength is the size beyond which no node grows, but for a single entry that is larger.
const maxNodeLength = 1 << 20

// FolderWriter writes one folder, whatever its size, from entries that come in order. It holds one open node for
// each level and stores those that are full. It is not safe for concurrent use.
type FolderWriter struct {
	cutter *Cutter
	store  Store
	levels []openNode
	last   []byte // the last name, to see that they ascend
}

// openNode is a node that is being filled: its elements are encoded already.
type openNode struct {
	elements []byte
	count    int
	entries  uint64 // in it and below
	first    []byte
	last     protocol.Hash // the name of the last part; zero at level 0
}

// NewFolderWriter begins a folder whose nodes go to store.
func NewFolderWriter(cutter *Cutter, store Store) *FolderWriter {
	return &FolderWriter{cutter: cutter, store: store, levels: make([]openNode, 1)}
}

// Add adds an entry, whose name must be behind all earlier ones. After an error the writer is of no more use.
func (w *FolderWriter) Add(e *Entry) error {
	if err := e.Check(); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write a folder")
	}
	if bytes.Compare(w.last, e.Name) >= 0 {
		return protocol.Errorf(protocol.KindInternal, "write a folder: %q comes behind %q", e.Name, w.last)
	}
	w.last = append(w.last[:0], e.Name...)
	element, err := canonical.Marshal(e)
	if err != nil {
		return err
	}
	if err := w.append(0, element, e.Name, 1); err != nil {
		return err
	}
	for level := range min(w.cutter.levels(e.Name), maxNodeLevel) {
		if err := w.flush(level); err != nil {
			return err
		}
	}
	return nil
}

// append adds an element to the open node of a level, which is stored before when it is full.
func (w *FolderWriter) append(level int, element, first []byte, entries uint64) error {
	n := &w.levels[level]
	if n.count == maxNodeEntries || n.count > 0 && len(n.elements)+len(element) > maxNodeLength {
		if err := w.flush(level); err != nil {
			return err
		}
		n = &w.levels[level]
	}
	if n.count == 0 {
		n.first = append(n.first[:0], first...)
	}
	n.elements = append(n.elements, element...)
	n.count, n.entries = n.count+1, n.entries+entries
	return nil
}

// flush stores the open node of a level, if it holds anything, and names it in the one above.
func (w *FolderWriter) flush(level int) error {
	n := &w.levels[level]
	if n.count == 0 {
		return nil
	}
	if level == maxNodeLevel {
		return protocol.Errorf(protocol.KindInternal, "write a folder: it has too many entries")
	}
	name, err := w.store(KindNode, n.print(level))
	if err != nil {
		return fmt.Errorf("store a part of a folder: %w", err)
	}
	element, err := canonical.Marshal(nodePart{First: n.first, Name: name, Entries: n.entries})
	if err != nil {
		return err
	}
	if level+1 == len(w.levels) {
		w.levels = append(w.levels, openNode{})
		n = &w.levels[level]
	}
	first, entries := n.first, n.entries
	n.elements, n.count, n.entries = n.elements[:0], 0, 0
	if err := w.append(level+1, element, first, entries); err != nil {
		return err
	}
	w.levels[level+1].last = name
	return nil
}

// Finish stores what is left and returns the name of the folder's root node.
func (w *FolderWriter) Finish() (protocol.Hash, error) {
	for level := 0; level < len(w.levels)-1; level++ {
		if err := w.flush(level); err != nil {
			return protocol.Hash{}, err
		}
	}
	top := len(w.levels) - 1
	if top > 0 && w.levels[top].count == 1 { // a node that stands for one part says nothing
		return w.levels[top].last, nil
	}
	root, err := w.store(KindNode, w.levels[top].print(top))
	if err != nil {
		return protocol.Hash{}, fmt.Errorf("store a folder: %w", err)
	}
	return root, nil
}

// print returns the node: the map that canonical.Marshal gives for it, put together from its encoded elements so that
// no entry is encoded twice.
func (n *openNode) print(level int) []byte {
	const mapHead, arrayHead = 0xa0, 0x80
	b := make([]byte, 0, 16+len(n.elements))
	switch {
	case n.count == 0:
		return append(b, mapHead+1, 1, nodeVersion)
	case level == 0:
		b = append(b, mapHead+2, 1, nodeVersion, 3)
	default:
		b = append(b, mapHead+3, 1, nodeVersion, 2, byte(level), 4)
	}
	switch {
	case n.count < 24:
		b = append(b, arrayHead+byte(n.count))
	case n.count < 256:
		b = append(b, arrayHead+24, byte(n.count))
	default:
		b = append(b, arrayHead+25, byte(n.count>>8), byte(n.count))
	}
	return append(b, n.elements...)
}
