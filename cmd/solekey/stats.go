// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

// The modes of stats.
const (
	modeRestore = "restore-size"
	modeRaw     = "raw-data"
)

// statsFlags are the flags of stats.
type statsFlags struct {
	chosen
	mode string
}

func newStats(a *app) *cobra.Command {
	f := &statsFlags{}
	c := &cobra.Command{
		Use:   "stats [flags] [SNAPSHOT...]",
		Short: "Say how much is stored",
		Long: "Stats counts the chosen snapshots, all of them where none is chosen.\n\n" +
			"restore-size is what restoring them one by one would write, as the devices that made them counted.\n" +
			"raw-data goes through their trees: what they need, each piece once, what it takes in packs, and how much\n" +
			"of the packs is padding or not needed.",
		Example: "  solekey stats\n  solekey stats --mode raw-data\n  solekey stats latest",
		RunE:    func(c *cobra.Command, args []string) error { return a.stats(c.Context(), f, args) },
	}
	c.Flags().StringVar(&f.mode, "mode", modeRestore, "what to count: restore-size or raw-data")
	f.chosen.add(c.Flags(), "")
	return c
}

func (a *app) stats(ctx context.Context, f *statsFlags, ids []string) error {
	if f.mode != modeRestore && f.mode != modeRaw {
		return protocol.Errorf(protocol.KindUsage, "--mode %q: it is restore-size or raw-data", f.mode)
	}
	return a.withVault(ctx, false, func(_ *session, v *backup.Vault) error {
		list, err := snapshotsOf(v, ids, f.filter())
		if err != nil {
			return err
		}
		s, err := v.Stats(ctx, list, f.mode == modeRaw)
		if err != nil {
			return err
		}
		if a.flags.json {
			a.emit(statsJSON(f, s))
			return nil
		}
		a.statsWords(s)
		return nil
	})
}

func statsJSON(f *statsFlags, s *backup.Stats) map[string]any {
	m := map[string]any{
		"message_type": "summary", "mode": f.mode, "snapshots_count": s.Snapshots, "total_file_count": s.Files, "restore_size": s.RestoreSize,
		"packs": s.Packs, "stored_size": s.StoredSize, "packs_retired": s.RetiredPacks, "retired_size": s.RetiredSize,
	}
	m["total_size"] = s.RestoreSize
	if s.Counted {
		m["total_size"], m["total_blob_count"], m["total_uncompressed_size"] = s.SealedSize, s.Chunks, s.RawSize
		m["padding_size"], m["unused_size"] = s.PaddingSize, s.UnusedSize
	}
	return m
}

func (a *app) statsWords(s *backup.Stats) {
	a.say("snapshots: %d, with %d files and %s to restore", s.Snapshots, s.Files, size(int64(s.RestoreSize)))
	if s.Counted {
		a.say("content:   %d chunks, %s, compressed %s", s.Chunks, size(s.RawSize), size(s.SealedSize))
	}
	a.say("stored:    %s in %d packs", size(s.StoredSize), s.Packs)
	if s.Counted && s.StoredSize > 0 {
		a.say("padding:   %s (%.1f%%)", size(s.PaddingSize), 100*float64(s.PaddingSize)/float64(s.StoredSize))
		a.say("not needed: %s", size(s.UnusedSize))
	}
	if s.RetiredPacks > 0 {
		a.say("retired:   %s in %d packs", size(s.RetiredSize), s.RetiredPacks)
	}
}
