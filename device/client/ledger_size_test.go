// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/http"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestLedgerOfAnySize: a server that goes on sending pages fills no memory: none of
// them is verified before the last.
func TestLedgerOfAnySize(t *testing.T) {
	s := newSample(t)
	page := s.page(0, false)
	size := sizeOf(&page)
	for _, m := range methods(s) {
		if m.name != "Ledger" && m.name != "ContactLedger" {
			continue
		}
		for most, want := range map[int]protocol.Kind{size: "", size - 1: protocol.KindUntrusted} {
			w := newWorld(t, m.passSignIn(func(w http.ResponseWriter, _ *http.Request) { say(w, 200, page) }))
			w.client.most = most
			if kind := protocol.KindOf(m.call(w)); kind != want {
				t.Errorf("%s of %d bytes, %d allowed: kind %q, want %q", m.name, size, most, kind, want)
			}
		}
	}
}
