// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package tlog is the public append-only log as the C2SP pages define it:
// checkpoints (tlog-checkpoint, signed-note), cosignatures of witnesses
// (tlog-cosignature), the quorum of them that is demanded (tlog-policy), the
// Merkle tree of RFC 6962 in tiles (tlog-tiles), proofs that stand alone
// (tlog-proof), and what is sent to a witness (tlog-witness).
//
// Most callers need Policy.Verify: it takes a note and returns the checkpoint in
// it, or an error, never a checkpoint that the log did not sign or the quorum did
// not cosign. VerifyInclusion and VerifyConsistency lead from there to entries and
// to other checkpoints; Entries reads entries and hands none out that the
// checkpoint does not hold.
//
// Everything that fails to verify is of KindUntrusted. What these formats leave
// open, and what is chosen here, is in spec/tlog.md.
package tlog
