// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/test/vectors"
)

func TestEnrolmentVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "enrolment",
		Generate: enrolVectors,
		Check:    map[string]func(*testing.T, *vectors.Vector){"enrolment": checkEnrolVector},
	})
}

func enrolVectors(t *testing.T) []*vectors.Vector {
	return []*vectors.Vector{
		enrolVector(t, "enrolment-owner", "a new owner device, at a pinned server", protocol.RoleOwner,
			"pin:0101010101010101010101010101010101010101010101010101010101010101"),
		enrolVector(t, "enrolment-writer", "a new writer device, at a server with a public certificate", protocol.RoleWriter,
			"host:backup.example:8443"),
	}
}

// enrolVector runs an enrolment whose randomness comes from seeds.
func enrolVector(t *testing.T, name, says string, role protocol.Role, server string) *vectors.Vector {
	reveal := revealPart{Version: 1, Keys: *keys.NewMemberSecrets(mustSecret(t, 2), "new").Public(), Role: role, Nonce: nonce{3}}
	challenge := challengePart{
		Version: 1, Account: protocol.AccountID{4}, Ledger: ledger.Head{Seq: 5, Hash: protocol.Hash{6}},
		Member: protocol.MemberID{7}, Nonce: nonce{8},
	}
	scan := mustSecret(t, 9)
	world := protocol.Hash{10}
	seen := seenBy(server, world, &reveal, &challenge)
	reveal.Proof = mac(scan, labelProof, seen)
	commitment, confirmation := reveal.commitment(), mac(scan, labelConfirm, seen)
	return vectors.New(name, says, "enrolment", "valid", canonical.MustMarshal(challenge), canonical.MustMarshal(reveal)).
		With("server", server).WithHex("world", world[:]).WithHex("commitment", commitment[:]).WithHex("transcript", seen[:]).
		With("short-code", shortCode(labelCode, seen)).With("answer", shortCode(labelAnswer, seen)).
		With("long-code", longCode(scan)).WithHex("confirmation", confirmation[:])
}

func seenBy(server string, world protocol.Hash, r *revealPart, c *challengePart) protocol.Hash {
	return transcript{
		Server: server, Account: c.Account, Ledger: c.Ledger, Commitment: r.commitment(), Approver: c.Member,
		Approved: c.Nonce, Newcomer: r.Keys.ID(), Role: r.Role, New: r.Nonce, World: world,
	}.hash()
}

// checkEnrolVector plays the approving side from the parts alone.
func checkEnrolVector(t *testing.T, v *vectors.Vector) {
	a := &Approval{
		server: v.Text(t, "server"), world: protocol.Hash(v.Hex(t, "world")), commitment: protocol.Hash(v.Hex(t, "commitment")),
	}
	mustEnrol(t, canonical.Unmarshal(v.Parts[0], maxEnrolPart, &a.part))
	mustEnrol(t, a.Revealed(v.Parts[1]))
	if a.seen != protocol.Hash(v.Hex(t, "transcript")) {
		t.Error("another transcript")
	}
	long := *a
	answer, err := a.ConfirmShort(v.Text(t, "short-code"))
	mustEnrol(t, err)
	if answer != v.Text(t, "answer") {
		t.Errorf("answer %s", answer)
	}
	confirmation, err := long.ConfirmLong(v.Text(t, "long-code"))
	mustEnrol(t, err)
	if protocol.Hash(confirmation) != protocol.Hash(v.Hex(t, "confirmation")) {
		t.Error("another confirmation")
	}
}
