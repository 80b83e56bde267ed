// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build tap

package main

import (
	"os"
	"strings"

	"github.com/solekey/solekey/protocol/seal"
)

// startTap appends to a file, named in the environment, what protocol/seal tells
// of what it seals and, when the function it returns is called, the most memory
// that the program had: "peak KIBIBYTES". No program that is handed out has the
// tag tap.
func startTap() (stop func()) {
	name := os.Getenv("SOLEKEY_TEST_TAP")
	if name == "" {
		return func() {}
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic("solekey: internal error: the test's tap: " + err.Error())
	}
	tell := func(line string) {
		if _, err := f.WriteString(line + "\n"); err != nil {
			panic("solekey: internal error: the test's tap: " + err.Error())
		}
	}
	seal.Tap(tell)
	return func() {
		status, _ := os.ReadFile("/proc/self/status") // elsewhere nothing is told of memory
		for line := range strings.Lines(string(status)) {
			if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				tell("peak " + strings.TrimSuffix(strings.TrimSpace(peak), " kB"))
			}
		}
	}
}
