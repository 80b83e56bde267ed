// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command solekey is the device: it joins an account, backs up and restores,
// and keeps the keys that nobody else has.
//
// This package is a list of parts: root.go names the commands, app.go holds what
// they share, session.go opens the device, and each other file is one command.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// memoryLimit keeps the collector ahead of what a backup reads: measured, it
// holds the program below 85 MiB at no visible cost.
const memoryLimit = 80 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	stop := startTap()
	code := run(context.Background(), os.Args[1:], &streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
