// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !testclock

package main

import "time"

// wallClock is the machine's clock; every time that this program acts on comes
// from here.
func wallClock() time.Time { return time.Now() }
