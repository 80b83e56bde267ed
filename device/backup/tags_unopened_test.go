// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
)

// TestListThatDoesNotOpen has an owner device write a list whose details are
// those of a run: it blocks nobody, is said, and hides no older tags.
func TestListThatDoesNotOpen(t *testing.T) {
	d := newFakeAccount(t)
	k := newKeeper(t, d)
	_, ids := k.history(d)
	k.on(d, func(v *Vault) {
		_, err := v.Tag(context.Background(), TagOptions{IDs: []string{ids[0].String()}, Add: []string{"kept"}})
		check(t, err)
	})
	k.on(d, func(v *Vault) {
		live := slices.Collect(maps.Keys(v.chain.Live()))
		slices.SortFunc(live, func(a, b protocol.Hash) int { return bytes.Compare(a[:], b[:]) })
		_, err := v.propose(context.Background(), newRun(t, v), snapshot.ActList, someDetails("/"), live)
		check(t, err)
	})
	k.on(d, func(v *Vault) {
		list, err := v.Snapshots()
		check(t, err)
		if len(list) != len(ids) || !slices.Equal(list[0].Tags, []string{"kept"}) || len(d.warned) == 0 {
			t.Errorf("listed are %d, with tags %v and %d warnings", len(list), list[0].Tags, len(d.warned))
		}
	})
}
