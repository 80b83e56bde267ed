// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/protocol"
)

func newCheck(a *app) *cobra.Command {
	var readData bool
	var subset string
	c := &cobra.Command{
		Use:   "check [flags]",
		Short: "Check that every snapshot can be restored",
		Long: "Check verifies the signatures and chains of the vault, asks the server for every pack, and goes through\n" +
			"the trees of all snapshots: everything they need must be in a pack. With --read-data every stored pack is\n" +
			"fetched whole, and every byte is held to its name and its seal. What is missing or damaged is named, with\n" +
			"the snapshots and files that it touches.\n\n" +
			"Exit code 1: something is missing. Exit code 20: something did not verify.",
		Example: "  solekey check\n" +
			"  solekey check --read-data\n" +
			"  solekey check --read-data-subset 5%\n" +
			"  solekey check --read-data-subset 1/7      # another part every day of the week",
		Args: terminal.Exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			o := backup.CheckOptions{ReadData: readData || subset != ""}
			var err error
			if o.Subset, err = parseSubset(subset); err != nil {
				return err
			}
			return a.check(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&readData, "read-data", false, "fetch every pack and verify every byte")
	c.Flags().StringVar(&subset, "read-data-subset", "", "the same for a part: 5%, n/t or a size")
	return c
}

func parseSubset(text string) (backup.Subset, error) {
	if text == "" {
		return backup.Subset{}, nil
	}
	if s, ok := backup.ParsePart(text); ok {
		return s, nil
	}
	n, err := parseSize(text)
	if err != nil || n == 0 {
		return backup.Subset{}, protocol.Errorf(protocol.KindUsage, "--read-data-subset %q: write it as in 5%%, 1/7 or 2G", text)
	}
	return backup.Subset{Bytes: n}, nil
}

// check checks and says what was found.
func (a *app) check(ctx context.Context, o backup.CheckOptions) error {
	return a.withVault(ctx, false, func(_ *session, v *backup.Vault) error {
		o.OnDamage = a.damage
		check := v.NewCheck(o)
		stop := a.tick(func() { a.checkProgress(check) })
		r, err := check.Do(ctx)
		stop()
		if err != nil {
			return err
		}
		a.checkSummary(r, o.ReadData)
		switch {
		case r.Untrusted > 0:
			return errSilent{protocol.Errorf(protocol.KindUntrusted, "something did not verify")}
		case !r.Clean():
			return errSilent{protocol.Errorf(protocol.KindInternal, "something is missing")}
		}
		return nil
	})
}

// damage says one thing that was found.
func (a *app) damage(d backup.Damage) {
	if !a.flags.json {
		a.warn("%s", printable([]byte(d.String())))
		return
	}
	m := map[string]any{"message_type": "error", "what": d.What, "message": d.String()}
	if !d.Pack.IsZero() {
		m["pack"] = d.Pack
	}
	if !d.Chunk.IsZero() {
		m["chunk"] = d.Chunk
	}
	if d.Snapshot != nil {
		m["snapshot"] = d.Snapshot.ID
	}
	if d.Path != nil {
		m["path"] = string(d.Path)
		addBase64(m, "path", d.Path)
	}
	a.emit(m)
}

func (a *app) checkProgress(c *backup.Check) {
	packs, bytes, of := c.Progress()
	if a.flags.json {
		a.emit(map[string]any{"message_type": "status", "packs_read": packs, "bytes_read": bytes, "packs_to_read": of})
		return
	}
	if of > 0 {
		a.progress(fmt.Sprintf("checking: %d of %d packs, %s", packs, of, size(bytes)))
	}
}

func (a *app) checkSummary(r *backup.CheckResult, read bool) {
	if a.flags.json {
		a.emit(map[string]any{
			"message_type": "summary", "snapshots": r.Snapshots, "packs": r.Packs, "chunks": r.Chunks, "packs_read": r.Read,
			"bytes_read": r.ReadBytes, "missing": r.Missing, "not_verified": r.Untrusted, "wrong_state": r.Retired, "bytes_unused": r.Unused,
		})
		return
	}
	if a.flags.quiet {
		return
	}
	a.say("%d snapshots need %d chunks; %d packs are stored", r.Snapshots, r.Chunks, r.Packs)
	if read {
		a.say("read %d packs, %s", r.Read, size(r.ReadBytes))
	}
	if r.Clean() {
		a.say("no errors were found")
		return
	}
	a.say("%d missing, %d not verified, %d in the wrong state; nothing was changed", r.Missing, r.Untrusted, r.Retired)
	a.say("a backup with --force stores again what is still on the devices")
}
