// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command solekey-witness cosigns checkpoints of public logs that only grow, so
// that whoever sees its cosignature sees the log that everybody sees. It holds no
// account and no content of anybody.
//
// This package is a list of parts: up.go wires them, site.go opens the folder that
// they work on, and each other file is one command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
