// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build tap

package main

import (
	"os"

	"github.com/solekey/solekey/protocol/seal"
)

// startTap appends to a file, named in the environment, what protocol/seal tells
// of what it seals. No program that is handed out has the tag tap.
func startTap() {
	name := os.Getenv("SOLEKEY_TEST_TAP")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic("solekey: internal error: the test's tap: " + err.Error())
	}
	seal.Tap(func(line string) {
		if _, err := f.WriteString(line + "\n"); err != nil {
			panic("solekey: internal error: the test's tap: " + err.Error())
		}
	})
}
