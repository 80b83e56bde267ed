// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command solekey-audit checks a provider without asking it: it replays the
// provider's public log, and decides what evidence of misbehaviour is worth.
//
// This package is a list of parts: root.go is what all commands share, and each
// other file is one command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The signals stay caught to the end: one that comes again while the program
	// ends in order must not change how it ends.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
