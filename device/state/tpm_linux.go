// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// systemTPM is the kernel's resource manager, so that programs share the TPM.
const systemTPM = "/dev/tpmrm0"

// openTPM opens a TPM device, or the socket of an emulator.
func openTPM(path string) (transport.TPMCloser, error) {
	if path == "" {
		path = systemTPM
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		return linuxudstpm.Open(path)
	}
	return linuxtpm.Open(path)
}
