// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/solekey/solekey/device/tree"
)

// Property is what may differ between two entries.
type Property string

// The properties.
const (
	PropertyPresence Property = "presence" // one of them is not there
	PropertyReadable Property = "readable" // one of them could not be read
	PropertyType     Property = "type"
	PropertyContent  Property = "content"
	PropertySize     Property = "size"
	PropertyMode     Property = "mode"
	PropertyOwner    Property = "owner"
	PropertyTime     Property = "time"
	PropertyTarget   Property = "target"
	PropertyDevice   Property = "device"
	PropertyXattrs   Property = "attributes" // extended ones, ACLs and capabilities among them
	PropertyLinks    Property = "hard links"
	PropertyHoles    Property = "holes"
)

// Difference is one property in which an entry differs between two trees.
type Difference struct {
	Path     []byte // within the trees; "." is their root
	Property Property
	A, B     string // for people
}

// String says all of it in a line.
func (d Difference) String() string {
	return fmt.Sprintf("%q: %s: %s, %s", d.Path, d.Property, d.A, d.B)
}

// Comparison is the outcome of comparing two trees.
type Comparison struct {
	Entries     uint64 // in either tree, their roots not counted
	Bytes       uint64 // of file content compared
	Differences []Difference
}

// CompareOptions leave properties out of a comparison.
type CompareOptions struct {
	Ignore     []Property
	IgnoreRoot bool // compare what the roots hold, not their own properties
}

func (o *CompareOptions) ignores(p Property) bool { return slices.Contains(o.Ignore, p) }

// differingProperties compares what one entry says of itself.
func differingProperties(a, b *tree.Entry) (all []Property) {
	if a.Type != b.Type {
		return []Property{PropertyType}
	}
	note := func(differs bool, p Property) {
		if differs {
			all = append(all, p)
		}
	}
	note(a.Size != b.Size, PropertySize)
	note(a.Mode != b.Mode && a.Type != tree.TypeLink, PropertyMode)
	note(a.UID != b.UID || a.GID != b.GID, PropertyOwner)
	note(a.Modified != b.Modified && !a.Timeless() && !b.Timeless(), PropertyTime)
	note(!bytes.Equal(a.Target, b.Target), PropertyTarget)
	note(a.Device != b.Device, PropertyDevice)
	note(!slices.EqualFunc(a.Xattrs, b.Xattrs, sameXattr), PropertyXattrs)
	note(!slices.Equal(a.Holes, b.Holes), PropertyHoles)
	return all
}

func sameXattr(a, b tree.Xattr) bool {
	return bytes.Equal(a.Name, b.Name) && bytes.Equal(a.Value, b.Value)
}

// describeProperty prints a property for people.
func describeProperty(e *tree.Entry, p Property) string {
	switch p {
	case PropertyType:
		return e.Type.String()
	case PropertySize:
		return fmt.Sprint(e.Size)
	case PropertyMode:
		return fmt.Sprintf("%04o", e.Mode)
	case PropertyOwner:
		return fmt.Sprintf("%d:%d", e.UID, e.GID)
	case PropertyTime:
		return e.Modified.String()
	case PropertyTarget:
		return fmt.Sprintf("%q", e.Target)
	case PropertyDevice:
		return fmt.Sprintf("%#x", e.Device)
	case PropertyHoles:
		return fmt.Sprint(e.Holes)
	}
	text := ""
	for _, x := range e.Xattrs {
		text += fmt.Sprintf("%s=%q ", x.Name, x.Value)
	}
	return text
}
