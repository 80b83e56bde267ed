// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build testclock

package clock

import (
	"os"
	"strings"
	"time"
)

// Now reads the clock that a test holds: a file, named in the environment,
// with how far it is from the machine's, as in -30h; it runs as the machine's does.
// Without a file it is the machine's. No program that is handed out has the tag
// testclock.
func Now() time.Time {
	name := os.Getenv("SOLEKEY_TEST_CLOCK")
	if name == "" {
		return time.Now()
	}
	text, err := os.ReadFile(name)
	if err != nil {
		panic("solekey: internal error: the test's clock: " + err.Error())
	}
	off, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		panic("solekey: internal error: the test's clock: " + err.Error())
	}
	return time.Now().Add(off)
}
