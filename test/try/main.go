// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command try does the main job on a folder and shows that it was done: it
// starts a provider, joins, backs the folder up, adds a second device by code,
// loses both, comes back with the recovery kit alone, restores, compares entry
// by entry, and searches the provider's disk for what it must not know.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: try DIR")
		os.Exit(2)
	}
	if err := try(ctx, os.Args[1]); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "try:", err)
		os.Exit(1)
	}
}

// try is the story from beginning to end.
func try(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	s, err := newStage(ctx, dir)
	if err != nil {
		return err
	}
	defer s.clear()
	for _, scene := range []struct {
		title string
		play  func() error
	}{
		{"a provider on this machine", s.startProvider},
		{"the first device joins with an invite", s.join},
		{"it backs up " + dir, s.backup},
		{"a second device is added by code", s.addDevice},
		{"both devices are lost", s.loseDevices},
		{"an empty machine comes back with the recovery kit alone", s.recover},
		{"it restores", s.restore},
		{"every entry is compared", s.compare},
		{"the provider's disk is searched", s.searchDisk},
	} {
		begin := time.Now()
		fmt.Printf("\n== %s\n", scene.title)
		if err := scene.play(); err != nil {
			return fmt.Errorf("%s: %w", scene.title, err)
		}
		fmt.Printf("   (%.1f s)\n", time.Since(begin).Seconds())
	}
	fmt.Println("\nAll of it held.")
	return nil
}
