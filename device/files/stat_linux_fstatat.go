// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && (arm64 || riscv64)

package files

import "golang.org/x/sys/unix"

const sysFstatat = unix.SYS_FSTATAT
