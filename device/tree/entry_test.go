// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// hash returns a name that is not zero.
func hash(b byte) protocol.Hash { return protocol.Hash{0: b, 31: 1} }

// validEntries are entries of every type and shape.
func validEntries() []*Entry {
	long := Content{List: &Piece{Name: hash(9), Length: 1 << 40}}
	return []*Entry{
		{Name: []byte("empty"), Type: TypeFile},
		{Name: []byte("\xff\xfe not text"), Type: TypeFile, Mode: 0o7644, UID: 1, GID: 1<<32 - 1, Modified: -1},
		{Name: []byte("one"), Type: TypeFile, Size: 5, Content: Content{Pieces: []Piece{{Name: hash(1), Length: 5}}}},
		{Name: []byte("large"), Type: TypeFile, Size: 1 << 40, Content: long, User: "ada", Group: "ünïcode"},
		{
			Name: []byte("sparse"), Type: TypeFile, Size: 100, Holes: []Extent{{Offset: 0, Length: 10}, {Offset: 20, Length: 80}},
			Content: Content{Pieces: []Piece{{Name: hash(1), Length: 7}, {Name: hash(2), Length: 3}}},
		},
		{Name: []byte("all hole"), Type: TypeFile, Size: MaxSize, Holes: []Extent{{Offset: 0, Length: MaxSize}}},
		{Name: []byte("folder"), Type: TypeFolder, Mode: 0o755, Folder: hash(3)},
		{Name: []byte("link"), Type: TypeLink, Target: []byte("../up/\xff")},
		{Name: []byte("pipe"), Type: TypePipe},
		{Name: []byte("socket"), Type: TypeSocket},
		{Name: []byte("tty"), Type: TypeCharDev, Device: 1 << 40},
		{Name: []byte("sda"), Type: TypeBlkDev},
		{Name: []byte("twin"), Type: TypeFile, Links: &LinkGroup{Device: 1, Inode: 2}},
		{Name: []byte("attributes"), Type: TypeFile, Xattrs: []Xattr{{Name: []byte("user.a"), Value: []byte{}}, {Name: []byte("user.b"), Value: []byte("x\x00")}}},
		{Name: bytes.Repeat([]byte("n"), MaxName), Type: TypePipe},
	}
}

// TestEntryRoundTrip encodes every valid entry and reads the same back.
func TestEntryRoundTrip(t *testing.T) {
	for _, e := range validEntries() {
		if err := e.Check(); err != nil {
			t.Errorf("%q: %v", e.Name, err)
			continue
		}
		b, err := canonical.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		back := &Entry{}
		if err := canonical.Unmarshal(b, len(b), back); err != nil {
			t.Fatalf("%q: %v", e.Name, err)
		}
		if !reflect.DeepEqual(back, e) {
			t.Errorf("%q came back as %+v, was %+v", e.Name, back, e)
		}
	}
}

