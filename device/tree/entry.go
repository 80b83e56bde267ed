// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/solekey/solekey/protocol"
)

// Limits of an entry. What a file system holds beyond them cannot be stored; whoever makes entries reports it.
const (
	// MaxName is the longest name of an entry, in bytes.
	MaxName = 1024
	// MaxTarget is the longest target of a symbolic link, in bytes.
	MaxTarget = 16 << 10
	// MaxOwner is the longest name of a user or a group, in bytes of UTF-8.
	MaxOwner = 256
	// MaxXattrs is the largest number of extended attributes of one entry.
	MaxXattrs = 1024
	// MaxXattrBytes bounds the names and values of all extended attributes of one entry together.
	MaxXattrBytes = 1 << 20
	// MaxHoles is the largest number of holes of one file; of a file with more, the smallest are stored as zeros.
	MaxHoles = 32 << 10
	// MaxInline is the largest number of pieces that stand in the entry itself; a longer file has a list.
	MaxInline = 32
	// MaxChunkLength is the longest chunk, in bytes: of content, of a node or of a list.
	MaxChunkLength = 4 << 20
	// MaxSize is the largest size of a file, in bytes.
	MaxSize = 1<<63 - 1
	// maxMode is every permission bit, with set-user, set-group and sticky.
	maxMode = 0o7777
)

// Type says what an entry is. The numbers are part of the format and are never given a second meaning.
type Type uint8

// The types of entries.
const (
	TypeFile    Type = 1
	TypeFolder  Type = 2
	TypeLink    Type = 3 // a symbolic link
	TypePipe    Type = 4
	TypeSocket  Type = 5
	TypeCharDev Type = 6
	TypeBlkDev  Type = 7
)

// String returns the type's name.
func (t Type) String() string {
	names := [...]string{"unknown", "file", "folder", "link", "pipe", "socket", "character device", "block device"}
	if int(t) >= len(names) {
		return names[0]
	}
	return names[t]
}

// Entry is one name in a folder, with everything that is restored of it.
//
// Growth: a new field takes the next free number and is absent when zero. An older reader refuses an entry that
// carries it, so a field comes together with a new version of the node (see Node). Numbers are never used twice.
type Entry struct {
	// Name is the entry's name: bytes, not necessarily UTF-8; neither empty nor "." nor "..", without "/" and NUL.
	Name []byte `cbor:"1,keyasint"`
	Type Type   `cbor:"2,keyasint"`
	// Mode is the permission bits, with set-user (04000), set-group (02000) and sticky (01000).
	Mode  uint32 `cbor:"3,keyasint,omitempty"`
	UID   uint32 `cbor:"4,keyasint,omitempty"`
	GID   uint32 `cbor:"5,keyasint,omitempty"`
	User  string `cbor:"6,keyasint,omitempty"`
	Group string `cbor:"7,keyasint,omitempty"`
	// Modified is when content changed last; see Timeless for a folder without it.
	Modified protocol.Time `cbor:"8,keyasint,omitempty"`
	// Size is the length of a file, holes included; 0 for all else.
	Size uint64 `cbor:"9,keyasint,omitempty"`
	// Target is where a symbolic link points: bytes, as they stand.
	Target []byte `cbor:"10,keyasint,omitempty"`
	// Device is the device number of a character or block device.
	Device uint64 `cbor:"11,keyasint,omitempty"`
	// Links names the group of names that are one file; nil for a file with a single name.
	Links *LinkGroup `cbor:"12,keyasint,omitempty"`
	// Xattrs are the extended attributes, ACLs among them, in ascending order of their names.
	Xattrs []Xattr `cbor:"13,keyasint,omitempty"`
	// Holes are the parts of a file that hold no data, ascending, apart from each other.
	Holes []Extent `cbor:"14,keyasint,omitempty"`
	// Content is a file's data, holes left out.
	Content Content `cbor:"15,keyasint,omitzero"`
	// Folder is the name of the folder's root node; zero for all else.
	Folder protocol.Hash `cbor:"16,keyasint,omitzero"`
}

