// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Stat is what the system says about an entry without opening it.
type Stat struct {
	Type     tree.Type
	Mode     uint32 // permission, setuid, setgid and sticky bits
	UID, GID uint32
	Links    uint32 // names of this inode
	Size     uint64 // bytes of a file or a symlink's target
	Blocks   uint64 // of 512 bytes, allocated
	Device   uint64 // of the file system it is on
	Inode    uint64
	Node     uint64        // device number of a device node
	Modified protocol.Time // of content
	Changed  protocol.Time // of content or properties; no program can set it back
}

// Identity is equal for a file at two times only if neither content nor
// properties changed in between, as far as the system can tell.
type Identity struct {
	Device, Inode, Size uint64
	Modified, Changed   protocol.Time
}

// Identity returns what must be equal for a file to be unchanged.
func (s *Stat) Identity() Identity {
	return Identity{s.Device, s.Inode, s.Size, s.Modified, s.Changed}
}

// maySparse reports whether it is worth asking for holes: the file has fewer
// blocks than its size needs, or is so large that the question costs nothing.
// Blocks alone do not tell, since they count attributes and maps too.
func (s *Stat) maySparse() bool { return s.Blocks*512 < s.Size || s.Size >= 64<<10 }

// Item is one entry of a listed folder.
type Item struct {
	Name []byte // one path element, as the system gave it
	Stat
}
