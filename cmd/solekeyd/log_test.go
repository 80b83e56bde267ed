// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
)

// world is the world that the server hands out.
func (r *running) world() *directory.World {
	r.t.Helper()
	status, raw := r.do(http.MethodGet, api.PathWorld, "", nil)
	world, err := directory.ParseWorld(raw)
	if status != http.StatusOK || err != nil {
		r.t.Fatalf("world: status %d, %v", status, err)
	}
	return world
}

// settled waits until devices that join are shown all that was acknowledged. It
// asks the tables, not the server: look-ups without a session are counted.
func (r *running) settled() {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if st := statusOf(r.t, r.data); st.Size > 0 && st.Waiting == 0 && st.Worlds[0].Published == st.Size {
			return
		}
	}
	r.t.Fatalf("the log does not settle: %+v", statusOf(r.t, r.data))
}

// look asks for a name as one who joins does, and verifies the answer.
func (r *running) look(name string) (*directory.World, *directory.Found) {
	r.t.Helper()
	r.settled()
	world := r.world()
	status, raw := r.do(http.MethodGet, api.PathDirectory+"?name="+name, "", nil)
	if status != http.StatusOK {
		r.t.Fatalf("look up %s: status %d: %s", name, status, raw)
	}
	answer, err := directory.ParseAnswer(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	_, found, err := world.Look(nil, name, answer)
	if err != nil {
		r.t.Fatal(err)
	}
	return world, found
}

// appears demands that the log shows a version of a name.
func (r *running) appears(name string, version uint64) {
	r.t.Helper()
	_, found := r.look(name)
	if leaf, there := found.Leaf(); !there || leaf.Version != version {
		r.t.Fatalf("the log shows version %d of %s, want %d", leaf.Version, name, version)
	}
}

// TestInviteNamesTheWorld: what the invite names is what the server serves, also
// after a restart.
func TestInviteNamesTheWorld(t *testing.T) {
	data := t.TempDir()
	r := start(t, data)
	parsed, err := api.ParseInvite(r.event("message_type", "invite")["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.World != r.world().Hash() {
		t.Error("the invite names another world than the server serves")
	}
	r.end()
	r = start(t, data)
	defer r.end()
	if parsed.World != r.world().Hash() {
		t.Error("after a restart the server serves another world")
	}
	if _, raw := r.do(http.MethodGet, api.PathWorldOf(protocol.Hash(parsed.World)), "", nil); len(raw) == 0 {
		t.Error("the world is not there by its hash")
	}
}
