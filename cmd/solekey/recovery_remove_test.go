// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// keysOf returns the identifiers of the account's recovery keys, oldest first.
func (m *machine) keysOf() (ids []string) {
	m.t.Helper()
	for _, o := range objects(m.t, m.exits(0, "recovery", "list", "--json").out) {
		ids = append(ids, o["id"].(string))
	}
	return ids
}

// TestRemoveRecovery: the holder's kit throws out the key that a thief made, and
// the thief's throws out nothing.
func TestRemoveRecovery(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.write("file", "before")
	desk.exits(0, "backup", desk.path("file"))
	desk.exits(0, "recovery", "kit", "--out", desk.path("thief"))
	ids := desk.keysOf()
	if len(ids) != 2 {
		t.Fatalf("%d recovery keys", len(ids))
	}
	desk.exits(exitUsage, "recovery", "remove", ids[0], "--recovery-kit", desk.path("thief"))
	desk.exits(exitUsage, "recovery", "remove", ids[0], "--recovery-kit", desk.path("kit"))
	desk.exits(exitNotFound, "recovery", "remove", "0000", "--recovery-kit", desk.path("kit"))
	desk.exits(exitUsage, "recovery", "remove", "--recovery-kit", desk.path("kit"))
	if got := desk.keysOf(); len(got) != 2 {
		t.Fatalf("%d recovery keys after refusals", len(got))
	}
	desk.exits(0, "recovery", "remove", ids[1][:8], "--recovery-kit", desk.path("kit"))
	if got := desk.keysOf(); len(got) != 1 || got[0] != ids[0] {
		t.Fatalf("recovery keys %v, want %s", got, ids[0])
	}
	desk.exits(exitWrongSecret, "recovery", "test", "--recovery-kit", desk.path("thief"))
	desk.exits(exitWrongSecret, "recovery", "remove", ids[0], "--recovery-kit", desk.path("thief"))
	newMachine(t).exits(exitWrongSecret, "join", "--recovery-kit", desk.path("thief"))
	desk.exits(0, "recovery", "test", "--recovery-kit", desk.path("kit"))
	desk.exits(0, "backup", desk.path("file"))
	back := newMachine(t)
	back.exits(0, "join", "--recovery-kit", desk.path("kit"))
	if said := back.exits(0, "snapshots").out; strings.Count(said, desk.path("file")) != 2 {
		t.Errorf("after the removal: %s", said)
	}
}
