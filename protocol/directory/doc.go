// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package directory is the map from account names to ledgers, as a function of
// the provider's public log.
//
// The log's entries are typed (Entry). Rules decide which entry may come next;
// Replay is these rules, and whoever runs it over a log, the provider, a witness,
// an auditor, comes to the same two roots: of the prefix tree over names and of
// the tree over the periods of anchors. A Root entry states them, so that one
// checkpoint of the log commits to everything.
//
// Whoever asks for a name gets a PathProof: what stands at its index under a
// root, or that nothing does. A name's leaf moves only by an Update that is
// signed with the key that its leaf before named, and which is derived from the
// account's secret: neither the provider nor a removed device has it.
//
// Names do not stand in the log, nor do ledgers: an index is the output of a
// verifiable random function, a commitment is blinded, and what opens it travels
// with a look-up (Opening).
//
// A client verifies an Answer under the World it joined with (World.Look) and
// holds the ledger that it leads to against it (Found.Standing). Only a Standing
// gives a Recipient, which is what protocol/seal wraps to. What fails is an Alarm,
// which may be evidence, or Unproven, which may still come right.
//
// See spec/directory.md and spec/lookup.md.
package directory