// Timeless reports whether this is a folder of which no time is kept, as of those
// on the way to what was backed up: whoever restores it leaves the time that it has.
func (e *Entry) Timeless() bool { return e.Type == TypeFolder && e.Modified == 0 }

// LinkGroup says which names of a snapshot were one file: those with the same device and inode.
type LinkGroup struct {
	_      struct{} `cbor:",toarray"`
	Device uint64
	Inode  uint64
}

// Xattr is one extended attribute; its value may be empty.
type Xattr struct {
	_     struct{} `cbor:",toarray"`
	Name  []byte
	Value []byte
}

// Extent is a range of bytes within a file.
type Extent struct {
	_      struct{} `cbor:",toarray"`
	Offset uint64
	Length uint64
}

// Piece names a chunk and states how many bytes of the file it holds; in a list of lists, how many it holds below.
type Piece struct {
	_      struct{} `cbor:",toarray"`
	Name   protocol.Hash
	Length uint64
}

// Content is the data of a file: up to MaxInline pieces in order, or the root of a list with more. The zero Content
// is that of a file without data.
type Content struct {
	Pieces []Piece `cbor:"1,keyasint,omitempty"`
	List   *Piece  `cbor:"2,keyasint,omitempty"`
}

// IsZero reports whether the content is that of a file without data.
func (c Content) IsZero() bool { return len(c.Pieces) == 0 && c.List == nil }

// Bytes returns the number of bytes that the content says it holds.
func (c Content) Bytes() uint64 {
	if c.List != nil {
		return c.List.Length
	}
	var n uint64
	for _, p := range c.Pieces {
		n += p.Length
	}
	return n
}

// check refuses content that is no content: both forms at once, empty pieces, sums beyond MaxSize.
func (c Content) check() error {
	if c.List != nil {
		if len(c.Pieces) > 0 {
			return errors.New("content is both inline and a list")
		}
		return checkPieces([]Piece{*c.List}, 1, MaxSize)
	}
	return checkPieces(c.Pieces, MaxInline, MaxChunkLength)
}

// checkPieces holds pieces to their limits: at most max of them, each of 1 to most bytes, MaxSize bytes in all.
func checkPieces(pieces []Piece, max int, most uint64) error {
	if len(pieces) > max {
		return fmt.Errorf("%d pieces, at most %d may stand here", len(pieces), max)
	}
	var sum uint64
	for i, p := range pieces {
		if p.Length == 0 || p.Length > most {
			return fmt.Errorf("piece %d has %d bytes, 1 to %d are allowed", i, p.Length, most)
		}
		if p.Name == (protocol.Hash{}) {
			return fmt.Errorf("piece %d names no chunk", i)
		}
		if sum += p.Length; sum > MaxSize {
			return errors.New("the pieces are longer than any file")
		}
	}
	return nil
}

// Data returns how many bytes of the file are not in holes. It is meaningful for an entry that passed Check.
func (e *Entry) Data() uint64 {
	data := e.Size
	for _, h := range e.Holes {
		data -= h.Length
	}
	return data
}

// Check refuses an entry that breaks a rule of the format. Whatever was read passed it, and nothing is written
// that does not.
func (e *Entry) Check() error {
	if err := CheckName(e.Name); err != nil {
		return err
	}
	for _, check := range []func() error{e.checkType, e.checkOwner, e.checkXattrs, e.checkFile} {
		if err := check(); err != nil {
			return fmt.Errorf("entry %q: %w", e.Name, err)
		}
	}
	return nil
}

// CheckName refuses a name that could not stand in a folder, or that would lead out of it.
func CheckName(name []byte) error {
	switch {
	case len(name) == 0:
		return errors.New("an entry has no name")
	case len(name) > MaxName:
		return fmt.Errorf("a name has %d bytes, at most %d are allowed", len(name), MaxName)
	case len(name) <= 2 && (string(name) == "." || string(name) == ".."):
		return fmt.Errorf("%q is no name of an entry", name)
	case bytes.IndexByte(name, '/') >= 0 || bytes.IndexByte(name, 0) >= 0:
		return fmt.Errorf("name %q holds a slash or a zero byte", name)
	}
	return nil
}

