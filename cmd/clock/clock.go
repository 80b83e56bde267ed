// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !testclock

package clock

import "time"

// Now is the machine's clock.
func Now() time.Time { return time.Now() }
