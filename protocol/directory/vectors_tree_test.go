// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/test/vectors"
)

func treeVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	tree := func(name, says string, items ...Item) *model {
		m := newModel(t)
		if len(items) > 0 {
			m.set(items...)
		}
		var parts [][]byte
		for _, i := range items {
			parts = append(parts, append(bytes.Clone(i.Index[:]), i.Value...))
		}
		root := m.tree.Root()
		list = append(list, vectors.New("directory-tree-"+name, says+": each part is an index and its value", "directory-tree", vectors.Valid, parts...).WithHex("root", root[:]))
		return m
	}
	tree("empty", "nothing")
	tree("one", "one leaf, which is the root", Item{bitIndex("01"), []byte("a")})
	tree("two", "two leaves that part at the first bit", Item{bitIndex("0"), []byte("a")}, Item{bitIndex("1"), []byte("b")})
	last := bitIndex("01")
	last[31] |= 1
	tree("deep", "two leaves that part at the last bit", Item{bitIndex("01"), []byte("a")}, Item{last, []byte("b")})
	var items []Item
	for i := range uint64(40) {
		items = append(items, Item{simHash("index", i), []byte(fmt.Sprint("value ", i))})
	}
	m := tree("forty", "forty leaves at indexes that look random", items...)
	list = append(list, pathVectors(m)...)
	return append(list, tileVectors(t, m)...)
}

func pathVectors(m *model) []*vectors.Vector {
	var list []*vectors.Vector
	root := m.tree.Root()
	path := func(name, says, expect string, index protocol.Hash, p *PathProof) *vectors.Vector {
		v := vectors.New("directory-path-"+name, says, "directory-path", expect, p.Bytes()).WithHex("root", root[:]).WithHex("index", index[:])
		list = append(list, v)
		return v
	}
	present := simHash("index", 3)
	p := m.look(present)
	path("present", "a value", vectors.Valid, present, p).WithHex("value", p.Leaf.Value)
	// An index of which somebody else has the place, and one whose place is empty.
	var other, empty protocol.Hash
	for i := uint64(100); other.IsZero() || empty.IsZero(); i++ {
		if index := simHash("index", i); m.look(index).Leaf != nil {
			other = index
		} else {
			empty = index
		}
	}
	path("absent-other", "nothing: another leaf has the place to itself", vectors.Valid, other, m.look(other))
	path("absent-empty", "nothing: the place is empty", vectors.Valid, empty, m.look(empty))
	bad := func(name, says string, index protocol.Hash, p *PathProof) {
		path("bad-"+name, says, string(protocol.KindUntrusted), index, p)
	}
	bad("index", "another index", other, p)
	bad("value", "another value", present, &PathProof{p.Siblings, &Item{present, []byte("value 4")}})
	bad("left-out", "the leaf is left out", present, &PathProof{Siblings: p.Siblings})
	bad("short", "the last sibling is left out", present, &PathProof{p.Siblings[:len(p.Siblings)-1], p.Leaf})
	bad("long", "an empty sibling more", present, &PathProof{append(bytes2(p.Siblings), protocol.Hash{}), p.Leaf})
	bad("deep", "257 siblings", present, &PathProof{make([]protocol.Hash, MaxDepth+1), p.Leaf})
	leaf, pushed := []byte("a"), bitIndex("01")
	down := nodeHash(leafHash(pushed, leaf), protocol.Hash{})
	list = append(list, vectors.New("directory-path-bad-pushed", "a leaf that could stand higher, under a root that no tree has", "directory-path", string(protocol.KindUntrusted),
		(&PathProof{[]protocol.Hash{{}}, &Item{pushed, leaf}}).Bytes()).WithHex("root", down[:]).WithHex("index", pushed[:]))
	return list
}

func tileVectors(t *testing.T, m *model) []*vectors.Vector {
	var list []*vectors.Vector
	tile := func(name, says, expect string, of protocol.Hash, depth int, path protocol.Hash, data []byte) {
		list = append(list, vectors.New("directory-tile-"+name, says, "directory-tile", expect, data).WithHex("name", of[:]).With("depth", fmt.Sprint(depth)).WithHex("path", path[:]))
	}
	root := m.tree.Root()
	top := m.store.tiles[root]
	tile("root", "the tile of the root of forty leaves", vectors.Valid, root, 0, protocol.Hash{}, top)
	index := simHash("index", 3)
	n, err := m.tree.top(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for depth := range tileLevels {
		if bit(index, depth) == 0 {
			n = n.left
		} else {
			n = n.right
		}
	}
	name := n.name()
	below := m.store.tiles[name]
	tile("below", "a tile of the fifth level", vectors.Valid, name, tileLevels, index, below)
	bad := func(what, says string, data []byte) {
		tile("bad-"+what, says, string(protocol.KindUntrusted), root, 0, protocol.Hash{}, data)
	}
	bad("name", "another tile", below)
	bad("version", "another version", append([]byte{2}, top[1:]...))
	bad("trailing", "a byte behind it", append(bytes.Clone(top), 0))
	bad("short", "its last byte is missing", top[:len(top)-1])
	bad("kind", "a kind of node that there is not", append([]byte{1, 4}, top[2:]...))
	leaf := newLeaf(Item{bitIndex("0"), []byte("a")})
	down := nodeHash(leaf.hash, protocol.Hash{})
	list = append(list, vectors.New("directory-tile-bad-pushed", "a leaf that could stand higher", "directory-tile", string(protocol.KindUntrusted),
		append(appendTile([]byte{1, nodeInner}, leaf, 1), nodeEmpty)).WithHex("name", down[:]).With("depth", "0").WithHex("path", make([]byte, 32)))
	return list
}

func checkTree(t *testing.T, v *vectors.Vector) {
	var items []Item
	for _, part := range v.Parts {
		items = append(items, Item{protocol.Hash(part[:32]), part[32:]})
	}
	root, _, err := NewTree(protocol.Hash{}, NewMemoryStore()).Set(context.Background(), items)
	if v.Expect(t, err) && (root != hashOf(t, v, "root") || root != modelRoot(items, 0)) {
		t.Errorf("%s: the root is %s", v.Name, root)
	}
}

func checkPath(t *testing.T, v *vectors.Vector) {
	root, index := hashOf(t, v, "root"), hashOf(t, v, "index")
	p, err := ParsePathProof(v.Body(t))
	var value []byte
	var ok bool
	if err == nil {
		value, ok, err = p.Verify(root, index)
	}
	if !v.Expect(t, err) {
		return
	}
	want, present := []byte(nil), false
	if _, present = v.Lookup("value"); present {
		want = v.Hex(t, "value")
	}
	if ok != present || !bytes.Equal(value, want) {
		t.Errorf("%s: it shows %q, %v", v.Name, value, ok)
	}
}

func checkTile(t *testing.T, v *vectors.Vector) {
	depth, err := strconv.Atoi(v.Text(t, "depth"))
	if err != nil {
		t.Fatal(err)
	}
	top, err := parseTile(v.Body(t), hashOf(t, v, "name"), depth, hashOf(t, v, "path"))
	if v.Expect(t, err) && !bytes.Equal(tileOf(top), v.Body(t)) {
		t.Errorf("%s: it prints as %x", v.Name, tileOf(top))
	}
}
