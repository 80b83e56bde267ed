// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build testclock

package main

import (
	"os"
	"strings"
	"time"
)

// wallClock reads the clock that a test holds: a file, named in the environment,
// with one time in RFC 3339. Without one it is the machine's. No program that is
// handed out has the tag testclock.
func wallClock() time.Time {
	name := os.Getenv("SOLEKEY_TEST_CLOCK")
	if name == "" {
		return time.Now()
	}
	text, err := os.ReadFile(name)
	if err != nil {
		panic("solekey: internal error: the test's clock: " + err.Error())
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	if err != nil {
		panic("solekey: internal error: the test's clock: " + err.Error())
	}
	return at
}
