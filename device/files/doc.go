// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package files reads and writes a real file system: entries in, entries out,
// never outside its root.
//
// Reading starts with [OpenFolder]: a [Folder] lists its items, opens its files
// and its child folders, always relative to a descriptor and never through a
// symbolic link, so that no path is too long and no race leads elsewhere.
// [Rules] say what a backup leaves out. Writing starts with [NewRestorer].
// [Compare] holds two real trees against each other.
//
// What keeps one entry from being read or written is a [Problem] about that
// entry, and the rest goes on; every error of this package that concerns a
// single entry is a *Problem.
package files
