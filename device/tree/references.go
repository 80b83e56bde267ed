// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/solekey/solekey/protocol"

// Reference is a chunk that another one refers to.
type Reference struct {
	Kind   Kind
	Name   protocol.Hash
	Length int // its bytes; 0: the reference does not say
}

// References visits every chunk that a node or a list of chunks refers to
// itself, in the order in which they stand there: to go through all of a
// snapshot, follow them from its root. A piece of a file refers to nothing. The
// plaintext is held to the rules that it can be held to by itself. An error of
// visit ends it and is returned as it is.
func References(kind Kind, plaintext []byte, visit func(Reference) error) error {
	switch kind {
	case KindNode:
		n, err := parseNode(plaintext)
		if err != nil {
			return err
		}
		return n.references(visit)
	case KindList:
		l, err := parseList(plaintext)
		if err != nil {
			return err
		}
		return l.references(visit)
	}
	return nil
}

func (n *node) references(visit func(Reference) error) error {
	for i := range n.Parts {
		if err := visit(Reference{Kind: KindNode, Name: n.Parts[i].Name}); err != nil {
			return err
		}
	}
	for i := range n.Entries {
		if err := n.Entries[i].references(visit); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) references(visit func(Reference) error) error {
	if e.Type == TypeFolder {
		return visit(Reference{Kind: KindNode, Name: e.Folder})
	}
	if e.Content.List != nil {
		return visit(Reference{Kind: KindList, Name: e.Content.List.Name})
	}
	return (&list{Pieces: e.Content.Pieces}).references(visit)
}

func (l *list) references(visit func(Reference) error) error {
	for _, p := range l.Pieces {
		r := Reference{Kind: KindFile, Name: p.Name, Length: int(p.Length)}
		if l.Level > 0 {
			r = Reference{Kind: KindList, Name: p.Name}
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}
