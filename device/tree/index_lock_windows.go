// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/solekey/solekey/protocol"
)

// errSharing is what Windows answers for a file that another process holds alone.
const errSharing = syscall.Errno(32)

// lockFolder makes the folder and keeps every other process from writing to it until the lock is closed or the
// process ends, however it ends: no stale lock is possible.
func lockFolder(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const alone = 0 // shared with nobody
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, alone, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharing) {
		return nil, protocol.Errorf(protocol.KindBusy, "another process is writing to the index in %s", dir)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), path), nil
}
