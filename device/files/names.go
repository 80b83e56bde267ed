// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"os/user"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/solekey/solekey/device/tree"
)

// ValidName reports whether name can be one path element: not empty, "." or
// "..", without '/' and NUL. Everything else is a name, UTF-8 or not.
func ValidName(name []byte) bool {
	switch len(name) {
	case 0:
		return false
	case 1:
		if name[0] == '.' {
			return false
		}
	case 2:
		if name[0] == '.' && name[1] == '.' {
			return false
		}
	}
	return bytes.IndexByte(name, '/') < 0 && bytes.IndexByte(name, 0) < 0
}

func joinName(path, name []byte) []byte {
	if len(path) > 0 && path[len(path)-1] != '/' {
		path = append(path, '/')
	}
	return append(path, name...)
}

// accounts remembers the system's user and group names in both directions. It
// may be used concurrently.
type accounts struct {
	users, groups     sync.Map // uint32 to string
	userIDs, groupIDs sync.Map // string to accountID
}

type accountID struct {
	id    uint32
	known bool
}

func (a *accounts) user(id uint32) string {
	if name, ok := a.users.Load(id); ok {
		return name.(string)
	}
	name := ""
	if u, err := user.LookupId(strconv.FormatUint(uint64(id), 10)); err == nil && storable(u.Username) {
		name = u.Username
	}
	a.users.Store(id, name)
	return name
}

func (a *accounts) group(id uint32) string {
	if name, ok := a.groups.Load(id); ok {
		return name.(string)
	}
	name := ""
	if g, err := user.LookupGroupId(strconv.FormatUint(uint64(id), 10)); err == nil && storable(g.Name) {
		name = g.Name
	}
	a.groups.Store(id, name)
	return name
}

// storable reports whether an entry can hold the owner's name.
func storable(name string) bool { return len(name) <= tree.MaxOwner && utf8.ValidString(name) }

// userID returns the number of a user by name, or the fallback where the name
// is empty or unknown here.
func (a *accounts) userID(name string, fallback uint32) uint32 {
	return resolve(&a.userIDs, name, fallback, func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

// groupID is userID for groups.
func (a *accounts) groupID(name string, fallback uint32) uint32 {
	return resolve(&a.groupIDs, name, fallback, func() (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func resolve(cache *sync.Map, name string, fallback uint32, look func() (string, error)) uint32 {
	if name == "" {
		return fallback
	}
	got, ok := cache.Load(name)
	if !ok {
		var found accountID
		if text, err := look(); err == nil {
			id, err := strconv.ParseUint(text, 10, 32)
			found = accountID{uint32(id), err == nil}
		}
		cache.Store(name, found)
		got = found
	}
	if found := got.(accountID); found.known {
		return found.id
	}
	return fallback
}

// systemAccounts caches the names of this system for the life of the process.
var systemAccounts accounts

// entryOf fills an entry with what its stat says.
func entryOf(item *Item) *tree.Entry {
	entry := &tree.Entry{
		Name:     item.Name,
		Type:     item.Type,
		Mode:     item.Mode,
		UID:      item.UID,
		GID:      item.GID,
		User:     systemAccounts.user(item.UID),
		Group:    systemAccounts.group(item.GID),
		Modified: item.Modified,
	}
	switch item.Type {
	case tree.TypeFolder:
		if entry.Modified == 0 {
			entry.Modified = 1 // exactly 0 says that none is kept: see tree.Entry.Timeless
		}
	case tree.TypeFile:
		entry.Size = item.Size
	case tree.TypeCharDev, tree.TypeBlkDev:
		entry.Device = item.Node
	}
	if item.Links > 1 && item.Type != tree.TypeFolder {
		entry.Links = &tree.LinkGroup{Device: item.Device, Inode: item.Inode}
	}
	return entry
}
