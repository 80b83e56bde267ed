// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package gauntlet

import (
	"flag"
	"testing"
)

var update = flag.Bool("update", false, "write docs/gauntlet.md")

// TestGauntlet plays all attacks of the catalogue. It runs a few thousand programs,
// which are built without the race detector; with it this process alone would take
// as long as they do.
func TestGauntlet(t *testing.T) {
	g := New(t)
	var all []Attack
	for _, part := range [][]Attack{filesAttacks, freshnessAttacks, accountAttacks, directoryAttacks} {
		all = append(all, part...)
	}
	t.Run("attacks", func(t *testing.T) {
		for _, a := range all {
			t.Run(a.ID, func(t *testing.T) {
				t.Parallel()
				g.Run(t, a)
			})
		}
	})
	t.Log(g.Table())
	if len(g.results) == len(all) { // not where -run chose some
		g.Check(t, "../../docs/gauntlet.md", *update)
	}
}
