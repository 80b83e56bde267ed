// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !aix && !solaris

package tree

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/solekey/solekey/protocol"
)

// lockFolder makes the folder and keeps every other process from writing to it until the lock is closed or the
// process ends, however it ends: no stale lock is possible.
func lockFolder(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, protocol.Errorf(protocol.KindBusy, "another process is writing to the index in %s", dir)
	}
	return nil, err
}
