// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// grafts returns entries that a stranger signed, to be put behind the device's
// ledger: in its account, at its place, with its predecessor's hash.
func grafts(s *Scene, d *Device, ghost *keys.MemberSecrets) [][]byte {
	s.t.Helper()
	now := d.Insider().Ledger
	var list [][]byte
	for _, body := range []ledger.Body{
		{AddDevice: &ledger.AddDevice{Device: *ghost.Public(), Role: protocol.RoleOwner}},
		{AddRecovery: &ledger.AddRecovery{Keys: *ghost.Public()}},
		{Genesis: &ledger.Genesis{Device: *ghost.Public()}},
	} {
		entry, err := ledger.Sign(now, 2, body, ghost)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, entry.Bytes())
	}
	return list
}

// resigned returns a pack's statement as a stranger would make it.
func resigned(s *Scene, statement []byte, ghost *keys.MemberSecrets) []byte {
	s.t.Helper()
	forged, err := snapshot.ParsePackStatement(statement)
	if err != nil {
		s.t.Fatal(err)
	}
	return forged.Sign(ghost)
}
