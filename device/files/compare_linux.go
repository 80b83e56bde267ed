// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/solekey/solekey/device/tree"
)

// Compare holds two real trees against each other, entry by entry: presence,
// type, content, mode, owners, times to the nanosecond, targets, extended
// attributes with ACLs and capabilities, groups of hard links, holes and device
// numbers. The error is about the roots themselves.
func Compare(a, b string, options CompareOptions) (*Comparison, error) {
	c := &comparer{options: &options, result: new(Comparison)}
	var err error
	if c.a.root, err = OpenFolder(a); err != nil {
		return nil, err
	}
	defer c.a.root.Close()
	if c.b.root, err = OpenFolder(b); err != nil {
		return nil, err
	}
	defer c.b.root.Close()
	if !options.IgnoreRoot {
		c.entries([]byte("."), c.a.root.DescribeSelf, c.b.root.DescribeSelf)
	}
	c.a.first, c.b.first = map[tree.LinkGroup]string{}, map[tree.LinkGroup]string{}
	c.folders(c.a.root, c.b.root, nil)
	return c.result, nil
}

type comparer struct {
	options *CompareOptions
	result  *Comparison
	a, b    comparedTree
	bufA    [128 << 10]byte
	bufB    [128 << 10]byte
}

type comparedTree struct {
	root  *Folder
	first map[tree.LinkGroup]string // path of the first name of each group
}

func (c *comparer) note(path []byte, p Property, a, b string) {
	if !c.options.ignores(p) {
		c.result.Differences = append(c.result.Differences, Difference{bytes.Clone(path), p, a, b})
	}
}

// folders compares what two folders hold.
func (c *comparer) folders(a, b *Folder, path []byte) {
	itemsA := c.list(a, path)
	itemsB := c.list(b, path)
	for len(itemsA)+len(itemsB) > 0 {
		c.result.Entries++
		order := 0
		switch {
		case len(itemsA) == 0:
			order = 1
		case len(itemsB) == 0:
			order = -1
		default:
			order = bytes.Compare(itemsA[0].Name, itemsB[0].Name)
		}
		if order < 0 {
			c.note(joinName(path, itemsA[0].Name), PropertyPresence, itemsA[0].Type.String(), "missing")
			itemsA = itemsA[1:]
			continue
		}
		if order > 0 {
			c.note(joinName(path, itemsB[0].Name), PropertyPresence, "missing", itemsB[0].Type.String())
			itemsB = itemsB[1:]
			continue
		}
		c.items(a, b, &itemsA[0], &itemsB[0], joinName(path[:len(path):len(path)], itemsA[0].Name))
		itemsA, itemsB = itemsA[1:], itemsB[1:]
	}
}

func (c *comparer) list(f *Folder, path []byte) []Item {
	items, problems, err := f.List()
	if err != nil {
		problems = append(problems, f.problem(ActList, nil, err))
	}
	for _, p := range problems {
		c.note(path, PropertyReadable, p.Error(), "")
	}
	return items
}

// items compares two entries of the same name.
func (c *comparer) items(a, b *Folder, itemA, itemB *Item, path []byte) {
	if itemA.Type == tree.TypeFile && itemB.Type == tree.TypeFile {
		c.files(a, b, itemA, itemB, path)
	} else {
		c.entries(path,
			func() (*tree.Entry, []*Problem) { return a.Describe(itemA, nil) },
			func() (*tree.Entry, []*Problem) { return b.Describe(itemB, nil) })
	}
	c.links(itemA, itemB, path)
	if itemA.Type != tree.TypeFolder || itemB.Type != tree.TypeFolder {
		return
	}
	childA, errA := a.Child(itemA.Name)
	childB, errB := b.Child(itemB.Name)
	if errA == nil && errB == nil {
		c.folders(childA, childB, path)
	} else {
		c.note(path, PropertyReadable, fmt.Sprint(errA), fmt.Sprint(errB))
	}
	if errA == nil {
		childA.Close()
	}
	if errB == nil {
		childB.Close()
	}
}

// entries compares what two entries say of themselves.
func (c *comparer) entries(path []byte, a, b func() (*tree.Entry, []*Problem)) (same bool, holes []tree.Extent) {
	entryA, problemsA := a()
	entryB, problemsB := b()
	for _, p := range slices.Concat(problemsA, problemsB) {
		c.note(path, PropertyReadable, p.Error(), "")
	}
	if entryA == nil || entryB == nil {
		return false, nil
	}
	all := differingProperties(entryA, entryB)
	for _, p := range all {
		c.note(path, p, describeProperty(entryA, p), describeProperty(entryB, p))
	}
	if slices.Contains(all, PropertyHoles) {
		return entryA.Size == entryB.Size, nil
	}
	return entryA.Size == entryB.Size, entryA.Holes
}

// links compares to which other names of their tree two names belong.
func (c *comparer) links(a, b *Item, path []byte) {
	firstA := c.a.firstName(a, path)
	firstB := c.b.firstName(b, path)
	if firstA != firstB {
		c.note(path, PropertyLinks, "with "+firstA, "with "+firstB)
	}
}

func (t *comparedTree) firstName(item *Item, path []byte) string {
	if item.Links < 2 || item.Type == tree.TypeFolder {
		return string(path)
	}
	group := tree.LinkGroup{Device: item.Device, Inode: item.Inode}
	if _, ok := t.first[group]; !ok {
		t.first[group] = string(path)
	}
	return t.first[group]
}

// files compares two files, and their content where it is no hole in both.
func (c *comparer) files(a, b *Folder, itemA, itemB *Item, path []byte) {
	fileA, err := a.Open(itemA.Name)
	if err != nil {
		c.note(path, PropertyReadable, err.Error(), "")
		return
	}
	defer fileA.Close()
	fileB, err := b.Open(itemB.Name)
	if err != nil {
		c.note(path, PropertyReadable, "", err.Error())
		return
	}
	defer fileB.Close()
	same, holes := c.entries(path,
		func() (*tree.Entry, []*Problem) { return fileA.Describe(nil) },
		func() (*tree.Entry, []*Problem) { return fileB.Describe(nil) })
	if !same {
		c.note(path, PropertyContent, "another length", "")
		return
	}
	at, size := uint64(0), fileA.item.Size
	for _, hole := range append(slices.Clip(holes), tree.Extent{Offset: size}) {
		if !c.content(fileA, fileB, at, hole.Offset, path) {
			return
		}
		at = hole.Offset + hole.Length
	}
}

// content compares one range; it stops at the first difference.
func (c *comparer) content(a, b *File, from, to uint64, path []byte) bool {
	for from < to {
		most := min(to-from, uint64(len(c.bufA)))
		n, errA := a.ReadAt(c.bufA[:most], int64(from))
		m, errB := b.ReadAt(c.bufB[:most], int64(from))
		if n == 0 || n != m || errA != nil && errA != io.EOF || errB != nil && errB != io.EOF {
			c.note(path, PropertyReadable, fmt.Sprint(n, errA), fmt.Sprint(m, errB))
			return false
		}
		if !bytes.Equal(c.bufA[:n], c.bufB[:m]) {
			c.note(path, PropertyContent, fmt.Sprintf("differs from byte %d on", from+firstDifference(c.bufA[:n], c.bufB[:m])), "")
			return false
		}
		from += uint64(n)
		c.result.Bytes += uint64(n)
	}
	return true
}

func firstDifference(a, b []byte) uint64 {
	for i := range a {
		if a[i] != b[i] {
			return uint64(i)
		}
	}
	return uint64(len(a))
}
