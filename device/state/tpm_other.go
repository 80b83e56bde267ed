// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package state

import (
	"errors"

	"github.com/google/go-tpm/tpm2/transport"
)

// openTPM fails: TPMs are reached on Linux only so far.
func openTPM(string) (transport.TPMCloser, error) {
	return nil, errors.New("TPMs are used on Linux only")
}
