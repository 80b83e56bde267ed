// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// ErrIndexDamaged is in the chain of the error for an index whose files do not hold together. Nothing wrong was
// answered from it. The index is to be removed (RemoveIndex) and rebuilt from the packs' own indexes.
var ErrIndexDamaged = errors.New("the local index is damaged; build it anew with: solekey repair index")

// castagnoli is the polynomial of all checksums of local files. They find damage, not malice: whoever can write
// the device's files needs no forged checksum.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// disk does every step that changes the files of an index or a journal.
type disk struct {
	// testingOnlyStep is asked before each step; an error stops the work right there, as a power failure would.
	testingOnlyStep func(act, path string) error
}

func (d disk) step(act, path string) error {
	if d.testingOnlyStep == nil {
		return nil
	}
	return d.testingOnlyStep(act, path)
}

// replace gives path new content, all of it or none: after a crash it has either the old or the new.
func (d disk) replace(path string, fill func(w io.Writer) error) error {
	temporary := path + ".new"
	if err := d.writeNew(temporary, fill); err != nil {
		return err
	}
	if err := d.step("rename", path); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return d.syncFolder(filepath.Dir(path))
}

// writeNew makes a file and has it on the medium before it returns.
func (d disk) writeNew(path string, fill func(w io.Writer) error) error {
	if err := d.step("create", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // after an error; a second Close does nothing
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := d.sync(f); err != nil {
		return err
	}
	return f.Close()
}

// sync has the file's content on the medium before it returns.
func (d disk) sync(f *os.File) error {
	if err := d.step("sync", f.Name()); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder has the folder's names on the medium before it returns, where the system can do that.
func (d disk) syncFolder(path string) error {
	if err := d.step("sync", path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // folders cannot be opened for it; NTFS journals its names
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove deletes a file; that it is gone already is no error.
func (d disk) remove(path string) error {
	if err := d.step("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
