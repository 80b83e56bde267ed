// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"io"
	"os"
)

// File is a file being written.
type File interface {
	io.Writer
	// Sync returns when what was written is durable.
	Sync() error
	Close() error
}

// FS is how the store changes a file system; tests give it one that fails. Paths
// are absolute or relative to the process, errors are those of package os.
type FS interface {
	// Mkdir makes one folder; one that exists is fs.ErrExist.
	Mkdir(path string) error
	// Create makes a new file for writing; one that exists is fs.ErrExist.
	Create(path string) (File, error)
	// Rename moves a file, in one step, over whatever is there.
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir returns when the entries of a folder are durable.
	SyncDir(path string) error
}

// OS is the file system of the operating system.
type OS struct{}

// Mkdir makes a folder that only its owner may enter.
func (OS) Mkdir(path string) error { return os.Mkdir(path, 0o700) }

// Create makes a file that only its owner may read.
func (OS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rename is os.Rename.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is os.Remove.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir flushes the folder itself.
func (OS) SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := dir.Sync(); err != nil {
		_ = dir.Close()
		return err
	}
	return dir.Close()
}
