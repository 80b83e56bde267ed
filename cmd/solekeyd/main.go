// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command solekeyd is the provider: one program, one folder, one port. It keeps
// what devices sealed and can open none of it.
//
// This package is a list of parts: up.go wires them, site.go opens the folder
// that they work on, and each other file is one command.
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
