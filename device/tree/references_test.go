// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// follow returns all chunks below a root, found by References alone.
func follow(t *testing.T, s *memoryStore, root protocol.Hash) map[protocol.Hash]Reference {
	t.Helper()
	found := map[protocol.Hash]Reference{root: {Kind: KindNode, Name: root}}
	open := []Reference{found[root]}
	for len(open) > 0 {
		next := open[0]
		open = open[1:]
		plaintext, err := s.load(context.Background(), next.Kind, next.Name)
		if err != nil {
			t.Fatal(err)
		}
		err = References(next.Kind, plaintext, func(r Reference) error {
			if _, known := found[r.Name]; !known {
				open = append(open, r)
			}
			if r.Kind == KindFile && r.Length != len(s.chunks[r.Name]) || r.Kind != KindFile && r.Length != 0 {
				t.Errorf("%v %v is said to have %d bytes", r.Kind, r.Name, r.Length)
			}
			found[r.Name] = r
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestReferencesReachEverything stores a tree with large folders and long files:
// what References finds must be exactly what was stored.
func TestReferencesReachEverything(t *testing.T) {
	s := newMemoryStore()
	cutter := NewCutter(testSecrets(1).Chunking)
	sub := NewFolderWriter(cutter, s.store)
	for i := range 3000 {
		content := NewContentWriter(s.store)
		pieces := 1
		if i == 7 {
			pieces = 5000 // more than one list holds
		}
		size := uint64(0)
		for j := range pieces {
			chunk := fmt.Appendf(nil, "file %d piece %d", i, j)
			name, err := s.store(KindFile, chunk)
			if err != nil {
				t.Fatal(err)
			}
			if err := content.Add(name, len(chunk)); err != nil {
				t.Fatal(err)
			}
			size += uint64(len(chunk))
		}
		c, err := content.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Add(&Entry{Name: fmt.Appendf(nil, "%05d", i), Type: TypeFile, Size: size, Content: c}); err != nil {
			t.Fatal(err)
		}
	}
	below, err := sub.Finish()
	if err != nil {
		t.Fatal(err)
	}
	top := NewFolderWriter(cutter, s.store)
	for _, e := range []*Entry{{Name: []byte("empty"), Type: TypeFile}, {Name: []byte("link"), Type: TypeLink, Target: []byte("x")}, {Name: []byte("sub"), Type: TypeFolder, Folder: below}} {
		if err := top.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	root, err := top.Finish()
	if err != nil {
		t.Fatal(err)
	}
	found := follow(t, s, root)
	for name := range s.chunks {
		if _, ok := found[name]; !ok {
			t.Fatalf("chunk %v is not found", name)
		}
	}
	if len(found) != len(s.chunks) {
		t.Errorf("%d chunks are found, %d were stored", len(found), len(s.chunks))
	}
}

func TestReferencesRefuse(t *testing.T) {
	for _, kind := range []Kind{KindNode, KindList} {
		for _, junk := range [][]byte{nil, []byte("junk"), {0xa1, 1, 2}} {
			err := References(kind, junk, func(Reference) error { return nil })
			switch protocol.KindOf(err) {
			case protocol.KindUntrusted, protocol.KindUnsupported:
			default:
				t.Errorf("%v %x: %v", kind, junk, err)
			}
		}
	}
	if err := References(KindFile, []byte("anything"), func(Reference) error { return io.EOF }); err != nil {
		t.Errorf("a piece of a file refers to something: %v", err)
	}
}

func TestReferencesStop(t *testing.T) {
	s := newMemoryStore()
	w := NewFolderWriter(NewCutter(testSecrets(1).Chunking), s.store)
	for i := range 3 {
		if err := w.Add(&Entry{Name: []byte{byte('a' + i)}, Type: TypeFolder, Folder: protocol.Hash{byte(i + 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	root, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	var seen []byte
	err = References(KindNode, s.chunks[root], func(r Reference) error {
		if seen = append(seen, r.Name[0]); len(seen) == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !slices.Equal(seen, []byte{1, 2}) {
		t.Errorf("seen %v, error %v", seen, err)
	}
}
