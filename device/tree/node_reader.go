// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"io"
	"sort"

	"github.com/solekey/solekey/protocol"
)

// Load returns the plaintext of a chunk whose name was verified. It is how readers of folders and of contents get
// what they read: typically a Reader's Chunk.
type Load func(ctx context.Context, kind Kind, name protocol.Hash) ([]byte, error)

// FolderReader reads the entries of one folder in order. It holds one node of each level. Everything it returns was
// checked: each entry by itself, their order, and that each part is what the folder says. It is not safe for
// concurrent use.
type FolderReader struct {
	load  Load
	root  protocol.Hash
	stack []nodeAt // from the root down; empty before the first use
	last  []byte
}

// nodeAt is a node and the place in it that comes next.
type nodeAt struct {
	node *node
	next int
}

// NewFolderReader begins at the first entry of the folder whose root node has that name.
func NewFolderReader(root protocol.Hash, load Load) *FolderReader {
	return &FolderReader{root: root, load: load}
}

// Next returns the next entry, io.EOF behind the last. The entry is the caller's. After another error the reader is
// at the same place; a second try may succeed if the load failed for a while only.
func (r *FolderReader) Next(ctx context.Context) (*Entry, error) {
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	for len(r.stack) > 0 {
		top := &r.stack[len(r.stack)-1]
		switch {
		case top.next == top.size():
			r.stack = r.stack[:len(r.stack)-1]
			if len(r.stack) > 0 {
				r.stack[len(r.stack)-1].next++
			}
		case top.node.Level > 0:
			if err := r.descend(ctx, nil); err != nil {
				return nil, err
			}
		default:
			return r.take(top)
		}
	}
	r.stack = r.done()
	return nil, io.EOF
}

// done is the stack of a reader behind the last entry: one empty node, so that it does not begin again.
func (r *FolderReader) done() []nodeAt { return []nodeAt{{node: &node{}}} }

func (n *nodeAt) size() int { return len(n.node.Entries) + len(n.node.Parts) }

// take returns the entry that is next in a node of level 0.
func (r *FolderReader) take(top *nodeAt) (*Entry, error) {
	e := &top.node.Entries[top.next]
	if bytes.Compare(r.last, e.Name) >= 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "read a folder: %q comes behind %q", e.Name, r.last)
	}
	r.last = append(r.last[:0], e.Name...)
	top.next++
	return e, nil
}

// begin loads the root node at the first use.
func (r *FolderReader) begin(ctx context.Context) error {
	if len(r.stack) > 0 {
		return nil
	}
	n, err := r.node(ctx, r.root)
	if err != nil {
		return err
	}
	r.stack = append(r.stack, nodeAt{node: n})
	return nil
}

// node loads a node.
func (r *FolderReader) node(ctx context.Context, name protocol.Hash) (*node, error) {
	plaintext, err := r.load(ctx, KindNode, name)
	if err != nil {
		return nil, err
	}
	return parseNode(plaintext)
}

// descend enters the part that is next, at the first entry or the first that is not before a name.
func (r *FolderReader) descend(ctx context.Context, name []byte) error {
	top := &r.stack[len(r.stack)-1]
	part := &top.node.Parts[top.next]
	n, err := r.node(ctx, part.Name)
	if err != nil {
		return err
	}
	if err := n.checkPart(top.node, part); err != nil {
		return err
	}
	r.stack = append(r.stack, nodeAt{node: n, next: n.search(name)})
	return nil
}

// search returns the place of the first entry whose name is not before name, or of the part that would hold it.
func (n *node) search(name []byte) int {
	if n.Level == 0 {
		return sort.Search(len(n.Entries), func(i int) bool { return bytes.Compare(n.Entries[i].Name, name) >= 0 })
	}
	behind := sort.Search(len(n.Parts), func(i int) bool { return bytes.Compare(n.Parts[i].First, name) > 0 })
	return max(behind-1, 0)
}

// Seek moves to the first entry whose name is not before name; Next returns it. It loads one node of each level.
func (r *FolderReader) Seek(ctx context.Context, name []byte) error {
	r.stack, r.last = r.stack[:0], r.last[:0]
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.stack[0].next = r.stack[0].node.search(name)
	for {
		top := &r.stack[len(r.stack)-1]
		if top.node.Level == 0 {
			return nil
		}
		if err := r.descend(ctx, name); err != nil {
			r.stack = r.stack[:0]
			return err
		}
	}
}

// FindEntry returns the entry of that name in the folder whose root node is root. It fails with
// protocol.KindNotFound when there is none.
func FindEntry(ctx context.Context, root protocol.Hash, name []byte, load Load) (*Entry, error) {
	r := NewFolderReader(root, load)
	if err := r.Seek(ctx, name); err != nil {
		return nil, err
	}
	e, err := r.Next(ctx)
	if err == io.EOF || err == nil && !bytes.Equal(e.Name, name) {
		return nil, protocol.Errorf(protocol.KindNotFound, "there is no %q in the folder", name)
	}
	return e, err
}
