// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/test/vectors"
)

func TestNodesVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "tree-nodes",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(entryVectors(), brokenVectors(), listVectors(), folderVectors(t))
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"tree-node": checkNodeVector, "tree-list": checkListVector, "tree-folder": checkFolderVector,
		},
	})
}

func nodeVector(name, says, expect string, n node) *vectors.Vector {
	return vectors.New("tree-nodes-"+name, says, "tree-node", expect, canonical.MustMarshal(n)).With("level", fmt.Sprint(n.Level))
}

// entryVectors hold a folder with one entry each, and folders of none and of parts.
func entryVectors() (all []*vectors.Vector) {
	for _, e := range validEntries() {
		name := map[byte]string{'\xff': "no-text", 'n': "longest-name"}[e.Name[0]]
		if name == "" {
			name = strings.ReplaceAll(string(e.Name), " ", "-")
		}
		all = append(all, nodeVector("entry-"+name, "a folder with one entry, of type "+e.Type.String(), vectors.Valid, node{Version: 1, Entries: []Entry{*e}}))
	}
	parts := []nodePart{{First: []byte("a"), Name: hash(1), Entries: 256}, {First: []byte("m"), Name: hash(2), Entries: 44}}
	return append(all,
		nodeVector("empty", "a folder without entries", vectors.Valid, node{Version: 1}),
		nodeVector("parts", "a folder of two parts", vectors.Valid, node{Version: 1, Level: 1, Parts: parts}))
}

// brokenVectors break one rule each.
func brokenVectors() []*vectors.Vector {
	pipe := func(name string) Entry { return Entry{Name: []byte(name), Type: TypePipe} }
	folder := func(es ...Entry) node { return node{Version: 1, Entries: es} }
	size := Entry{Name: []byte("f"), Type: TypeFile, Size: 6, Content: Content{Pieces: []Piece{{Name: hash(1), Length: 5}}}}
	bad := func(name, says string, n node) *vectors.Vector {
		return nodeVector("bad-"+name, says, string(protocol.KindUntrusted), n)
	}
	newer := bad("version", "a version that is not known", node{Version: 2})
	newer.Header[2].Value = string(protocol.KindUnsupported)
	return []*vectors.Vector{
		newer,
		bad("order", "entries out of order", folder(pipe("b"), pipe("a"))),
		bad("twice", "two entries of one name", folder(pipe("a"), pipe("a"))),
		bad("slash", "a name with a slash", folder(pipe("../../etc/passwd"))),
		bad("dots", "a name that leads out of the folder", folder(pipe(".."))),
		bad("size", "content that is shorter than the size", folder(size)),
		bad("type", "a type that is not known", folder(Entry{Name: []byte("a"), Type: 8})),
		bad("no-parts", "a node above level 0 without parts", node{Version: 1, Level: 1}),
		bad("empty-part", "a part without entries", node{Version: 1, Level: 1, Parts: []nodePart{{First: []byte("a"), Name: hash(1)}}}),
		bad("both", "entries and parts in one node", node{Version: 1, Entries: []Entry{pipe("a")}, Parts: []nodePart{{First: []byte("a"), Name: hash(1), Entries: 1}}}),
	}
}

func listVectors() []*vectors.Vector {
	pieces := []Piece{{Name: hash(1), Length: 1 << 20}, {Name: hash(2), Length: 7}}
	long := []Piece{{Name: hash(1), Length: MaxChunkLength + 1}}
	vector := func(name, says, expect string, l list) *vectors.Vector {
		return vectors.New("tree-nodes-list-"+name, says, "tree-list", expect, canonical.MustMarshal(l)).With("bytes", fmt.Sprint(l.bytes()))
	}
	return []*vectors.Vector{
		vector("chunks", "a list of two chunks", vectors.Valid, list{Version: 1, Pieces: pieces}),
		vector("lists", "a list of lists", vectors.Valid, list{Version: 1, Level: 1, Pieces: []Piece{{Name: hash(3), Length: 1 << 40}}}),
		vector("bad-empty", "a list without pieces", string(protocol.KindUntrusted), list{Version: 1}),
		vector("bad-long", "a chunk that is longer than any", string(protocol.KindUntrusted), list{Version: 1, Pieces: long}),
		vector("bad-level", "a level that is too high", string(protocol.KindUntrusted), list{Version: 1, Level: 6, Pieces: pieces}),
	}
}

// folderVectors show where folders are cut: the names of all nodes, in the order in which they are stored.
func folderVectors(t *testing.T) (all []*vectors.Vector) {
	for _, n := range []int{3, 1000, 3000} {
		v := vectors.New(fmt.Sprintf("tree-nodes-folder-%04d", n), "pipes named f0000, f0001 and so on: the names of all nodes as they are stored, the root last",
			"tree-folder", vectors.Valid, folderNodes(t, n)...)
		all = append(all, v.With("entries", fmt.Sprint(n)).WithHex("secret", testSecret(1).Expose()))
	}
	return all
}

// folderNodes writes a folder of pipes and returns the names of its nodes, under the secrets of a vault whose root is
// testSecret(1).
func folderNodes(t *testing.T, n int) (names [][]byte) {
	t.Helper()
	s := newMemoryStore()
	var entries []*Entry
	for i := range n {
		entries = append(entries, &Entry{Name: fmt.Appendf(nil, "f%04d", i), Type: TypePipe})
	}
	writeFolder(t, func(kind Kind, b []byte) (protocol.Hash, error) {
		name, err := s.store(kind, b)
		names = append(names, bytes.Clone(name[:]))
		return name, err
	}, entries)
	return names
}

func checkNodeVector(t *testing.T, v *vectors.Vector) {
	level := vectorNumber(t, v, "level")
	n, err := parseNode(v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	if int(n.Level) != level || !bytes.Equal(canonical.MustMarshal(n), v.Body(t)) {
		t.Errorf("level %d, want %d; or printed it is another", n.Level, level)
	}
}

func checkListVector(t *testing.T, v *vectors.Vector) {
	want := vectorNumber(t, v, "bytes")
	l, err := parseList(v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	if l.bytes() != uint64(want) || !bytes.Equal(canonical.MustMarshal(l), v.Body(t)) {
		t.Errorf("%d bytes, want %d; or printed it is another", l.bytes(), want)
	}
}

func checkFolderVector(t *testing.T, v *vectors.Vector) {
	if !vectorSecret(t, v).Equal(testSecret(1)) {
		t.Error("another secret")
	}
	if got := folderNodes(t, vectorNumber(t, v, "entries")); !slices.EqualFunc(got, v.Parts, bytes.Equal) {
		t.Errorf("%d nodes %x, want %x", len(got), got, v.Parts)
	}
	v.Expect(t, nil)
}