// checkType holds the fields that belong to one type to that type.
func (e *Entry) checkType() error {
	device := e.Type == TypeCharDev || e.Type == TypeBlkDev
	switch {
	case e.Type < TypeFile || e.Type > TypeBlkDev:
		return fmt.Errorf("type %d is unknown", e.Type)
	case (e.Type == TypeFolder) == (e.Folder == protocol.Hash{}):
		return fmt.Errorf("a %v with or without a node, as it must not be", e.Type)
	case (e.Type == TypeLink) == (len(e.Target) == 0):
		return fmt.Errorf("a %v with or without a target, as it must not be", e.Type)
	case len(e.Target) > MaxTarget || bytes.IndexByte(e.Target, 0) >= 0:
		return errors.New("the target is too long or holds a zero byte")
	case e.Device != 0 && !device:
		return fmt.Errorf("a %v has a device number", e.Type)
	case e.Links != nil && e.Type == TypeFolder:
		return errors.New("a folder belongs to a group of links")
	case e.Mode > maxMode:
		return fmt.Errorf("mode %#o has unknown bits", e.Mode)
	}
	return nil
}

// checkOwner holds the owner's names to their length and to UTF-8.
func (e *Entry) checkOwner() error {
	for _, s := range []string{e.User, e.Group} {
		if len(s) > MaxOwner || !utf8.ValidString(s) {
			return errors.New("an owner's name is too long or no UTF-8")
		}
	}
	return nil
}

// checkXattrs holds the extended attributes to their order and limits.
func (e *Entry) checkXattrs() error {
	if len(e.Xattrs) > MaxXattrs {
		return fmt.Errorf("%d extended attributes, at most %d are allowed", len(e.Xattrs), MaxXattrs)
	}
	total := 0
	for i, x := range e.Xattrs {
		if len(x.Name) == 0 || len(x.Name) > MaxName || bytes.IndexByte(x.Name, 0) >= 0 {
			return fmt.Errorf("extended attribute %d has no valid name", i)
		}
		if i > 0 && bytes.Compare(e.Xattrs[i-1].Name, x.Name) >= 0 {
			return errors.New("extended attributes are out of order")
		}
		if total += len(x.Name) + len(x.Value); total > MaxXattrBytes {
			return fmt.Errorf("extended attributes take more than %d bytes", MaxXattrBytes)
		}
	}
	return nil
}

// checkFile holds size, holes and content to each other.
func (e *Entry) checkFile() error {
	if e.Type != TypeFile {
		if e.Size != 0 || len(e.Holes) > 0 || !e.Content.IsZero() {
			return fmt.Errorf("a %v has a size or content", e.Type)
		}
		return nil
	}
	if e.Size > MaxSize {
		return fmt.Errorf("size %d is larger than any file", e.Size)
	}
	if err := e.checkHoles(); err != nil {
		return err
	}
	if err := e.Content.check(); err != nil {
		return err
	}
	if got, want := e.Content.Bytes(), e.Data(); got != want {
		return fmt.Errorf("content has %d bytes, size and holes leave %d", got, want)
	}
	return nil
}

// checkHoles holds the holes to their order; two that touch are one.
func (e *Entry) checkHoles() error {
	if len(e.Holes) > MaxHoles {
		return fmt.Errorf("%d holes, at most %d are allowed", len(e.Holes), MaxHoles)
	}
	var end uint64
	for i, h := range e.Holes {
		if h.Length == 0 || h.Offset > e.Size || h.Length > e.Size-h.Offset {
			return fmt.Errorf("hole %d lies outside the file", i)
		}
		if i > 0 && h.Offset <= end {
			return fmt.Errorf("hole %d touches the one before", i)
		}
		end = h.Offset + h.Length
	}
	return nil
}