// TestEntryCheck breaks each rule once.
func TestEntryCheck(t *testing.T) {
	piece := Content{Pieces: []Piece{{Name: hash(1), Length: 5}}}
	file := func(change func(e *Entry)) *Entry {
		e := &Entry{Name: []byte("f"), Type: TypeFile, Size: 5, Content: piece}
		change(e)
		return e
	}
	pieces := func(n int) Content { return Content{Pieces: slices.Repeat(piece.Pieces, n)} }
	for want, e := range map[string]*Entry{
		"no name":               file(func(e *Entry) { e.Name = nil }),
		"1025 bytes":            file(func(e *Entry) { e.Name = bytes.Repeat([]byte("n"), MaxName+1) }),
		`"." is no`:             file(func(e *Entry) { e.Name = []byte(".") }),
		`".." is no`:            file(func(e *Entry) { e.Name = []byte("..") }),
		`"a/b" holds`:           file(func(e *Entry) { e.Name = []byte("a/b") }),
		`"a\x00" holds`:         file(func(e *Entry) { e.Name = []byte("a\x00") }),
		"type 0 is":             file(func(e *Entry) { e.Type = 0 }),
		"type 8 is":             file(func(e *Entry) { e.Type = 8 }),
		"a file with or":        file(func(e *Entry) { e.Folder = hash(1) }),
		"a folder with or":      {Name: []byte("d"), Type: TypeFolder},
		"a link with or":        {Name: []byte("l"), Type: TypeLink},
		"a pipe with or":        {Name: []byte("p"), Type: TypePipe, Target: []byte("t")},
		"too long or holds":     {Name: []byte("l"), Type: TypeLink, Target: []byte("t\x00")},
		"the target is":         {Name: []byte("l"), Type: TypeLink, Target: bytes.Repeat([]byte("t"), MaxTarget+1)},
		"has a device number":   file(func(e *Entry) { e.Device = 1 }),
		"group of links":        {Name: []byte("d"), Type: TypeFolder, Folder: hash(1), Links: &LinkGroup{}},
		"unknown bits":          file(func(e *Entry) { e.Mode = 0o10000 }),
		"no UTF-8":              file(func(e *Entry) { e.User = "\xff" }),
		"an owner's name":       file(func(e *Entry) { e.Group = strings.Repeat("g", MaxOwner+1) }),
		"1025 extended":         file(func(e *Entry) { e.Xattrs = make([]Xattr, MaxXattrs+1) }),
		"attribute 0 has no":    file(func(e *Entry) { e.Xattrs = []Xattr{{}} }),
		"attributes are out":    file(func(e *Entry) { e.Xattrs = []Xattr{{Name: []byte("b")}, {Name: []byte("a")}} }),
		"attributes take more":  file(func(e *Entry) { e.Xattrs = []Xattr{{Name: []byte("b"), Value: make([]byte, MaxXattrBytes)}} }),
		"a pipe has a size":     {Name: []byte("p"), Type: TypePipe, Size: 1},
		"a socket has a size":   {Name: []byte("s"), Type: TypeSocket, Content: piece},
		"larger than any":       file(func(e *Entry) { e.Size = 1 << 63 }),
		"32769 holes":           file(func(e *Entry) { e.Holes = make([]Extent, MaxHoles+1) }),
		"hole 0 lies":           file(func(e *Entry) { e.Holes = []Extent{{Offset: 4, Length: 2}} }),
		"hole 1 lies":           file(func(e *Entry) { e.Holes = []Extent{{Offset: 0, Length: 1}, {Offset: 6, Length: 1<<64 - 6}} }),
		"hole 1 touches":        file(func(e *Entry) { e.Holes = []Extent{{Offset: 0, Length: 2}, {Offset: 2, Length: 1}} }),
		"5 bytes, size and":     file(func(e *Entry) { e.Size = 6 }),
		"both inline and":       file(func(e *Entry) { e.Content.List = &Piece{Name: hash(1), Length: 5} }),
		"33 pieces":             file(func(e *Entry) { e.Content, e.Size = pieces(33), 33*5 }),
		"piece 0 has 0":         file(func(e *Entry) { e.Content = Content{Pieces: []Piece{{Name: hash(1)}}} }),
		"piece 0 names":         file(func(e *Entry) { e.Content = Content{Pieces: []Piece{{Length: 5}}} }),
		"piece 0 has 4194305 b": file(func(e *Entry) { e.Content = Content{Pieces: []Piece{{Name: hash(1), Length: MaxChunkLength + 1}}} }),
	} {
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check gave %v, want %q", err, want)
		}
	}
}

// TestEntryData sees that holes are no data.
func TestEntryData(t *testing.T) {
	e := validEntries()[4]
	if got := e.Data(); got != 10 {
		t.Errorf("Data = %d, want 10", got)
	}
	if got := e.Content.Bytes(); got != 10 {
		t.Errorf("Bytes = %d, want 10", got)
	}
}

// TestTypeString names the types.
func TestTypeString(t *testing.T) {
	for typ, want := range map[Type]string{0: "unknown", TypeFile: "file", TypeFolder: "folder", TypeBlkDev: "block device", 8: "unknown", 255: "unknown"} {
		if got := typ.String(); got != want {
			t.Errorf("%d is %q, want %q", typ, got, want)
		}
	}
}

// randomEntry returns a valid entry of that name.
func randomEntry(r *rand.Rand, name []byte) *Entry {
	valid := validEntries()
	e := valid[r.IntN(len(valid))]
	e.Name, e.Modified = name, protocol.Time(r.Int64())
	return e
}
