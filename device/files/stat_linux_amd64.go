// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import "golang.org/x/sys/unix"

const sysFstatat = unix.SYS_NEWFSTATAT
